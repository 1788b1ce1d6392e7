//! Dormant accounts: tells of logins to accounts that were not used for long. See README.md.

#[cfg(test)]
mod tests;

use portcullis::alerts::Severity;
use portcullis::reports::{self, Field, Report};
use portcullis::{Failure, Policy, Result};
use recent::{DAY, Looked, MOMENT, Scan, Walk, before};
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
    walk: Walk,
    looked: Looked,
}

impl Settings {
    /// Whose logins are not the first for long. Nearly everybody was there a few days ago; and the store finds that quickly,
    /// from the newest day on.
    fn usual(&self, reports: &[&Report]) -> Result<Vec<bool>> {
        let lately = f64::from(self.days) * DAY - MOMENT;
        let filters: Vec<_> = reports.iter().map(|report| before(report, lately)).collect();
        Ok(reports::any_each(&filters)?)
    }

    /// Whether the login was told of. It is the oldest of somebody's in a while: those after it are not the first for long.
    fn look(&self, report: &Report) -> Result<bool> {
        let history = before(report, f64::from(self.memory_days) * DAY);
        // Nothing at all before it: a new account, or one older than the memory; nobody can tell.
        let Some(span) = reports::first_and_last(history.clone())? else { return Ok(false) };
        let days = (report.t - span.last) / DAY;
        if days < f64::from(self.days) {
            return Ok(false);
        }
        let mut same = history;
        same.asn = Some(report.asn);
        let known = report.asn != 0 && reports::any(same)?;
        if known && self.only_new_network {
            return Ok(false);
        }
        let severity = if known { Severity::Info } else { Severity::Warning };
        self.scan
            .alert("dormant-account", report, severity)
            .text(format!("the first login for {days:.0} days"))
            .field("days", format!("{days:.0}"))
            .field("known_network", known)
            .raise()?;
        Ok(true)
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
        Ok(Self { looked: Looked::new(&settings.scan), settings, walk: Walk::new(&[Field::Asn]) })
    }

    fn background(&mut self, _: &str) -> Result<()> {
        let Self { settings, walk, looked } = self;
        looked.begin();
        walk.successes(&settings.scan, |reports| {
            looked.at(
                &settings.scan,
                reports,
                |report| report.login.clone(),
                |some| settings.usual(some),
                |report| settings.look(report),
            )
        })
    }
}
