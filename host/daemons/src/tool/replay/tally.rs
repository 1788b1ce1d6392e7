//! What a replay came to. Bounded: it counts everything, and keeps the first of what it could name without end.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use bstr::{BString, ByteSlice};
use login::Decision;
use policy::Failure;
use policy::shadow::Verdict;
use serde_json::{Value, json};

use super::LineError;
use super::line::Line;

/// Logins and addresses that are counted one by one.
const MAX_NAMED: usize = 100_000;
/// Differences that are kept.
const MAX_DIFFERENCES: usize = 1000;
/// Bad lines that are kept.
const MAX_BAD: usize = 10;

/// An answer that differs.
#[derive(Clone, Debug)]
pub struct Difference {
    /// When, in seconds since 1970.
    pub t: f64,
    /// The login.
    pub login: BString,
    /// Its address.
    pub remote: String,
    /// What was answered before.
    pub before: &'static str,
    /// What is answered now.
    pub after: &'static str,
    /// What the policy says to the log.
    pub log: BString,
}

/// A login that was denied.
#[derive(Clone, Debug, Default)]
pub struct LockedOut {
    /// How often.
    pub denied: u64,
    /// How often it was asked about.
    pub asked: u64,
    /// When it was denied first, in seconds since 1970.
    pub first: f64,
}

/// The counts.
pub struct Tally {
    desks: usize,
    reports: u64,
    report_failures: u64,
    allows: u64,
    /// By verdicts, of each desk.
    verdicts: Vec<BTreeMap<&'static str, u64>>,
    recorded: BTreeMap<&'static str, u64>,
    /// By pair of verdicts, where both are known.
    pairs: BTreeMap<(&'static str, &'static str), u64>,
    differences: Vec<Difference>,
    differences_in_all: u64,
    /// Of the last desk.
    locked_out: HashMap<BString, LockedOut>,
    unnamed: u64,
    bad: Vec<String>,
    bad_in_all: u64,
    failure: Option<String>,
}

impl Tally {
    pub(super) fn new(desks: usize) -> Self {
        Self {
            desks,
            reports: 0,
            report_failures: 0,
            allows: 0,
            verdicts: vec![BTreeMap::new(); desks],
            recorded: BTreeMap::new(),
            pairs: BTreeMap::new(),
            differences: Vec::new(),
            differences_in_all: 0,
            locked_out: HashMap::new(),
            unnamed: 0,
            bad: Vec::new(),
            bad_in_all: 0,
            failure: None,
        }
    }

    pub(super) fn report(&mut self) {
        self.reports += 1;
    }

    pub(super) fn report_failed(&mut self, failure: &Failure) {
        self.report_failures += 1;
        self.failure.get_or_insert_with(|| failure.told().to_str_lossy().into_owned());
    }

    pub(super) fn allow(
        &mut self,
        line: &Line,
        recorded: Option<Verdict>,
        answers: &[Result<Decision, Failure>],
    ) {
        self.allows += 1;
        if let Some(recorded) = recorded {
            *self.recorded.entry(recorded.name()).or_default() += 1;
        }
        let verdicts: Vec<Verdict> = answers.iter().map(Verdict::of).collect();
        for (counts, verdict) in self.verdicts.iter_mut().zip(&verdicts) {
            *counts.entry(verdict.name()).or_default() += 1;
        }
        let Some((last, answer)) = verdicts.last().zip(answers.last()) else { return };
        if let Err(failure) = answer {
            self.failure.get_or_insert_with(|| failure.told().to_str_lossy().into_owned());
        }
        let before = if verdicts.len() > 1 { verdicts.first().copied() } else { recorded };
        if let Some(before) = before {
            *self.pairs.entry((before.name(), last.name())).or_default() += 1;
            if before != *last {
                self.differs(line, before, *last, answer);
            }
        }
        let denied = *last == Verdict::Deny;
        let login = &line.login.login;
        let room = self.locked_out.len() < MAX_NAMED;
        match self.locked_out.get_mut(login) {
            Some(known) => {
                known.asked += 1;
                known.denied += u64::from(denied);
            }
            None if denied && room => {
                let first = LockedOut { denied: 1, asked: 1, first: line.login.t };
                self.locked_out.insert(login.clone(), first);
            }
            None => self.unnamed += u64::from(denied),
        }
    }

    fn differs(&mut self, line: &Line, before: Verdict, after: Verdict, answer: &Result<Decision, Failure>) {
        self.differences_in_all += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(Difference {
                t: line.login.t,
                login: line.login.login.clone(),
                remote: line.login.remote.to_string(),
                before: before.name(),
                after: after.name(),
                log: answer.as_ref().map_or_else(Failure::told, |answer| answer.log.clone()),
            });
        }
    }

    pub(super) fn bad_line(&mut self, number: u64, error: &LineError) {
        self.bad_in_all += 1;
        if self.bad.len() < MAX_BAD {
            self.bad.push(format!("line {number}: {error}"));
        }
    }

    pub(super) fn first_bad(&self) -> Option<String> {
        self.bad.first().cloned()
    }

    /// Lines that were played.
    pub fn played(&self) -> u64 {
        self.reports + self.allows
    }

    /// Answers that differ.
    pub fn differences(&self) -> u64 {
        self.differences_in_all
    }

    /// The logins that were denied, most often first.
    pub fn locked_out(&self) -> Vec<(&BString, &LockedOut)> {
        let mut all: Vec<_> = self.locked_out.iter().collect();
        all.sort_by(|(one, a), (other, b)| b.denied.cmp(&a.denied).then_with(|| one.cmp(other)));
        all
    }

    /// For people; at most `most` differences and logins are named.
    pub fn text(&self, most: usize) -> String {
        let mut text = format!("{} reports, {} questions\n", self.reports, self.allows);
        let words = |counts: &BTreeMap<&str, u64>| {
            let words: Vec<String> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
            words.join(", ")
        };
        if !self.recorded.is_empty() {
            let _ = writeln!(text, "recorded:  {}", words(&self.recorded));
        }
        for (at, counts) in self.verdicts.iter().enumerate() {
            let name = if self.desks > 1 { format!("config {}:", at + 1) } else { "now:".to_owned() };
            let _ = writeln!(text, "{name:<10} {}", words(counts));
        }
        if !self.pairs.is_empty() {
            let _ = writeln!(text, "different: {}", self.differences_in_all);
            for ((before, after), count) in self.pairs.iter().filter(|((before, after), _)| before != after) {
                let _ = writeln!(text, "  {before} -> {after}: {count}");
            }
        }
        for difference in self.differences.iter().take(most) {
            let Difference { t, login, remote, before, after, log } = difference;
            let _ = writeln!(text, "  {} {login} from {remote}: {before} -> {after} {log}", when(*t));
        }
        let more = self.differences_in_all.saturating_sub(self.differences.len().min(most) as u64);
        if more > 0 {
            let _ = writeln!(text, "  and {more} more");
        }
        let locked_out = self.locked_out();
        let _ = writeln!(text, "locked out: {} logins", locked_out.len());
        for (login, LockedOut { denied, asked, first }) in locked_out.iter().take(most) {
            let _ = writeln!(text, "  {login}: denied {denied} of {asked} times, first {}", when(*first));
        }
        if locked_out.len() > most {
            let _ = writeln!(text, "  and {} more", locked_out.len() - most);
        }
        if self.unnamed > 0 {
            let _ =
                writeln!(text, "  and {} denials of logins that are not told apart any more", self.unnamed);
        }
        if let Some(failure) = &self.failure {
            let _ = writeln!(text, "the policy failed: {failure}");
        }
        if self.bad_in_all > 0 {
            let _ = writeln!(text, "{} lines could not be played:", self.bad_in_all);
            for bad in &self.bad {
                let _ = writeln!(text, "  {bad}");
            }
        }
        text
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "reports": self.reports,
            "report_failures": self.report_failures,
            "allows": self.allows,
            "recorded": self.recorded,
            "verdicts": self.verdicts,
            "differences": self.differences_in_all,
            "pairs": self.pairs.iter().map(|((before, after), count)| {
                json!({"before": before, "after": after, "count": count})
            }).collect::<Vec<_>>(),
            "different": self.differences.iter().map(|difference| json!({
                "t": difference.t,
                "login": difference.login.to_str_lossy(),
                "remote": difference.remote,
                "before": difference.before,
                "after": difference.after,
                "log": difference.log.to_str_lossy(),
            })).collect::<Vec<_>>(),
            "locked_out": self.locked_out().iter().map(|(login, locked)| json!({
                "login": login.to_str_lossy(),
                "denied": locked.denied,
                "asked": locked.asked,
                "first": locked.first,
            })).collect::<Vec<_>>(),
            "bad_lines": self.bad_in_all,
        })
    }
}

fn when(t: f64) -> String {
    jiff::Timestamp::from_second(t as i64).map_or_else(|_| t.to_string(), |time| time.to_string())
}
