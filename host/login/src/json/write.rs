//! Writing JSON in wforce's one form: keys in ascending byte order, `": "` behind a key, `", "` between items.

use std::borrow::Cow;

use super::scan::{SEPARATOR, plain_len};
use super::{Value, sort_members, write_f64};

impl Value<'_> {
    /// Appends the value. Members are sorted if they are not yet.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(yes) => write_bool(out, *yes),
            Value::Number(number) => write_f64(out, *number),
            Value::String(text) => write_str(out, text),
            Value::Array(items) => {
                let mut array = ArrayWriter::new(out);
                for item in items {
                    item.write(array.item());
                }
                array.finish();
            }
            Value::Object(members) => {
                let mut members = Cow::Borrowed(members);
                if !members.is_sorted_by(|(left, _), (right, _)| left < right) {
                    sort_members(members.to_mut());
                }
                let mut object = ObjectWriter::new(out);
                for (key, value) in members.iter() {
                    value.write(object.member(key));
                }
                object.finish();
            }
        }
    }

    /// The value as a text of its own.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

/// Writes an object member by member. Keys must come in ascending byte order; for keys not known beforehand build a
/// [`Value::Object`], which sorts them.
pub struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> ObjectWriter<'o> {
    /// Begins an object at the end of `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        ObjectWriter { out, first: true }
    }

    /// Writes a key; the caller appends its value to what is returned.
    pub fn member(&mut self, key: &[u8]) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.extend_from_slice(b", ");
        }
        write_str(self.out, key);
        self.out.extend_from_slice(b": ");
        self.out
    }

    /// Writes a member with a string.
    pub fn str(&mut self, key: &[u8], text: &[u8]) -> &mut Self {
        write_str(self.member(key), text);
        self
    }

    /// Writes a member with a boolean.
    pub fn bool(&mut self, key: &[u8], yes: bool) -> &mut Self {
        write_bool(self.member(key), yes);
        self
    }

    /// Writes a member with an integer.
    pub fn int(&mut self, key: &[u8], number: i64) -> &mut Self {
        write_int(self.member(key), number);
        self
    }

    /// Ends the object.
    pub fn finish(self) {
        self.out.push(b'}');
    }
}

/// Writes a list item by item.
pub struct ArrayWriter<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> ArrayWriter<'o> {
    /// Begins a list at the end of `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        ArrayWriter { out, first: true }
    }

    /// Begins an item; the caller appends it to what is returned.
    pub fn item(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.extend_from_slice(b", ");
        }
        self.out
    }

    /// Ends the list.
    pub fn finish(self) {
        self.out.push(b']');
    }
}

/// Appends `true` or `false`.
pub fn write_bool(out: &mut Vec<u8>, yes: bool) {
    out.extend_from_slice(if yes { b"true" } else { b"false" });
}

/// Appends an integer.
pub fn write_int(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a quoted string. Quotes, backslashes, control characters and U+2028/2029 are escaped, all other bytes,
/// invalid UTF-8 included, pass as they are.
pub fn write_str(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    loop {
        let len = plain_len::<true>(rest);
        let (plain, tail) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        rest = match tail {
            [] => break,
            [SEPARATOR, 0x80, last @ (0xa8 | 0xa9), tail @ ..] => {
                out.extend_from_slice(if *last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                tail
            }
            [SEPARATOR, tail @ ..] => {
                out.push(SEPARATOR);
                tail
            }
            [byte, tail @ ..] => {
                write_escape(out, *byte);
                tail
            }
        };
    }
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
            return;
        }
    };
    out.extend([b'\\', short]);
}
