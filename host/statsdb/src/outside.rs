//! What a database needs that keeps its counts somewhere else: hashes, rows and unions, so that it counts as one here
//! does.

use crate::countmin::{self, Plan};
use crate::hll::{self, EXACT_MAX, Ranks, Registers, Union};
use crate::{CountMinShape, NotANumber, int};

/// Values that a window keeps one by one before it turns to registers.
pub const EXACT_VALUES: usize = EXACT_MAX;
/// Register bits of such a window at least, and at most: more would be long texts to change.
pub const REGISTER_BITS: std::ops::RangeInclusive<u8> = hll::MIN_BITS..=14;

/// The integer that a text begins with, as an int field takes it.
///
/// # Errors
/// There is none.
pub fn parse_int(text: &[u8]) -> Result<i32, NotANumber> {
    int::parse(text)
}

/// What is kept of a distinct value. Its low half chooses a register, the leading zeros of its high half are the rank,
/// less 1.
pub fn value_hash(value: &[u8]) -> u64 {
    hll::hash(value)
}

/// The rows of a sketch.
#[derive(Debug)]
pub struct Rows(Plan);

impl Rows {
    /// Rows of this shape, the same ones for the same seed.
    pub fn new(shape: CountMinShape, seed: u64) -> Self {
        Self(Plan::random(shape, seed))
    }

    /// The cell of a value in each row, numbered over all rows.
    pub fn cells(&self, value: &[u8]) -> Vec<usize> {
        self.0.places(countmin::hash(value)).collect()
    }
}

/// How many distinct values several windows have together; exact while they are few.
pub struct Distinct(Union);

impl Distinct {
    /// None yet; a union of many turns to so many register bits.
    pub fn new(bits: u8) -> Self {
        Self(Union::new(bits.clamp(*REGISTER_BITS.start(), *REGISTER_BITS.end())))
    }

    /// Adds hashed values.
    pub fn add(&mut self, values: impl Iterator<Item = u64>) {
        self.0.add(values);
    }

    /// Adds a window that turned to registers, one byte each; false if these cannot be any.
    pub fn merge(&mut self, registers: &[u8]) -> bool {
        let bits = registers.len().checked_ilog2().and_then(|bits| u8::try_from(bits).ok());
        match bits.and_then(|bits| Registers::from_parts(Ranks::Own, bits, registers)) {
            Some(registers) => {
                self.0.merge(&registers);
                true
            }
            None => false,
        }
    }

    /// How many.
    pub fn count(self) -> i32 {
        self.0.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_of_values_and_registers_counts_each_once() {
        let values: Vec<u64> = (0..2000u32).map(|n| value_hash(n.to_string().as_bytes())).collect();
        let mut dense = Registers::new(Ranks::Own, 11);
        for value in &values {
            dense.insert(*value);
        }
        let mut both = Distinct::new(11);
        assert!(both.merge(dense.values()));
        both.add(values[..100].iter().copied());
        let count = both.count();
        assert!((1850..2150).contains(&count), "{count}");
        assert!(!Distinct::new(11).merge(&[1, 2, 3]));
        let mut few = Distinct::new(11);
        few.add(values[..3].iter().chain(&values[1..4]).copied());
        assert_eq!(few.count(), 4);
    }
}
