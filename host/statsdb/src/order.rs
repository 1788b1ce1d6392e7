//! The keys of a shard from the least to the most recently written one.

use std::collections::BinaryHeap;

use crate::StatsDb;

/// Entries looked at under one lock, each of which lies somewhere else in memory: some ten microseconds.
const STAMP_BATCH: u32 = 128;
/// Entries sorted at once, in some ten microseconds; a million in one go would keep a core for tens of milliseconds.
const RUN: usize = 512;

/// The handles of a shard's keys in the order in which they were last written, as of the moment it was made.
///
/// It costs 8 bytes for each key. Handles come out of sorted runs that are merged as they are taken, so no step takes
/// long.
#[derive(Default)]
pub(crate) struct Order {
    /// Each in order, the next one last.
    runs: Vec<Vec<Place>>,
    /// The next one of each run that has any, and which run that is.
    next: BinaryHeap<(Place, u32)>,
}

/// How long ago a key was written, counted in writes, and its handle. Stamps wrap, so the order is that of their distance
/// from the beginning; what is written after that has a negative one.
type Place = (i32, u32);

impl Order {
    /// Finds out the order of a shard. Locks are short, and `pause` is called after each short piece of work, while none is
    /// held.
    pub(crate) fn of(db: &StatsDb, shard: u32, pause: &dyn Fn()) -> Self {
        let shard = db.shard(shard);
        let mut order = Self::default();
        let mut run = Vec::with_capacity(RUN);
        let begin = shard.lock().stamp();
        let mut from = 0;
        loop {
            {
                let locked = shard.lock();
                let Some(some) = locked.stamps(from, STAMP_BATCH) else { break };
                run.extend(some.map(|(stamp, handle)| (begin.wrapping_sub(stamp) as i32, handle)));
            }
            from += STAMP_BATCH;
            pause();
            if run.len() + STAMP_BATCH as usize > RUN {
                order.add(std::mem::replace(&mut run, Vec::with_capacity(RUN)));
                pause();
            }
        }
        order.add(run);
        order
    }

    fn add(&mut self, mut run: Vec<Place>) {
        run.sort_unstable();
        if let Some(first) = run.pop() {
            self.next.push((first, self.runs.len() as u32));
            self.runs.push(run);
        }
    }

    /// The handle whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        let ((_, handle), run) = self.next.pop()?;
        let run_of = self.runs.get_mut(run as usize)?;
        match run_of.pop() {
            Some(place) => self.next.push((place, run)),
            // Its memory is not needed until the last one is through.
            None => *run_of = Vec::new(),
        }
        Some(handle)
    }

    /// Whether all were taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.next.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;

    use super::*;
    use crate::{CountMinShape, FieldKind, Schema};

    #[test]
    fn keys_come_in_the_order_of_their_last_write_and_pauses_hold_no_lock() {
        let db = StatsDb::new(Schema {
            name: "db".into(),
            window_secs: 600,
            windows: 6,
            fields: vec![("n".into(), FieldKind::Int)],
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        })
        .unwrap();
        let key = |number: u32| number.to_le_bytes();
        (0..20_000).for_each(|number| assert!(db.add(0, &key(number), b"n", b"1").is_ok()));
        // Again, in another order.
        (0..20_000).rev().step_by(3).for_each(|number| assert!(db.add(0, &key(number), b"n", b"1").is_ok()));
        let pauses = Cell::new(0);
        let mut order = Order::of(&db, 0, &|| {
            pauses.set(pauses.get() + 1);
            assert!(db.shard(0).try_lock().is_some(), "somebody else may have it now");
        });
        assert!(pauses.get() >= 3, "{}", pauses.get());
        let mut stamps = Vec::new();
        let shard = db.shard(0).lock();
        while let Some(handle) = order.pop() {
            stamps.push(shard.record_at(handle).unwrap().stamp());
        }
        assert!(order.is_empty());
        assert_eq!(stamps.len(), 20_000);
        assert!(stamps.is_sorted(), "the one written least recently comes first");
    }
}
