//! Names of reports.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

/// Digits of the milliseconds: enough until the year 2527.
const TIME_DIGITS: usize = 11;
/// Digits of the number that tells reports of one millisecond apart.
const SEQUENCE_DIGITS: usize = 5;
/// Largest such number, plus one.
const SEQUENCES: u32 = 1 << (4 * SEQUENCE_DIGITS);

/// Names one report. Ours are `TTTTTTTTTTTSSSSS-NNNNNNNN` in hexadecimal: unix milliseconds, a number, and the daemon that
/// took the report; so they sort by time. Those of reports that somebody else wrote into an Elasticsearch have other forms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportId(String);

impl ReportId {
    /// An id as a store or a user gave it.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When the report was, unix milliseconds, if the id has our form.
    pub fn time(&self) -> Option<i64> {
        self.parts().map(|(at, _, _)| at)
    }

    pub(crate) fn from_parts(at: i64, sequence: u32, node: &str) -> Self {
        Self(format!("{at:011x}{sequence:05x}-{node}"))
    }

    /// Milliseconds, number and node, if it has our form.
    pub(crate) fn parts(&self) -> Option<(i64, u32, &str)> {
        let (number, node) = self.0.split_once('-')?;
        let lower_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if number.len() != TIME_DIGITS + SEQUENCE_DIGITS
            || node.len() != 8
            || !lower_hex(number)
            || !lower_hex(node)
        {
            return None;
        }
        let (at, sequence) = number.split_at_checked(TIME_DIGITS)?;
        Some((i64::from_str_radix(at, 16).ok()?, u32::from_str_radix(sequence, 16).ok()?, node))
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives out ids, different in all daemons and runs.
#[derive(Debug)]
pub struct Ids {
    next: AtomicU32,
    node: String,
}

impl Ids {
    /// Ids of a run of a daemon; begins at a random place.
    pub fn new() -> Self {
        let random = RandomState::new();
        Self::seeded(random.hash_one("sequence"), random.hash_one("node"))
    }

    /// Ids that are the same for the same seeds.
    pub fn seeded(sequence: u64, node: u64) -> Self {
        Self { next: AtomicU32::new(sequence as u32 % SEQUENCES), node: format!("{:08x}", node as u32) }
    }

    /// The next id, of a report of this time (unix milliseconds).
    pub fn next(&self, at: i64) -> ReportId {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed) % SEQUENCES;
        ReportId::from_parts(at, sequence, &self.node)
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::new()
    }
}
