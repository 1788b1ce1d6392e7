//! What a policy caught, and whom it locked out by mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use login::Decision;
use policy::Failure;
use serde_json::{Value, json};

use super::{Attack, Attempt, Who};
use crate::tool::time::told;

/// How an attack went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caught {
    /// Attempts.
    pub attempts: u64,
    /// Of these, denied.
    pub denied: u64,
    /// Of these, made to wait.
    pub delayed: u64,
    /// Mailboxes that were entered.
    pub entered: u64,
    /// When it began, in milliseconds.
    began: Option<u64>,
    /// When it was denied first.
    first_denied: Option<u64>,
}

impl Caught {
    /// The part of the attempts that was denied, 0 to 1.
    pub fn rate(&self) -> f64 {
        self.denied as f64 / self.attempts.max(1) as f64
    }

    /// Seconds from the first attempt to the first denial.
    pub fn seconds_to_catch(&self) -> Option<f64> {
        Some((self.first_denied? - self.began?) as f64 / 1000.0)
    }

    fn cell(&self) -> String {
        let rate = self.rate() * 100.0;
        match self.seconds_to_catch() {
            Some(0.0) => format!("{rate:.0} %, at once"),
            // A few that were denied by chance are not worth a time.
            Some(seconds) if rate >= 1.0 => format!("{rate:.0} %, {}", told(seconds)),
            _ if self.delayed * 200 >= self.attempts => {
                format!("{:.0} % wait", self.delayed as f64 * 100.0 / self.attempts.max(1) as f64)
            }
            _ => "0 %".to_owned(),
        }
    }
}

/// What a policy did in a day.
#[derive(Debug, Default)]
pub struct Score {
    /// By attack.
    pub attacks: BTreeMap<Attack, Caught>,
    /// Logins of the owners.
    pub logins: u64,
    /// Of these, denied: the false locks.
    pub denied: u64,
    /// Of these, made to wait.
    pub delayed: u64,
    /// Owners.
    people: BTreeSet<u32>,
    /// Owners who were denied at least once.
    locked_out: BTreeSet<u32>,
    /// Calls that failed.
    pub failures: u64,
}

impl Score {
    pub(super) fn add(&mut self, attempt: &Attempt, answer: &Result<Decision, Failure>, right: bool) {
        let status = if let Ok(decision) = answer {
            decision.status
        } else {
            self.failures += 1;
            0
        };
        let (denied, delayed) = (u64::from(status < 0), u64::from(status > 0));
        match attempt.who {
            Who::Owner => {
                self.logins += 1;
                self.denied += denied;
                self.delayed += delayed;
                self.people.insert(attempt.mailbox);
                if status < 0 {
                    self.locked_out.insert(attempt.mailbox);
                }
            }
            Who::Attacker(attack) => {
                let caught = self.attacks.entry(attack).or_default();
                caught.attempts += 1;
                caught.denied += denied;
                caught.delayed += delayed;
                caught.entered += u64::from(right && status >= 0);
                caught.began.get_or_insert(attempt.at);
                if status < 0 {
                    caught.first_denied.get_or_insert(attempt.at);
                }
            }
        }
    }

    /// The part of the owners' logins that was denied, 0 to 1.
    pub fn false_lock_rate(&self) -> f64 {
        self.denied as f64 / self.logins.max(1) as f64
    }

    /// Owners who were denied at least once, and all of them.
    pub fn locked_out(&self) -> (usize, usize) {
        (self.locked_out.len(), self.people.len())
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let attacks: serde_json::Map<String, Value> = self
            .attacks
            .iter()
            .map(|(attack, caught)| {
                let told = json!({
                    "attempts": caught.attempts,
                    "denied": caught.denied,
                    "delayed": caught.delayed,
                    "entered": caught.entered,
                    "catch_rate": caught.rate(),
                    "seconds_to_catch": caught.seconds_to_catch(),
                });
                (attack.name().to_owned(), told)
            })
            .collect();
        let (locked_out, people) = self.locked_out();
        json!({
            "attacks": attacks,
            "logins": self.logins,
            "denied": self.denied,
            "delayed": self.delayed,
            "false_lock_rate": self.false_lock_rate(),
            "people": people,
            "people_locked_out": locked_out,
            "failures": self.failures,
        })
    }
}

/// A Markdown table, one row for each policy.
pub fn table(scores: &[(String, Score)]) -> String {
    let mut text = "| policy |".to_owned();
    for attack in Attack::ALL {
        let _ = write!(text, " {} |", attack.name());
    }
    text += " owners denied | owners waiting | owners ever denied |\n|---|";
    text += &"---|".repeat(Attack::ALL.len() + 3);
    text.push('\n');
    for (name, score) in scores {
        let _ = write!(text, "| `{name}` |");
        for attack in Attack::ALL {
            let caught = score.attacks.get(&attack).copied().unwrap_or_default();
            let _ = write!(text, " {} |", caught.cell());
        }
        let (locked_out, people) = score.locked_out();
        let waiting = score.delayed as f64 * 100.0 / score.logins.max(1) as f64;
        let denied = score.false_lock_rate() * 100.0;
        let _ = writeln!(text, " {denied:.2} % | {waiting:.2} % | {locked_out} of {people} |");
    }
    text
}
