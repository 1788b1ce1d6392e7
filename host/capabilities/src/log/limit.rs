//! How often a repeated line is let through.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Keys remembered; beyond it everything is forgotten, which lets one line too many through, never one too few.
const KEYS: usize = 4096;

/// When each key was last let through, and how many were held back since.
#[derive(Default)]
pub(super) struct Limits {
    seen: HashMap<String, (Instant, u64)>,
}

impl Limits {
    /// `Some(held back since the last one)` if a line of this key may be written now.
    pub(super) fn pass(&mut self, key: &str, every: Duration, now: Instant) -> Option<u64> {
        if let Some((last, held)) = self.seen.get_mut(key) {
            if now.saturating_duration_since(*last) < every {
                *held += 1;
                return None;
            }
            *last = now;
            return Some(std::mem::take(held));
        }
        if self.seen.len() >= KEYS {
            self.seen.clear();
        }
        self.seen.insert(key.to_owned(), (now, 0));
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn one_per_interval_and_the_rest_is_counted() {
        let mut limits = Limits::default();
        let start = Instant::now();
        let every = Duration::from_secs(10);
        assert_eq!(limits.pass("a", every, start), Some(0));
        assert_eq!(limits.pass("a", every, start + Duration::from_secs(9)), None);
        assert_eq!(limits.pass("b", every, start + Duration::from_secs(9)), Some(0));
        assert_eq!(limits.pass("a", every, start + Duration::from_secs(9)), None);
        assert_eq!(limits.pass("a", every, start + every), Some(2));
        assert_eq!(limits.pass("a", every, start + every * 2), Some(0));
    }

    #[test]
    fn many_keys_stay_bounded() {
        let mut limits = Limits::default();
        let now = Instant::now();
        for key in 0..KEYS * 3 {
            assert_eq!(limits.pass(&key.to_string(), Duration::from_secs(1), now), Some(0));
        }
        assert!(limits.seen.len() <= KEYS);
    }
}
