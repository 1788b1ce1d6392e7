//! Which engine a background function runs on.
//!
//! What a script remembers from one run to the next lies in the state that it ran in. So a background function comes back to
//! the engine of its last run, and different ones are spread over the engines.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::queue::Engine;

/// The homes of background functions.
#[derive(Default)]
pub(crate) struct Homes {
    /// Number of the engine, by function.
    of: HashMap<Arc<str>, usize>,
    /// Engines that run a background function now.
    busy: Vec<usize>,
}

impl Homes {
    /// Where among the free engines the one is that a function may run on now. `None`: its own is in a call that will be over
    /// soon, or none is free.
    pub(super) fn place(&self, function: &str, free: &[Engine]) -> Option<usize> {
        if let Some(home) = self.of.get(function) {
            let own = free.iter().position(|engine| engine.number == *home);
            // Another background function may keep it for an hour; then it moves.
            if own.is_some() || !self.busy.contains(home) {
                return own;
            }
        }
        let guests = |number: usize| self.of.values().filter(|home| **home == number).count();
        // Home to the fewest; of equals the one used last.
        let best = free.iter().enumerate().min_by_key(|(at, engine)| (guests(engine.number), Reverse(*at)));
        best.map(|(at, _)| at)
    }

    /// A function begins on an engine.
    pub(super) fn begin(&mut self, function: Arc<str>, engine: usize) {
        self.of.insert(function, engine);
        self.busy.push(engine);
    }

    /// The call of an engine is over.
    pub(super) fn over(&mut self, engine: usize) {
        self.busy.retain(|number| *number != engine);
    }

    /// The state of an engine is lost, and what was remembered there: nobody waits for the next.
    pub(super) fn lost(&mut self, engine: usize) {
        self.over(engine);
        self.of.retain(|_, home| *home != engine);
    }

    /// All engines are new.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
