//! The thread that saves.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use super::StateDir;
use crate::Capabilities;
use crate::log::Level;

/// The name of the trouble of not being able to save.
const TROUBLE: &str = "state";
/// How much the thread stands back: about a tenth of a core that requests want, too.
const NICE: i32 = 10;
/// After this much work the thread rests. A request that comes while it works has to wait for the core no longer than that,
/// where otherwise it waits for a whole slice of the scheduler's, some milliseconds.
const WORK: Duration = Duration::from_micros(50);
/// How long it rests.
const REST: Duration = Duration::from_micros(200);
/// A failure is logged this often while it goes on.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

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
    /// Rests after some work, unless the daemon ends: then somebody waits for the end of this.
    fn pause(&self, since: &Cell<Instant>) {
        if since.get().elapsed() < WORK {
            return;
        }
        let mut ending = self.ending.lock();
        if !*ending {
            self.changed.wait_for(&mut ending, REST);
        }
        drop(ending);
        since.set(Instant::now());
    }

    fn run(&self, dir: &StateDir, every: Duration, capabilities: &Capabilities) {
        // Of this thread alone. Where it is not allowed, saving is as it was.
        let _ = rustix::process::setpriority_process(None, NICE);
        let mut begun = Instant::now();
        loop {
            let last = {
                let mut ending = self.ending.lock();
                // From beginning to beginning, however long saving takes.
                let due = begun + every;
                while !*ending && !self.changed.wait_until(&mut ending, due).timed_out() {}
                *ending
            };
            begun = Instant::now();
            self.save(dir, capabilities, last);
            if last {
                return;
            }
        }
    }

    /// `last`: the daemon ends.
    fn save(&self, dir: &StateDir, capabilities: &Capabilities, last: bool) {
        let Capabilities { log, stats, lists, metrics, troubles, .. } = capabilities;
        let begin = Instant::now();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let since = Cell::new(begin);
        match dir.save(stats, lists, now, &|| self.pause(&since)) {
            Ok(saved) => {
                self.saved.fetch_add(1, Ordering::Relaxed);
                metrics.state_saved(now, begin.elapsed(), saved.bytes);
                let again = troubles.over(TROUBLE);
                let text = format!(
                    "saved {} keys and {} list entries to {}, {} bytes, in {} ms{}",
                    saved.keys,
                    saved.entries,
                    dir.last().display(),
                    saved.bytes,
                    begin.elapsed().as_millis(),
                    if again { ", which failed before" } else { "" }
                );
                // Each minute nobody wants to read it.
                log.log(if last || again { Level::Notice } else { Level::Debug }, text);
            }
            Err(error) => {
                metrics.state_failed();
                troubles.set(TROUBLE, format!("not saved ({})", error.kind()));
                let text = format!(
                    "cannot save the state to {}: {error}{}; the last complete snapshot stays, and what was counted since then is {}",
                    dir.path().display(),
                    advice(&error),
                    if last { "lost" } else { "lost if the daemon ends before saving works again" }
                );
                if last {
                    log.error(text);
                } else {
                    log.limited("state", COMPLAIN_EVERY, Level::Err, text);
                }
            }
        }
    }
}

/// What to do about it.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (there must be room for three snapshots)"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            " (the daemon's user must be able to write there)"
        }
        _ => "",
    }
}
