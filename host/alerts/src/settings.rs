//! What the configuration says about alerts: tables of names and values, read strictly.

mod block;
mod confirmations;
mod mail;
mod secret;

use std::path::PathBuf;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use block::Block;
pub use confirmations::Confirmations;
pub use mail::{Mail, Security};
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

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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

fn read<T: DeserializeOwned>(table: &Value) -> Result<T, ConfigError> {
    T::deserialize(table).map_err(|error| ConfigError(error.to_string()))
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
