//! Walking all keys without holding anything up.

use std::ops::Deref;

use crate::StatsDb;
use crate::order::Order;
use crate::wire::KeyState;

/// Keys serialised under one lock.
const KEY_BATCH: usize = 32;
/// Bytes after which a batch ends early.
const BYTE_BATCH: usize = 1 << 16;

/// All keys that are there from beginning to end of the walk: shard by shard, each from the least to the most
/// recently written key as of the moment its shard's turn came. Keys that come or go meanwhile may be missed.
///
/// The order costs 8 bytes for each key of one shard; locks are only held for short batches.
pub struct Dump<D: Deref<Target = StatsDb>> {
    db: D,
    /// The next shard.
    shard: u32,
    /// Handles yet to be visited in the last one.
    handles: Order,
    batch: std::vec::IntoIter<KeyState>,
}

impl<D: Deref<Target = StatsDb>> Dump<D> {
    /// Walks a database held by any kind of pointer.
    pub fn new(db: D) -> Self {
        Self { db, shard: 0, handles: Order::default(), batch: Vec::new().into_iter() }
    }

    fn next_batch(&mut self, shard: u32) -> Vec<KeyState> {
        let mut batch = Vec::with_capacity(KEY_BATCH);
        let mut bytes = 0;
        let layout = self.db.layout();
        let locked = self.db.shard(shard).lock();
        while batch.len() < KEY_BATCH
            && bytes < BYTE_BATCH
            && let Some(handle) = self.handles.pop()
        {
            let Some(record) = locked.record_at(handle) else { continue };
            let fields = record.fields(layout);
            let entry = (handle, record);
            let fields = fields.map(|(number, field)| locked.view(layout, entry, number, field, 0).state());
            let state = KeyState { shard, key: record.key().into(), fields: fields.collect() };
            bytes += state
                .fields
                .iter()
                .flat_map(|field| &field.slots)
                .map(|slot| slot.bytes.len())
                .sum::<usize>();
            batch.push(state);
        }
        batch
    }
}

impl<D: Deref<Target = StatsDb>> Iterator for Dump<D> {
    type Item = KeyState;

    fn next(&mut self) -> Option<KeyState> {
        loop {
            if let Some(state) = self.batch.next() {
                return Some(state);
            }
            if !self.handles.is_empty() {
                self.batch = self.next_batch(self.shard - 1).into_iter();
            } else if self.shard < self.db.schema().shards {
                self.handles = Order::of(&self.db, self.shard, &|| {});
                self.shard += 1;
            } else {
                return None;
            }
        }
    }
}
