//! What trackalert's policies share. They look back on a schedule: at the successful logins of the last minutes, each with what
//! was before it. Reports show in the store a second or two after they came, so the newest seconds are left to the next run; runs
//! overlap, so that a late one leaves no gap. What is found twice is told once: alerts of one reason about one login are told
//! once in a while only.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use portcullis::alerts::{Alert, Severity};
use portcullis::reports::{self, Confirmation, Filter, Report};
use portcullis::{Failure, Result, clock};
use serde::Deserialize;

/// Seconds of a day.
pub const DAY: f64 = 86_400.0;
/// Reports of one question: what a policy holds of them at once.
pub const MOST: u32 = 2_000;
/// Times of reports are whole milliseconds.
pub const MOMENT: f64 = 0.001;

/// Reports that speak for the user: not those that the user disowned or wants forgotten.
pub const TRUSTED: &[Confirmation] = &[Confirmation::None, Confirmation::Good];

/// Settings that all of them have.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scan {
    /// Seconds that a run looks back: twice the time between runs.
    pub window: u32,
    /// Seconds that reports get to show in the store.
    pub lag: u32,
    /// Who is told; empty: the usual channels.
    pub channels: Vec<String>,
    /// Whether mail to the user asks "was this you?".
    pub confirm: bool,
}

impl Default for Scan {
    fn default() -> Self {
        Self { window: 120, lag: 5, channels: Vec::new(), confirm: true }
    }
}

impl Scan {
    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<()> {
        if self.window == 0 || self.window > 86_400 {
            return Err(Failure::new("setting \"window\": must be from 1 to 86400 seconds"));
        }
        Ok(())
    }

    /// Calls `each` with the successful logins of the last minutes, oldest first; of logins that are alike in user, place and
    /// device only with the oldest: what a policy finds before a later one is that one, not what was before the burst. `apart`:
    /// what tells them apart. They come page by page: where thousands log in each second all of them together would not fit
    /// into a policy's memory.
    pub fn successes<K: Ord>(
        &self,
        apart: impl Fn(&Report) -> K,
        mut each: impl FnMut(&Report) -> Result<()>,
    ) -> Result<()> {
        let mut filter = reports::since(clock::now() - f64::from(self.lag) - f64::from(self.window));
        filter.success = Some(true);
        filter.confirmations = Some(TRUSTED);
        let mut end = clock::now() - f64::from(self.lag);
        // The store answers with the newest: a first walk finds where pages end, and the way back begins with the oldest.
        let mut newer = Vec::new();
        let mut page = upto(&filter, end)?;
        while page.len() == MOST as usize {
            // Others of the same moment may be behind the end of the page.
            let Some(rest) = page.last().map(|report| report.t + MOMENT).filter(|rest| *rest < end) else {
                // More came in one moment than a question answers: what is before it is left out.
                break;
            };
            newer.push(end);
            end = rest;
            page = upto(&filter, end)?;
        }
        let mut known = BTreeSet::new();
        loop {
            for report in page.iter().rev() {
                if known.insert(apart(report)) {
                    each(report)?;
                }
            }
            let Some(end) = newer.pop() else { return Ok(()) };
            page = upto(&filter, end)?;
        }
    }

    /// An alert about a report.
    #[must_use]
    pub fn alert(&self, reason: &str, report: &Report, severity: Severity) -> Alert {
        let alert = Alert::new(reason)
            .login(&report.login)
            .ip(report.remote)
            .time(report.t)
            .severity(severity)
            .channels(&self.channels);
        if self.confirm { alert.ask_user() } else { alert }
    }
}

/// The newest reports before a moment, newest first.
fn upto(filter: &Filter<'_>, end: f64) -> Result<Vec<Report>> {
    let mut filter = filter.clone();
    filter.until = Some(end);
    Ok(reports::find(filter, MOST)?)
}

/// The good logins of a report's user before it, from so many seconds before.
#[must_use]
pub fn before(report: &Report, seconds: f64) -> Filter<'_> {
    let mut filter = reports::since(report.t - seconds);
    filter.until = Some(report.t);
    filter.login = Some(&report.login);
    filter.success = Some(true);
    filter.confirmations = Some(TRUSTED);
    filter
}

/// Kilometres between two places on the globe.
#[must_use]
pub fn kilometres(one: &Report, other: &Report) -> f64 {
    let [a, b] = [one.latitude.to_radians(), other.latitude.to_radians()];
    let (up, along) = (b - a, (other.longitude - one.longitude).to_radians());
    let h = (up / 2.0).sin().powi(2) + a.cos() * b.cos() * (along / 2.0).sin().powi(2);
    2.0 * 6371.0 * h.sqrt().min(1.0).asin()
}

/// Whether it is known where a report came from.
#[must_use]
pub fn located(report: &Report) -> bool {
    report.latitude != 0.0 || report.longitude != 0.0
}
