//! The record of one call.

use std::time::{Duration, Instant};

use login::json::{ArrayWriter, ObjectWriter};
use parking_lot::Mutex;

use super::Step;

/// Steps that are kept of one call; a policy in a loop would otherwise fill the memory.
pub const MAX_STEPS: usize = 1000;

/// A step and when it was.
#[derive(Clone, Debug)]
pub struct Timed {
    /// Since the record began.
    pub at: Duration,
    /// What it was.
    pub step: Step,
}

/// What a call asked and was told, in order.
pub struct Trace {
    began: Instant,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    steps: Vec<Timed>,
    left_out: u64,
    fuel: Option<u64>,
}

impl Default for Trace {
    /// Empty; it begins now.
    fn default() -> Self {
        Self { began: Instant::now(), kept: Mutex::default() }
    }
}

impl Trace {
    pub(super) fn push(&self, step: Step) {
        let at = self.began.elapsed();
        let mut kept = self.kept.lock();
        if kept.steps.len() < MAX_STEPS {
            kept.steps.push(Timed { at, step });
        } else {
            kept.left_out += 1;
        }
    }

    /// A component has used this much fuel.
    pub fn used_fuel(&self, fuel: u64) {
        let mut kept = self.kept.lock();
        kept.fuel = Some(kept.fuel.unwrap_or(0).saturating_add(fuel));
    }

    /// The fuel of all components together; `None`: none of theirs is counted.
    pub fn fuel(&self) -> Option<u64> {
        self.kept.lock().fuel
    }

    /// Whether a member of a policy chain has told its verdict.
    pub fn has_members(&self) -> bool {
        self.kept.lock().steps.iter().any(|timed| matches!(timed.step, Step::Member { .. }))
    }

    /// What happened so far.
    pub fn steps(&self) -> Vec<Timed> {
        self.kept.lock().steps.clone()
    }

    /// Steps beyond the first [`MAX_STEPS`].
    pub fn left_out(&self) -> u64 {
        self.kept.lock().left_out
    }

    /// Time since the record began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Appends the steps as a JSON list.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let kept = self.kept.lock();
        let mut list = ArrayWriter::new(out);
        for Timed { at, step } in &kept.steps {
            let mut object = ObjectWriter::new(list.item());
            object.int(b"at_us", i64::try_from(at.as_micros()).unwrap_or(i64::MAX));
            object.str(b"step", step.name().as_bytes());
            step.write_members(&mut object);
            object.finish();
        }
        list.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_in_a_loop_fills_no_memory() {
        let trace = Trace::default();
        for at in 0..MAX_STEPS + 5 {
            trace.push(Step::Dns { question: at.to_string(), answers: Vec::new() });
        }
        assert_eq!((trace.steps().len(), trace.left_out()), (MAX_STEPS, 5));
    }

    #[test]
    fn fuel_adds_up() {
        let trace = Trace::default();
        assert_eq!(trace.fuel(), None);
        trace.used_fuel(5);
        trace.used_fuel(6);
        assert_eq!(trace.fuel(), Some(11));
    }
}
