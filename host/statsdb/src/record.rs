//! Everything that is known about one key, in one block of bytes. Only fields and windows that were written exist.
//!
//! ```text
//! record    stamp: u32, key length: u8 (or 255 and u32), key, fields in order of their numbers
//! field     number * 2 + has own start: u16, [own start: u64], windows: u16, windows from the newest to the oldest
//! window    number: u32, then
//!   int       value: i32
//!   hll       n: u8 and n hashed values: u64; or 255 and the handle of a heavy counter: u32
//!   countmin  handle of a heavy counter, or NONE if nothing was counted: u32
//! ```
//! Numbers are little-endian. Windows are counted from the field's own start if it has one (it came from a sibling),
//! else from the database's.

mod window;
mod writer;

use crate::FieldKind;
use crate::layout::Layout;
use crate::slab::NONE;
pub(crate) use window::Values;
pub(crate) use writer::{FieldWriter, distinct_counter, int_counter, sketch_counter};

/// Distinct values that a window keeps inside the record.
pub(crate) const INLINE_MAX: usize = 16;
/// In the place of a number of values: a handle follows.
const HEAVY: u8 = 255;
/// In the place of a key length: the real one follows.
const LONG_KEY: u8 = 255;

/// A key's record.
#[derive(Default)]
pub(crate) struct Record {
    bytes: Box<[u8]>,
}

/// Where a field lies in its record.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    /// Position of the field's first byte.
    head: usize,
    /// Position of its first window.
    body: usize,
    /// Number of windows.
    pub count: usize,
    /// The unix second its windows are counted from, if not the database's.
    pub start: Option<u64>,
}

impl Record {
    /// The record of a key without fields.
    pub fn new(key: &[u8], stamp: u32) -> Self {
        let mut bytes = Vec::with_capacity(9 + key.len());
        bytes.extend_from_slice(&stamp.to_le_bytes());
        match u8::try_from(key.len()) {
            Ok(len) if len != LONG_KEY => bytes.push(len),
            _ => {
                bytes.push(LONG_KEY);
                bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
            }
        }
        bytes.extend_from_slice(key);
        Self { bytes: bytes.into_boxed_slice() }
    }

    /// Whether this is no record at all (that of a vacant entry).
    pub fn is_vacant(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of memory, the allocator's own included (glibc: 8 bytes, rounded up to 16, at least 32).
    pub fn bytes(&self) -> usize {
        (self.bytes.len() + 8).next_multiple_of(16).max(32)
    }

    /// The shard's count of writes when this was last written.
    pub fn stamp(&self) -> u32 {
        self.u32_at(0)
    }

    #[inline]
    pub fn set_stamp(&mut self, stamp: u32) {
        self.put_u32(0, stamp);
    }

    #[inline]
    pub fn key(&self) -> &[u8] {
        match self.bytes.get(4) {
            Some(&LONG_KEY) => &self.bytes[9..9 + self.u32_at(5) as usize],
            Some(&len) => &self.bytes[5..5 + usize::from(len)],
            None => &[],
        }
    }

    fn first_field(&self) -> usize {
        match self.bytes[4] {
            LONG_KEY => 9 + self.u32_at(5) as usize,
            len => 5 + usize::from(len),
        }
    }

    /// The field with this number, or the position where it would have to be.
    #[inline]
    pub fn field(&self, layout: &Layout, number: u16) -> Result<Field, usize> {
        let mut at = self.first_field();
        while at < self.bytes.len() {
            let (other, field) = self.field_at(at);
            if other >= number {
                return if other == number { Ok(field) } else { Err(at) };
            }
            at = self.end(layout.kind(other), &field);
        }
        Err(at)
    }

    /// All fields with their numbers.
    pub fn fields<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = (u16, Field)> + 'a {
        let mut at = self.first_field();
        std::iter::from_fn(move || {
            if at >= self.bytes.len() {
                return None;
            }
            let (number, field) = self.field_at(at);
            at = self.end(layout.kind(number), &field);
            Some((number, field))
        })
    }

    #[inline]
    fn field_at(&self, head: usize) -> (u16, Field) {
        let tag = self.u16_at(head);
        let own = tag & 1 == 1;
        let start = own.then(|| u64::from_le_bytes(self.array_at(head + 2)));
        let body = head + if own { 12 } else { 4 };
        (tag >> 1, Field { head, body, count: usize::from(self.u16_at(body - 2)), start })
    }

    /// Adds an empty field at the position that [`Record::field`] told.
    pub fn add_field(&mut self, at: usize, number: u16) -> Field {
        self.splice(at, 0, 4);
        self.put_u16(at, number << 1);
        self.put_u16(at + 2, 0);
        Field { head: at, body: at + 4, count: 0, start: None }
    }

    /// Position after the field's last window.
    fn end(&self, kind: FieldKind, field: &Field) -> usize {
        match kind {
            FieldKind::Int | FieldKind::CountMin => field.body + 8 * field.count,
            FieldKind::Hll => (0..field.count).fold(field.body, |at, _| self.window_end(kind, at)),
        }
    }

    #[inline]
    fn window_end(&self, kind: FieldKind, at: usize) -> usize {
        at + match kind {
            FieldKind::Int | FieldKind::CountMin => 8,
            FieldKind::Hll => match self.bytes[at + 4] {
                HEAVY => 9,
                n => 5 + 8 * usize::from(n),
            },
        }
    }

    /// A field's windows from the newest to the oldest: their numbers and positions.
    #[inline]
    pub fn windows(&self, kind: FieldKind, field: &Field) -> impl Iterator<Item = (u32, usize)> + '_ {
        let mut at = field.body;
        (0..field.count).map(move |_| {
            let window = (self.u32_at(at), at);
            at = self.window_end(kind, at);
            window
        })
    }

    /// The position of the window with number `current`, which is made if it is not there. That drops windows that
    /// no longer count in window `as_of` (the same one, unless something arrives late or early); handles of their heavy
    /// counters go to `free`.
    #[inline]
    pub fn window_for_write(
        &mut self,
        layout: &Layout,
        kind: FieldKind,
        field: &Field,
        (current, as_of): (u32, u32),
        free: impl FnMut(u32),
    ) -> usize {
        if field.count > 0 && self.u32_at(field.body) == current {
            return field.body;
        }
        self.make_window(layout, kind, field, (current, as_of), free)
    }

    fn make_window(
        &mut self,
        layout: &Layout,
        kind: FieldKind,
        field: &Field,
        (current, as_of): (u32, u32),
        mut free: impl FnMut(u32),
    ) -> usize {
        // Newer windows exist if the clock went back, or was ahead before. The newest ones stay, as many as can count
        // together, until their time comes; those between them and now would otherwise become any number.
        let newer = self.windows(kind, field).take_while(|(number, _)| *number > current && current == as_of);
        if let Some((_, between)) = newer.skip(layout.windows as usize).last() {
            if let Some(handle) = self.handle_at(kind, between) {
                free(handle);
            }
            self.splice(between, self.window_end(kind, between) - between, 0);
            self.put_u16(field.body - 2, field.count as u16 - 1);
            let field = Field { count: field.count - 1, ..*field };
            return self.make_window(layout, kind, &field, (current, as_of), free);
        }
        let mut place = None;
        let mut kept = 0;
        let mut old = field.body;
        for (number, at) in self.windows(kind, field) {
            if number == current {
                return at;
            }
            if number < current {
                place.get_or_insert(at);
            }
            if !layout.alive(number, as_of) {
                break;
            }
            kept += 1;
            old = self.window_end(kind, at);
        }
        let end = self.end(kind, field);
        let mut dropped = old;
        while dropped < end {
            if let Some(handle) = self.handle_at(kind, dropped) {
                free(handle);
            }
            dropped = self.window_end(kind, dropped);
        }
        let place = place.unwrap_or(end).min(old);
        let size = if kind == FieldKind::Hll { 5 } else { 8 };
        if end - old == size {
            self.bytes.copy_within(place..old, place + size);
        } else {
            self.splice(old, end - old, 0);
            self.splice(place, 0, size);
        }
        self.put_u32(place, current);
        match kind {
            FieldKind::Int => self.put_u32(place + 4, 0),
            FieldKind::CountMin => self.put_u32(place + 4, NONE),
            FieldKind::Hll => self.bytes[place + 4] = 0,
        }
        self.put_u16(field.body - 2, kept + 1);
        place
    }

    /// Removes all windows of a field; handles of heavy counters go to `free`.
    pub fn clear_field(&mut self, kind: FieldKind, field: &Field, mut free: impl FnMut(u32)) {
        self.handles(kind, field).for_each(&mut free);
        self.splice(field.body, self.end(kind, field) - field.body, 0);
        self.put_u16(field.body - 2, 0);
    }

    /// Puts `field` (as written by [`FieldWriter`]) in the place of what the record has of it. Heavy counters that
    /// no longer occur are the caller's to free.
    pub fn replace_field(&mut self, layout: &Layout, number: u16, field: &[u8]) {
        let (at, len) = match self.field(layout, number) {
            Ok(found) => (found.head, self.end(layout.kind(number), &found) - found.head),
            Err(at) => (at, 0),
        };
        self.splice(at, len, field.len());
        self.bytes[at..at + field.len()].copy_from_slice(field);
    }

    /// Replaces `remove` bytes at `at` by `add` bytes of undefined content.
    fn splice(&mut self, at: usize, remove: usize, add: usize) {
        if remove == add {
            return;
        }
        let mut bytes = std::mem::take(&mut self.bytes).into_vec();
        let len = bytes.len();
        if add > remove {
            let more = add - remove;
            bytes.reserve_exact(more);
            bytes.resize(len + more, 0);
            bytes.copy_within(at + remove..len, at + add);
        } else {
            bytes.copy_within(at + remove..len, at + add);
            bytes.truncate(len - (remove - add));
        }
        self.bytes = bytes.into_boxed_slice();
    }

    #[inline]
    fn array_at<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[at..at + N]);
        array
    }

    #[inline]
    fn u16_at(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.array_at(at))
    }

    #[inline]
    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array_at(at))
    }

    #[inline]
    fn put_u16(&mut self, at: usize, n: u16) {
        self.bytes[at..at + 2].copy_from_slice(&n.to_le_bytes());
    }

    #[inline]
    fn put_u32(&mut self, at: usize, n: u32) {
        self.bytes[at..at + 4].copy_from_slice(&n.to_le_bytes());
    }
}
