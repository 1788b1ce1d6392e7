//! The keys of a shard from the least to the most recently written one.

use std::collections::BinaryHeap;

use crate::StatsDb;

/// Entries looked at under one lock.
const STAMP_BATCH: u32 = 512;
/// Entries sorted at once. Sorting a million in one go would keep a core for tens of milliseconds.
const RUN: usize = 4096;

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
        while let Some(some) = shard.lock().stamps(from, STAMP_BATCH) {
            run.extend(some.map(|(stamp, handle)| (begin.wrapping_sub(stamp) as i32, handle)));
            from += STAMP_BATCH;
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
