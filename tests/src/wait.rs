//! Waiting for what other processes bring about.

use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Asks again and again until there is an answer; the pause between two questions leaves a busy machine its cores.
///
/// # Panics
/// There is none in time.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
