//! The `Authorization` header.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Longest text of credentials that is looked at.
const LONGEST: usize = 512;

/// Hands the decoded text of a basic `Authorization` header, `user:password`, to `check`. Any other header is refused.
/// The text lives on the stack only.
pub fn basic(header: &[u8], check: impl FnOnce(&[u8]) -> bool) -> bool {
    const SCHEME: usize = "basic".len();
    let Some((scheme, rest)) = header.split_at_checked(SCHEME) else { return false };
    if !scheme.eq_ignore_ascii_case(b"basic") || !rest.starts_with(b" ") {
        return false;
    }
    let encoded = rest.trim_ascii();
    let mut text = [0; LONGEST];
    match BASE64.decode_slice(encoded, &mut text) {
        Ok(length) => text.get(..length).is_some_and(check),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_basic_is_read() {
        let is = |text: &'static [u8]| move |given: &[u8]| given == text;
        assert!(basic(b"Basic d2ZvcmNlOnN1cGVy", is(b"wforce:super")));
        assert!(basic(b"bASIC   d2ZvcmNlOnN1cGVy  ", is(b"wforce:super")));
        assert!(basic(b"Basic YTpi", is(b"a:b")));
        assert!(basic(b"Basic YTo=", is(b"a:")));
        assert!(basic(b"Basic YTo", is(b"a:")));
        let refused =
            ["", "Basic", "Basicd2ZvcmNlOnN1cGVy", "Bearer YTpi", "Basic !!", "Basic Y", "Digest a"];
        for header in refused {
            assert!(!basic(header.as_bytes(), |_| true), "{header}");
        }
        let long = format!("Basic {}", "YTpi".repeat(LONGEST));
        assert!(!basic(long.as_bytes(), |_| true));
    }

    proptest! {
        #[test]
        fn any_header_is_survived(header in prop::collection::vec(any::<u8>(), 0..64)) {
            basic(&header, |_| true);
        }

        #[test]
        fn any_text_comes_through(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let header = format!("Basic {}", BASE64.encode(&text));
            let same = basic(header.as_bytes(), |given| given == text);
            prop_assert!(same);
        }
    }
}
