//! What one window of a field holds: a number, distinct values, or the handle of a heavy counter.

use super::{Field, HEAVY, INLINE_MAX, Record};
use crate::FieldKind;
use crate::slab::NONE;

/// One window's distinct values.
pub(crate) enum Values<'a> {
    /// The hashed values themselves.
    Inline(&'a [[u8; 8]]),
    /// The handle of a set or of registers.
    Heavy(u32),
}

impl Record {
    /// The number of the window at `at`.
    pub fn window_at(&self, at: usize) -> u32 {
        self.u32_at(at)
    }

    /// The values of a window of a distinct count that keeps them inside the record.
    pub fn inline_values(&self, at: usize) -> Vec<u64> {
        match self.values_at(at) {
            Values::Inline(values) => values.iter().map(|value| u64::from_le_bytes(*value)).collect(),
            Values::Heavy(_) => Vec::new(),
        }
    }

    /// The bytes of the counter of the window at `at`.
    pub fn counter_at(&self, kind: FieldKind, at: usize) -> &[u8] {
        &self.bytes[at + 4..self.window_end(kind, at)]
    }

    /// Handles of a field's heavy counters.
    pub fn handles(&self, kind: FieldKind, field: &Field) -> impl Iterator<Item = u32> + '_ {
        self.windows(kind, field).filter_map(move |(_, at)| self.handle_at(kind, at))
    }

    /// The handle of the heavy counter of the window at `at`.
    pub fn handle_at(&self, kind: FieldKind, at: usize) -> Option<u32> {
        match kind {
            FieldKind::Int => None,
            FieldKind::CountMin => Some(self.u32_at(at + 4)).filter(|&handle| handle != NONE),
            FieldKind::Hll => (self.bytes[at + 4] == HEAVY).then(|| self.u32_at(at + 5)),
        }
    }

    /// Gives a window of a Count-Min field its counter.
    pub fn set_sketch(&mut self, at: usize, handle: u32) {
        self.put_u32(at + 4, handle);
    }

    /// The value of a window of an int field.
    #[inline]
    pub fn int_at(&self, at: usize) -> i32 {
        self.u32_at(at + 4) as i32
    }

    /// Adds to the value of a window of an int field.
    #[inline]
    pub fn add_int(&mut self, at: usize, n: i32) {
        self.put_u32(at + 4, self.int_at(at).wrapping_add(n) as u32);
    }

    /// The values of a window of a distinct count.
    #[inline]
    pub fn values_at(&self, at: usize) -> Values<'_> {
        match self.bytes[at + 4] {
            HEAVY => Values::Heavy(self.u32_at(at + 5)),
            n => Values::Inline(self.bytes[at + 5..at + 5 + 8 * usize::from(n)].as_chunks().0),
        }
    }

    /// Adds a value to a window whose values are inline and do not contain it, if there is room.
    pub fn add_value(&mut self, at: usize, value: u64) -> bool {
        let n = usize::from(self.bytes[at + 4]);
        let room = n < INLINE_MAX;
        if room {
            let end = at + 5 + 8 * n;
            self.splice(end, 0, 8);
            self.bytes[end..end + 8].copy_from_slice(&value.to_le_bytes());
            self.bytes[at + 4] += 1;
        }
        room
    }

    /// Puts the handle of a heavy counter in the place of a window's inline values.
    pub fn set_heavy(&mut self, at: usize, handle: u32) {
        let n = usize::from(self.bytes[at + 4]);
        self.splice(at + 5, 8 * n, 4);
        self.bytes[at + 4] = HEAVY;
        self.put_u32(at + 5, handle);
    }
}
