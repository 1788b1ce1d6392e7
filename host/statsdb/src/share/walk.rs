//! All keys as blocks of shares, for a snapshot.

use super::{Scope, Writer};
use crate::StatsDb;
use crate::order::Order;

/// Keys told of under one lock. They lie anywhere in memory, so each takes more than a microsecond, and a request that comes
/// meanwhile has to wait for all of them.
const KEY_BATCH: usize = 8;

/// Blocks of all keys that are there from beginning to end of the walk: shard by shard, each from the least to the most
/// recently written key as of the moment its shard's turn came. Locks are only held for a few keys at a time.
pub struct Blocks<'a> {
    db: &'a StatsDb,
    /// As of when, unix seconds.
    now: u64,
    /// Bytes after which a block ends.
    size: usize,
    /// The next shard.
    shard: u32,
    /// Handles yet to be visited in the last one.
    handles: Order,
    /// Keys told of so far.
    keys: u64,
    /// Called after each short piece of work, while no lock is held.
    pause: &'a dyn Fn(),
}

impl StatsDb {
    /// All keys with everything that counts at `now`, in blocks of about `size` bytes. `pause` is called after each short
    /// piece of work, some tens of microseconds, while no lock is held: whoever shares a core with requests rests there.
    pub fn blocks<'a>(&'a self, now: u64, size: usize, pause: &'a dyn Fn()) -> Blocks<'a> {
        Blocks { db: self, now, size, shard: 0, handles: Order::default(), keys: 0, pause }
    }
}

impl Blocks<'_> {
    /// Keys told of so far.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    fn push_some(&mut self, writer: &mut Writer) {
        let layout = self.db.layout();
        let current = layout.current(self.now);
        let (own, ids) = (self.db.own_origin(), self.db.origins().ids());
        let mut locked = self.db.shard(self.shard - 1).lock();
        for _ in 0..KEY_BATCH {
            let Some(handle) = self.handles.pop() else { break };
            locked.prune(layout, handle, current);
            if let Some(share) = locked.share(layout, handle, current, own, Scope::Everything, &ids) {
                writer.push(&share);
                self.keys += 1;
            }
        }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut writer = Writer::default();
        while writer.len() < self.size {
            if !self.handles.is_empty() {
                self.push_some(&mut writer);
                (self.pause)();
            } else if self.shard < self.db.schema().shards {
                self.handles = Order::of(self.db, self.shard, self.pause);
                self.shard += 1;
            } else {
                break;
            }
        }
        (!writer.is_empty()).then(|| writer.finish())
    }
}
