//! Plays cases on a desk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::{BString, ByteSlice};
use login::{Addr, Login, Netmask};
use policy::{Explanation, ResetRequest};

use super::expect::{Mismatch, word};
use super::file::{Case, CaseError, Cases, Count, Listed, Location, Step, known};
use super::generate::{expand, expand_table, expand_value};
use crate::tool::desk::{Desk, Options};

/// What one case came to.
#[derive(Clone, Debug)]
pub struct CaseOutcome {
    /// The case's name.
    pub case: String,
    /// Calls it made.
    pub calls: usize,
    /// What was not as expected; empty: it passed.
    pub failures: Vec<Failed>,
}

/// A step that was not as expected.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Its number, from 1.
    pub step: usize,
    /// Which time, from 1.
    pub n: u32,
    /// The login as JSON.
    pub login: String,
    /// What differs.
    pub wrong: Vec<Mismatch>,
    /// Why it was decided so.
    pub trace: Option<String>,
}

/// Failures that are told of one step.
const TOLD: usize = 3;

/// The members a login may have.
const MEMBERS: [&str; 13] = [
    "login",
    "remote",
    "pwhash",
    "success",
    "policy_reject",
    "protocol",
    "device_id",
    "session_id",
    "fail_type",
    "tls",
    "attrs",
    "device_attrs",
    "t",
];

/// Plays every case whose name contains `only`.
///
/// # Errors
/// The configuration does not load, or a step makes no sense.
pub fn run(
    file: &Path,
    cases: &Cases,
    only: Option<&str>,
    mut done: impl FnMut(&CaseOutcome),
) -> Result<Vec<CaseOutcome>, CaseError> {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let config = file.parent().map_or_else(|| cases.config.clone(), |folder| folder.join(&cases.config));
    let mut outcomes = Vec::new();
    for case in cases.cases.iter().filter(|case| only.is_none_or(|only| case.name.contains(only))) {
        let outcome = Player::new(&file, &config, cases, case)?.play()?;
        done(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

struct Player<'a> {
    file: PathBuf,
    cases: &'a Cases,
    case: &'a Case,
    desk: Desk,
    start: Duration,
    calls: usize,
}

impl<'a> Player<'a> {
    fn new(file: &Path, config: &Path, cases: &'a Cases, case: &'a Case) -> Result<Self, CaseError> {
        let mut options = Options::default();
        if let Ok(Some(start)) = cases.start_time() {
            options.start = Some(start);
        }
        let desk =
            Desk::open(config, &options).map_err(|error| CaseError::Desk { file: file.to_owned(), error })?;
        if let Some(answers) = &cases.dns {
            desk.capabilities.dns.answer_from(answers.clone());
        }
        let start = desk.capabilities.clock.since_epoch();
        Ok(Player { file: file.to_owned(), cases, case, desk, start, calls: 0 })
    }

    fn senseless(&self, step: Option<usize>, reason: impl Into<String>) -> CaseError {
        let at = Location { file: self.file.clone(), case: Some(self.case.name.clone()), step };
        CaseError::Senseless { at, reason: reason.into() }
    }

    fn play(mut self) -> Result<CaseOutcome, CaseError> {
        let case = self.case;
        for count in &case.given.stats {
            self.count(count).map_err(|reason| self.senseless(None, reason))?;
        }
        for (white, entries) in [(false, &case.given.blacklist), (true, &case.given.whitelist)] {
            for entry in entries {
                self.list(white, entry).map_err(|reason| self.senseless(None, reason))?;
            }
        }
        let mut failures = Vec::new();
        for (at, step) in case.steps.iter().enumerate() {
            let failed = self.step(at + 1, step).map_err(|reason| self.senseless(Some(at + 1), reason))?;
            failures.extend(failed);
        }
        Ok(CaseOutcome { case: case.name.clone(), calls: self.calls, failures })
    }

    fn count(&self, count: &Count) -> Result<(), String> {
        let db = self.desk.capabilities.stats.get(count.db.as_bytes());
        let db =
            db.ok_or_else(|| format!("given.stats: the configuration has no stats DB \"{}\"", count.db))?;
        let ago = count.ago.as_deref().map(known).transpose().map_err(|error| error.to_string())?;
        let now = self.start.saturating_sub(ago.unwrap_or_default()).as_secs();
        for n in 1..=count.repeat {
            let key: BString = match (&count.key, &count.ip) {
                (Some(key), _) => expand(key, n)?.into(),
                (None, Some(ip)) => {
                    let ip = expand(ip, n)?;
                    let addr = Addr::parse(ip.as_bytes()).map_err(|error| format!("given.stats: {error}"))?;
                    (*db.addr_key(&addr)).into()
                }
                (None, None) => BString::default(),
            };
            let value = match expand_value(&count.add, n)? {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            db.add(now, &key, count.field.as_bytes(), value.as_bytes())
                .map_err(|_| format!("given.stats: {} counts whole numbers, not \"{value}\"", count.field))?;
        }
        Ok(())
    }

    fn list(&self, white: bool, entry: &Listed) -> Result<(), String> {
        let both = &self.desk.capabilities.lists;
        let list = if white { &both.white } else { &both.black };
        let lasts = entry.lasts.as_deref().map(known).transpose().map_err(|error| error.to_string())?;
        let secs = lasts.map_or(3600, |lasts| u32::try_from(lasts.as_secs()).unwrap_or(u32::MAX));
        let (now, reason) = (self.start.as_secs(), entry.reason.as_bytes());
        let network = entry.ip.as_ref().map(|text| {
            Netmask::parse(text.as_bytes()).map_err(|error| format!("given: \"{text}\": {error}"))
        });
        let ip = entry.ip.as_ref().and_then(|text| Addr::parse(text.as_bytes()).ok()).map(|addr| addr.ip);
        match (network.transpose()?, &entry.login, &entry.ja3) {
            (Some(mask), None, None) => {
                list.add_netmask(now, &mask, secs, reason).map_err(|e| e.to_string())?;
            }
            (None, Some(login), _) => list.add_login(now, login.as_bytes(), secs, reason),
            (None, None, Some(ja3)) => list.add_ja3(now, ja3.as_bytes(), secs, reason),
            (Some(_), login, ja3) => {
                let ip = ip.ok_or("given: a pair needs a single address")?;
                match (login, ja3) {
                    (Some(login), _) => list.add_ip_login(now, ip, login.as_bytes(), secs, reason),
                    (None, ja3) => {
                        list.add_ip_ja3(now, ip, ja3.as_deref().unwrap_or("").as_bytes(), secs, reason);
                    }
                }
            }
            (None, None, None) => {}
        }
        Ok(())
    }

    fn step(&mut self, number: usize, step: &Step) -> Result<Vec<Failed>, String> {
        let time =
            |text: &Option<String>| text.as_deref().map(known).transpose().map_err(|error| error.to_string());
        if let Some(at) = time(&step.at)? {
            let at = self.start + at;
            if at < self.desk.capabilities.clock.since_epoch() {
                return Err("at is before the step before it: time does not go back".to_owned());
            }
            self.desk.until(at);
        }
        if let Some(by) = time(&step.advance)? {
            self.desk.advance(by);
        }
        let every = time(&step.every)?.unwrap_or_default();
        let mut failures = Vec::new();
        let mut tally: BTreeMap<String, usize> = BTreeMap::new();
        for n in 1..=step.repeat {
            if n > 1 {
                self.desk.advance(every);
            }
            if let Some(failed) = self.once(number, n, step, &mut tally)?
                && failures.len() < TOLD
            {
                failures.push(failed);
            }
        }
        if let Some(expected) = &step.tally {
            let told = |tally: &BTreeMap<String, usize>| {
                let words: Vec<String> = tally
                    .iter()
                    .filter(|(_, count)| **count > 0)
                    .map(|(word, count)| format!("{word} {count}"))
                    .collect();
                words.join(", ")
            };
            if told(expected) != told(&tally) {
                let wrong = vec![Mismatch::new("tally", told(expected), told(&tally))];
                failures.push(Failed {
                    step: number,
                    n: step.repeat,
                    login: String::new(),
                    wrong,
                    trace: None,
                });
            }
        }
        Ok(failures)
    }

    /// One question or report.
    fn once(
        &mut self,
        number: usize,
        n: u32,
        step: &Step,
        tally: &mut BTreeMap<String, usize>,
    ) -> Result<Option<Failed>, String> {
        if let Some(table) = &step.reset {
            self.calls += 1;
            let done = self.desk.reset(reset(table, n)?);
            let wrong = match (done, step.expect.as_ref().and_then(|expect| expect.fails.as_deref())) {
                (Ok(true), None) => return Ok(None),
                (Ok(_), _) => {
                    Mismatch::new("reset", "what is expected of it", "it was refused, or did not fail")
                }
                (Err(failure), Some(part)) if failure.reason.contains_str(part) => return Ok(None),
                (Err(failure), _) => Mismatch::new("reset", "done", failure.told().to_str_lossy()),
            };
            return Ok(Some(Failed {
                step: number,
                n,
                login: String::new(),
                wrong: vec![wrong],
                trace: None,
            }));
        }
        let Some(table) = step.report.as_ref().or(step.allow.as_ref()) else { return Ok(None) };
        let (login, text) = self.login(table, n)?;
        self.calls += 1;
        if step.report.is_some() {
            let fails = step.expect.as_ref().and_then(|expect| expect.fails.as_deref());
            let wrong = match (self.desk.report(login), fails) {
                (Ok(()), None) => return Ok(None),
                (Err(failure), Some(part)) if failure.reason.contains_str(part) => return Ok(None),
                (Ok(()), Some(part)) => Mismatch::new("failure", part, "it went well"),
                (Err(failure), _) => Mismatch::new("report", "done", failure.told().to_str_lossy()),
            };
            return Ok(Some(Failed { step: number, n, login: text, wrong: vec![wrong], trace: None }));
        }
        let (result, explanation) = self.desk.explain(login);
        *tally.entry(word(&result).to_owned()).or_default() += 1;
        let wrong = match &step.expect {
            Some(expect) => expect.compare(&result, Some(&explanation)),
            None if step.tally.is_none() && result.is_err() => {
                let failure = result.map_or_else(|failure| failure.told(), |_| BString::default());
                vec![Mismatch::new("answer", "a decision", failure.to_str_lossy())]
            }
            None => Vec::new(),
        };
        let trace = || Some(Explanation::text(&explanation));
        Ok((!wrong.is_empty()).then(|| Failed { step: number, n, login: text, wrong, trace: trace() }))
    }

    /// The login of a step, and as JSON.
    fn login(&self, table: &toml::Table, n: u32) -> Result<(Login, String), String> {
        let mut members = expand_table(&self.cases.defaults, n)?;
        members.extend(expand_table(table, n)?);
        if let Some(unknown) = members.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
            return Err(format!("a login has no {unknown}; it has {}", MEMBERS.join(", ")));
        }
        let text = serde_json::Value::Object(members).to_string();
        let login = Login::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        Ok((login, text))
    }
}

fn reset(table: &toml::Table, n: u32) -> Result<ResetRequest, String> {
    let mut request = ResetRequest::default();
    for (name, value) in expand_table(table, n)? {
        let text = value.as_str().ok_or_else(|| format!("reset: {name} must be a text"))?;
        match name.as_str() {
            "ip" => request.ip = Some(Addr::parse(text.as_bytes()).map_err(|error| error.to_string())?),
            "login" => request.login = Some(text.into()),
            "ja3" => request.ja3 = Some(text.into()),
            _ => return Err(format!("reset takes ip, login and ja3, not {name}")),
        }
    }
    Ok(request)
}
