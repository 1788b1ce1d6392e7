//! A span of time.

use serde::{Deserialize, Serialize};

use super::{QueryError, forms};

/// A span of time, unix milliseconds (seconds in JSON): from `from` on, before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Range {
    /// The first instant in it. Not given: since ever.
    #[serde(with = "forms::seconds", skip_serializing_if = "is_min")]
    pub from: i64,
    /// The first instant after it. Not given: without end.
    #[serde(with = "forms::seconds", skip_serializing_if = "is_max")]
    pub to: i64,
}

impl Default for Range {
    fn default() -> Self {
        Self::EVER
    }
}

impl Range {
    /// All time.
    pub const EVER: Self = Self { from: i64::MIN, to: i64::MAX };

    /// Since this instant, unix milliseconds.
    pub fn since(from: i64) -> Self {
        Self { from, to: i64::MAX }
    }

    /// Whether the instant lies in it.
    pub fn contains(&self, at: i64) -> bool {
        self.from <= at && at < self.to
    }

    pub(super) fn check(&self) -> Result<(), QueryError> {
        if self.to < self.from { Err(QueryError::Backwards) } else { Ok(()) }
    }

    pub(super) fn bounded(&self, name: &'static str) -> Result<(), QueryError> {
        if self.from == i64::MIN || self.to == i64::MAX {
            return Err(QueryError::Unbounded(name));
        }
        self.check()
    }

    /// How many intervals of this length it touches.
    pub(crate) fn bins(&self, interval: i64) -> u64 {
        if self.to <= self.from {
            return 1;
        }
        let first = i128::from(self.from.div_euclid(interval));
        let last = i128::from((self.to - 1).div_euclid(interval));
        u64::try_from(last - first + 1).unwrap_or(u64::MAX)
    }

    /// Its length in seconds, at least a millisecond's.
    pub(crate) fn seconds(&self) -> f64 {
        (self.to.saturating_sub(self.from).max(1)) as f64 / 1000.0
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_min(at: &i64) -> bool {
    *at == i64::MIN
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_max(at: &i64) -> bool {
    *at == i64::MAX
}
