//! Which parts of a DB can be reached: of a cluster that has lost a node, some can and some cannot.

use std::sync::atomic::{AtomicU64, Ordering};

/// A set of partitions, a bit for each.
pub(super) type Set = u64;
/// All of them.
pub(super) const ALL: Set = u64::MAX;

/// The partitions that are known not to answer.
#[derive(Debug, Default)]
pub(super) struct Parts(AtomicU64);

impl Parts {
    /// Whether one of these does not answer.
    pub(super) fn is_away(&self, touched: Set) -> bool {
        self.0.load(Ordering::Relaxed) & touched != 0
    }

    /// These did not answer.
    pub(super) fn lose(&self, parts: Set) {
        self.0.fetch_or(parts, Ordering::Relaxed);
    }

    /// Exactly these do not answer.
    pub(super) fn set(&self, away: Set) {
        self.0.store(away, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_lost_and_come_back() {
        let parts = Parts::default();
        assert!(!parts.is_away(ALL));
        parts.lose(0b100);
        parts.lose(0b001);
        assert!(parts.is_away(0b110) && !parts.is_away(0b010) && !parts.is_away(0));
        parts.set(0b010);
        assert!(parts.is_away(0b010) && !parts.is_away(0b101));
    }
}
