//! What was read a moment ago.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bstr::BString;
use capabilities::stats::{Found, Step};
use parking_lot::Mutex;

/// Keys that are remembered before the older half is forgotten.
const KEYS: usize = 32_768;
/// Reads of one key that are remembered.
const READS: usize = 64;

/// Answers that are at most so old.
pub(super) struct Cache {
    staleness: Duration,
    halves: Mutex<Halves>,
}

#[derive(Default)]
struct Halves {
    young: HashMap<BString, Vec<(Step, Instant, Found)>>,
    old: HashMap<BString, Vec<(Step, Instant, Found)>>,
}

impl Cache {
    /// Nothing is kept if nothing may be old.
    pub(super) fn new(staleness: Duration) -> Self {
        Self { staleness, halves: Mutex::default() }
    }

    /// The answers, if all of the steps are reads that were answered a moment ago.
    pub(super) fn answers(&self, steps: &[Step]) -> Option<Vec<Found>> {
        if self.staleness.is_zero() {
            return None;
        }
        let now = Instant::now();
        let halves = self.halves.lock();
        let answer = |step: &Step| {
            let reads = halves.young.get(&step.key).or_else(|| halves.old.get(&step.key))?;
            let fresh = |at: &Instant| now.duration_since(*at) < self.staleness;
            reads.iter().find(|(read, at, _)| read == step && fresh(at)).map(|(_, _, found)| found.clone())
        };
        steps.iter().map(answer).collect()
    }

    /// Remembers what was read, and forgets what was written. `asked`: before the server was.
    pub(super) fn keep(&self, asked: Instant, steps: &[Step], found: &[Found]) {
        if self.staleness.is_zero() {
            return;
        }
        let mut halves = self.halves.lock();
        for (step, found) in steps.iter().zip(found) {
            if !step.ask.reads() {
                halves.young.remove(&step.key);
                halves.old.remove(&step.key);
                continue;
            }
            if halves.young.len() >= KEYS {
                halves.old = std::mem::take(&mut halves.young);
            }
            let reads = halves.young.entry(step.key.clone()).or_default();
            reads.retain(|(read, at, _)| {
                read != step && asked.saturating_duration_since(*at) < self.staleness
            });
            if reads.len() < READS {
                reads.push((step.clone(), asked, found.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use capabilities::stats::Ask;

    use super::*;

    fn step(key: &str, ask: Ask) -> Step {
        Step { key: key.into(), field: "f".into(), ask }
    }

    #[test]
    fn reads_are_remembered_until_a_write() {
        let cache = Cache::new(Duration::from_hours(1));
        let (get, add) = (step("a", Ask::Get), step("a", Ask::Add { value: "1".into() }));
        let other = step("b", Ask::Get);
        cache.keep(Instant::now(), &[get.clone(), other.clone()], &[Found::Number(5), Found::Number(7)]);
        let both = [get.clone(), other.clone()];
        assert_eq!(cache.answers(&both), Some(vec![Found::Number(5), Found::Number(7)]));
        assert_eq!(cache.answers(&[get.clone(), step("a", Ask::Current { value: None })]), None);
        assert_eq!(cache.answers(std::slice::from_ref(&add)), None);
        cache.keep(Instant::now(), &[add], &[Found::Done]);
        assert_eq!(cache.answers(&[get]), None);
        assert_eq!(cache.answers(&[other]), Some(vec![Found::Number(7)]));
    }

    #[test]
    fn nothing_is_remembered_that_may_not_be_old() {
        let (always, get) = (Cache::new(Duration::ZERO), step("a", Ask::Get));
        always.keep(Instant::now(), std::slice::from_ref(&get), &[Found::Number(5)]);
        assert_eq!(always.answers(&[get]), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let cache = Cache::new(Duration::from_hours(1));
        for number in 0..3 * KEYS {
            cache.keep(Instant::now(), &[step(&number.to_string(), Ask::Get)], &[Found::Number(1)]);
        }
        let halves = cache.halves.lock();
        assert!(halves.young.len() + halves.old.len() <= 2 * KEYS);
    }
}
