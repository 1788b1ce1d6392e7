//! Events to elsewhere.

use crate::{Error, host};

/// Queues a delivery to a custom webhook of the configuration; it is sent off the request's way.
///
/// # Errors
///
/// If there is none of this name, or the policy may not use it.
pub fn run(name: &str, body: &str) -> Result<(), Error> {
    Ok(host::webhooks::run(name, body)?)
}
