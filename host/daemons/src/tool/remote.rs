//! A running daemon, asked over its REST API: where it is, and who asks.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use capabilities::{Capabilities, Daemon, Log};
use lua::Settings;
use lua::vm::Source;
use outbound::{Client, HeaderName, Method, Request, Response, TlsSettings, basic_auth};
use policy::{Component, ComponentError, Components};
use tokio::runtime::Runtime;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The password, for those who do not name a configuration.
const PASSWORD: &str = "PORTCULLIS_PASSWORD";

/// Who is asked, as a command line says it.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The daemon's own configuration: address and password come from it.
    pub config: Option<PathBuf>,
    /// The base URL, instead of the configuration's listener; it may carry a password.
    pub url: Option<String>,
    /// A file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// The authorities that may have signed its certificate, instead of the system's.
    pub ca: Option<PathBuf>,
}

/// Why it cannot be asked, or what it answered.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The configuration does not load.
    #[error("{0}")]
    Load(#[from] lua::vm::LoadError),
    /// It says nothing of an address.
    #[error("{} has no addListener(), so the daemon has no REST API: name another address with --url", .0.display())]
    NoListener(PathBuf),
    /// What is needed to look at the configuration cannot be had.
    #[error("cannot start: {0}")]
    Start(String),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] outbound::TlsError),
    /// There is no answer.
    #[error("{url}: {error}")]
    Ask {
        /// Where.
        url: String,
        /// Why.
        error: outbound::Error,
    },
    /// It does not let this one in.
    #[error("{0}: wrong password, or the address of this machine is not in its ACL")]
    Unauthorized(String),
    /// It does not know the command.
    #[error("{0}: no such command: is this a {1}?")]
    NotFound(String, Daemon),
    /// Something else is there.
    #[error(
        "{0}: the answer is no JSON, so this is no {1} of Portcullis (status {2}): is the address right?"
    )]
    Foreign(String, Daemon, u16),
    /// It refused.
    #[error("{0}")]
    Refused(String),
}

/// A daemon that can be asked.
pub struct Remote {
    daemon: Daemon,
    runtime: Runtime,
    client: Client,
    url: String,
    password: Option<Vec<u8>>,
}

impl Remote {
    /// Finds out where it is.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn new(daemon: Daemon, place: &Place) -> Result<Remote, RemoteError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| RemoteError::Start(error.to_string()))?;
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let ca = place.ca.as_ref().map(absolute);
        let mut password = match &place.password_file {
            Some(path) => Some(first_line(path)?),
            None => std::env::var_os(PASSWORD).map(std::os::unix::ffi::OsStringExt::into_vec),
        };
        let mut tls = TlsSettings { authorities: ca, ..TlsSettings::default() };
        let url = if let Some(url) = &place.url {
            url.trim_end_matches('/').to_owned()
        } else {
            let default = PathBuf::from(format!("/etc/wforce/{daemon}.conf"));
            let config = place.config.as_ref().unwrap_or(&default);
            let (settings, capabilities) = read(daemon, config, &runtime)?;
            let known = capabilities.access.password();
            password = password.or_else(|| known.map(|known| known.to_vec()));
            let listener = settings.read(|values| values.listeners.first().cloned());
            let listener = listener.ok_or_else(|| RemoteError::NoListener(config.clone()))?;
            if tls.authorities.is_none() {
                // It is the daemon of this configuration, on this machine: its certificate is for another name.
                (tls.verify_peer, tls.verify_host) = (false, false);
            }
            let mut addr = listener.addr;
            if addr.ip().is_unspecified() {
                let loopback: std::net::IpAddr =
                    if addr.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
                addr.set_ip(loopback);
            }
            format!("{}://{addr}", if listener.tls.is_some() { "https" } else { "http" })
        };
        let client = Client::new(&tls)?;
        Ok(Remote { daemon, runtime, client, url, password })
    }

    /// GET of a command; its JSON.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub fn get(&self, command: &str) -> Result<serde_json::Value, RemoteError> {
        self.ask(Method::GET, command, Vec::new())
    }

    /// GET of a path beside the commands, with these parameters; its JSON.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub fn get_page(&self, path: &str, query: &[(&str, String)]) -> Result<serde_json::Value, RemoteError> {
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        self.ask_path(Method::GET, &format!("{path}?{}", query.join("&")), Vec::new())
    }

    /// POST of a command; its JSON.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub fn post(&self, command: &str, body: &serde_json::Value) -> Result<serde_json::Value, RemoteError> {
        self.ask(Method::POST, command, body.to_string().into_bytes())
    }

    fn ask(&self, method: Method, command: &str, body: Vec<u8>) -> Result<serde_json::Value, RemoteError> {
        self.ask_path(method, &format!("command/{command}"), body)
    }

    fn ask_path(&self, method: Method, path: &str, body: Vec<u8>) -> Result<serde_json::Value, RemoteError> {
        let url = format!("{}/{path}", self.url);
        let shown = outbound::without_secrets(&url);
        let mut request = Request::new(method, url, body);
        if let Some(password) = &self.password {
            let name = HeaderName::from_static("authorization");
            request = request.header(name, basic_auth(self.daemon.name().as_bytes(), password));
        }
        let answer = self.runtime.block_on(self.client.send(request, PATIENCE));
        let Response { status, body, .. } =
            answer.map_err(|error| RemoteError::Ask { url: shown.clone(), error })?;
        let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        match (status.as_u16(), json) {
            (200, Some(json)) => Ok(json),
            (401, _) => Err(RemoteError::Unauthorized(shown)),
            // Its API speaks JSON, whatever the status; but a proxy in front of it says in HTML that it is away.
            (status @ ..500, None) if body.trim_ascii_start().starts_with(b"<") => {
                Err(RemoteError::Foreign(shown, self.daemon, status))
            }
            (404, _) => Err(RemoteError::NotFound(shown, self.daemon)),
            (_, Some(json)) if json["reason"].is_string() => {
                Err(RemoteError::Refused(json["reason"].as_str().unwrap_or_default().to_owned()))
            }
            (status @ 200..=399, None) => Err(RemoteError::Foreign(shown, self.daemon, status)),
            (status, _) => Err(RemoteError::Refused(format!("{shown}: status {status}"))),
        }
    }
}

/// A text as a part of a URL's query.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a String does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn first_line(path: &Path) -> Result<Vec<u8>, RemoteError> {
    let text = files::read_or_pipe(path, files::SECRET)
        .map_err(|error| RemoteError::Read { path: path.to_owned(), error })?;
    Ok(text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default().to_vec())
}

/// What a configuration sets up. Its folder becomes the working folder, as for the daemon.
fn read(
    daemon: Daemon,
    config: &Path,
    runtime: &Runtime,
) -> Result<(Arc<Settings>, Arc<Capabilities>), RemoteError> {
    let wrap = |error| RemoteError::Read { path: config.to_owned(), error };
    let absolute = std::path::absolute(config).map_err(wrap)?;
    let source = Source::read(&absolute).map_err(wrap)?.named(config);
    if let Some(folder) = absolute.parent() {
        #[expect(
            clippy::disallowed_methods,
            reason = "a configuration's relative names start in its folder"
        )]
        std::env::set_current_dir(folder).map_err(wrap)?;
    }
    let options = capabilities::Options {
        log: Log::discard(),
        metrics_prefix: daemon.name().to_owned(),
        regexes: None,
    };
    let capabilities = Capabilities::new(options).map_err(|error| RemoteError::Start(error.to_string()))?;
    let host = lua::Host {
        daemon,
        caps: capabilities.clone(),
        settings: Arc::default(),
        jobs: Arc::default(),
        output: Arc::default(),
        runtime: runtime.handle().clone(),
        version: format!("{daemon} {}", env!("CARGO_PKG_VERSION")),
        components: Arc::new(Unloaded),
        shutdown: Box::new(|| {}),
        bind_sockets: false,
        load_limit: Some(super::desk::READING),
        load_memory: None,
    };
    let settings = lua::load_settings(&source, host)?;
    Ok((settings, capabilities))
}

/// Takes every policy and loads none.
struct Unloaded;

impl Components for Unloaded {
    fn load(&self, _: &str, _: &Path, _: &serde_json::Value) -> Result<(), ComponentError> {
        Ok(())
    }

    fn get(&self, _: &str) -> Option<Arc<dyn Component>> {
        None
    }

    fn reload(&self, name: &str) -> Result<String, ComponentError> {
        Ok(name.to_owned())
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn lines(&self) -> Vec<String> {
        Vec::new()
    }
}
