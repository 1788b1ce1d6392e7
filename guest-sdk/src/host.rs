//! The host in memory: what stands in for the imports when a policy runs natively, function by function as in the bindings.
//!
//! One for each thread, because tests run on a thread each. The module `testing` fills it.

pub(crate) mod alerts;
pub(crate) mod clock;
pub(crate) mod dns;
pub(crate) mod geoip;
pub(crate) mod lists;
pub(crate) mod reports;
pub(crate) mod state;
pub(crate) mod stats;

pub(crate) mod request {
    //! Attributes of the login of the running call.
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::state::with;

    pub fn attribute(name: &str) -> Option<String> {
        with(|state| state.attributes.get(name).and_then(|values| values.first().cloned()))
    }

    pub fn attribute_values(name: &str) -> Vec<String> {
        with(|state| state.attributes.get(name).cloned().unwrap_or_default())
    }

    pub fn device_attribute(name: &str) -> Option<String> {
        with(|state| state.device.get(name).cloned())
    }
}

pub(crate) mod settings {
    //! Settings as JSON.
    use alloc::string::String;

    pub fn json() -> String {
        super::state::with(|state| state.settings.clone())
    }
}

pub(crate) mod metrics {
    //! Counters, declared by their first use.
    use alloc::borrow::ToOwned as _;

    use crate::bindings::imports::portcullis::policy::types::Error;

    pub fn increment(name: &str) -> Result<(), Error> {
        super::state::with(|state| *state.counters.entry(name.to_owned()).or_default() += 1);
        Ok(())
    }
}

pub(crate) mod webhooks {
    //! Deliveries, kept in order.
    use alloc::borrow::ToOwned as _;

    use crate::bindings::imports::portcullis::policy::types::Error;

    pub fn run(name: &str, body: &str) -> Result<(), Error> {
        super::state::with(|state| state.deliveries.push((name.to_owned(), body.to_owned())));
        Ok(())
    }
}

pub(crate) mod log {
    //! Log lines, kept in order.
    use core::fmt::Write as _;

    use crate::bindings::imports::portcullis::policy::log::Level;

    pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
        let mut line = alloc::format!("{level:?} {message}");
        for (name, value) in fields {
            // Writing to a string cannot fail.
            let _ = write!(line, " {name}={value:?}");
        }
        super::state::with(|state| state.log.push(line));
    }
}

pub(crate) mod random {
    //! Numbers that are the same in each run: a test must not throw dice.
    use alloc::vec::Vec;

    pub fn number() -> f64 {
        super::state::with(|state| {
            // xorshift64: good enough to look random, and short.
            state.random ^= state.random << 13;
            state.random ^= state.random >> 7;
            state.random ^= state.random << 17;
            (state.random >> 11) as f64 / (1_u64 << 53) as f64
        })
    }

    pub fn bytes(count: u32) -> Vec<u8> {
        (0..count.min(65536)).map(|_| (number() * 256.0) as u8).collect()
    }
}
