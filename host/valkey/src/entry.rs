//! A list entry as a key and a value, in wforce's form: `wfbl:ip:1.2.3.4/32` and `1795323879:reason`.

use bstr::{BString, ByteSlice};
use capabilities::lists::{Colour, Kind};

/// What all keys of a list begin with, the colon included.
pub fn prefix(colour: Colour) -> &'static str {
    match colour {
        Colour::Black => "wfbl:",
        Colour::White => "wfwl:",
    }
}

/// The key of an entry.
pub fn key(colour: Colour, kind: Kind, key: &[u8]) -> BString {
    bstr::concat([prefix(colour).as_bytes(), kind.type_name().as_bytes(), b":", key]).into()
}

/// The value of an entry. `expiration`: unix seconds.
pub fn value(expiration: u64, reason: &[u8]) -> Vec<u8> {
    bstr::concat([expiration.to_string().as_bytes(), b":", reason])
}

/// The kind and the entry's own key in a key; `None` if it is none of this list.
pub fn parse_key(colour: Colour, text: &[u8]) -> Option<(Kind, &[u8])> {
    let (kind, key) = text.strip_prefix(prefix(colour).as_bytes())?.split_once_str(":")?;
    let kind = Kind::ALL.into_iter().find(|known| known.type_name().as_bytes() == kind)?;
    Some((kind, key))
}

/// The expiry in unix seconds and the reason in a value; `None` if it is none.
pub fn parse_value(text: &[u8]) -> Option<(u64, &[u8])> {
    let (expiration, reason) = text.split_once_str(":")?;
    // A sign is none of wforce's: only digits.
    let digits = !expiration.is_empty() && expiration.iter().all(u8::is_ascii_digit);
    let expiration = expiration.to_str().ok().filter(|_| digits)?.parse().ok()?;
    Some((expiration, reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wforces_keys_and_values() {
        assert_eq!(key(Colour::Black, Kind::Ip, b"1.2.3.4/32"), "wfbl:ip:1.2.3.4/32");
        assert_eq!(key(Colour::White, Kind::IpJa3, b"::1:abc"), "wfwl:ip_ja3:::1:abc");
        assert_eq!(value(1_795_323_879, b"a:b"), b"1795323879:a:b");
        assert_eq!(
            parse_key(Colour::Black, b"wfbl:ip_login:::1:joe"),
            Some((Kind::IpLogin, &b"::1:joe"[..]))
        );
        assert_eq!(parse_value(b"1795323879:a:b"), Some((1_795_323_879, &b"a:b"[..])));
    }

    #[test]
    fn strange_ones_are_refused() {
        for text in ["wfbl:", "wfbl:ip", "wfbl:IP:x", "wfwl:ip:x", "wfbl:netmask:x", ""] {
            assert_eq!(parse_key(Colour::Black, text.as_bytes()), None, "{text}");
        }
        for text in ["", "5", ":r", "+5:r", "-5:r", " 5:r", "18446744073709551616:r", "x:r"] {
            assert_eq!(parse_value(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text: Vec<u8>, expiration: u64, kind in 0_usize..5) {
            let kind = Kind::ALL[kind];
            let written = key(Colour::White, kind, &text);
            prop_assert_eq!(parse_key(Colour::White, &written), Some((kind, &text[..])));
            let written = value(expiration, &text);
            prop_assert_eq!(parse_value(&written), Some((expiration, &text[..])));
        }

        #[test]
        fn anything_can_be_read(text: Vec<u8>) {
            let _ = (parse_key(Colour::Black, &text), parse_value(&text));
        }
    }
}
