//! The file: what it may hold, and that it makes sense.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::expect::Expect;
use crate::tool::time::{DurationError, duration};

/// Bytes of the longest file of cases.
const LONGEST: u64 = 64 << 20;
/// Most logins of one step.
const MAX_REPEAT: u32 = 1_000_000;

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// The configuration, relative to this file.
    pub config: PathBuf,
    /// When the clock stands at the beginning of each case; RFC 3339.
    #[serde(default)]
    pub start: Option<String>,
    /// Members that every login has unless its step says otherwise.
    #[serde(default)]
    pub defaults: toml::Table,
    /// Answers of DNS, by name; with this table, nobody is asked and other names are not there.
    #[serde(default)]
    pub dns: Option<BTreeMap<String, Vec<String>>>,
    /// The cases.
    #[serde(default, rename = "case")]
    pub cases: Vec<Case>,
}

/// One case: it begins with everything forgotten.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is shown to be so.
    pub name: String,
    /// What is there before the first step.
    #[serde(default)]
    pub given: Given,
    /// What happens.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
}

/// What is there before the first step.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    /// Counts.
    pub stats: Vec<Count>,
    /// Entries of the blacklist.
    pub blacklist: Vec<Listed>,
    /// Entries of the whitelist.
    pub whitelist: Vec<Listed>,
}

/// A count that is there already.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// The stats DB.
    pub db: String,
    /// The key as text; or
    pub key: Option<String>,
    /// the address whose key it is.
    pub ip: Option<String>,
    /// The field.
    pub field: String,
    /// What is added; may hold generators.
    pub add: toml::Value,
    /// How often, with `{n}` going from 1 to this.
    #[serde(default = "once")]
    pub repeat: u32,
    /// How long before the start.
    pub ago: Option<String>,
}

/// An entry of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// An address or network.
    pub ip: Option<String>,
    /// A login.
    pub login: Option<String>,
    /// A JA3 hash.
    pub ja3: Option<String>,
    /// How long it stays; an hour if not said.
    #[serde(rename = "for")]
    pub lasts: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// One thing that happens: time passes, then one question or report, once or several times.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Time that passes before it.
    pub advance: Option<String>,
    /// Time since the start of the case at which it happens.
    pub at: Option<String>,
    /// A login that happened.
    pub report: Option<toml::Table>,
    /// A login that is asked about.
    pub allow: Option<toml::Table>,
    /// What is to be forgotten: `ip`, `login`, `ja3`.
    pub reset: Option<toml::Table>,
    /// How often, with `{n}` going from 1 to this.
    #[serde(default = "once")]
    pub repeat: u32,
    /// Time between two of them.
    pub every: Option<String>,
    /// What each answer must be.
    pub expect: Option<Expect>,
    /// How many answers must be `allow`, `deny`, `wait` or `failed`; words left out must not occur.
    pub tally: Option<BTreeMap<String, usize>>,
}

fn once() -> u32 {
    1
}

/// Where in a file of cases something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// The case's name, if it is about one.
    pub case: Option<String>,
    /// The number of the step, from 1.
    pub step: Option<usize>,
}

impl std::fmt::Display for Location {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.file.display())?;
        if let Some(case) = &self.case {
            write!(out, ": case \"{case}\"")?;
        }
        self.step.map_or(Ok(()), |step| write!(out, ", step {step}"))
    }
}

/// Why a file of cases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or has members that mean nothing.
    #[error("{}: {error}", file.display())]
    Toml {
        /// The file.
        file: PathBuf,
        /// What and where.
        error: Box<toml::de::Error>,
    },
    /// Something in it makes no sense.
    #[error("{at}: {reason}")]
    Senseless {
        /// Where.
        at: Location,
        /// What.
        reason: String,
    },
    /// The configuration it names cannot be used.
    #[error("{}: {error}", file.display())]
    Desk {
        /// The file of cases.
        file: PathBuf,
        /// Why.
        error: crate::tool::desk::DeskError,
    },
}

impl Cases {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// It cannot be read, or makes no sense.
    pub fn read(file: &Path) -> Result<Cases, CaseError> {
        let wrap = |error| CaseError::Read { file: file.to_owned(), error };
        let text = files::read_or_pipe(file, LONGEST).map_err(wrap)?;
        let text = String::from_utf8(text).map_err(|_| {
            wrap(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not text in UTF-8"))
        })?;
        Self::parse(file, &text)
    }

    /// The same from text.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn parse(file: &Path, text: &str) -> Result<Cases, CaseError> {
        let cases: Cases = toml::from_str(text)
            .map_err(|error| CaseError::Toml { file: file.to_owned(), error: Box::new(error) })?;
        let fail = |case: Option<&Case>, step, reason: String| {
            let case = case.map(|case| case.name.clone());
            Err(CaseError::Senseless { at: Location { file: file.to_owned(), case, step }, reason })
        };
        if let Err(reason) = cases.start_time() {
            return fail(None, None, reason);
        }
        for case in &cases.cases {
            if case.steps.is_empty() {
                return fail(Some(case), None, "it has no steps: add [[case.step]]".to_owned());
            }
            for (at, step) in case.steps.iter().enumerate() {
                if let Err(reason) = step.check() {
                    return fail(Some(case), Some(at + 1), reason);
                }
            }
            if let Some(reason) = case.given.check() {
                return fail(Some(case), None, reason);
            }
        }
        Ok(cases)
    }

    /// When the clock stands at the beginning.
    ///
    /// # Errors
    /// `start` is no time.
    pub fn start_time(&self) -> Result<Option<Duration>, String> {
        let Some(text) = &self.start else { return Ok(None) };
        let time: jiff::Timestamp = text.parse().map_err(|error| format!("start = \"{text}\": {error}"))?;
        Duration::try_from(time.as_duration())
            .map(Some)
            .map_err(|_| format!("start = \"{text}\" is before 1970"))
    }
}

impl Step {
    fn check(&self) -> Result<(), String> {
        let doings = [self.report.is_some(), self.allow.is_some(), self.reset.is_some()]
            .iter()
            .filter(|is| **is)
            .count();
        if doings > 1 {
            return Err("a step is one of report, allow and reset, not several".to_owned());
        }
        if doings == 0 && self.advance.is_none() && self.at.is_none() {
            return Err("a step needs one of report, allow, reset, advance and at".to_owned());
        }
        if self.repeat == 0 || self.repeat > MAX_REPEAT {
            return Err(format!("repeat must be 1 to {MAX_REPEAT}, not {}", self.repeat));
        }
        if self.allow.is_none()
            && (self.tally.is_some() || self.expect.as_ref().is_some_and(Expect::is_decision))
        {
            return Err("only allow has a decision that can be expected".to_owned());
        }
        for (name, text) in [("advance", &self.advance), ("at", &self.at), ("every", &self.every)] {
            if let Some(text) = text {
                duration(text).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        for word in self.tally.iter().flat_map(BTreeMap::keys) {
            if !["allow", "deny", "wait", "failed"].contains(&word.as_str()) {
                return Err(format!("tally counts allow, deny, wait and failed, not {word}"));
            }
        }
        self.expect.as_ref().map_or(Ok(()), Expect::check)
    }
}

impl Given {
    /// What makes no sense in it.
    fn check(&self) -> Option<String> {
        for Count { key, ip, ago, repeat, .. } in &self.stats {
            if key.is_some() == ip.is_some() {
                return Some("given.stats: name either key or ip".to_owned());
            }
            if *repeat == 0 || *repeat > MAX_REPEAT {
                return Some(format!("given.stats: repeat must be 1 to {MAX_REPEAT}, not {repeat}"));
            }
            if let Some(Err(error)) = ago.as_deref().map(duration) {
                return Some(format!("given.stats: ago: {error}"));
            }
        }
        for Listed { ip, login, ja3, lasts, .. } in self.blacklist.iter().chain(&self.whitelist) {
            let named = (ip.is_some(), login.is_some(), ja3.is_some());
            if !matches!(named, (true, _, false) | (true | false, false, true) | (false, true, false)) {
                return Some(
                    "given: a list entry is an ip, a login, a ja3, or an ip with one of the others"
                        .to_owned(),
                );
            }
            if let Some(Err(error)) = lasts.as_deref().map(duration) {
                return Some(format!("given: for: {error}"));
            }
        }
        None
    }
}

/// A duration that was checked already.
pub(super) fn known(text: &str) -> Result<Duration, DurationError> {
    duration(text)
}
