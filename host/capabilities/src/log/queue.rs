//! The lines between callers and the writer.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::line::Line;

/// Lines that may wait for the writer.
const LINES: u64 = 16_384;
/// Bytes that may wait for the writer, so that huge lines cannot take the memory that many small ones may.
const BYTES: usize = 16 << 20;
/// How long the writer lets lines gather once there is one. Waking it for each line would cost callers a system call each.
const GATHER: Duration = Duration::from_millis(5);
/// The writer gathers no longer when this many lines wait.
const MANY: usize = 2048;

#[derive(Default)]
struct State {
    waiting: Vec<Line>,
    /// Of lines taken by the writer but not written yet, too.
    bytes: usize,
    pushed: u64,
    written: u64,
    /// The writer waits for a first line.
    idle: bool,
    /// Somebody waits for lines to be written.
    hurry: bool,
    closed: bool,
}

/// A bounded queue with one reader, which takes all that waits at once.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    gathered: Condvar,
    emptied: Condvar,
}

impl Queue {
    /// False if there is no room.
    pub(super) fn push(&self, line: Line) -> bool {
        let mut state = self.state.lock();
        let bytes = state.bytes + line.bytes();
        if bytes > BYTES || state.pushed - state.written >= LINES || state.closed {
            return false;
        }
        state.bytes = bytes;
        state.pushed += 1;
        state.waiting.push(line);
        if std::mem::take(&mut state.idle) {
            self.filled.notify_one();
        } else if state.waiting.len() == MANY {
            self.gathered.notify_one();
        }
        true
    }

    /// Waits for lines and takes them; `done` is what was taken before and is written now. `None`: closed and empty.
    pub(super) fn take(&self, done: &[Line]) -> Option<Vec<Line>> {
        let mut state = self.state.lock();
        state.bytes -= done.iter().map(Line::bytes).sum::<usize>();
        state.written += done.len() as u64;
        self.emptied.notify_all();
        while state.waiting.is_empty() && !state.closed {
            state.idle = true;
            self.filled.wait(&mut state);
        }
        if state.waiting.len() < MANY && !state.hurry && !state.closed {
            self.gathered.wait_for(&mut state, GATHER);
        }
        state.hurry = false;
        let lines = std::mem::take(&mut state.waiting);
        if lines.is_empty() { None } else { Some(lines) }
    }

    /// Waits until everything pushed before is written; false if that takes longer than `at_most`.
    pub(super) fn wait_written(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut state = self.state.lock();
        let pushed = state.pushed;
        while state.written < pushed {
            state.hurry = true;
            self.gathered.notify_one();
            if self.emptied.wait_until(&mut state, deadline).timed_out() {
                return state.written >= pushed;
            }
        }
        true
    }

    /// What waits will still be taken; nothing more comes in.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
        self.gathered.notify_one();
    }
}
