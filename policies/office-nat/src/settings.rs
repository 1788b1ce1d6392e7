//! The limits.

use portcullis::{Failure, Result, settings};
use serde::Deserialize;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// An address from which so many logins succeeded within a week is an office.
    pub people: i32,
    /// So many logins that do not belong there may fail within an hour,
    pub strangers: i32,
    /// and so many more for each hundred people.
    pub strangers_percent: i32,
    /// More wrong passwords of this login from this address within an hour: no word for it.
    pub passwords: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { people: 5, strangers: 5, strangers_percent: 10, passwords: 5 }
    }
}

impl Settings {
    /// Refuses limits that cannot be meant.
    pub fn check(&self) -> Result<()> {
        if self.people < 2 {
            return Err(Failure::new("setting \"people\": one login does not make an office; at least 2"));
        }
        settings::not_below_zero(&[
            ("strangers", self.strangers),
            ("strangers_percent", self.strangers_percent),
            ("passwords", self.passwords),
        ])
    }
}
