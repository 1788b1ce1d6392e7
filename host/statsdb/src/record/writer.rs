//! Whole fields, as they are put into a record.

use super::HEAVY;
use crate::slab::NONE;

/// Writes a whole field, for [`Record::replace_field`].
pub(crate) struct FieldWriter {
    bytes: Vec<u8>,
    count_at: usize,
    count: u16,
}

impl FieldWriter {
    /// A field without windows, counted from `start` if it is not the database's.
    pub fn new(number: u16, start: Option<u64>) -> Self {
        let mut bytes = (number << 1 | u16::from(start.is_some())).to_le_bytes().to_vec();
        bytes.extend(start.iter().flat_map(|start| start.to_le_bytes()));
        let count_at = bytes.len();
        bytes.extend_from_slice(&[0, 0]);
        Self { bytes, count_at, count: 0 }
    }

    /// Adds the next older window.
    pub fn window(&mut self, number: u32, counter: &[u8]) {
        self.count += 1;
        self.bytes.extend_from_slice(&number.to_le_bytes());
        self.bytes.extend_from_slice(counter);
    }

    /// The field's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes[self.count_at..self.count_at + 2].copy_from_slice(&self.count.to_le_bytes());
        self.bytes
    }
}

/// The bytes of a window's counter (after the window's number): of an int.
pub(crate) fn int_counter(value: i32) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

/// The bytes of a window's counter: of a Count-Min field.
pub(crate) fn sketch_counter(handle: Option<u32>) -> Vec<u8> {
    handle.unwrap_or(NONE).to_le_bytes().to_vec()
}

/// The bytes of a window's counter: of a distinct count, empty if there is no heavy counter.
pub(crate) fn distinct_counter(handle: Option<u32>) -> Vec<u8> {
    match handle {
        Some(handle) => std::iter::once(HEAVY).chain(handle.to_le_bytes()).collect(),
        None => vec![0],
    }
}
