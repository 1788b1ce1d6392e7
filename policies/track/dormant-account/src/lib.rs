//! Dormant accounts: tells of logins to accounts that were not used for long. See README.md.

#[cfg(test)]
mod tests;

use portcullis::alerts::Severity;
use portcullis::reports::{self, Report};
use portcullis::{Failure, Policy, Result};
use recent::{DAY, Scan, before};
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
    /// The oldest login of somebody in a scan: those after it are not the first for long.
    fn look(&self, report: &Report) -> Result<()> {
        let history = before(report, f64::from(self.settings.memory_days) * DAY);
        // Nothing at all before it: a new account, or one older than the memory; nobody can tell.
        let Some(span) = reports::first_and_last(history.clone())? else { return Ok(()) };
        let days = (report.t - span.last) / DAY;
        if days < f64::from(self.settings.days) {
            return Ok(());
        }
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
        self.settings.scan.successes(|report| report.login.clone(), |report| self.look(report))
    }
}
