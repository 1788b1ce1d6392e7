//! The options of `setReportStore`, read strictly: what makes no sense is refused, not ignored.

use std::path::{Path, PathBuf};
use std::time::Duration;

use outbound::ClientCertificate;
use reports::{Auth, ElasticSettings, EmbeddedSettings, Limits, is_index_name};
use serde_json::{Map, Value};

use super::SettingsError;
use super::enrich::Databases;

/// What the configuration says of the report store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which one, and how it works.
    pub engine: Engine,
    /// Reports that may wait for it.
    pub queue: usize,
    /// What one question may cost.
    pub limits: Limits,
    /// Where place and owner of an address are looked up.
    pub databases: Databases,
    given: Given,
}

/// What `setReportStore` was given, which has secrets.
#[derive(Clone, PartialEq)]
struct Given {
    engine: String,
    options: Value,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Given").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl PartialEq for Settings {
    /// Whether the same was given, and files of secrets had the same secrets in them.
    fn eq(&self, other: &Settings) -> bool {
        let auth = |settings: &Settings| match &settings.engine {
            Engine::Embedded(_) => Auth::None,
            Engine::Elastic(elastic) => elastic.auth.clone(),
        };
        self.given == other.given && auth(self) == auth(other)
    }
}

/// Which store.
#[derive(Clone, Debug)]
pub enum Engine {
    /// On the local disk.
    Embedded(Box<EmbeddedSettings>),
    /// Elasticsearch or OpenSearch.
    Elastic(Box<ElasticSettings>),
}

impl Engine {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Engine::Embedded(_) => "embedded",
            Engine::Elastic(_) => "elasticsearch",
        }
    }
}

/// Reports that may wait for the store.
const QUEUE: usize = 20_000;

/// Members taken out one by one; what is left at the end has no meaning.
struct Table {
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

fn refuse(text: impl Into<String>) -> SettingsError {
    SettingsError(text.into())
}

impl Table {
    /// Something is missing; what was given instead is named, as it may be what was meant.
    fn lacks(&self, text: &str) -> SettingsError {
        let given = self.left.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        refuse(if given.is_empty() { text.to_owned() } else { format!("{text}; given: {given}") })
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.left.remove(name)
    }

    fn text(&mut self, name: &'static str) -> Result<Option<String>, SettingsError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            // What was meant as a secret must not get into the log.
            Some(_) => Err(refuse(format!("{name} must be a text"))),
        }
    }

    fn number(&mut self, name: &'static str, least: u64, most: u64) -> Result<Option<u64>, SettingsError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0);
        let number = number.map(|number| number as u64).filter(|number| (least..=most).contains(number));
        let wrong = || refuse(format!("{name} must be a whole number from {least} to {most}, not {value}"));
        number.ok_or_else(wrong).map(Some)
    }

    fn flag(&mut self, name: &'static str) -> Result<Option<bool>, SettingsError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(refuse(format!("{name} must be true or false, not {other}"))),
        }
    }

    fn finish(self) -> Result<(), SettingsError> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(other) => {
                Err(refuse(format!("there is no option \"{other}\", only {}", self.known.join(", "))))
            }
        }
    }
}

impl Settings {
    /// Reads what `setReportStore` was given.
    ///
    /// # Errors
    /// An engine or an option that there is not, or a value that makes no sense.
    pub fn read(engine: &str, options: Value) -> Result<Settings, SettingsError> {
        let given = Given { engine: engine.to_owned(), options: options.clone() };
        let Value::Object(left) = options else { return Err(refuse("the options must have names")) };
        let mut table = Table { left, known: Vec::new() };
        let engine = match engine {
            "embedded" => Engine::Embedded(Box::new(embedded(&mut table)?)),
            "elasticsearch" | "opensearch" => Engine::Elastic(Box::new(elastic(&mut table)?)),
            other => {
                let text =
                    format!("there is no report store \"{other}\", only \"embedded\" and \"elasticsearch\"");
                return Err(refuse(text));
            }
        };
        let usual = Limits::default();
        let settings = Settings {
            queue: table.number("queue", 1, 1 << 24)?.map_or(QUEUE, |size| size as usize),
            limits: Limits {
                time: table
                    .number("query_timeout_ms", 1, 3_600_000)?
                    .map_or(usual.time, Duration::from_millis),
                results: table
                    .number("max_results", 1, 1_000_000)?
                    .map_or(usual.results, |most| most as usize),
                values: table.number("max_values", 1000, 1 << 30)?.map_or(usual.values, |most| most as usize),
                ..usual
            },
            databases: Databases { place: table.text("place_db")?, owner: table.text("asn_db")? },
            engine,
            given,
        };
        table.finish()?;
        Ok(settings)
    }
}

fn embedded(table: &mut Table) -> Result<EmbeddedSettings, SettingsError> {
    let path = table
        .text("path")?
        .ok_or_else(|| table.lacks("an embedded store needs path, the folder it is kept in"))?;
    let mut settings = EmbeddedSettings::new(PathBuf::from(path));
    if let Some(days) = table.number("retention_days", 1, 36_500)? {
        settings.keep_days = days as u32;
    }
    if let Some(bytes) = table.number("max_bytes", 0, 1 << 60)? {
        settings.keep_bytes = bytes;
    }
    if let Some(sync) = table.flag("sync_batches")? {
        settings.sync_batches = sync;
    }
    if let Some(questions) = table.number("concurrent_queries", 1, 1024)? {
        settings.questions = questions as usize;
    }
    Ok(settings)
}

fn elastic(table: &mut Table) -> Result<ElasticSettings, SettingsError> {
    let hosts = match table.take("hosts") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => {
            let texts =
                several.iter().map(|host| host.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
            texts.ok_or_else(|| refuse("hosts must be a list of URLs"))?
        }
        _ => return Err(table.lacks("elasticsearch needs hosts, a list of URLs")),
    };
    let mut settings = ElasticSettings::new(hosts);
    let password = secret(table, "password", "password_file")?;
    let api_key = secret(table, "api_key", "api_key_file")?;
    settings.auth = match (table.text("user")?, password, api_key) {
        (None, None, None) => Auth::None,
        (Some(user), Some(password), None) => Auth::Basic(user, password),
        (None, None, Some(key)) => Auth::ApiKey(key),
        (_, _, None) => return Err(refuse("user and password (or password_file) belong together")),
        _ => return Err(refuse("either user and password, or api_key")),
    };
    settings.tls.authorities = table.text("ca_file")?.map(PathBuf::from);
    settings.tls.client = match (table.text("client_certificate")?, table.text("client_key")?) {
        (Some(certificate), Some(key)) => {
            Some(ClientCertificate { certificate: certificate.into(), key: key.into() })
        }
        (None, None) => None,
        _ => return Err(refuse("client_certificate and client_key belong together")),
    };
    if let Some(verify) = table.flag("verify_tls")? {
        settings.tls.verify_peer = verify;
        settings.tls.verify_host = verify;
    }
    if let Some(index) = table.text("index")? {
        if !is_index_name(&index) {
            return Err(refuse(format!("\"{index}\" cannot be the name of an index")));
        }
        settings.index = index;
    }
    settings.search = table.text("search_index")?;
    if let Some(suffix) = table.text("keyword_suffix")? {
        settings.keyword_suffix = suffix;
    }
    if let Some(days) = table.number("retention_days", 1, 36_500)? {
        settings.keep_days = days as u32;
    }
    if let Some(shards) = table.number("shards", 1, 1024)? {
        settings.shards = shards as u32;
    }
    settings.replicas = table.number("replicas", 0, 100)?.map(|replicas| replicas as u32);
    if let Some(manage) = table.flag("manage_indexes")? {
        settings.manage = manage;
    }
    if let Some(timeout) = table.number("timeout_ms", 100, 600_000)? {
        settings.timeout = Duration::from_millis(timeout);
    }
    Ok(settings)
}

/// A secret, as it stands or in a file of its own.
fn secret(
    table: &mut Table,
    name: &'static str,
    file: &'static str,
) -> Result<Option<String>, SettingsError> {
    match (table.text(name)?, table.text(file)?) {
        (Some(_), Some(_)) => Err(refuse(format!("either {name} or {file}"))),
        (secret, None) => Ok(secret),
        (None, Some(path)) => {
            let text = files::read_text(Path::new(&path), files::SECRET)
                .map_err(|error| refuse(format!("{file} {path}: {error}")))?;
            Ok(Some(text.trim_end().to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn refused(engine: &str, options: Value) -> String {
        Settings::read(engine, options).unwrap_err().to_string()
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        assert!(refused("sqlite", json!({})).contains("\"sqlite\""));
        assert!(refused("embedded", json!({})).contains("path"));
        assert!(refused("embedded", json!({"path": "x", "retentiondays": 1})).contains("\"retentiondays\""));
        assert!(refused("embedded", json!({"path": "x", "retention_days": 0})).contains("from 1 to 36500"));
        assert!(refused("embedded", json!({"path": "x", "sync_batches": 1})).contains("true or false"));
        assert!(refused("embedded", json!([])).contains("names"));
    }

    #[test]
    fn tls_of_the_servers_is_taken() {
        let options = json!({"hosts": "https://a:9200", "ca_file": "ca.pem", "client_certificate": "c.pem",
            "client_key": "k.pem"});
        let Engine::Elastic(elastic) = Settings::read("elasticsearch", options).unwrap().engine else {
            panic!()
        };
        let client = elastic.tls.client.unwrap();
        assert_eq!(elastic.tls.authorities, Some("ca.pem".into()));
        assert_eq!((client.certificate, client.key), ("c.pem".into(), "k.pem".into()));
        assert!(elastic.tls.verify_peer && elastic.tls.verify_host);
        let options = json!({"hosts": "https://a:9200", "verify_tls": false});
        let Engine::Elastic(elastic) = Settings::read("elasticsearch", options).unwrap().engine else {
            panic!()
        };
        assert!(!elastic.tls.verify_peer && !elastic.tls.verify_host && elastic.tls.client.is_none());
    }

    #[test]
    fn options_are_taken() {
        let options =
            json!({"path": "store", "retention_days": 30, "max_bytes": 1e9, "query_timeout_ms": 500});
        let settings = Settings::read("embedded", options).unwrap();
        assert_eq!(settings.limits.time, Duration::from_millis(500));
        let Engine::Embedded(embedded) = settings.engine else { panic!() };
        assert_eq!((embedded.keep_days, embedded.keep_bytes), (30, 1_000_000_000));
    }

    #[test]
    fn another_option_or_secret_makes_another_store() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "id:key\n").unwrap();
        let elastic = |options: Value| {
            let mut all = json!({"hosts": "https://a:9200", "api_key_file": file});
            all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
            Settings::read("elasticsearch", all).unwrap()
        };
        let before = elastic(json!({}));
        assert_eq!(before, elastic(json!({})));
        assert_ne!(before, elastic(json!({"retention_days": 3})));
        assert_ne!(before, Settings::read("embedded", json!({"path": "x"})).unwrap());
        std::fs::write(&file, "id:other\n").unwrap();
        assert_ne!(before, elastic(json!({})));
        let options = json!({"hosts": "https://a:9200", "user": "u", "password": "hidden"});
        let shown = format!("{:?}", Settings::read("elasticsearch", options).unwrap());
        assert!(!shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn servers_and_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "id:key\n").unwrap();
        let options =
            json!({"hosts": ["https://a:9200", "https://b:9200"], "api_key_file": file, "retention_days": 7});
        let Engine::Elastic(elastic) = Settings::read("elasticsearch", options).unwrap().engine else {
            panic!()
        };
        assert_eq!((elastic.auth, elastic.keep_days), (Auth::ApiKey("id:key".into()), 7));
        let host = json!("http://a:9200");
        for (options, word) in [
            (json!({}), "hosts"),
            (json!({"hosts": host, "user": "u"}), "belong together"),
            (json!({"hosts": host, "user": "u", "password": "p", "api_key": "k"}), "either"),
            (json!({"hosts": host, "password_file": "/nonexistent"}), "/nonexistent"),
            (json!({"hosts": host, "index": "A*"}), "index"),
            (json!({"hosts": host, "client_key": "k"}), "belong together"),
        ] {
            let error = refused("elasticsearch", options);
            assert!(error.contains(word), "{error}");
        }
        assert!(!refused("elasticsearch", json!({"hosts": host, "password": ["hidden"]})).contains("hidden"));
    }
}
