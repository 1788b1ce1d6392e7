//! What the server keeps, read: everything there may have been written by anybody.

use bstr::ByteSlice as _;
use statsdb::outside::Distinct;

/// The name of a count: `KIND WINDOW : CELL : FIELD`, without the blanks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// `i`, `h` or `c`.
    pub kind: u8,
    /// Number of the window.
    pub window: u64,
    /// Cell of a sketch; `None`: its total, or all there is.
    pub cell: Option<u32>,
    /// The field.
    pub field: &'a [u8],
}

impl<'a> Name<'a> {
    /// Reads a name; `None` if it is none.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (&kind, rest) = text.split_first()?;
        let (window, rest) = rest.split_once_str(":")?;
        let (cell, field) = rest.split_once_str(":")?;
        Some(Self {
            kind,
            window: window.to_str().ok()?.parse().ok()?,
            cell: if cell.is_empty() { None } else { Some(cell.to_str().ok()?.parse().ok()?) },
            field,
        })
    }
}

/// A number, wrapped as an int field wraps; 0 if it is none.
pub fn number(text: &[u8]) -> i32 {
    let number = text.to_str().ok().and_then(|text| text.parse::<i64>().ok());
    number.map_or(0, |number| number as i32)
}

/// Adds a window's distinct values to a union; false if they are none.
pub fn unite(text: &[u8], union: &mut Distinct) -> bool {
    if text.len() % 8 == 1 {
        return union.merge(&text[1..]);
    }
    let (values, rest) = text.as_chunks::<8>();
    union.add(values.iter().map(|value| u64::from_le_bytes(*value)));
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read() {
        let total = Name { kind: b'c', window: 17, cell: None, field: b"a:b" };
        assert_eq!(Name::parse(b"c17::a:b"), Some(total));
        assert_eq!(Name::parse(b"c17:5:"), Some(Name { cell: Some(5), field: b"", ..total }));
        for text in [&b"w"[..], b"", b"c::x", b"c17:x:", b"c17", b"c-1::f"] {
            assert_eq!(Name::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_can_be_read(text: Vec<u8>) {
            let _ = (Name::parse(&text), number(&text));
            let mut union = Distinct::new(11);
            let _ = unite(&text, &mut union);
            prop_assert!(union.count() >= 0);
        }
    }
}
