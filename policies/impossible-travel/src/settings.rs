//! The limits.

use portcullis::{Failure, Result};
use serde::Deserialize;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The name of the `GeoIP` database.
    pub database: String,
    /// Nobody travels faster.
    pub kmh: u32,
    /// Nearer is no journey: databases err by that much.
    pub min_km: u32,
    /// Inside a country everything is near.
    pub same_country: bool,
    /// How long such a login has to wait; 0: it is refused.
    pub wait_seconds: u32,
    /// A track is written anew after so many minutes at one place.
    pub precision_minutes: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database: "City".to_owned(),
            kmh: 1000,
            min_km: 500,
            same_country: true,
            wait_seconds: 0,
            precision_minutes: 10,
        }
    }
}

impl Settings {
    /// Refuses limits that cannot be meant.
    pub fn check(&self) -> Result<()> {
        if self.kmh < 100 {
            return Err(Failure::new("setting \"kmh\": cars are faster; at least 100"));
        }
        if !(0..=1440).contains(&self.precision_minutes) {
            return Err(Failure::new("setting \"precision_minutes\": 0 to 1440"));
        }
        Ok(())
    }
}
