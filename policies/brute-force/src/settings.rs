//! The limits. Counts are different wrong passwords within the last hour; a limit is exceeded by more than its value.

use portcullis::{Failure, Result};
use serde::Deserialize;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// More from one address: wait.
    pub address_wait: i32,
    /// Seconds.
    pub address_seconds: u32,
    /// More from one address: no.
    pub address_block: i32,
    /// More for one login from one address: wait.
    pub pair_wait: i32,
    /// Seconds.
    pub pair_seconds: u32,
    /// More for one login from one address: no.
    pub pair_block: i32,
    /// More for one login from anywhere: wait.
    pub login_wait: i32,
    /// Seconds.
    pub login_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address_wait: 25,
            address_seconds: 2,
            address_block: 100,
            pair_wait: 3,
            pair_seconds: 3,
            pair_block: 20,
            login_wait: 50,
            login_seconds: 5,
        }
    }
}

impl Settings {
    /// Refuses limits that contradict each other.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [
            ("address_wait", self.address_wait),
            ("address_block", self.address_block),
            ("pair_wait", self.pair_wait),
            ("pair_block", self.pair_block),
            ("login_wait", self.login_wait),
        ] {
            if value < 0 {
                return Err(Failure::new(format!("setting {name:?}: must not be below 0")));
            }
        }
        if self.address_wait > self.address_block {
            return Err(Failure::new("setting \"address_wait\": must not be above address_block"));
        }
        if self.pair_wait > self.pair_block {
            return Err(Failure::new("setting \"pair_wait\": must not be above pair_block"));
        }
        Ok(())
    }
}
