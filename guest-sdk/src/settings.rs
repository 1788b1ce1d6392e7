//! The policy's own configuration: what the operator gave in `settings` of `loadPolicy`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::{Failure, host};

/// Settings of a policy that has none. Giving it some is refused.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Reads a list, or an empty table of Lua that arrives as an object.
struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        match entries.next_key::<String>()? {
            None => Ok(Vec::new()),
            Some(name) => Err(A::Error::custom(format!("expected a list, found a table with {name:?}"))),
        }
    }
}

/// Reads a table with names, or an empty one that arrives as a list.
struct TableVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableVisitor<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut table = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry()? {
            table.insert(name, value);
        }
        Ok(table)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        match items.next_element::<IgnoredAny>()? {
            None => Ok(BTreeMap::new()),
            Some(_) => Err(A::Error::custom("expected a table with names, found a list")),
        }
    }
}

/// For `#[serde(deserialize_with = "portcullis::settings::list")]`: a list, which may be an empty table of Lua.
///
/// # Errors
///
/// If it is something else.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<Vec<T>, D::Error> {
    input.deserialize_any(ListVisitor(PhantomData))
}

/// For `#[serde(deserialize_with = "portcullis::settings::map")]`: a table with names, which may be an empty one of Lua.
///
/// # Errors
///
/// If it is something else.
pub fn map<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    input: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    input.deserialize_any(TableVisitor(PhantomData))
}

/// Refuses limits and counts below 0; each comes with the setting's name.
///
/// # Errors
///
/// One of them is.
pub fn not_below_zero(settings: &[(&str, i32)]) -> crate::Result<()> {
    match settings.iter().find(|(_, value)| *value < 0) {
        Some((name, _)) => Err(Failure::new(format!("setting {name:?}: must not be below 0"))),
        None => Ok(()),
    }
}

/// Refuses a limit above the one that is to be reached after it, as where "wait" lies above "block".
///
/// # Errors
///
/// It is.
pub fn not_above(lower: (&str, i32), upper: (&str, i32)) -> crate::Result<()> {
    if lower.1 > upper.1 {
        return Err(Failure::new(format!("setting {:?}: must not be above {}", lower.0, upper.0)));
    }
    Ok(())
}

/// The settings as a type of the policy's own.
///
/// # Errors
///
/// If they do not fit; the text names the setting.
pub fn read<T: DeserializeOwned>() -> crate::Result<T> {
    let json = host::settings::json();
    // Lua has one kind of table: an empty one arrives as a list when the host cannot tell.
    let json = if json == "[]" { "{}" } else { &json };
    serde_json::from_str(json).map_err(|error| Failure::new(describe(json, &error)))
}

/// What to say about settings that do not fit: serde names the field only if it is unknown or missing, so the text around the
/// place is shown for all others.
fn describe(json: &str, error: &serde_json::Error) -> alloc::string::String {
    let text = format!("{error}");
    let reason = text.split(" at line ").next().unwrap_or(&text);
    let before: &str = json.get(..error.column().min(json.len())).unwrap_or(json);
    let named = before.rfind("\":").and_then(|end| {
        let begin = before[..end].rfind('"')? + 1;
        Some(&before[begin..end])
    });
    match named {
        Some(name) if !reason.contains('`') || !reason.contains(name) => {
            format!("setting {name:?}: {reason}")
        }
        _ => format!("settings: {reason}"),
    }
}
