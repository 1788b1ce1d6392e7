//! Paths into a record, and what is found at their end.

use std::fmt;

use maxminddb::PathElement;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How a path of texts can be meant: a number is a place in a list, or, if that finds nothing, a key like any other. A path
/// that is no UTF-8 means nothing.
pub(super) fn readings<P: AsRef<[u8]>>(path: &[P]) -> Vec<Vec<PathElement<'_>>> {
    let texts: Result<Vec<&str>, _> =
        path.iter().map(|element| std::str::from_utf8(element.as_ref())).collect();
    let Ok(texts) = texts else { return Vec::new() };
    let as_keys: Vec<_> = texts.iter().copied().map(PathElement::Key).collect();
    let as_places: Vec<_> = texts.iter().copied().map(element).collect();
    if as_places == as_keys { vec![as_keys] } else { vec![as_places, as_keys] }
}

fn element(text: &str) -> PathElement<'_> {
    match text.parse::<i32>() {
        Ok(number @ 0..) => PathElement::Index(number.unsigned_abs() as usize),
        Ok(number) => PathElement::IndexFromEnd(number.unsigned_abs() as usize - 1),
        Err(_) => PathElement::Key(text),
    }
}

/// A value of a record, by the types that look-ups tell apart.
pub(super) enum Value<'a> {
    Text(&'a str),
    /// 16, 32 or 64 bits.
    Uint(u64),
    Bool(bool),
    /// Single or double precision.
    Double(f64),
    /// Signed and 128-bit numbers, bytes, maps and lists: no look-up asks for them.
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a GeoIP record")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Uint(number))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Double(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}
