//! How the embedded store works.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Hears what an operator should know, one line each.
pub type Complain = Arc<dyn Fn(&str) + Send + Sync>;

/// Settings of the embedded store.
#[derive(Clone)]
pub struct EmbeddedSettings {
    /// Its folder. One process at a time may use it.
    pub folder: PathBuf,
    /// Days that are kept, today included.
    pub keep_days: u32,
    /// Bytes on disk above which the oldest days are dropped; 0 for no bound.
    pub keep_bytes: u64,
    /// Reports become visible and permanent in the index after this time.
    pub commit_every: Duration,
    /// Or after so many.
    pub commit_at: usize,
    /// Reports that may wait; who brings more waits.
    pub queue: usize,
    /// Daily indexes that are kept open for reading. Each costs some 700 KiB of memory at 100,000 reports a day (most of it
    /// the dictionary of its users); opening one again takes a fraction of a millisecond.
    pub open_days: usize,
    /// Whether each batch is forced to disk before it counts as taken: then even a power cut loses nothing.
    pub sync_batches: bool,
    /// While a day cannot be written: bytes of the log above which it is rewritten without what other days have written.
    pub log_rewrite: u64,
    /// Bytes that the log may have; beyond that no report is taken.
    pub log_limit: u64,
    /// Questions that are worked on at the same time.
    pub questions: usize,
    /// And beside them of those of background functions.
    pub job_questions: usize,
    /// Hears what is wrong.
    pub complain: Complain,
}

impl EmbeddedSettings {
    /// 90 days, no bound on bytes, a commit each second.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            keep_days: 90,
            keep_bytes: 0,
            commit_every: Duration::from_secs(1),
            commit_at: 50_000,
            queue: 20_000,
            open_days: 16,
            sync_batches: false,
            log_rewrite: 64 << 20,
            log_limit: 1 << 30,
            questions: 4,
            job_questions: 2,
            complain: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for EmbeddedSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedSettings")
            .field("folder", &self.folder)
            .field("keep_days", &self.keep_days)
            .field("keep_bytes", &self.keep_bytes)
            .finish_non_exhaustive()
    }
}
