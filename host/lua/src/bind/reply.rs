//! What hooks return, by the same rules as arguments: a number is fine as text and a numeric text as a number, nothing
//! else is converted, and every value must be there.

use bstr::BString;
use login::{Attrs, Decision};
use mlua::{MultiValue, Value};

use crate::convert::{Fault, number, number_text, to_status};

/// What an allow hook returns, alone, to have no opinion. No function that gives a status does so by accident: it is no
/// number.
pub const PASS: &[u8] = b"pass";

/// What an allow hook returned: status, message, log message, attributes, or [`PASS`]. Further values are ignored.
///
/// # Errors
/// The failed conversion.
pub fn decision(values: &MultiValue) -> Result<policy::Reply, Fault> {
    if matches!(value(values, 0), Value::String(text) if *text.as_bytes() == *PASS) {
        return Ok(policy::Reply::Pass);
    }
    Ok(policy::Reply::Decision(Decision {
        status: int(value(values, 0))?,
        msg: text(value(values, 1))?,
        log: text(value(values, 2))?,
        attrs: attrs(value(values, 3))?,
    }))
}

/// What a custom POST endpoint returned: success, attributes.
///
/// # Errors
/// The failed conversion.
pub fn custom(values: &MultiValue) -> Result<policy::CustomReply, Fault> {
    Ok(policy::CustomReply { success: boolean(value(values, 0))?, attrs: attrs(value(values, 1))? })
}

/// What a reset hook returned.
///
/// # Errors
/// The failed conversion.
pub fn flag(values: &MultiValue) -> Result<bool, Fault> {
    boolean(value(values, 0))
}

/// What a canonicalize hook or a custom GET endpoint returned.
///
/// # Errors
/// The failed conversion.
pub fn string(values: &MultiValue) -> Result<BString, Fault> {
    text(value(values, 0))
}

fn value(values: &MultiValue, place: usize) -> &Value {
    values.get(place).unwrap_or(&Value::Nil)
}

#[cold]
fn refuse(value: &Value, to: &'static str) -> Fault {
    let from = match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        other => other.type_name(),
    };
    Fault::Convert { from, to }
}

fn int(value: &Value) -> Result<i32, Fault> {
    match value {
        Value::Integer(number) => to_status(*number as f64),
        Value::Number(number) => to_status(*number),
        Value::String(text) => number::parse(&text.as_bytes()).and_then(to_status),
        _ => None,
    }
    .ok_or_else(|| refuse(value, "int"))
}

fn boolean(value: &Value) -> Result<bool, Fault> {
    value.as_boolean().ok_or_else(|| refuse(value, "boolean"))
}

/// A string, or a number as text.
fn text(value: &Value) -> Result<BString, Fault> {
    match value {
        Value::String(text) => Ok(BString::from(text.as_bytes().to_vec())),
        Value::Integer(number) => Ok(number_text(*number as f64).to_vec().into()),
        Value::Number(number) => Ok(number_text(*number).to_vec().into()),
        other => Err(refuse(other, "string")),
    }
}

/// A map of strings, sorted by key; of a key that comes twice (`1` and `"1"`) the first one counts.
fn attrs(value: &Value) -> Result<Attrs, Fault> {
    let refused = || refuse(value, "map of strings");
    let table = value.as_table().ok_or_else(refused)?;
    let mut attrs = Attrs::new();
    if table.is_empty() {
        return Ok(attrs);
    }
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|_| refused())?;
        attrs.push((text(&key).map_err(|_| refused())?, text(&value).map_err(|_| refused())?));
    }
    Ok(first_of_each(attrs))
}

/// Sorted by key; of equal keys the first one stays.
pub(super) fn first_of_each(mut attrs: Attrs) -> Attrs {
    attrs.sort_by(|a, b| a.0.cmp(&b.0));
    attrs.dedup_by(|later, first| later.0 == first.0);
    attrs
}
