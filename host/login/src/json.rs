//! JSON over byte strings, read and written as wforce does.

mod error;
mod number;
mod parse;
mod scan;
mod write;

use std::borrow::Cow;

pub use error::JsonError;
pub use number::write_f64;
pub use parse::{MAX_DEPTH, members, parse, parse_body};
pub use write::{ArrayWriter, ObjectWriter, write_bool, write_int, write_str};

/// A key of an object and its value.
pub type Member<'a> = (Cow<'a, [u8]>, Value<'a>);

/// One JSON value. Strings and keys are byte strings, borrowed from the text where it has no escape in them.
///
/// What [`parse`] returns has the members of each object in ascending byte order of their keys, without duplicates.
/// A value built by hand may have them in any order.
#[derive(Clone, PartialEq, Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number. One beyond the range of a double is infinite.
    Number(f64),
    /// A string, with its escapes resolved.
    String(Cow<'a, [u8]>),
    /// A list.
    Array(Vec<Value<'a>>),
    /// Members of an object. If a key occurs twice, the last one counts.
    Object(Vec<Member<'a>>),
}

impl<'a> Value<'a> {
    /// The member of that name; `None` if there is none, if it is `null`, or if this is no object.
    pub fn get(&self, key: &[u8]) -> Option<&Value<'a>> {
        let (_, value) = self.as_object()?.iter().rev().find(|(name, _)| name.as_ref() == key)?;
        (*value != Value::Null).then_some(value)
    }

    /// The member of that name as a string; empty if there is none or if it is no string.
    pub fn str_or_empty(&self, key: &[u8]) -> &[u8] {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The bytes of a string, `None` for anything else.
    pub fn as_str(&self) -> Option<&[u8]> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list, `None` for anything else.
    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members of an object, `None` for anything else.
    pub fn as_object(&self) -> Option<&[Member<'a>]> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// A number truncated towards zero and clamped to the range of `i64`; 0 for anything else (wforce
    /// compatibility: a wrong type is never an error).
    pub fn int(&self) -> i64 {
        match self {
            Value::Number(number) => *number as i64,
            _ => 0,
        }
    }

    /// A number; 0 for anything else.
    pub fn number(&self) -> f64 {
        match self {
            Value::Number(number) => *number,
            _ => 0.0,
        }
    }

    /// Whether it is `true`. The string `"true"` and the number 1 are not.
    pub fn is_true(&self) -> bool {
        *self == Value::Bool(true)
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        *self == Value::Null
    }

    /// The same value, independent of the text it was parsed from.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(yes) => Value::Bool(yes),
            Value::Number(number) => Value::Number(number),
            Value::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Value::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Value::Object(members) => Value::Object(
                members
                    .into_iter()
                    .map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned()))
                    .collect(),
            ),
        }
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(text: &'a [u8]) -> Self {
        Value::String(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::String(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Value::Bool(yes)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

/// Puts members in ascending byte order of their keys; of equal keys the last one stays.
fn sort_members(members: &mut Vec<Member<'_>>) {
    if members.is_sorted_by(|(left, _), (right, _)| left < right) {
        return;
    }
    members.sort_by(|(left, _), (right, _)| left.cmp(right));
    members.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

#[cfg(test)]
mod tests;
