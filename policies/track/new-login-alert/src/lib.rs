//! New logins: asks users about logins from a country, with a device or from a network that is new for them. See README.md.

#[cfg(test)]
mod tests;

use portcullis::alerts::Severity;
use portcullis::reports::{self, Filter, Report};
use portcullis::{Failure, Policy, Result};
use recent::{DAY, Scan, before};
use serde::Deserialize;

/// Logins before the one in question that are looked at themselves; beyond them the store is asked.
const LATEST: u32 = 50;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What all scans have.
    pub scan: Scan,
    /// Whether a new country is told.
    pub country: bool,
    /// Whether a new device is.
    pub device: bool,
    /// Whether a new network (autonomous system) is.
    pub network: bool,
    /// Days after which something is new again.
    pub memory_days: u32,
    /// Days after the first login in which nothing is told.
    pub learning_days: u32,
    /// Logins before which nothing is told.
    pub learning_logins: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scan: Scan::default(),
            country: true,
            device: true,
            network: false,
            memory_days: 90,
            learning_days: 14,
            learning_logins: 10,
        }
    }
}

/// The policy.
pub struct NewLogin {
    settings: Settings,
}

impl NewLogin {
    /// Whether there is too little before this login to know what is new.
    fn is_learning(&self, report: &Report, latest: &[Report]) -> Result<bool> {
        if latest.len() < self.settings.learning_logins.min(LATEST) as usize {
            return Ok(true);
        }
        let long_ago = report.t - f64::from(self.settings.learning_days) * DAY;
        if latest.last().is_some_and(|oldest| oldest.t <= long_ago) {
            return Ok(false);
        }
        let mut older = self.history(report);
        older.until = Some(long_ago);
        Ok(reports::first_and_last(older)?.is_none())
    }

    fn history<'a>(&self, report: &'a Report) -> Filter<'a> {
        before(report, f64::from(self.settings.memory_days) * DAY)
    }

    /// Whether a value is new: not among the latest, nor further back.
    fn is_new<'a>(
        &self,
        report: &'a Report,
        latest: &[Report],
        same: impl Fn(&Report) -> bool,
        only: impl FnOnce(&mut Filter<'a>),
    ) -> Result<bool> {
        if latest.iter().any(same) {
            return Ok(false);
        }
        let mut filter = self.history(report);
        only(&mut filter);
        Ok(reports::first_and_last(filter)?.is_none())
    }

    fn look(&self, report: &Report) -> Result<()> {
        let latest = reports::find(self.history(report), LATEST)?;
        if self.is_learning(report, &latest)? {
            return Ok(());
        }
        let settings = &self.settings;
        let mut new = Vec::new();
        if settings.country
            && !report.country.is_empty()
            && self.is_new(
                report,
                &latest,
                |old| old.country == report.country,
                |filter| {
                    filter.country = Some(&report.country);
                },
            )?
        {
            new.push("country");
        }
        if settings.device
            && !report.device.is_empty()
            && self.is_new(
                report,
                &latest,
                |old| old.device == report.device,
                |filter| {
                    filter.device = Some(&report.device);
                },
            )?
        {
            new.push("device");
        }
        if settings.network
            && report.asn != 0
            && self.is_new(
                report,
                &latest,
                |old| old.asn == report.asn,
                |filter| {
                    filter.asn = Some(report.asn);
                },
            )?
        {
            new.push("network");
        }
        let Some(first) = new.first() else { return Ok(()) };
        let severity = if new.len() > 1 { Severity::Warning } else { Severity::Info };
        let alert =
            settings.scan.alert(&format!("new-{first}"), report, severity).field("new", new.join(", "));
        alert.raise()?;
        Ok(())
    }
}

#[portcullis::policy]
impl Policy for NewLogin {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        settings.scan.check()?;
        if settings.memory_days <= settings.learning_days {
            return Err(Failure::new("setting \"memory_days\": must be above learning_days"));
        }
        Ok(Self { settings })
    }

    fn background(&mut self, _: &str) -> Result<()> {
        let apart = |report: &Report| {
            (report.login.clone(), report.country.clone(), report.asn, report.device.clone())
        };
        self.settings.scan.successes(apart, |report| self.look(report))
    }
}
