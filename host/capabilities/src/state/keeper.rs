//! The thread that saves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use super::StateDir;
use crate::Capabilities;

/// Saves every interval until it is told to end, and then once more.
pub struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    ending: Mutex<bool>,
    changed: Condvar,
    /// Complete snapshots so far.
    saved: AtomicU64,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start(dir: StateDir, every: Duration, capabilities: Arc<Capabilities>) -> std::io::Result<Self> {
        let shared =
            Arc::new(Shared { ending: Mutex::new(false), changed: Condvar::new(), saved: AtomicU64::new(0) });
        let keeper = Arc::clone(&shared);
        let run = move || keeper.run(&dir, every, &capabilities);
        let thread = std::thread::Builder::new().name("state".into()).spawn(run)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Complete snapshots so far.
    pub fn saved(&self) -> u64 {
        self.shared.saved.load(Ordering::Relaxed)
    }

    /// Saves a last time; returns when that is done.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        *self.shared.ending.lock() = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has told of its own panic.
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn run(&self, dir: &StateDir, every: Duration, capabilities: &Capabilities) {
        loop {
            let last = {
                let mut ending = self.ending.lock();
                let due = Instant::now() + every;
                while !*ending && !self.changed.wait_until(&mut ending, due).timed_out() {}
                *ending
            };
            self.save(dir, capabilities);
            if last {
                return;
            }
        }
    }

    fn save(&self, dir: &StateDir, capabilities: &Capabilities) {
        let Capabilities { log, stats, lists, metrics, .. } = capabilities;
        let begin = Instant::now();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        match dir.save(stats, lists, now) {
            Ok(saved) => {
                self.saved.fetch_add(1, Ordering::Relaxed);
                metrics.state_saved(now, begin.elapsed(), saved.bytes);
                log.debug(format!(
                    "saved {} keys and {} list entries in {} bytes, {} ms",
                    saved.keys,
                    saved.entries,
                    saved.bytes,
                    begin.elapsed().as_millis()
                ));
            }
            Err(error) => {
                metrics.state_failed();
                log.error(format!("cannot save the state: {error}; the last complete snapshot stays"));
            }
        }
    }
}
