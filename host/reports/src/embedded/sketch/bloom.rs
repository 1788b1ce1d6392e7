//! A Bloom filter that reads one line of the processor's cache for an answer.

/// Bits for each key.
const BITS: usize = 10;
/// Words of a block, in which all bits of a key lie: 512 bits.
const WORDS: usize = 8;
/// Bits that a key sets. About one in eighty keys that are not in it seems to be.
const PROBES: u32 = 6;

/// The filter. Keys are hashes: their bits are used as they are.
#[derive(Debug, PartialEq)]
pub(super) struct Bloom(Box<[u64]>);

impl Bloom {
    /// A filter of these keys, each of which should be there once.
    pub(super) fn of(keys: &[u64]) -> Self {
        let blocks = (keys.len() * BITS).div_ceil(WORDS * 64).max(1);
        let mut words = vec![0; blocks * WORDS].into_boxed_slice();
        for key in keys {
            let block = place(*key, blocks) * WORDS;
            for (word, bit) in probes(*key) {
                if let Some(word) = words.get_mut(block + word) {
                    *word |= bit;
                }
            }
        }
        Self(words)
    }

    /// A filter as it was kept; `None` unless it has `count` words that are whole blocks.
    pub(super) fn from_words(words: Box<[u64]>, count: usize) -> Option<Self> {
        (words.len() == count && count > 0 && count.is_multiple_of(WORDS)).then_some(Self(words))
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    /// Whether the key may be one of them; if not, it surely is none.
    pub(super) fn may_have(&self, key: u64) -> bool {
        let block = place(key, self.0.len() / WORDS) * WORDS;
        probes(key).all(|(word, bit)| self.0.get(block + word).is_some_and(|word| word & bit != 0))
    }
}

/// The block of a key, by its upper half.
fn place(key: u64, blocks: usize) -> usize {
    (((key >> 32) * blocks as u64) >> 32) as usize
}

/// Word and bit of each probe, by nine bits of another number that the key gives.
fn probes(key: u64) -> impl Iterator<Item = (usize, u64)> {
    let bits = key.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) ^ key;
    (0..PROBES).map(move |number| {
        let probe = bits >> (number * 9) & 511;
        ((probe >> 6) as usize, 1 << (probe & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn keys(numbers: std::ops::Range<u64>) -> Vec<u64> {
        numbers.map(|number| xxh3_64(&number.to_le_bytes())).collect()
    }

    #[test]
    fn what_is_in_it_is_found_and_little_else() {
        for count in [0, 1, 50, 20_000] {
            let bloom = Bloom::of(&keys(0..count));
            assert!(keys(0..count).into_iter().all(|key| bloom.may_have(key)));
            let wrong = keys(100_000..200_000).into_iter().filter(|key| bloom.may_have(*key)).count();
            assert!(wrong < 2_500, "{wrong} of 100,000 with {count} keys");
        }
        assert_eq!(Bloom::of(&keys(0..20_000)).words().len(), 200_000_usize.div_ceil(512) * 8);
    }
}
