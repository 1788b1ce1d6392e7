//! Looking for the bytes that are special in a string, eight at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// First byte of U+2028 and U+2029, which are escaped when written.
pub(super) const SEPARATOR: u8 = 0xe2;

/// How many bytes go by before a quote, a backslash or a control character, or before [`SEPARATOR`] if it counts.
pub(super) fn plain_len<const SEPARATORS: bool>(text: &[u8]) -> usize {
    let mut len = 0;
    let mut rest = text;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let mut hits = below(word, 0x20) | equal(word, b'"') | equal(word, b'\\');
        if SEPARATORS {
            hits |= equal(word, SEPARATOR);
        }
        if hits != 0 {
            return len + hits.trailing_zeros() as usize / 8;
        }
        len += 8;
        rest = tail;
    }
    let special = |byte: &u8| match *byte {
        b'"' | b'\\' | 0..0x20 => true,
        byte => SEPARATORS && byte == SEPARATOR,
    };
    len + rest.iter().position(special).unwrap_or(rest.len())
}

/// The lowest high bit that is set marks the first byte below `limit`, at most 0x80. Bits above it may be wrong.
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGHS
}

/// The lowest high bit that is set marks the first byte equal to `byte`. Bits above it may be wrong.
fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stops_where_a_walk_stops(text in proptest::collection::vec(
            prop_oneof![Just(b'a'), Just(b'"'), Just(b'!'), Just(b'#'), Just(0x1f), Just(0x20), Just(0x21), Just(0xe2), Just(0xa2), Just(b'\\'), any::<u8>()],
            0..40,
        )) {
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let parse = text.iter().position(special).unwrap_or(text.len());
            let write = text.iter().position(|byte| special(byte) || *byte == 0xe2).unwrap_or(text.len());
            prop_assert_eq!((plain_len::<false>(&text), plain_len::<true>(&text)), (parse, write));
        }
    }
}
