//! The options of `loadPolicy`, read strictly: a name or a value that makes no sense is refused, not ignored.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::engine::MAX_MEMORY;
use crate::error::LoadError;

/// What an operator set for a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The policy's own configuration.
    pub settings: Map<String, Value>,
    /// Bytes of memory of an instance.
    pub memory: usize,
    /// Milliseconds of one call.
    pub deadline_ms: u64,
    /// Fuel of one call, about an instruction each; `None`: not counted.
    pub fuel: Option<u64>,
    /// Whether each call gets an instance of its own.
    pub fresh: bool,
    /// Calls after which an instance is replaced.
    pub max_calls: u64,
    /// What a call that failed answers.
    pub on_error: OnError,
    /// Traps in a row after which the policy is no longer asked; 0: never.
    pub quarantine: u32,
    /// Host calls in one call.
    pub host_calls: u32,
    /// Handles (stats DBs, databases, resolvers) of an instance.
    pub handles: usize,
    /// What it may touch.
    pub grants: Grants,
    /// Whether the file is looked at every few seconds and loaded again when it changed.
    pub watch: bool,
}

/// What a call that failed answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The login may go on.
    Allow,
    /// It may not.
    Deny,
    /// As if the policy had passed: the next one of the chain is asked.
    Next,
}

/// What a policy may touch. Nothing was said: everything of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    kinds: Option<[Grant; Kind::ALL.len()]>,
}

/// Of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Grant {
    /// Nothing.
    #[default]
    Nothing,
    /// These.
    Names(BTreeSet<String>),
    /// All.
    All,
}

/// What can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Stats DBs, by name.
    Stats,
    /// `black` and `white`.
    Lists,
    /// `GeoIP` databases, by name.
    Geoip,
    /// Resolvers, by name.
    Dns,
    /// Custom webhooks, by name.
    Webhooks,
    /// Counters, by name.
    Metrics,
    /// The long memory: `true`.
    Reports,
    /// Channels of alerts, by name; `usual` for alerts that name none.
    Alerts,
}

impl Kind {
    const ALL: [(Kind, &'static str); 8] = [
        (Kind::Stats, "stats"),
        (Kind::Lists, "lists"),
        (Kind::Geoip, "geoip"),
        (Kind::Dns, "dns"),
        (Kind::Webhooks, "webhooks"),
        (Kind::Metrics, "metrics"),
        (Kind::Reports, "reports"),
        (Kind::Alerts, "alerts"),
    ];

    /// The name in `capabilities`.
    pub fn name(self) -> &'static str {
        Kind::ALL[self as usize].1
    }

    /// What in the configuration would grant this.
    pub fn entry(self, name: &str) -> String {
        match self {
            Kind::Reports => "capabilities = { reports = true }".to_owned(),
            _ => format!("capabilities = {{ {} = {{ \"{}\" }} }}", self.name(), name.escape_debug()),
        }
    }
}

impl Grants {
    /// Whether it may touch this.
    pub fn allow(&self, kind: Kind, name: &str) -> bool {
        match &self.kinds {
            None => true,
            Some(kinds) => match &kinds[kind as usize] {
                Grant::All => true,
                Grant::Names(names) => names.contains(name),
                Grant::Nothing => false,
            },
        }
    }

    fn read(value: &Value) -> Result<Grants, LoadError> {
        let table = object("capabilities", value)?;
        let mut kinds: [Grant; Kind::ALL.len()] = Default::default();
        for (name, value) in table {
            let Some(at) = Kind::ALL.iter().position(|(_, known)| known == name) else {
                let known: Vec<&str> = Kind::ALL.iter().map(|(_, name)| *name).collect();
                return Err(option(format!(
                    "capabilities: there is no \"{name}\", only {}",
                    known.join(", ")
                )));
            };
            kinds[at] = match value {
                Value::Bool(true) => Grant::All,
                Value::Bool(false) => Grant::Nothing,
                Value::Object(empty) if empty.is_empty() => Grant::Nothing,
                Value::Array(names) => Grant::Names(
                    names
                        .iter()
                        .map(|name| name.as_str().map(str::to_owned))
                        .collect::<Option<_>>()
                        .ok_or_else(|| {
                            option(format!("capabilities: {name} must be a list of names, or true"))
                        })?,
                ),
                _ => return Err(option(format!("capabilities: {name} must be a list of names, or true"))),
            };
        }
        Ok(Grants { kinds: Some(kinds) })
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            settings: Map::new(),
            memory: 64 << 20,
            deadline_ms: 500,
            fuel: None,
            fresh: false,
            max_calls: 100_000,
            on_error: OnError::Next,
            quarantine: 10,
            host_calls: 10_000,
            handles: 1_000,
            grants: Grants::default(),
            watch: false,
        }
    }
}

fn option(text: impl Into<String>) -> LoadError {
    LoadError::Option(text.into())
}

fn object<'a>(name: &str, value: &'a Value) -> Result<&'a Map<String, Value>, LoadError> {
    value.as_object().ok_or_else(|| option(format!("{name} must be a table with names")))
}

/// A whole number between two bounds.
fn number(name: &str, value: &Value, least: u64, most: u64) -> Result<u64, LoadError> {
    let number =
        value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0).map(|number| number as u64);
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| option(format!("{name} must be a whole number from {least} to {most}, not {value}")))
}

fn flag(name: &str, value: &Value) -> Result<bool, LoadError> {
    value.as_bool().ok_or_else(|| option(format!("{name} must be true or false, not {value}")))
}

impl Options {
    /// Reads the table given to `loadPolicy`.
    ///
    /// # Errors
    /// A name that there is not, or a value that makes no sense.
    pub fn read(table: &Value) -> Result<Options, LoadError> {
        let mut options = Options::default();
        for (name, value) in object("the options", table)? {
            match name.as_str() {
                "settings" => options.settings.clone_from(object(name, value)?),
                "memory_mb" => {
                    options.memory = (number(name, value, 1, (MAX_MEMORY >> 20) as u64)? as usize) << 20;
                }
                "deadline_ms" => options.deadline_ms = number(name, value, 1, 3_600_000)?,
                "fuel" => options.fuel = Some(number(name, value, 1, 1 << 53)?),
                "max_calls" => options.max_calls = number(name, value, 1, 1 << 53)?,
                "quarantine" => options.quarantine = number(name, value, 0, 1 << 20)? as u32,
                "host_calls" => options.host_calls = number(name, value, 1, 1 << 30)? as u32,
                "handles" => options.handles = number(name, value, 1, 100_000)? as usize,
                "watch" => options.watch = flag(name, value)?,
                "isolation" => {
                    options.fresh = match value.as_str() {
                        Some("fresh") => true,
                        Some("reuse") => false,
                        _ => {
                            return Err(option(format!(
                                "isolation must be \"fresh\" or \"reuse\", not {value}"
                            )));
                        }
                    }
                }
                "on_error" => {
                    options.on_error = match value.as_str() {
                        Some("allow") => OnError::Allow,
                        Some("deny") => OnError::Deny,
                        Some("next") => OnError::Next,
                        _ => {
                            let text =
                                format!("on_error must be \"allow\", \"deny\" or \"next\", not {value}");
                            return Err(option(text));
                        }
                    }
                }
                "capabilities" => options.grants = Grants::read(value)?,
                other => {
                    let known = "settings, memory_mb, deadline_ms, fuel, isolation, max_calls, on_error, quarantine, \
                                 host_calls, handles, capabilities, watch";
                    return Err(option(format!("there is no option \"{other}\", only {known}")));
                }
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    fn refused(table: &Value) -> String {
        Options::read(table).unwrap_err().to_string()
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        assert!(refused(&json!({"memorymb": 3})).contains("\"memorymb\""));
        assert!(
            refused(&json!({"memory_mb": 0})).contains("memory_mb must be a whole number from 1 to 1024")
        );
        assert!(refused(&json!({"deadline_ms": 1.5})).contains("deadline_ms"));
        assert!(refused(&json!({"isolation": "none"})).contains("\"fresh\" or \"reuse\""));
        assert!(refused(&json!({"on_error": true})).contains("on_error"));
        assert!(refused(&json!({"settings": [1]})).contains("settings must be a table with names"));
        assert!(refused(&json!({"capabilities": {"statsdb": true}})).contains("\"statsdb\""));
        assert!(refused(&json!({"capabilities": {"stats": [1]}})).contains("list of names"));
        assert!(refused(&json!([])).contains("table with names"));
    }

    #[test]
    fn what_is_not_granted_is_denied_once_anything_is_said() {
        let options = Options::read(&json!({})).unwrap();
        assert!(options.grants.allow(Kind::Stats, "any") && options.grants.allow(Kind::Reports, ""));
        let table = json!({"capabilities": {"stats": ["one"], "lists": true, "dns": {}}});
        let grants = Options::read(&table).unwrap().grants;
        assert!(grants.allow(Kind::Stats, "one") && !grants.allow(Kind::Stats, "two"));
        assert!(grants.allow(Kind::Lists, "black"));
        assert!(!grants.allow(Kind::Dns, "any") && !grants.allow(Kind::Webhooks, "any"));
    }
}
