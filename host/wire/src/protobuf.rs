//! The part of the Protocol Buffers encoding that replication messages are made of, read without copying.

/// Bytes are no Protocol Buffers message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A field goes on beyond the end.
    #[error("a field is cut off")]
    Truncated,
    /// A number of more than 64 bits.
    #[error("a number is too long")]
    Varint,
    /// Field number 0, or a kind of field that proto2 messages of these types never have.
    #[error("a field has an impossible tag")]
    Tag,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A fixed-width number, which none of our messages has: skipped.
    Fixed,
}

/// Walks the fields of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let (number, kind) = (tag >> 3, tag & 7);
        // Field numbers have 29 bits.
        if number == 0 || number >> 29 != 0 {
            return Err(Malformed::Tag);
        }
        let value = match kind {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| Malformed::Truncated)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed::Tag),
        };
        Ok(Some((number, value)))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (place, &byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.0 = &self.0[place + 1..];
                return Ok(value);
            }
        }
        Err(if self.0.len() < 10 { Malformed::Truncated } else { Malformed::Varint })
    }
}

/// Appends a number in base 128.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`put_varint`] appends.
#[inline]
pub(crate) fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends a number's field. `number` is below 16.
#[inline]
pub(crate) fn put_number(out: &mut Vec<u8>, number: u8, value: u64) {
    out.push(number << 3);
    put_varint(out, value);
}

/// Appends the field of some bytes. `number` is below 16.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    put_head(out, number, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends what comes before `length` bytes of a field. `number` is below 16.
#[inline]
pub(crate) fn put_head(out: &mut Vec<u8>, number: u8, length: usize) {
    out.push(number << 3 | 2);
    put_varint(out, length as u64);
}

/// Bytes of a field of `length` bytes with its head.
#[inline]
pub(crate) fn field_bytes(length: usize) -> usize {
    1 + varint_bytes(length as u64) + length
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn broken_fields_are_told_apart() {
        for (bytes, expected) in [
            (&[0x08][..], Malformed::Truncated),
            (&[0x08, 0x80], Malformed::Truncated),
            (&[0x12, 0x05, 1, 2], Malformed::Truncated),
            (&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Malformed::Truncated),
            (&[0x09, 1, 2, 3], Malformed::Truncated),
            (&[0x0d, 1, 2, 3], Malformed::Truncated),
            (&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0], Malformed::Varint),
            (&[0x00, 0x01], Malformed::Tag),
            (&[0x0b], Malformed::Tag),
            (&[0x0f], Malformed::Tag),
        ] {
            assert_eq!(Fields(bytes).next(), Err(expected), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_put_is_read(number in 1u8..16, value: u64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            put_number(&mut out, number, value);
            prop_assert_eq!(out.len(), 1 + varint_bytes(value));
            put_bytes(&mut out, number, &bytes);
            prop_assert_eq!(out.len(), 1 + varint_bytes(value) + field_bytes(bytes.len()));
            let mut fields = Fields(&out);
            prop_assert_eq!(fields.next(), Ok(Some((number.into(), Value::Number(value)))));
            prop_assert_eq!(fields.next(), Ok(Some((number.into(), Value::Bytes(&bytes)))));
            prop_assert_eq!(fields.next(), Ok(None));
        }
    }
}
