//! What the configuration says about alerts: tables of names and values, read strictly.

mod secret;

use std::path::PathBuf;

use capabilities::alerts::BlockOf;
use lettre::message::Mailbox;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use secret::Secret;

/// Why a table is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

fn refuse<T>(text: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(text.into()))
}

/// Everything about alerts.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The mail server, and who gets mail.
    pub mail: Option<Mail>,
    /// Names of the custom webhooks that get alerts.
    pub webhooks: Vec<String>,
    /// Daemons whose blacklist gets entries.
    pub blocks: Vec<Block>,
    /// Who is told by alerts that name no channel; `None`: operators by mail, and all webhooks.
    pub channels: Option<Vec<String>>,
    /// Nothing is sent; the log tells what would be.
    pub dry_run: bool,
    /// How much is told.
    pub limits: Limits,
    /// A folder of templates that go before the built-in ones.
    pub templates: Option<PathBuf>,
    /// The links of "was this you?".
    pub confirm: Option<Confirmations>,
    /// Names of policies that may raise alerts, as far as the configuration says so.
    pub raised_by: Vec<String>,
}

impl Settings {
    /// Policies that may raise alerts although there is no channel that any could be told through.
    pub fn unheard(&self) -> &[String] {
        if self.mail.is_some() || !self.webhooks.is_empty() || !self.blocks.is_empty() {
            return &[];
        }
        &self.raised_by
    }
}

/// How mail gets to its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Plain at first, then TLS; without TLS nothing is sent.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Plain: only to this machine itself.
    None,
}

/// The mail server, and who gets mail.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Name or address of the server.
    pub host: String,
    /// Its port; else 587, with `tls` 465, with `none` 25.
    #[serde(default)]
    pub port: Option<u16>,
    /// How it is talked to.
    #[serde(default)]
    pub security: Security,
    /// Who logs in there, if anybody has to.
    #[serde(default)]
    pub user: Option<String>,
    /// With this password.
    #[serde(default)]
    password: Option<Secret>,
    /// Or with the one in this file.
    #[serde(default)]
    password_file: Option<PathBuf>,
    /// The sender: `Mail team <alerts@example.com>`.
    #[serde(deserialize_with = "mailbox")]
    pub from: Mailbox,
    /// The operators.
    #[serde(default, deserialize_with = "mailboxes")]
    pub to: Vec<Mailbox>,
    /// The address of a user, with `%{login}` for the login.
    #[serde(default)]
    pub user_to: Option<String>,
    /// The language of mail where the alert names none.
    #[serde(default = "english")]
    pub language: String,
    /// The time zone of times in mail, as `Europe/Amsterdam`.
    #[serde(default = "utc")]
    pub timezone: String,
    /// PEM file of the authorities to trust for the server; else the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Seconds that the server may take for one mail.
    #[serde(default = "half_a_minute")]
    pub timeout: u32,
}

/// A daemon whose blacklist gets entries.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What policies call the channel.
    #[serde(default = "block")]
    pub name: String,
    /// Base URL of its API.
    pub url: String,
    /// Its password.
    #[serde(default)]
    password: Option<Secret>,
    /// Or the file with it.
    #[serde(default)]
    password_file: Option<PathBuf>,
    /// For how long an entry holds where the alert does not say, in seconds.
    #[serde(default = "hour")]
    pub seconds: u32,
    /// What is blocked where the alert does not say.
    #[serde(default = "pair", deserialize_with = "block_of")]
    pub what: BlockOf,
    /// PEM file of the authorities to trust for it; else the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Alerts of one reason about one login are told once in so many seconds.
    pub window: u32,
    /// Alerts about one login in an hour, whatever their reasons.
    pub per_login: u32,
    /// Alerts in an hour.
    pub per_hour: u32,
    /// Alerts that may wait to be told.
    pub queue: u32,
    /// Attempts to tell one.
    pub attempts: u32,
    /// Milliseconds before the second attempt; doubled before each further one, ten minutes at most.
    pub pause_ms: u32,
}

impl Default for Limits {
    /// A day, 10, 1000, 10,000; ten attempts from five seconds on, which is about forty minutes.
    fn default() -> Self {
        Self { window: 86_400, per_login: 10, per_hour: 1000, queue: 10_000, attempts: 10, pause_ms: 5000 }
    }
}

/// The links of "was this you?".
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmations {
    /// The URL under which users reach this daemon's `/confirm`.
    pub url: String,
    /// The key that signs, 16 bytes at least.
    #[serde(default)]
    key: Option<Secret>,
    /// Or the file with it. Without either one is made in the state directory.
    #[serde(default)]
    key_file: Option<PathBuf>,
    /// Days that a link holds.
    #[serde(default = "fortnight")]
    pub days: u32,
    /// The channels that are told when a user says "that was not me".
    #[serde(default, deserialize_with = "texts")]
    pub on_bad: Vec<String>,
}

impl Mail {
    /// Reads a table.
    ///
    /// # Errors
    /// A name that there is not, one that is missing, or a value that makes no sense.
    pub fn read(table: &Value) -> Result<Mail, ConfigError> {
        let mail: Mail = read(table)?;
        if mail.user.is_some() != (mail.password.is_some() || mail.password_file.is_some()) {
            return refuse("user and password (or password_file) belong together");
        }
        if mail.security == Security::None && !is_local(&mail.host) {
            return refuse(format!(
                "security = \"none\" would send mail in the clear: it is for a server on this machine, not for {}; use \
                 \"starttls\" or \"tls\"",
                mail.host
            ));
        }
        if let Some(pattern) = &mail.user_to
            && !pattern.contains("%{login}")
        {
            return refuse("user_to must have %{login} in it, where the login goes");
        }
        if jiff::tz::TimeZone::get(&mail.timezone).is_err() {
            return refuse(format!("timezone: there is no \"{}\" on this machine", mail.timezone));
        }
        if mail.timeout == 0 {
            return refuse("timeout must be at least a second");
        }
        Ok(mail)
    }

    /// The password, if there is one.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn secret(&self) -> Result<Option<Secret>, ConfigError> {
        Secret::of(self.password.as_ref(), self.password_file.as_ref(), "password")
    }
}

impl Block {
    /// Reads a table.
    ///
    /// # Errors
    /// As for [`Mail::read`].
    pub fn read(table: &Value) -> Result<Block, ConfigError> {
        let block: Block = read(table)?;
        if let Err(error) = outbound::check_url(&block.url) {
            return refuse(error.to_string());
        }
        if block.password.is_none() && block.password_file.is_none() {
            return refuse("missing password (or password_file): that of setWebserverPassword there");
        }
        if block.seconds == 0 {
            return refuse("seconds must be at least 1");
        }
        Ok(block)
    }

    /// The password.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn secret(&self) -> Result<Option<Secret>, ConfigError> {
        Secret::of(self.password.as_ref(), self.password_file.as_ref(), "password")
    }
}

impl Limits {
    /// Reads a table.
    ///
    /// # Errors
    /// As for [`Mail::read`].
    pub fn read(table: &Value) -> Result<Limits, ConfigError> {
        let limits: Limits = read(table)?;
        if limits.attempts == 0 || limits.attempts > 100 {
            return refuse("attempts must be from 1 to 100");
        }
        if limits.queue == 0 || limits.queue > 1_000_000 || limits.per_hour > 1_000_000 {
            return refuse("queue must be from 1 to 1000000, per_hour at most that");
        }
        Ok(limits)
    }
}

impl Confirmations {
    /// Reads a table.
    ///
    /// # Errors
    /// As for [`Mail::read`].
    pub fn read(table: &Value) -> Result<Confirmations, ConfigError> {
        let confirm: Confirmations = read(table)?;
        if let Err(error) = outbound::check_url(&confirm.url) {
            return refuse(error.to_string());
        }
        if confirm.url.contains(['?', '#']) {
            return refuse("url must end with the path: the daemon appends the link's own query");
        }
        if confirm.days == 0 || confirm.days > 3650 {
            return refuse("days must be from 1 to 3650");
        }
        Ok(confirm)
    }

    /// The key, if the configuration has one.
    ///
    /// # Errors
    /// Its file cannot be read, or it is too short to be one.
    pub fn secret(&self) -> Result<Option<Secret>, ConfigError> {
        let secret = Secret::of(self.key.as_ref(), self.key_file.as_ref(), "key")?;
        if secret.as_ref().is_some_and(|secret| secret.expose().len() < 16) {
            return refuse("key is shorter than 16 bytes: take `openssl rand -base64 32`");
        }
        Ok(secret)
    }
}

fn read<T: DeserializeOwned>(table: &Value) -> Result<T, ConfigError> {
    T::deserialize(table).map_err(|error| ConfigError(error.to_string()))
}

/// Whether a host is this machine.
fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn english() -> String {
    "en".to_owned()
}

fn utc() -> String {
    "UTC".to_owned()
}

fn half_a_minute() -> u32 {
    30
}

fn block() -> String {
    "block".to_owned()
}

fn hour() -> u32 {
    3600
}

fn pair() -> BlockOf {
    BlockOf::IpLogin
}

fn fortnight() -> u32 {
    14
}

/// A text, or a list of texts; an empty Lua table comes as an object.
fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => Ok(vec![text]),
        Value::Object(empty) if empty.is_empty() => Ok(Vec::new()),
        Value::Array(items) => items
            .into_iter()
            .map(|item| {
                item.as_str().map(str::to_owned).ok_or_else(|| D::Error::custom("not a list of texts"))
            })
            .collect(),
        _ => Err(D::Error::custom("not a text or a list of texts")),
    }
}

fn parse_mailbox<E: serde::de::Error>(text: &str) -> Result<Mailbox, E> {
    text.parse().map_err(|error| E::custom(format!("\"{text}\" is no address of mail: {error}")))
}

fn mailbox<'de, D: Deserializer<'de>>(from: D) -> Result<Mailbox, D::Error> {
    parse_mailbox(&String::deserialize(from)?)
}

fn mailboxes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Mailbox>, D::Error> {
    texts(from)?.iter().map(|text| parse_mailbox(text)).collect()
}

fn block_of<'de, D: Deserializer<'de>>(from: D) -> Result<BlockOf, D::Error> {
    let text = String::deserialize(from)?;
    BlockOf::ALL.into_iter().find(|what| what.word() == text).ok_or_else(|| {
        D::Error::custom(format!("what must be \"ip\", \"login\" or \"ip_login\", not \"{text}\""))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn mistakes_are_named() {
        let mail = |extra: &Value| {
            let mut table = json!({"host": "mail.example.com", "from": "Team <a@example.com>"});
            for (name, value) in extra.as_object().unwrap() {
                table[name] = value.clone();
            }
            Mail::read(&table).unwrap_err().to_string()
        };
        for (extra, part) in [
            (json!({"hots": "x"}), "unknown field `hots`"),
            (json!({"from": "nobody"}), "\"nobody\" is no address of mail"),
            (json!({"to": ["a@b.example", "x\r\nBcc: y@z.example"]}), "no address of mail"),
            (json!({"security": "none"}), "in the clear"),
            (json!({"security": "ssl"}), "unknown variant `ssl`"),
            (json!({"user": "a"}), "belong together"),
            (json!({"user_to": "a@example.com"}), "%{login}"),
            (json!({"timezone": "Mars/Olympus"}), "there is no \"Mars/Olympus\""),
        ] {
            let error = mail(&extra);
            assert!(error.contains(part), "{error}");
        }
        assert!(Mail::read(&json!({"host": "a"})).unwrap_err().to_string().contains("missing field `from`"));
    }

    #[test]
    fn passwords_do_not_show() {
        let table = json!({"host": "::1", "security": "none", "from": "a@example.com", "user": "u", "password": "hidden"});
        let mail = Mail::read(&table).unwrap();
        assert!(!format!("{mail:?}").contains("hidden"));
        assert_eq!(mail.secret().unwrap().unwrap().expose(), b"hidden");
        // Not even one of the wrong type.
        let table = json!({"host": "::1", "from": "a@example.com", "user": "u", "password": 31415});
        assert!(!Mail::read(&table).unwrap_err().to_string().contains("31415"));
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from a file\n").unwrap();
        let table = json!({"url": "http://127.0.0.1:8084", "password_file": file.path()});
        let block = Block::read(&table).unwrap();
        assert_eq!(block.secret().unwrap().unwrap().expose(), b"from a file");
        assert_eq!((block.name.as_str(), block.seconds, block.what), ("block", 3600, BlockOf::IpLogin));
        let table = json!({"url": "http://127.0.0.1:8084", "password_file": "/nonexistent/pw"});
        let error = Block::read(&table).unwrap().secret().unwrap_err().to_string();
        assert!(error.contains("/nonexistent/pw"), "{error}");
    }

    #[test]
    fn a_short_key_is_none() {
        let table = json!({"url": "https://example.com/confirm", "key": "short"});
        assert!(Confirmations::read(&table).unwrap().secret().unwrap_err().to_string().contains("16 bytes"));
        assert!(Confirmations::read(&json!({"url": "https://example.com/confirm?x"})).is_err());
    }
}
