//! The text of request targets and forms: percent-coding and parameters. Nothing here can fail: a bad escape stays as it is
//! written.

use std::borrow::Cow;

/// The value of `command` in a query, the first if it is given several times.
pub(crate) fn command_of(query: &str) -> Option<Cow<'_, [u8]>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (&*decode(key.as_bytes(), true) == b"command").then(|| decode(value.as_bytes(), true))
    })
}

/// The parameters of a query or of a form, decoded.
pub(crate) fn parameters(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| String::from_utf8_lossy(&decode(text.as_bytes(), true)).into_owned();
        (decode(name), decode(value))
    })
}

/// The value of one parameter, the first if it is given several times; empty if it is not there.
pub(crate) fn parameter(text: &str, name: &str) -> String {
    parameters(text).find(|(given, _)| given == name).map(|(_, value)| value).unwrap_or_default()
}

/// Percent-decodes; in a query `+` is a blank. Borrows when there is nothing to do. A `%` that two hex digits do not
/// follow stands for itself.
pub(crate) fn decode(text: &[u8], query: bool) -> Cow<'_, [u8]> {
    let plain = |byte: &u8| *byte != b'%' && !(query && *byte == b'+');
    let Some(start) = text.iter().position(|byte| !plain(byte)) else { return Cow::Borrowed(text) };
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(&text[..start]);
    let mut rest = &text[start..];
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => match tail {
                [high, low, after @ ..] => match (hex(*high), hex(*low)) {
                    (Some(high), Some(low)) => {
                        out.push(high << 4 | low);
                        rest = after;
                    }
                    _ => out.push(b'%'),
                },
                _ => out.push(b'%'),
            },
            b'+' if query => out.push(b' '),
            other => out.push(*other),
        }
    }
    Cow::Owned(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_command_is_found_wherever_it_stands() {
        assert_eq!(command_of("command=allow").unwrap(), &b"allow"[..]);
        assert_eq!(command_of("a=b&command=allow&c").unwrap(), &b"allow"[..]);
        assert_eq!(command_of("command=a%6clow").unwrap(), &b"allow"[..]);
        assert_eq!(command_of("%63ommand=a+b").unwrap(), &b"a b"[..]);
        assert_eq!(command_of("command=one&command=two").unwrap(), &b"one"[..]);
        assert_eq!(command_of("command").unwrap(), &b""[..]);
        assert_eq!(command_of("commandX=allow&Command=allow"), None);
        assert_eq!(command_of(""), None);
    }

    #[test]
    fn bad_escapes_stay() {
        for (text, wanted) in [("%", "%"), ("%4", "%4"), ("%zz%41", "%zzA"), ("%%41", "%A"), ("a%4", "a%4")] {
            assert_eq!(decode(text.as_bytes(), false), wanted.as_bytes(), "{text}");
        }
        assert_eq!(decode(b"a+b", false), &b"a+b"[..]);
        assert_eq!(decode(b"%ff%00", false), &b"\xff\x00"[..]);
    }

    fn digit(value: u8) -> char {
        char::from_digit(value.into(), 16).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let encoded: String = bytes.iter().flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)]).collect();
            prop_assert_eq!(decode(encoded.as_bytes(), true).into_owned(), bytes);
        }

        #[test]
        fn any_query_is_read(query in "\\PC{0,80}") {
            let _ = command_of(&query);
        }
    }
}
