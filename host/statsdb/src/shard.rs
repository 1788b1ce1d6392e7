//! One shard: its keys, found by hash and linked by the age of their last write.

use std::hint::black_box;

use crate::countmin::Sketch;
use crate::heavies::{Heavies, Heavy};
use crate::layout::Layout;
use crate::record::{Field, Record, Values};
use crate::share::Reset;
use crate::slab::{NONE, Place, Slab};
use crate::table::{Keys, Table};
use crate::view::View;
use overlays::Overlays;

mod overlays;
mod restore;
mod shares;

/// What an entry costs beside its record: its place in the slab and in the hash table (5 bytes a bucket, on average
/// somewhat more than half of the buckets in use).
const ENTRY_BYTES: usize = size_of::<Entry>() + 8;

/// Most keys that one write removes. It matters while a limit that was just lowered is being reached, and after a
/// counter grew by the size of thousands of keys: the next writes then remove the rest.
const EVICTIONS_MAX: u32 = 256;

/// A key.
struct Entry {
    /// The entry written before this one.
    older: u32,
    /// The entry written after this one; of a vacant place, the next vacant one.
    newer: u32,
    record: Record,
}

impl Place for Entry {
    fn vacant(next: u32) -> Self {
        Self { older: NONE, newer: next, record: Record::default() }
    }

    fn next_vacant(&self) -> u32 {
        self.newer
    }
}

/// What the table has to know about entries.
struct EntryKeys<'a> {
    layout: &'a Layout,
    entries: &'a Slab<Entry>,
}

impl Keys for EntryKeys<'_> {
    fn hash_of(&self, handle: u32) -> u64 {
        self.layout.hash(self.entries[handle].record.key())
    }

    fn prefetch(&self, handles: &[u32]) {
        let lengths = handles.iter().map(|&handle| self.entries[handle].record.bytes());
        black_box(lengths.fold(0usize, usize::wrapping_add));
        let stamps = handles.iter().map(|&handle| self.entries[handle].record.stamp());
        black_box(stamps.fold(0u32, u32::wrapping_add));
    }
}

/// What a write does to the current window of a field.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// Nothing, but the key and the field are there afterwards.
    Create,
    /// Nothing, but the window is there afterwards.
    Touch,
    /// Adds to an int.
    Add(i32),
    /// Adds a hashed value to a distinct count.
    Insert(u64),
    /// Adds to the count of a hashed value in a sketch.
    Count(u32, i32),
}

/// Keys and their records.
pub(crate) struct Shard {
    table: Table,
    entries: Slab<Entry>,
    heavies: Heavies,
    oldest: u32,
    newest: u32,
    len: usize,
    max_len: usize,
    /// Bytes of all records.
    record_bytes: usize,
    max_bytes: u64,
    /// Counts writes and resets.
    changes: u64,
    /// What other nodes counted, by handle; empty in a database without siblings.
    overlays: Overlays,
}

impl Shard {
    pub fn new(max_len: usize, max_bytes: u64) -> Self {
        Self {
            table: Table::default(),
            entries: Slab::default(),
            heavies: Heavies::default(),
            oldest: NONE,
            newest: NONE,
            len: 0,
            max_len,
            record_bytes: 0,
            max_bytes,
            changes: 0,
            overlays: Overlays::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes in use for what is stored (places that wait for new keys do not count).
    pub fn bytes(&self) -> usize {
        self.len * ENTRY_BYTES + self.record_bytes + self.heavies.bytes() + self.overlays.bytes()
    }

    pub fn set_limits(&mut self, max_len: usize, max_bytes: u64) {
        self.max_len = max_len;
        self.max_bytes = max_bytes;
    }

    /// Removes up to `most` least recently written keys that are beyond the limits; tells whether some are left.
    pub fn trim(&mut self, layout: &Layout, most: usize) -> bool {
        for _ in 0..most {
            if !self.over_limits() {
                return false;
            }
            self.evict(layout);
        }
        self.over_limits()
    }

    fn over_limits(&self) -> bool {
        self.len > 0 && (self.len > self.max_len || self.bytes() as u64 > self.max_bytes)
    }

    #[inline]
    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.table.find(hash, |handle| self.entries[handle].record.key() == key)
    }

    /// The handle and the record of a key.
    #[inline]
    pub fn record(&self, hash: u64, key: &[u8]) -> Option<(u32, &Record)> {
        let handle = self.find(hash, key)?;
        Some((handle, &self.entries[handle].record))
    }

    /// A record's field, ready to be read.
    pub fn view<'a>(
        &'a self,
        layout: &'a Layout,
        (handle, record): (u32, &'a Record),
        number: u16,
        field: Field,
        now: u64,
    ) -> View<'a> {
        let current = layout.window(now, field.start.unwrap_or(layout.schema.start));
        View {
            layout,
            heavies: &self.heavies,
            overlay: self.overlays.get(handle),
            record,
            number,
            field,
            current,
        }
    }

    /// Changes a field in its current window. `hash` is the key's.
    pub fn write(&mut self, layout: &Layout, hash: u64, key: &[u8], number: u16, now: u64, change: Change) {
        let handle = self.entry_for_write(layout, hash, key);
        let record = &mut self.entries[handle].record;
        let before = record.bytes();
        apply(layout, record, &mut self.heavies, number, now, change);
        let after = record.bytes();
        self.record_bytes = self.record_bytes - before + after;
        self.trim_for(layout, handle);
    }

    /// The entry of a key, made if it is not there, as the most recently written one.
    #[inline]
    fn entry_for_write(&mut self, layout: &Layout, hash: u64, key: &[u8]) -> u32 {
        self.changes += 1;
        let stamp = self.changes as u32;
        if let Some(handle) = self.find(hash, key) {
            self.entries[handle].record.set_stamp(stamp);
            if handle != self.newest {
                self.unlink(handle);
                self.link(handle);
            }
            return handle;
        }
        for _ in 0..EVICTIONS_MAX {
            if self.len == 0 || self.len < self.max_len {
                break;
            }
            self.evict(layout);
        }
        let record = Record::new(key, stamp);
        self.record_bytes += record.bytes();
        let handle = self.entries.insert(Entry { older: NONE, newer: NONE, record });
        self.link(handle);
        self.table.insert(hash, handle, &EntryKeys { layout, entries: &self.entries });
        self.len += 1;
        handle
    }

    /// Keeps the limit of bytes after `handle` was written, which stays.
    #[inline]
    fn trim_for(&mut self, layout: &Layout, handle: u32) {
        for _ in 0..EVICTIONS_MAX {
            if self.bytes() as u64 <= self.max_bytes || self.oldest == handle {
                break;
            }
            self.evict(layout);
        }
    }

    /// Forgets the least recently written key.
    fn evict(&mut self, layout: &Layout) {
        let handle = self.oldest;
        self.unlink(handle);
        self.table.remove(layout.hash(self.entries[handle].record.key()), handle);
        let record = self.entries.remove(handle).record;
        self.record_bytes -= record.bytes();
        self.len -= 1;
        for (number, field) in record.fields(layout) {
            record.handles(layout.kind(number), &field).for_each(|handle| self.heavies.free(handle));
        }
        self.overlays.take(handle);
    }

    #[inline]
    fn unlink(&mut self, handle: u32) {
        let Entry { older, newer, .. } = self.entries[handle];
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer].older = older,
        }
    }

    #[inline]
    fn link(&mut self, handle: u32) {
        let entry = &mut self.entries[handle];
        entry.older = self.newest;
        entry.newer = NONE;
        match self.newest {
            NONE => self.oldest = handle,
            newest => self.entries[newest].newer = handle,
        }
        self.newest = handle;
    }

    /// Empties a field of a key, or all of them. Where other nodes have to know, `mark` is the reset; it counts as later
    /// than any that is known.
    pub fn reset(
        &mut self,
        layout: &Layout,
        hash: u64,
        key: &[u8],
        only: Option<u16>,
        mark: Option<Reset>,
    ) -> Option<Reset> {
        let Some(handle) = self.find(hash, key) else { return mark };
        self.changes += 1;
        let mark = self.mark_reset(layout, handle, only, mark);
        let record = &mut self.entries[handle].record;
        let before = record.bytes();
        let numbers: Vec<u16> = record.fields(layout).map(|(number, _)| number).collect();
        for number in numbers.into_iter().filter(|number| only.is_none_or(|only| only == *number)) {
            if let Ok(field) = record.field(layout, number) {
                record.clear_field(layout.kind(number), &field, |handle| self.heavies.free(handle));
            }
        }
        self.record_bytes = self.record_bytes - before + record.bytes();
        mark
    }

    /// The handles from `from` on (at most `most` of them are looked at), each after the count of writes at its last
    /// write; `None` at the end.
    pub fn stamps(&self, from: u32, most: u32) -> Option<impl Iterator<Item = (u32, u32)> + '_> {
        let end = self.entries.places().min(from.saturating_add(most));
        (from < end).then(|| {
            (from..end).filter_map(|handle| {
                let record = &self.entries[handle].record;
                (!record.is_vacant()).then(|| (record.stamp(), handle))
            })
        })
    }

    /// The count of writes so far, as stamps have it.
    pub fn stamp(&self) -> u32 {
        self.changes as u32
    }

    /// Handles are below this.
    pub fn places(&self) -> u32 {
        self.entries.places()
    }

    /// The record at a handle, if there still is one.
    pub fn record_at(&self, handle: u32) -> Option<&Record> {
        Some(&self.entries[handle].record).filter(|record| !record.is_vacant())
    }
}

fn apply(layout: &Layout, record: &mut Record, heavies: &mut Heavies, number: u16, now: u64, change: Change) {
    let field = match record.field(layout, number) {
        Ok(field) => field,
        Err(at) => record.add_field(at, number),
    };
    if let Change::Create = change {
        return;
    }
    let current = layout.window(now, field.start.unwrap_or(layout.schema.start));
    let at = record
        .window_for_write(layout, layout.kind(number), &field, (current, current), |old| heavies.free(old));
    match change {
        Change::Create | Change::Touch => {}
        Change::Add(n) => record.add_int(at, n),
        Change::Insert(value) => _ = insert(layout, record, heavies, at, value),
        Change::Count(value, n) => {
            let Some(plan) = layout.plan(number) else { return };
            let handle = record.handle_at(layout.kind(number), at).unwrap_or_else(|| {
                let handle = heavies.add(Heavy::Sketch(Sketch::new(plan)));
                record.set_sketch(at, handle);
                handle
            });
            if let Some(sketch) = heavies.sketch_mut(handle) {
                sketch.add(plan, value, n);
            }
        }
    }
}

/// Adds a hashed value to the distinct count of a window; whether that changed it.
pub(crate) fn insert(
    layout: &Layout,
    record: &mut Record,
    heavies: &mut Heavies,
    at: usize,
    value: u64,
) -> bool {
    match record.values_at(at) {
        Values::Heavy(handle) => heavies.insert(handle, value, layout.register_bits),
        Values::Inline(values) if values.contains(&value.to_le_bytes()) => false,
        Values::Inline(values) => {
            // Only needed when the record is full, but cheap beside the reallocation that follows anyway.
            let mut set: Vec<u64> = Vec::new();
            if values.len() >= crate::record::INLINE_MAX {
                set.reserve_exact(2 * crate::record::INLINE_MAX);
                set.extend(values.iter().map(|value| u64::from_le_bytes(*value)));
                set.push(value);
            }
            if !record.add_value(at, value) {
                let handle = heavies.add(Heavy::Set(set));
                record.set_heavy(at, handle);
            }
            true
        }
    }
}
