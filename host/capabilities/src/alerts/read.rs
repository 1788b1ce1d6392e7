//! An alert from a table of names and values, as scripts write it.

use std::net::IpAddr;

use serde_json::Value;

use super::{Alert, AlertError, BlockOf, Severity};

/// The names there are.
const KEYS: &str =
    "login, reason, severity, ip, time, text, fields, channels, language, to, confirm, block, block_seconds";

impl Alert {
    /// Reads a table. A text may stand for a list of one.
    ///
    /// # Errors
    /// A name that there is not, or a value that makes no sense.
    pub fn read(table: &Value) -> Result<Alert, AlertError> {
        let invalid = |text: String| AlertError::Invalid(text);
        let table = table.as_object().ok_or_else(|| invalid("it must be a table with names".to_owned()))?;
        let mut alert = Alert::default();
        for (name, value) in table {
            let wanted = |what: &str| invalid(format!("{name} must be {what}, not {value}"));
            let text = || value.as_str().map(str::to_owned).ok_or_else(|| wanted("a text"));
            let texts = || list(value).ok_or_else(|| wanted("a text or a list of texts"));
            match name.as_str() {
                "login" => alert.login = text()?,
                "reason" => alert.reason = text()?,
                "severity" => {
                    alert.severity = one(value, Severity::ALL, Severity::word)
                        .ok_or_else(|| wanted("\"info\", \"warning\" or \"critical\""))?;
                }
                "ip" => {
                    let ip: IpAddr = text()?.parse().map_err(|_| wanted("an address"))?;
                    alert.ip = Some(ip.to_canonical());
                }
                "time" => alert.time = Some(value.as_f64().ok_or_else(|| wanted("unix seconds"))?),
                "text" => alert.text = text()?,
                "fields" => {
                    alert.fields = fields(value).ok_or_else(|| wanted("a table from names to texts"))?;
                }
                "channels" => alert.channels = texts()?,
                "language" => alert.language = Some(text()?),
                "to" => alert.to = texts()?,
                "confirm" => alert.confirm = value.as_bool().ok_or_else(|| wanted("true or false"))?,
                "block" => {
                    let block = one(value, BlockOf::ALL, BlockOf::word);
                    alert.block = Some(block.ok_or_else(|| wanted("\"ip\", \"login\" or \"ip_login\""))?);
                }
                "block_seconds" => {
                    let seconds = value.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
                    alert.block_seconds = Some(seconds.ok_or_else(|| wanted("a number of seconds"))?);
                }
                other => return Err(invalid(format!("there is no \"{other}\", only {KEYS}"))),
            }
        }
        Ok(alert)
    }
}

fn one<T: Copy, const N: usize>(value: &Value, all: [T; N], word: fn(T) -> &'static str) -> Option<T> {
    let text = value.as_str()?;
    all.into_iter().find(|one| word(*one) == text)
}

fn list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Value::Object(empty) if empty.is_empty() => Some(Vec::new()),
        _ => None,
    }
}

fn fields(value: &Value) -> Option<Vec<(String, String)>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    value.as_object()?.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_with_everything() {
        let alert = Alert::read(&json!({
            "login": "ada", "reason": "new-country", "severity": "critical", "ip": "::ffff:192.0.2.1", "time": 1.5,
            "text": "hm", "fields": {"country": "NL", "km": 12, "far": true}, "channels": "mail", "language": "de",
            "to": ["a@example.org"], "confirm": true, "block": "ip_login", "block_seconds": 60,
        }))
        .unwrap();
        assert_eq!(alert.ip.unwrap().to_string(), "192.0.2.1");
        assert_eq!(alert.fields[2], ("km".to_owned(), "12".to_owned()));
        assert_eq!((alert.channels, alert.to), (vec!["mail".to_owned()], vec!["a@example.org".to_owned()]));
        assert_eq!((alert.block, alert.block_seconds), (Some(BlockOf::IpLogin), Some(60)));
    }

    #[test]
    fn mistakes_are_named() {
        for (table, part) in [
            (json!({"reasons": "a"}), "there is no \"reasons\", only login"),
            (json!({"severity": "high"}), "severity must be \"info\""),
            (json!({"ip": "nowhere"}), "ip must be an address"),
            (json!({"fields": {"a": {}}}), "fields must be a table"),
            (json!({"confirm": "yes"}), "confirm must be true or false"),
            (json!({"block_seconds": -1}), "block_seconds must be a number"),
            (json!([1]), "a table with names"),
        ] {
            let error = Alert::read(&table).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
