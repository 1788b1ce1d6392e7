//! Time. Under test and in replays it is the time of the case.

use crate::host;

/// Seconds since 1970, with a fraction.
pub fn now() -> f64 {
    host::clock::now()
}

/// Seconds since some moment, never going back.
pub fn monotonic() -> f64 {
    host::clock::monotonic()
}
