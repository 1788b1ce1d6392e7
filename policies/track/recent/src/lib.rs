//! What trackalert's policies share. They look back on a schedule: at the successful logins since their last run, each with
//! what was before it. Reports show in the store a second or two after they came, so the newest seconds are left to the next
//! run, and runs overlap a little, so that a late one leaves no gap. Most logins are like others that were looked at a while ago:
//! those are known without a question. What is found twice is told once: alerts of one reason about one login are told once in
//! a while only.

mod looked;
mod memory;
#[cfg(test)]
mod tests;
mod walk;

use portcullis::alerts::{Alert, Severity};
use portcullis::reports::{self, Confirmation, Filter, Report};
use portcullis::{Failure, Result, clock};
use serde::Deserialize;

pub use looked::{Looked, Told};
pub use memory::Memory;
pub use walk::{MOST, OVERLAP, TOGETHER, Walk};

/// Seconds of a day.
pub const DAY: f64 = 86_400.0;
/// Times of reports are whole milliseconds.
pub const MOMENT: f64 = 0.001;

/// Reports that speak for the user: not those that the user disowned or wants forgotten.
pub const TRUSTED: &[Confirmation] = &[Confirmation::None, Confirmation::Good];

/// Settings that all of them have.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scan {
    /// Seconds that a run looks back where none was before it: after a start.
    pub window: u32,
    /// Seconds that reports get to show in the store.
    pub lag: u32,
    /// Seconds that a run may take; the next one goes on where it ended.
    pub seconds: u32,
    /// Seconds that a run looks back at most; never less than `window`.
    pub catch_up: u32,
    /// Seconds after which a login like one that was looked at is looked at again.
    pub remember: u32,
    /// How many such logins are remembered.
    pub remembered: u32,
    /// Who is told; empty: the usual channels.
    pub channels: Vec<String>,
    /// Whether mail to the user asks "was this you?".
    pub confirm: bool,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            window: 120,
            lag: 5,
            seconds: 45,
            catch_up: 900,
            remember: 3600,
            remembered: 500_000,
            channels: Vec::new(),
            confirm: true,
        }
    }
}

impl Scan {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    ///
    /// A number that is too small or too large.
    pub fn check(&self) -> Result<()> {
        for (name, value, most) in [
            ("window", self.window, 86_400),
            ("seconds", self.seconds, 86_400),
            ("catch_up", self.catch_up, 86_400),
            ("remember", self.remember, 86_400),
            ("remembered", self.remembered, 4_000_000),
        ] {
            if value == 0 || value > most {
                return Err(Failure::new(format!("setting \"{name}\": must be from 1 to {most}")));
            }
        }
        Ok(())
    }

    /// Seconds that a run looks back at most.
    fn most(&self) -> f64 {
        f64::from(self.catch_up.max(self.window))
    }

    /// Where a run that begins now ends.
    fn end(&self) -> f64 {
        clock::now() - f64::from(self.lag)
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
    distance([one.latitude, one.longitude], [other.latitude, other.longitude])
}

/// The same of degrees north and east.
#[must_use]
pub fn distance(one: [f64; 2], other: [f64; 2]) -> f64 {
    let [a, b] = [one[0].to_radians(), other[0].to_radians()];
    let (up, along) = (b - a, (other[1] - one[1]).to_radians());
    let h = (up / 2.0).sin().powi(2) + a.cos() * b.cos() * (along / 2.0).sin().powi(2);
    2.0 * 6371.0 * h.sqrt().min(1.0).asin()
}

/// Whether it is known where a report came from.
#[must_use]
pub fn located(report: &Report) -> bool {
    report.latitude != 0.0 || report.longitude != 0.0
}
