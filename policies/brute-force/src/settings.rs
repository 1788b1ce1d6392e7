//! The limits. Counts are different wrong passwords within the last hour; a limit is exceeded by more than its value.

use portcullis::{Result, settings};
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
        let address = [("address_wait", self.address_wait), ("address_block", self.address_block)];
        let pair = [("pair_wait", self.pair_wait), ("pair_block", self.pair_block)];
        settings::not_below_zero(&address)?;
        settings::not_below_zero(&pair)?;
        settings::not_below_zero(&[("login_wait", self.login_wait)])?;
        settings::not_above(address[0], address[1])?;
        settings::not_above(pair[0], pair[1])
    }
}
