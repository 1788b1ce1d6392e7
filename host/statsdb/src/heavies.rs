//! Counters too big for a record: larger sets, registers, sketches. A record refers to them by handle.

use crate::countmin::Sketch;
use crate::hll::{EXACT_MAX, Ranks, Registers};
use crate::slab::{Place, Slab};

/// A counter outside of its record.
pub(crate) enum Heavy {
    /// No counter; the handle of the next place without.
    Vacant(u32),
    /// Distinct hashed values, one by one.
    Set(Vec<u64>),
    /// A dense distinct count.
    Registers(Registers),
    /// Counts per value.
    Sketch(Sketch),
}

impl Heavy {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Vacant(_) => 0,
                Self::Set(values) => values.capacity() * 8,
                Self::Registers(registers) => registers.bytes(),
                Self::Sketch(sketch) => sketch.bytes(),
            }
    }

    /// Adds a hashed value to a distinct count; a set that grows too large becomes registers of `bits` bits. Whether
    /// that changed it.
    fn insert(&mut self, value: u64, bits: u8) -> bool {
        match self {
            Self::Set(values) if values.contains(&value) => return false,
            Self::Set(values) if values.len() < EXACT_MAX => values.push(value),
            Self::Set(values) => {
                let mut registers = Registers::new(Ranks::Own, bits);
                for &value in values.iter() {
                    registers.insert(value);
                }
                registers.insert(value);
                *self = Self::Registers(registers);
            }
            Self::Registers(registers) => return registers.insert(value),
            Self::Vacant(_) | Self::Sketch(_) => return false,
        }
        true
    }
}

impl Place for Heavy {
    fn vacant(next: u32) -> Self {
        Self::Vacant(next)
    }

    fn next_vacant(&self) -> u32 {
        match self {
            Self::Vacant(next) => *next,
            _ => crate::slab::NONE,
        }
    }
}

/// The heavy counters of a shard.
#[derive(Default)]
pub(crate) struct Heavies {
    slab: Slab<Heavy>,
    bytes: usize,
}

impl Heavies {
    /// Stores a counter and returns its handle.
    pub fn add(&mut self, heavy: Heavy) -> u32 {
        self.bytes += heavy.bytes();
        self.slab.insert(heavy)
    }

    /// Drops a counter.
    pub fn free(&mut self, handle: u32) {
        self.bytes -= self.slab.remove(handle).bytes();
    }

    pub fn get(&self, handle: u32) -> &Heavy {
        &self.slab[handle]
    }

    /// Adds a hashed value to a distinct count; whether that changed it.
    pub fn insert(&mut self, handle: u32, value: u64, bits: u8) -> bool {
        let heavy = &mut self.slab[handle];
        let before = heavy.bytes();
        let changed = heavy.insert(value, bits);
        self.bytes = self.bytes - before + heavy.bytes();
        changed
    }

    /// Puts another counter in the place of this one.
    pub fn replace(&mut self, handle: u32, heavy: Heavy) {
        self.bytes += heavy.bytes();
        let before = std::mem::replace(&mut self.slab[handle], heavy);
        self.bytes -= before.bytes();
    }

    /// The sketch with this handle.
    pub fn sketch(&self, handle: u32) -> Option<&Sketch> {
        match &self.slab[handle] {
            Heavy::Sketch(sketch) => Some(sketch),
            _ => None,
        }
    }

    /// The sketch with this handle, to be changed.
    pub fn sketch_mut(&mut self, handle: u32) -> Option<&mut Sketch> {
        match &mut self.slab[handle] {
            Heavy::Sketch(sketch) => Some(sketch),
            _ => None,
        }
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
