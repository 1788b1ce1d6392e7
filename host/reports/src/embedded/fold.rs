//! A quick hash for numbers.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Hashes numbers by folded multiplication, with a seed of its own for each table: who knows no seed cannot choose numbers
/// that meet in one place.
#[derive(Clone)]
pub(super) struct Fold(u64);

impl Default for Fold {
    fn default() -> Self {
        Self(RandomState::new().hash_one("fold") | 1)
    }
}

impl BuildHasher for Fold {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding(self.0)
    }
}

/// One hash on its way.
pub(super) struct Folding(u64);

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left).wrapping_mul(u128::from(right));
    (product as u64) ^ (product >> 64) as u64
}

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        fold(self.0, 0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = fold(self.0 ^ number, 0xa076_1d64_78bd_642f).wrapping_add(self.0.rotate_left(23));
    }

    fn write_u128(&mut self, number: u128) {
        self.write_u64(number as u64);
        self.write_u64((number >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_do_not_meet() {
        let fold = Fold::default();
        let mut places = std::collections::BTreeSet::new();
        for number in 0..10_000_u128 {
            places.insert(fold.hash_one(number << 8) >> 40);
        }
        // Of 16 million places; some ten thousand numbers meet three times by chance.
        assert!(places.len() > 9_950, "{}", places.len());
    }
}
