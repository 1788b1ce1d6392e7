//! The entries of one kind: found by key, listed in order of insertion, dropped in order of expiry.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::RandomState;

use bstr::BString;
use hashbrown::HashMap;

use super::Entry;

struct Slot {
    entry: Entry,
    inserted: u64,
}

/// What an entry costs beside its texts, roughly: its places in the three trees and tables.
const ENTRY_BYTES: usize = 256;

/// How much a table may hold.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    /// Entries.
    pub(super) entries: usize,
    /// Bytes of entries, as [`Table::bytes_of`] counts them.
    pub(super) bytes: usize,
}

impl Limit {
    /// What each kind of each list may hold.
    pub(super) const DEFAULT: Self = Self { entries: 1_000_000, bytes: 512 << 20 };
}

/// Every operation is O(log n) or better.
#[derive(Default)]
pub(super) struct Table {
    /// `RandomState`: keys come from outside, so their hashes must not be guessable.
    by_key: HashMap<BString, Slot, RandomState>,
    by_insertion: BTreeMap<u64, BString>,
    by_expiration: BTreeSet<(u64, u64)>,
    next: u64,
    bytes: usize,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.by_key.get(bstr::BStr::new(key)).map(|slot| &slot.entry)
    }

    /// What an entry takes: its key is kept three times.
    fn bytes_of(entry: &Entry) -> usize {
        3 * entry.key.len() + entry.reason.len() + ENTRY_BYTES
    }

    /// Whether this entry, which is not there, fits in.
    pub(super) fn has_room(&self, entry: &Entry, limit: Limit) -> bool {
        self.len() == 0 || self.len() < limit.entries && self.bytes + Self::bytes_of(entry) <= limit.bytes
    }

    /// Adds or replaces; the entry is the youngest afterwards.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.remove(&entry.key);
        let inserted = self.next;
        self.next += 1;
        self.bytes += Self::bytes_of(&entry);
        self.by_insertion.insert(inserted, entry.key.clone());
        self.by_expiration.insert((entry.expiration, inserted));
        self.by_key.insert(entry.key.clone(), Slot { entry, inserted });
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let Slot { entry, inserted } = self.by_key.remove(bstr::BStr::new(key))?;
        self.by_insertion.remove(&inserted);
        self.by_expiration.remove(&(entry.expiration, inserted));
        self.bytes -= Self::bytes_of(&entry);
        Some(entry)
    }

    /// Removes one entry whose time is over, the longest expired first.
    pub(super) fn pop_expired(&mut self, now: u64) -> Option<Entry> {
        let (expiration, inserted) = *self.by_expiration.first()?;
        if expiration > now {
            return None;
        }
        self.by_expiration.pop_first();
        let key = self.by_insertion.remove(&inserted)?;
        let entry = self.by_key.remove(&key)?.entry;
        self.bytes -= Self::bytes_of(&entry);
        Some(entry)
    }

    /// Oldest insertion first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.by_insertion.values().filter_map(|key| self.get(key))
    }
}
