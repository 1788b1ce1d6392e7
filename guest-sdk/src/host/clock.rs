//! The virtual clock.

use super::state::with;

pub fn now() -> f64 {
    with(|state| state.now)
}

pub fn monotonic() -> f64 {
    now()
}
