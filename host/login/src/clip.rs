//! How much of a text the log takes: a client may send a megabyte in place of a name, and each line would be as long.

use std::borrow::Cow;

/// Bytes of one value in a line: a name, an attribute, a reason. What real clients send is far below.
pub const VALUE: usize = 4 << 10;
/// Bytes of a whole line. With its head it fits into the datagram that is sent to syslog.
pub const LINE: usize = 60 << 10;

/// The text as it is, or, of one longer than `most` bytes, its beginning and how much is missing: `abc...(5000 bytes cut)`. UTF-8 is
/// cut between two characters.
pub fn clip(text: &[u8], most: usize) -> Cow<'_, [u8]> {
    if text.len() <= most { Cow::Borrowed(text) } else { Cow::Owned(cut(text, most)) }
}

/// One value of a line: see [`VALUE`].
pub fn value(text: &[u8]) -> Cow<'_, [u8]> {
    clip(text, VALUE)
}

#[cold]
fn cut(text: &[u8], most: usize) -> Vec<u8> {
    let is_inside = |at: usize| text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    // A character has at most three bytes after its first; what has more is no UTF-8, and is cut anywhere.
    let at = (most.saturating_sub(3)..=most).rev().find(|at| !is_inside(*at)).unwrap_or(most);
    let (begin, rest) = text.split_at(at.min(text.len()));
    [begin, format!("...({} bytes cut)", rest.len()).as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_stay_as_they_are() {
        for text in [&b""[..], b"abc", "\u{e9}\u{20ac}".as_bytes(), b"\xff\xfe"] {
            assert!(matches!(clip(text, text.len()), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn a_long_text_says_how_much_is_missing_and_keeps_its_characters_whole() {
        assert_eq!(*clip(b"abcdef", 4), *b"abcd...(2 bytes cut)");
        assert_eq!(*clip(b"abcdef", 0), *b"...(6 bytes cut)");
        // Four bytes each.
        let smiles = "\u{1f600}".repeat(10);
        for most in 8..12 {
            let clipped = clip(smiles.as_bytes(), most);
            assert_eq!(*clipped, *"\u{1f600}\u{1f600}...(32 bytes cut)".as_bytes(), "{most}");
        }
        assert_eq!(*clip(&[0x80; 10], 6), [&[0x80; 6][..], b"...(4 bytes cut)"].concat());
    }
}
