//! Dormant accounts: tells of logins to accounts that were not used for long. See README.md.

#[cfg(test)]
mod tests;

use portcullis::alerts::Severity;
use portcullis::reports::{self, Report};
use portcullis::{Failure, Policy, Result};
use recent::{DAY, MOMENT, MOST, Scan, before};
use serde::Deserialize;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What all scans have.
    pub scan: Scan,
    /// Days without a login that make an account dormant.
    pub days: u32,
    /// Days that are looked back; not more than the store keeps.
    pub memory_days: u32,
    /// Only if it comes from a network where the user was not before.
    pub only_new_network: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { scan: Scan::default(), days: 60, memory_days: 365, only_new_network: false }
    }
}

/// The policy.
pub struct Dormant {
    settings: Settings,
}

impl Dormant {
    /// The newest login of somebody in a scan that began with this moment.
    fn look(&self, newest: &Report, begin: f64) -> Result<()> {
        let memory = f64::from(self.settings.memory_days) * DAY;
        let mut earlier = before(newest, memory);
        earlier.until = Some(begin);
        // Nothing at all before it: a new account, or one older than the memory; nobody can tell.
        let Some(span) = reports::first_and_last(earlier)? else { return Ok(()) };
        let dormant = |report: &Report| (report.t - span.last) / DAY >= f64::from(self.settings.days);
        if !dormant(newest) {
            return Ok(());
        }
        // Those after the first are not the first for long.
        let mut since = before(newest, newest.t - begin);
        since.until = Some(newest.t + MOMENT);
        let first = reports::find(since, MOST)?.pop();
        let Some(report) = first.as_ref().filter(|first| dormant(first)) else { return Ok(()) };
        let days = (report.t - span.last) / DAY;
        let history = before(report, memory);
        let mut same = history;
        same.asn = Some(report.asn);
        let known = report.asn != 0 && reports::first_and_last(same)?.is_some();
        if known && self.settings.only_new_network {
            return Ok(());
        }
        let severity = if known { Severity::Info } else { Severity::Warning };
        self.settings
            .scan
            .alert("dormant-account", report, severity)
            .text(format!("the first login for {days:.0} days"))
            .field("days", format!("{days:.0}"))
            .field("known_network", known)
            .raise()?;
        Ok(())
    }
}

#[portcullis::policy]
impl Policy for Dormant {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        settings.scan.check()?;
        if settings.days == 0 || settings.memory_days <= settings.days {
            return Err(Failure::new("setting \"memory_days\": must be above days, and days above 0"));
        }
        Ok(Self { settings })
    }

    fn background(&mut self, _: &str) -> Result<()> {
        let begin = self.settings.scan.begin();
        self.settings.scan.successes(|report| report.login.clone(), |report| self.look(report, begin))
    }
}
