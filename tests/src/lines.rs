//! Lines that a process prints, collected while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::PATIENCE;

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

/// The lines so far; clones share them.
#[derive(Clone, Default)]
pub struct Lines(Arc<(Mutex<State>, Condvar)>);

impl Lines {
    /// Collects what can be read from `source` until it ends. Bytes that are not UTF-8 become U+FFFD.
    pub fn collect(source: impl Read + Send + 'static) -> Lines {
        let lines = Lines::default();
        let sink = lines.clone();
        std::thread::Builder::new()
            .name("lines".into())
            .spawn(move || {
                let mut source = BufReader::new(source);
                let mut line = Vec::new();
                while matches!(source.read_until(b'\n', &mut line), Ok(n) if n > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                    line.clear();
                    sink.0.0.lock().lines.push(text);
                    sink.0.1.notify_all();
                }
                sink.0.0.lock().ended = true;
                sink.0.1.notify_all();
            })
            .unwrap();
        lines
    }

    /// All lines so far.
    pub fn all(&self) -> Vec<String> {
        self.0.0.lock().lines.clone()
    }

    /// All lines once the source has ended.
    pub fn to_end(&self) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.0.0.lock();
        while !state.ended {
            assert!(
                !self.0.1.wait_until(&mut state, deadline).timed_out(),
                "output did not end: {:#?}",
                state.lines
            );
        }
        state.lines.clone()
    }

    /// Waits for a line that contains `text` and returns it.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_count(text, 1).swap_remove(0)
    }

    /// Waits until `count` lines contain `text` and returns these.
    pub fn wait_for_count(&self, text: &str, count: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.0.0.lock();
        loop {
            let found: Vec<String> = state.lines.iter().filter(|line| line.contains(text)).cloned().collect();
            if found.len() >= count {
                return found;
            }
            assert!(!state.ended, "ended without {count} lines with {text:?}: {:#?}", state.lines);
            assert!(
                !self.0.1.wait_until(&mut state, deadline).timed_out(),
                "no {count} lines with {text:?} in time: {:#?}",
                state.lines
            );
        }
    }

    /// How many lines contain `text` so far.
    pub fn count(&self, text: &str) -> usize {
        self.0.0.lock().lines.iter().filter(|line| line.contains(text)).count()
    }
}
