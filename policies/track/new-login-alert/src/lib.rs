//! New logins: asks users about logins from a country, with a device or from a network that is new for them. See README.md.

#[cfg(test)]
mod tests;

use portcullis::alerts::Severity;
use portcullis::reports::{self, Field, Filter, Report};
use portcullis::{Failure, Policy, Result};
use recent::{DAY, Looked, Scan, Walk, before};
use serde::Deserialize;

/// Logins that `learning_logins` may ask for.
const MOST_LEARNING: u32 = 50;

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
    walk: Walk,
    looked: Looked,
}

impl Settings {
    fn history<'a>(&self, report: &'a Report) -> Filter<'a> {
        before(report, f64::from(self.memory_days) * DAY)
    }

    /// Whether there is too little before this login to know what is new.
    fn is_learning(&self, report: &Report) -> Result<bool> {
        let mut older = self.history(report);
        older.until = Some(report.t - f64::from(self.learning_days) * DAY);
        if !reports::any(older)? {
            return Ok(true);
        }
        let wanted = self.learning_logins.min(MOST_LEARNING);
        Ok(wanted > 0 && reports::find(self.history(report), wanted)?.len() < wanted as usize)
    }

    /// Earlier logins that are just like this one, in everything that is told.
    fn same<'a>(&self, report: &'a Report) -> Filter<'a> {
        let mut same = self.history(report);
        same.country = Some(report.country.as_str()).filter(|country| self.country && !country.is_empty());
        same.device = Some(report.device.as_str()).filter(|device| self.device && !device.is_empty());
        same.asn = Some(report.asn).filter(|asn| self.network && *asn != 0);
        same
    }

    /// Of which logins nothing is new: nearly always the store finds one just like it, and quickly, from the newest day on.
    fn usual(&self, reports: &[&Report]) -> Result<Vec<bool>> {
        let all: Vec<Filter<'_>> = reports.iter().map(|report| self.same(report)).collect();
        let is_asked =
            |same: &Filter<'_>| same.country.is_some() || same.device.is_some() || same.asn.is_some();
        let asked: Vec<Filter<'_>> = all.iter().filter(|same| is_asked(same)).cloned().collect();
        let mut seen = reports::any_each(&asked)?.into_iter();
        Ok(all.iter().map(|same| !is_asked(same) || seen.next().unwrap_or(false)).collect())
    }

    /// What is new about a login that is like none before it.
    fn news(&self, report: &Report) -> Result<Vec<&'static str>> {
        let all = self.same(report);
        let mut parts = Vec::new();
        for (part, country, device, asn) in [
            ("country", all.country, None, None),
            ("device", None, all.device, None),
            ("network", None, None, all.asn),
        ] {
            if country.is_some() || device.is_some() || asn.is_some() {
                let mut same = self.history(report);
                (same.country, same.device, same.asn) = (country, device, asn);
                parts.push((part, same));
            }
        }
        let filters: Vec<Filter<'_>> = parts.iter().map(|(_, same)| same.clone()).collect();
        let seen = reports::any_each(&filters)?;
        Ok(parts.iter().zip(seen).filter(|(_, seen)| !seen).map(|((part, _), _)| *part).collect())
    }

    /// Whether the login was told of.
    fn look(&self, report: &Report) -> Result<bool> {
        let new = self.news(report)?;
        let Some(first) = new.first() else { return Ok(false) };
        if self.is_learning(report)? {
            return Ok(false);
        }
        let severity = if new.len() > 1 { Severity::Warning } else { Severity::Info };
        let alert = self.scan.alert(&format!("new-{first}"), report, severity).field("new", new.join(", "));
        alert.raise()?;
        Ok(true)
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
        Ok(Self {
            looked: Looked::new(&settings.scan),
            settings,
            walk: Walk::new(&[Field::Country, Field::Asn, Field::Device]),
        })
    }

    fn background(&mut self, _: &str) -> Result<()> {
        let Self { settings, walk, looked } = self;
        looked.begin();
        walk.successes(&settings.scan, |reports| {
            let apart = |report: &Report| {
                (report.login.clone(), report.country.clone(), report.asn, report.device.clone())
            };
            looked.at(
                &settings.scan,
                reports,
                apart,
                |some| settings.usual(some),
                |report| settings.look(report),
            )
        })
    }
}
