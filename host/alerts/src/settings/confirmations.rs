//! The links of "was this you?".

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::{ConfigError, Secret, read, refuse, texts};

/// The links of "was this you?".
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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

impl Confirmations {
    /// Reads a table.
    ///
    /// # Errors
    /// As for [`Mail::read`](super::Mail::read).
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

fn fortnight() -> u32 {
    14
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_short_key_is_none() {
        let table = json!({"url": "https://example.com/confirm", "key": "short"});
        assert!(Confirmations::read(&table).unwrap().secret().unwrap_err().to_string().contains("16 bytes"));
        assert!(Confirmations::read(&json!({"url": "https://example.com/confirm?x"})).is_err());
    }
}
