//! What is expected, and how what came differs from it.

use std::collections::BTreeMap;

use bstr::ByteSlice;
use login::Decision;
use policy::{Explanation, Failure};
use serde::Deserialize;

/// What each answer of a step must be; what is left out does not matter.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The status, or a word for it: `allow`, `deny`, `wait`.
    pub status: Option<Status>,
    /// The message for the client.
    pub msg: Option<String>,
    /// A part of it.
    pub msg_contains: Option<String>,
    /// The message for the log.
    pub log: Option<String>,
    /// Attributes that must be there.
    pub attrs: Option<BTreeMap<String, toml::Value>>,
    /// What decided: `blacklist`, `whitelist`, `policy NAME`, `default`.
    pub decided_by: Option<String>,
    /// The policy fails, and says this.
    pub fails: Option<String>,
}

/// A status or a word for some.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Status {
    /// Exactly this.
    Number(i32),
    /// `allow`, `deny`, `wait`.
    Word(String),
}

/// An attribute as the policy makes it of such a value: a text.
fn text_of(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(yes) => yes.to_string(),
        toml::Value::Datetime(time) => time.to_string(),
        toml::Value::Array(_) | toml::Value::Table(_) => "(no single value)".to_owned(),
    }
}

/// `allow`, `deny`, `wait` or `failed`.
pub fn word(result: &Result<Decision, Failure>) -> &'static str {
    policy::shadow::Verdict::of(result).name()
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What of the answer: `status`, `msg`, ...
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Mismatch {
    pub(super) fn new(what: &str, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { what: what.to_owned(), expected: expected.into(), got: got.into() }
    }
}

impl Expect {
    /// Whether it is about a decision, and not only about a failure.
    pub(super) fn is_decision(&self) -> bool {
        self.status.is_some()
            || self.msg.is_some()
            || self.msg_contains.is_some()
            || self.log.is_some()
            || self.attrs.is_some()
            || self.decided_by.is_some()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(Status::Word(word)) = &self.status
            && !["allow", "deny", "wait"].contains(&word.as_str())
        {
            return Err(format!("status is a number, allow, deny or wait, not \"{word}\""));
        }
        if self.fails.is_some() && self.is_decision() {
            return Err("an answer that fails has nothing else to expect".to_owned());
        }
        Ok(())
    }

    /// How an answer differs.
    pub(super) fn compare(
        &self,
        result: &Result<Decision, Failure>,
        explanation: Option<&Explanation>,
    ) -> Vec<Mismatch> {
        let decision = match (result, &self.fails) {
            (Err(failure), Some(part)) if failure.reason.contains_str(part) => return Vec::new(),
            (Err(failure), Some(part)) => {
                return vec![Mismatch::new("failure", part, failure.told().to_str_lossy())];
            }
            (Err(failure), None) => {
                return vec![Mismatch::new(
                    "answer",
                    "a decision",
                    format!("failed: {}", failure.told().to_str_lossy()),
                )];
            }
            (Ok(decision), Some(part)) => {
                let got = format!("status {}", decision.status);
                return vec![Mismatch::new("failure", part, got)];
            }
            (Ok(decision), None) => decision,
        };
        let mut wrong = Vec::new();
        match &self.status {
            Some(Status::Number(number)) if *number != decision.status => {
                wrong.push(Mismatch::new("status", number.to_string(), decision.status.to_string()));
            }
            Some(Status::Word(expected)) if expected != word(result) => {
                let got = format!("{} ({})", word(result), decision.status);
                wrong.push(Mismatch::new("status", expected, got));
            }
            _ => {}
        }
        for (what, expected, got) in [("msg", &self.msg, &decision.msg), ("log", &self.log, &decision.log)] {
            if let Some(expected) = expected
                && got != expected.as_bytes()
            {
                wrong.push(Mismatch::new(what, format!("{expected:?}"), format!("{:?}", got.to_str_lossy())));
            }
        }
        if let Some(part) = &self.msg_contains
            && !decision.msg.contains_str(part)
        {
            let got = format!("{:?}", decision.msg.to_str_lossy());
            wrong.push(Mismatch::new("msg", format!("something with {part:?}"), got));
        }
        for (name, value) in self.attrs.iter().flatten() {
            let expected = text_of(value);
            let got = decision.attrs.iter().find(|(key, _)| key == name.as_bytes());
            let got = got.map(|(_, value)| value.to_str_lossy().into_owned());
            if got.as_ref() != Some(&expected) {
                let got = got.unwrap_or_else(|| "(not there)".to_owned());
                wrong.push(Mismatch::new(&format!("attrs.{name}"), expected, got));
            }
        }
        if let (Some(expected), Some(explanation)) = (&self.decided_by, explanation) {
            let got = explanation.decider().to_string();
            if *expected != got {
                wrong.push(Mismatch::new("decided_by", expected, got));
            }
        }
        wrong
    }
}
