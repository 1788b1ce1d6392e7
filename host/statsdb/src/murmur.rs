//! `MurmurHash3_x86_32`: picks shards (seed 623) and feeds the `HyperLogLog` registers (seed 313), as wforce does.

/// Seed of the hash that spreads keys over shards (wforce compatibility).
pub(crate) const SHARD_SEED: u32 = 623;
/// Seed of the hash behind `HyperLogLog` registers (wforce compatibility: registers travel between siblings).
pub(crate) const HLL_SEED: u32 = 313;

/// `MurmurHash3_x86_32` of all bytes.
#[inline]
pub(crate) fn murmur3_32(bytes: &[u8], seed: u32) -> u32 {
    let mut h = seed;
    let (blocks, tail) = bytes.as_chunks::<4>();
    for block in blocks {
        h ^= scramble(u32::from_le_bytes(*block));
        h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !tail.is_empty() {
        let k = tail.iter().rev().fold(0u32, |k, &b| (k << 8) | u32::from(b));
        h ^= scramble(k);
    }
    h ^= bytes.len() as u32;
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

#[inline]
fn scramble(k: u32) -> u32 {
    k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_seeds_match_the_reference() {
        let vectors: [(&[u8], u32, u32); 6] = [
            (b"", 0xeec5_c645, 0x6aa4_7099),
            (b"a", 0xc699_e1e8, 0xf63f_ea1e),
            (b"abc", 0x08df_dc83, 0xb50d_0bab),
            (b"foo", 0xd66a_94f5, 0x7eaf_1352),
            (b"127.0.0.1/32", 0x88ba_db3b, 0x3289_a78f),
            (b"\xc3\xa9", 0x9cf7_ff87, 0x05e5_b085),
        ];
        for (bytes, hll, shard) in vectors {
            assert_eq!(murmur3_32(bytes, HLL_SEED), hll, "{bytes:?}");
            assert_eq!(murmur3_32(bytes, SHARD_SEED), shard, "{bytes:?}");
        }
    }

    #[test]
    fn shards_match_the_reference() {
        for (modulus, expected) in [(4, [2, 2, 1, 3, 3, 0]), (10, [8, 0, 9, 3, 3, 8])] {
            for (key, shard) in [b"a", b"b", b"c", b"d", b"e", b"k"].into_iter().zip(expected) {
                assert_eq!(murmur3_32(key, SHARD_SEED) % modulus, shard, "{key:?} mod {modulus}");
            }
        }
    }
}
