//! Impossible travel over the long memory: tells of logins that are farther from the one before than anybody can have
//! travelled. See README.md.

mod places;
#[cfg(test)]
mod tests;

use portcullis::alerts::Severity;
use portcullis::reports::{self, Field, Filter, Report};
use portcullis::{Failure, Policy, Result};
use recent::{DAY, Scan, Walk, before, kilometres, located};
use serde::Deserialize;

use crate::places::{Bounds, Places};

/// Logins before the one in question that are looked at.
const LATEST: u32 = 20;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What all scans have.
    pub scan: Scan,
    /// Faster than this, in km/h, is impossible.
    pub kmh: f64,
    /// Shorter distances than this, in km, are not looked at.
    pub min_km: f64,
    /// Hours that are looked back.
    pub hours: u32,
    /// A network that the user came from within so many days before the last one is known: a VPN, or work.
    pub known_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { scan: Scan::default(), kmh: 900.0, min_km: 500.0, hours: 24, known_days: 30 }
    }
}

/// The policy.
pub struct ImpossibleTravel {
    settings: Settings,
    walk: Walk,
    places: Places,
}

impl Settings {
    /// Whether the user came from this network on an earlier day.
    fn is_known(&self, report: &Report) -> Result<bool> {
        if report.asn == 0 {
            return Ok(false);
        }
        let mut filter = before(report, (f64::from(self.known_days) + 1.0) * DAY);
        filter.until = Some(report.t - DAY);
        filter.asn = Some(report.asn);
        filter.country = Some(&report.country);
        Ok(reports::any(filter)?)
    }

    /// Where a user may have been before a login.
    fn history<'a>(&self, report: &'a Report) -> Filter<'a> {
        before(report, f64::from(self.hours) * 3600.0)
    }

    /// The logins before these.
    fn before_each(&self, reports: &[&Report]) -> Result<Vec<Option<Report>>> {
        let filters: Vec<Filter<'_>> = reports.iter().map(|report| self.history(report)).collect();
        Ok(reports::newest_each(&filters)?)
    }

    /// Whether the login was told of; `newest`: at most one, the one before it, if the store was asked already.
    fn look(&self, report: &Report, newest: Option<Vec<Report>>) -> Result<bool> {
        let history = self.history(report);
        let mut latest = match newest {
            Some(newest) => newest,
            None => reports::find(history.clone(), 1)?,
        };
        if latest.first().is_some_and(|last| !located(last)) {
            latest = reports::find(history, LATEST)?;
        }
        let Some(last) = latest.iter().find(|last| located(last)) else { return Ok(false) };
        let km = kilometres(last, report);
        let hours = ((report.t - last.t) / 3600.0).max(1.0 / 60.0);
        if km < self.min_km || km / hours <= self.kmh || self.is_known(report)? {
            return Ok(false);
        }
        self.scan
            .alert("impossible-travel", report, Severity::Warning)
            .text(format!("{km:.0} km in {:.0} minutes", hours * 60.0))
            .field("from", &last.country)
            .field("to", &report.country)
            .field("km", format!("{km:.0}"))
            .field("minutes", format!("{:.0}", hours * 60.0))
            .field("before", last.remote)
            .raise()?;
        Ok(true)
    }
}

#[portcullis::policy]
impl Policy for ImpossibleTravel {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        settings.scan.check()?;
        if settings.kmh.is_nan() || settings.kmh <= 0.0 || settings.min_km.is_nan() || settings.min_km < 0.0 {
            return Err(Failure::new("settings \"kmh\" and \"min_km\": must be numbers above 0"));
        }
        Ok(Self {
            places: Places::new(&settings.scan),
            settings,
            walk: Walk::new(&[Field::Country, Field::City, Field::Asn]),
        })
    }

    fn background(&mut self, _: &str) -> Result<()> {
        let Self { settings, walk, places } = self;
        let seconds = f64::from(settings.hours) * 3600.0;
        let bounds = Bounds { kmh: settings.kmh, min_km: settings.min_km, seconds };
        places.begin(walk.skips(&settings.scan));
        walk.successes(&settings.scan, |reports| {
            let mut known = places.unknown(reports, |some| settings.before_each(some));
            reports.iter().try_for_each(|report| {
                places.at(&settings.scan, report, &bounds, || settings.look(report, known.remove(&report.id)))
            })
        })
    }
}
