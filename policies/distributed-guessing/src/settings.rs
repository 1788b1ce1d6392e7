//! The limits. Counts are of the last 24 hours; a limit is exceeded by more than its value.

use portcullis::{Result, settings};
use serde::Deserialize;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// More networks with more passwords: wait.
    pub wait: i32,
    /// Seconds.
    pub seconds: u32,
    /// More: no, to networks that the login is not known from.
    pub block: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { wait: 5, seconds: 5, block: 20 }
    }
}

impl Settings {
    /// Refuses limits that contradict each other.
    pub fn check(&self) -> Result<()> {
        let limits = [("wait", self.wait), ("block", self.block)];
        settings::not_below_zero(&limits)?;
        settings::not_above(limits[0], limits[1])
    }
}
