//! Compromised accounts: logins that succeed after many failures elsewhere, and accounts used from many networks at once. See
//! README.md.

#[cfg(test)]
mod tests;

use portcullis::alerts::Severity;
use portcullis::reports::{self, Field, Filter, Report};
use portcullis::{Policy, Result};
use recent::{DAY, Looked, Scan, Walk, before};
use serde::Deserialize;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What all scans have.
    pub scan: Scan,
    /// Hours before a success in which failures count.
    pub hours: u32,
    /// So many failures...
    pub failures: u32,
    /// ...from so many networks.
    pub networks: u32,
    /// Days in which a network where the user succeeded before is known.
    pub known_days: u32,
    /// Hours in which successes from many owners of networks are counted.
    pub burst_hours: u32,
    /// So many owners...
    pub burst_networks: u32,
    /// ...in so many countries.
    pub burst_countries: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scan: Scan::default(),
            hours: 48,
            failures: 20,
            networks: 5,
            known_days: 60,
            burst_hours: 6,
            burst_networks: 4,
            burst_countries: 3,
        }
    }
}

/// The policy.
pub struct Compromised {
    settings: Settings,
    walk: Walk,
    looked: Looked,
}

impl Settings {
    /// Whether the user succeeded from this network before the failures began.
    fn is_known(&self, report: &Report) -> Result<bool> {
        let mut filter = before(report, f64::from(self.known_days) * DAY);
        filter.until = Some(report.t - f64::from(self.hours) * 3600.0);
        filter.network = Some(network_of(report));
        Ok(reports::any(filter)?)
    }

    /// Failures of the user before a login.
    fn failed<'a>(&self, report: &'a Report) -> Filter<'a> {
        let mut failed = before(report, f64::from(self.hours) * 3600.0);
        (failed.success, failed.policy_reject, failed.confirmations) = (Some(false), Some(false), None);
        failed
    }

    /// Successes of the user in a short time, a login included.
    fn good<'a>(&self, report: &'a Report) -> Filter<'a> {
        let mut good = before(report, f64::from(self.burst_hours) * 3600.0);
        good.until = Some(report.t + 0.001);
        good
    }

    /// Before which logins there were few failures and few networks.
    fn usual(&self, reports: &[&Report]) -> Result<Vec<bool>> {
        let failed: Vec<Filter<'_>> = reports.iter().map(|report| self.failed(report)).collect();
        let good: Vec<Filter<'_>> = reports.iter().map(|report| self.good(report)).collect();
        let failures = reports::count_each(&failed)?;
        let networks = reports::distinct_each(&good, Field::Asn)?;
        let is_usual = |(failures, networks)| {
            failures < f64::from(self.failures) && networks < f64::from(self.burst_networks)
        };
        Ok(failures.into_iter().zip(networks).map(is_usual).collect())
    }

    /// Tells of a success after many failures from elsewhere.
    fn guessed(&self, report: &Report) -> Result<bool> {
        let failed = self.failed(report);
        let failures = reports::count(failed.clone())?;
        if failures < f64::from(self.failures) {
            return Ok(false);
        }
        let networks = reports::distinct(failed, Field::Network)?;
        if networks < f64::from(self.networks) || self.is_known(report)? {
            return Ok(false);
        }
        self.scan
            .alert("compromised-account", report, Severity::Critical)
            .text(format!("a login succeeded after {failures} failures from {networks} networks"))
            .field("failures", failures)
            .field("networks", networks)
            .raise()?;
        Ok(true)
    }

    /// Tells of successes from many places in a short time.
    fn everywhere(&self, report: &Report) -> Result<bool> {
        let good = self.good(report);
        let networks = reports::distinct(good.clone(), Field::Asn)?;
        if networks < f64::from(self.burst_networks) {
            return Ok(false);
        }
        let countries = reports::distinct(good, Field::Country)?;
        if countries < f64::from(self.burst_countries) {
            return Ok(false);
        }
        self.scan
            .alert("account-everywhere", report, Severity::Critical)
            .text(format!(
                "logins from {networks} providers in {countries} countries in {} hours",
                self.burst_hours
            ))
            .field("networks", networks)
            .field("countries", countries)
            .raise()?;
        Ok(true)
    }
}

/// The /24 (IPv4) or /64 (IPv6) around a report's address.
fn network_of(report: &Report) -> portcullis::Netmask {
    let bits = if matches!(report.remote, portcullis::IpAddress::Ipv4(_)) { 24 } else { 64 };
    portcullis::Netmask { address: report.remote, bits }
}

#[portcullis::policy]
impl Policy for Compromised {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        settings.scan.check()?;
        Ok(Self { looked: Looked::new(&settings.scan), settings, walk: Walk::new(&[]) })
    }

    fn background(&mut self, _: &str) -> Result<()> {
        let Self { settings, walk, looked } = self;
        looked.begin();
        walk.successes(&settings.scan, |reports| {
            let apart = |report: &Report| (report.login.clone(), report.remote.network(24, 64));
            looked.at(
                &settings.scan,
                reports,
                apart,
                |some| settings.usual(some),
                |report| {
                    let guessed = settings.guessed(report)?;
                    Ok(settings.everywhere(report)? || guessed)
                },
            )
        })
    }
}
