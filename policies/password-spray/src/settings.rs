//! The limits. Counts are different logins within the last six hours; a limit is exceeded by more than its value.

use portcullis::{Result, settings};
use serde::Deserialize;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// More logins that failed from one address: wait.
    pub address_wait: i32,
    /// Seconds.
    pub address_seconds: u32,
    /// More: no.
    pub address_block: i32,
    /// So many failed logins are forgiven for each login that succeeded from the address.
    pub credit: i32,
    /// More logins that failed with one hash: wait.
    pub hash_wait: i32,
    /// Seconds.
    pub hash_seconds: u32,
    /// More: no.
    pub hash_block: i32,
    /// How many bits the hashes have; 0: hashes are not looked at.
    pub hash_bits: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address_wait: 8,
            address_seconds: 3,
            address_block: 25,
            credit: 2,
            hash_wait: 15,
            hash_seconds: 5,
            hash_block: 40,
            hash_bits: 12,
        }
    }
}

impl Settings {
    /// Refuses limits that contradict each other.
    pub fn check(&self) -> Result<()> {
        let address = [("address_wait", self.address_wait), ("address_block", self.address_block)];
        let hash = [("hash_wait", self.hash_wait), ("hash_block", self.hash_block)];
        settings::not_below_zero(&address)?;
        settings::not_below_zero(&hash)?;
        settings::not_below_zero(&[("credit", self.credit)])?;
        settings::not_above(address[0], address[1])?;
        settings::not_above(hash[0], hash[1])
    }
}
