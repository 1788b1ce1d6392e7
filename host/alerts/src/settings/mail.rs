//! Mail.

use std::path::PathBuf;

use lettre::message::Mailbox;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{ConfigError, Secret, read, refuse, texts};

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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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

fn parse_mailbox<E: serde::de::Error>(text: &str) -> Result<Mailbox, E> {
    text.parse().map_err(|error| E::custom(format!("\"{text}\" is no address of mail: {error}")))
}

fn mailbox<'de, D: Deserializer<'de>>(from: D) -> Result<Mailbox, D::Error> {
    parse_mailbox(&String::deserialize(from)?)
}

fn mailboxes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Mailbox>, D::Error> {
    texts(from)?.iter().map(|text| parse_mailbox(text)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
}
