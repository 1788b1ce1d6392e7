//! Counters that the configuration declared (`addCustomStat`); Prometheus reads them.

use crate::{Error, host};

/// Adds one to a counter.
///
/// # Errors
///
/// If it was not declared, or the policy may not touch it.
pub fn increment(name: &str) -> Result<(), Error> {
    Ok(host::metrics::increment(name)?)
}
