//! The policy's own configuration: what the operator gave in `settings` of `loadPolicy`.

use alloc::format;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Failure, Result, host};

/// Settings of a policy that has none. Giving it some is refused.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// The settings as a type of the policy's own.
///
/// # Errors
///
/// If they do not fit; the text names the setting.
pub fn read<T: DeserializeOwned>() -> Result<T> {
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
