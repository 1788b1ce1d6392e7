//! Device strings (HTTP user agents, IMAP IDs, mobile API ids) to attributes.
//!
//! HTTP user agents are matched with uap-core's patterns; the others have a form of their own, which `login::device` reads.

mod agents;
mod cache;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use login::Attrs;

use crate::metrics::Metrics;
use agents::Agents;
pub use agents::RegexesError;
use cache::Cache;

/// Only this much of a device string is looked at; real ones are shorter, and matching costs time with every byte.
const LONGEST: usize = 8 << 10;

/// How a protocol's device strings are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Http,
    Imap,
    MobileApi,
}

impl Form {
    fn of(protocol: &[u8]) -> Option<Self> {
        match protocol {
            b"http" | b"https" => Some(Self::Http),
            b"imap" | b"imaps" => Some(Self::Imap),
            b"mobileapi" => Some(Self::MobileApi),
            _ => None,
        }
    }
}

/// Parses device strings and remembers what came out, within bounds.
pub struct Devices {
    agents: OnceLock<Agents>,
    cache: Cache,
    nothing: Arc<Attrs>,
    metrics: Arc<Metrics>,
}

impl Devices {
    /// Reads and compiles the patterns of this file. Without a file the built-in ones are used, which are compiled when
    /// first needed (about 100 ms and 26 MB): many servers never see HTTP logins.
    ///
    /// # Errors
    /// The file cannot be read or is no regexes file.
    pub fn new(regexes: Option<&Path>, metrics: &Arc<Metrics>) -> Result<Self, RegexesError> {
        let agents = OnceLock::new();
        if let Some(path) = regexes {
            // A fresh cell is empty: nothing is lost here.
            let _ = agents.set(Agents::read(path)?);
        }
        Ok(Self { agents, cache: Cache::default(), nothing: Arc::default(), metrics: Arc::clone(metrics) })
    }

    /// Compiles the built-in patterns now, if that is still to be done, so that the first HTTP login need not wait.
    pub fn warm_up(&self) {
        self.agents();
    }

    /// The attributes of a device string, by the protocol it came with, which is compared exactly. Known protocols
    /// always give all their keys, with empty values (or the family `Other`) for what the string does not tell; unknown
    /// protocols give none.
    pub fn parse(&self, protocol: &[u8], device_id: &[u8]) -> Arc<Attrs> {
        let Some(form) = Form::of(protocol) else { return Arc::clone(&self.nothing) };
        let device_id = device_id.get(..LONGEST).unwrap_or(device_id);
        if let Some(known) = self.cache.get(form, device_id) {
            self.metrics.device_cache_hits.inc();
            return known;
        }
        self.metrics.device_cache_misses.inc();
        let attrs = Arc::new(match form {
            Form::Http => self.agents().parse(device_id),
            Form::Imap => login::device::imap(device_id),
            Form::MobileApi => login::device::mobileapi(device_id),
        });
        self.cache.put(form, device_id, &attrs);
        attrs
    }

    fn agents(&self) -> &Agents {
        self.agents.get_or_init(Agents::built_in)
    }
}

#[cfg(test)]
mod tests;
