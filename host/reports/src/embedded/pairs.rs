//! Different pairs of numbers, counted.

use super::values::take;
use crate::StoreError;

/// Of so few pairs it is not worth while to look for those that are there twice.
const FEW: usize = 1 << 16;

/// Pairs as numbers, of which those that are there twice are thrown out now and then: sorted they take eight bytes each, where
/// a table would take twice that and miss the processor's cache with each.
#[derive(Default)]
pub(super) struct Pairs {
    all: Vec<u64>,
    /// So many at the beginning are different.
    different: usize,
}

impl Pairs {
    pub(super) fn add(&mut self, left: u32, right: u32, room: &mut usize) -> Result<(), StoreError> {
        if self.all.len() >= FEW && self.all.len() >= self.different * 2 {
            self.sort(room)?;
        }
        self.all.push(u64::from(left) << 32 | u64::from(right));
        Ok(())
    }

    fn sort(&mut self, room: &mut usize) -> Result<(), StoreError> {
        self.all.sort_unstable();
        self.all.dedup();
        take(room, self.all.len() - self.different)?;
        self.different = self.all.len();
        Ok(())
    }

    /// Calls `each` with the left number of every different pair, and forgets them.
    pub(super) fn drain(&mut self, room: &mut usize, mut each: impl FnMut(u32)) -> Result<(), StoreError> {
        self.sort(room)?;
        for pair in std::mem::take(self).all {
            each((pair >> 32) as u32);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_pair_counts_once_however_often_it_comes() {
        let mut pairs = Pairs::default();
        let mut room = 300 * 301;
        for turn in 0..10_u32 {
            for pair in 0..90_000_u32 {
                let pair = (pair * 7 + turn) % 90_000;
                pairs.add(pair / 300, pair % 300, &mut room).unwrap();
            }
        }
        assert!(pairs.all.len() <= 180_001, "{}", pairs.all.len());
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        pairs.drain(&mut room, |left| *counts.entry(left).or_default() += 1).unwrap();
        assert_eq!(counts.len(), 300);
        assert!(counts.values().all(|count| *count == 300));
        assert_eq!(room, 300);
    }

    #[test]
    fn more_than_there_is_room_for_are_refused() {
        let mut pairs = Pairs::default();
        let mut room = 100_000;
        let result = (0..1_000_000).try_for_each(|pair| pairs.add(1, pair, &mut room));
        assert!(matches!(result, Err(StoreError::TooManyValues(_))));
        assert!(pairs.all.len() <= 200_001, "{}", pairs.all.len());
    }
}
