//! Extendible hashing: a directory of small hash tables, each of which splits on its own when it is full. Growth
//! therefore never rehashes more than one small table at a time, whatever the number of keys.

use hashbrown::HashTable;

use crate::slab::Chunks;

/// Entries of one segment before it splits: what a table of 1024 buckets takes at its highest load (7/8).
const SEGMENT_MAX: usize = 896;
/// The directory looks at these bits of the hash and above; the segments use the low ones and the top seven.
const DIRECTORY_SHIFT: u32 = 32;
/// Most bits the directory may use; beyond (10^10 keys) segments grow instead.
const MAX_DEPTH: u32 = 24;

/// Keys that are looked at together when a segment is rehashed.
const BATCH: usize = 64;

/// The keys behind the handles.
pub(crate) trait Keys {
    /// The hash of a handle's key.
    fn hash_of(&self, handle: u32) -> u64;

    /// Touches the keys of some handles one right after the other, so that the processor waits for all of them at
    /// once instead of for each in turn: the longest part of a split by far.
    fn prefetch(&self, handles: &[u32]) {
        let _ = handles;
    }
}

/// Handles of entries, found by a 64-bit hash of their key.
pub(crate) struct Table {
    /// Segment numbers by the low bits of the directory's part of the hash; a power of two long.
    directory: Vec<u32>,
    segments: Chunks<Segment, 6>,
}

#[derive(Default)]
struct Segment {
    handles: HashTable<u32>,
    /// How many bits of the directory's part all keys in here have in common.
    depth: u32,
}

impl Default for Table {
    fn default() -> Self {
        let mut segments = Chunks::default();
        Self { directory: vec![segments.push(Segment::default())], segments }
    }
}

impl Table {
    /// The handle with this hash for which `is_it` says yes.
    #[inline]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.segments[self.segment_of(hash)].handles.find(hash, |&handle| is_it(handle)).copied()
    }

    /// Adds a handle that is not in the table yet. `keys` knows those that are.
    pub fn insert(&mut self, hash: u64, handle: u32, keys: &impl Keys) {
        let mut segment = self.segment_of(hash);
        let Segment { handles, depth } = &mut self.segments[segment];
        if handles.len() >= SEGMENT_MAX && *depth < MAX_DEPTH {
            self.split(segment, hash, keys);
            segment = self.segment_of(hash);
        } else if handles.len() == handles.capacity() {
            // The first segment's first entry, or too many places that removed entries made unusable.
            let old =
                std::mem::replace(handles, HashTable::with_capacity(SEGMENT_MAX.max(2 * handles.len())));
            rehash(old, keys, |hash, handle| {
                handles.insert_unique(hash, handle, |&handle| keys.hash_of(handle));
            });
        }
        self.segments[segment].handles.insert_unique(hash, handle, |&handle| keys.hash_of(handle));
    }

    /// Takes a handle out.
    pub fn remove(&mut self, hash: u64, handle: u32) {
        let segment = self.segment_of(hash);
        if let Ok(found) = self.segments[segment].handles.find_entry(hash, |&other| other == handle) {
            found.remove();
        }
    }

    #[inline]
    fn segment_of(&self, hash: u64) -> u32 {
        self.directory[(hash >> DIRECTORY_SHIFT) as usize & (self.directory.len() - 1)]
    }

    /// Splits the segment of `hash` by the next bit. Both halves get their final size at once, so that an entry is
    /// rehashed once per doubling of the database, not twice.
    fn split(&mut self, segment: u32, hash: u64, keys: &impl Keys) {
        let full = &mut self.segments[segment];
        let depth = full.depth;
        full.depth = depth + 1;
        let handles = std::mem::replace(&mut full.handles, HashTable::with_capacity(SEGMENT_MAX));
        let mut upper = Segment { handles: HashTable::with_capacity(SEGMENT_MAX), depth: depth + 1 };
        rehash(handles, keys, |hash, handle| {
            let half = if hash >> DIRECTORY_SHIFT >> depth & 1 == 1 { &mut upper } else { &mut *full };
            half.handles.insert_unique(hash, handle, |&handle| keys.hash_of(handle));
        });
        let upper = self.segments.push(upper);
        if self.directory.len() == 1 << depth {
            self.directory.extend_from_within(..);
        }
        let first = (hash >> DIRECTORY_SHIFT) as usize & ((1 << depth) - 1) | 1 << depth;
        for place in self.directory[first..].iter_mut().step_by(2 << depth) {
            *place = upper;
        }
    }
}

/// Runs `insert` for all handles of a table with their hashes.
fn rehash(handles: HashTable<u32>, keys: &impl Keys, mut insert: impl FnMut(u64, u32)) {
    let mut handles = handles.into_iter();
    let mut batch = [0; BATCH];
    loop {
        let mut len = 0;
        for (place, handle) in batch.iter_mut().zip(&mut handles) {
            *place = handle;
            len += 1;
        }
        let batch = &batch[..len];
        if batch.is_empty() {
            return;
        }
        keys.prefetch(batch);
        for &handle in batch {
            insert(keys.hash_of(handle), handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(handle: u32) -> u64 {
        siphasher::sip::SipHasher13::new_with_keys(1, 2).hash(&handle.to_le_bytes())
    }

    struct Handles;

    impl Keys for Handles {
        fn hash_of(&self, handle: u32) -> u64 {
            hash_of(handle)
        }
    }

    #[test]
    fn everything_inserted_is_found_until_removed() {
        let mut table = Table::default();
        for handle in 0..100_000 {
            table.insert(hash_of(handle), handle, &Handles);
        }
        assert!(table.directory.len() >= 128);
        for handle in (0..100_000).step_by(3) {
            table.remove(hash_of(handle), handle);
        }
        for handle in 0..100_000 {
            let found = table.find(hash_of(handle), |other| other == handle);
            assert_eq!(found, (handle % 3 != 0).then_some(handle));
        }
        assert_eq!(table.find(hash_of(100_000), |other| other == 100_000), None);
    }
}
