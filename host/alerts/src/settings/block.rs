//! Entries on a blacklist.

use std::path::PathBuf;

use capabilities::alerts::BlockOf;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{ConfigError, Secret, read, refuse};

/// A daemon whose blacklist gets entries.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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

impl Block {
    /// Reads a table.
    ///
    /// # Errors
    /// As for [`Mail::read`](super::Mail::read).
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

fn block() -> String {
    "block".to_owned()
}

fn hour() -> u32 {
    3600
}

fn pair() -> BlockOf {
    BlockOf::IpLogin
}

fn block_of<'de, D: Deserializer<'de>>(from: D) -> Result<BlockOf, D::Error> {
    let text = String::deserialize(from)?;
    BlockOf::ALL.into_iter().find(|what| what.word() == text).ok_or_else(|| {
        D::Error::custom(format!("what must be \"ip\", \"login\" or \"ip_login\", not \"{text}\""))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

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
}
