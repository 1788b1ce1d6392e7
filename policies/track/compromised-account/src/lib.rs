//! Compromised accounts: logins that succeed after many failures elsewhere, and accounts used from many networks at once. See
//! README.md.

#[cfg(test)]
mod tests;

use portcullis::alerts::Severity;
use portcullis::reports::{self, Field, Report};
use portcullis::{Policy, Result};
use recent::{DAY, Scan, before};
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
}

impl Compromised {
    /// Whether the user succeeded from this network before the failures began.
    fn is_known(&self, report: &Report) -> Result<bool> {
        let mut filter = before(report, f64::from(self.settings.known_days) * DAY);
        filter.until = Some(report.t - f64::from(self.settings.hours) * 3600.0);
        filter.network = Some(network_of(report));
        Ok(reports::first_and_last(filter)?.is_some())
    }

    /// A success after many failures from elsewhere.
    fn guessed(&self, report: &Report) -> Result<()> {
        let settings = &self.settings;
        let mut failed = before(report, f64::from(settings.hours) * 3600.0);
        (failed.success, failed.policy_reject, failed.confirmations) = (Some(false), Some(false), None);
        let failures = reports::count(failed.clone())?;
        if failures < f64::from(settings.failures) {
            return Ok(());
        }
        let networks = reports::distinct(failed, Field::Network)?;
        if networks < f64::from(settings.networks) || self.is_known(report)? {
            return Ok(());
        }
        settings
            .scan
            .alert("compromised-account", report, Severity::Critical)
            .text(format!("a login succeeded after {failures} failures from {networks} networks"))
            .field("failures", failures)
            .field("networks", networks)
            .raise()?;
        Ok(())
    }

    /// Successes from many places in a short time.
    fn everywhere(&self, report: &Report) -> Result<()> {
        let settings = &self.settings;
        let mut good = before(report, f64::from(settings.burst_hours) * 3600.0);
        good.until = Some(report.t + 0.001);
        let networks = reports::distinct(good.clone(), Field::Asn)?;
        if networks < f64::from(settings.burst_networks) {
            return Ok(());
        }
        let countries = reports::distinct(good, Field::Country)?;
        if countries < f64::from(settings.burst_countries) {
            return Ok(());
        }
        settings
            .scan
            .alert("account-everywhere", report, Severity::Critical)
            .text(format!(
                "logins from {networks} providers in {countries} countries in {} hours",
                settings.burst_hours
            ))
            .field("networks", networks)
            .field("countries", countries)
            .raise()?;
        Ok(())
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
        Ok(Self { settings })
    }

    fn background(&mut self, _: &str) -> Result<()> {
        let apart = |report: &Report| (report.login.clone(), report.remote.network(24, 64));
        self.settings.scan.successes(apart, |report| {
            self.guessed(report)?;
            self.everywhere(report)
        })
    }
}
