//! How large a database is, and how large it may be.

use std::sync::atomic::Ordering;

use super::{BY_SIZE, StatsDb};
use crate::schema::{DEFAULT_KEY_BYTES, DEFAULT_MIN_BYTES};

/// Keys removed under one lock when a limit is lowered.
const TRIM_BATCH: usize = 256;

impl StatsDb {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|lane| lane.0.lock().len()).sum()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `twSetMaxSize(max)`: the most keys kept, divided by the number of shards and rounded down. A new key beyond it
    /// takes the place of its shard's least recently written one (resets and reads do not count as writes). Of 0 keys
    /// allowed, the last one written stays.
    pub fn set_max_size(&self, max: u32) {
        let max_len = max / self.layout.schema.shards;
        self.max_len.store(max_len, Ordering::Relaxed);
        self.trim();
    }

    /// The most keys kept: the sum over all shards.
    pub fn max_size(&self) -> u32 {
        self.max_len.load(Ordering::Relaxed) * self.layout.schema.shards
    }

    /// `twSetMaxBytes(max)`: the most bytes kept, as [`StatsDb::memory_bytes`] counts them, divided by the number of
    /// shards. Least recently written keys make room; the one being written always stays. Until it is set the limit is
    /// 4096 bytes for each key of [`StatsDb::max_size`], at least 16 MiB.
    pub fn set_max_bytes(&self, max: u64) {
        self.max_bytes.store(max.min(BY_SIZE - 1), Ordering::Relaxed);
        self.trim();
    }

    /// The most bytes kept: the sum over all shards.
    pub fn max_bytes(&self) -> u64 {
        let shards = self.layout.schema.shards;
        let max_len = self.max_len.load(Ordering::Relaxed);
        shard_bytes(self.max_bytes.load(Ordering::Relaxed), max_len, shards) * u64::from(shards)
    }

    /// Puts the limits into effect.
    fn trim(&self) {
        let max_len = self.max_len.load(Ordering::Relaxed);
        let max_bytes =
            shard_bytes(self.max_bytes.load(Ordering::Relaxed), max_len, self.layout.schema.shards);
        for lane in &self.shards {
            lane.0.lock().set_limits(max_len as usize, max_bytes);
            while lane.0.lock().trim(&self.layout, TRIM_BATCH) {}
        }
    }

    /// Bytes in use for all keys: records and heavy counters with the allocator's overhead, and each key's part of
    /// the tables.
    pub fn memory_bytes(&self) -> usize {
        self.shards.iter().map(|lane| lane.0.lock().bytes()).sum()
    }
}

/// The bytes of one of `shards` shards, of which each holds `max_len` keys.
pub(super) fn shard_bytes(max_bytes: u64, max_len: u32, shards: u32) -> u64 {
    let shards = u64::from(shards);
    match max_bytes {
        BY_SIZE => (u64::from(max_len) * DEFAULT_KEY_BYTES).max(DEFAULT_MIN_BYTES / shards),
        max => max / shards,
    }
}
