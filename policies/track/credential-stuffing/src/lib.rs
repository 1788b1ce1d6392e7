//! Credential stuffing: addresses that work through lists of logins and passwords, and the accounts they got into. See README.md.

#[cfg(test)]
mod tests;

use core::net::IpAddr;

use portcullis::alerts::{Alert, BlockOf, Severity};
use portcullis::reports::{self, Field, Filter, Measure, Report};
use portcullis::{Failure, IpAddress, Netmask, Policy, Result, clock};
use serde::Deserialize;

/// Attempts of one address that are looked at.
const LATEST: u32 = 2000;
/// Lists shorter than this have no order that is no chance.
const LONG: usize = 12;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Hours that are looked back.
    pub hours: u32,
    /// So many different logins tried from one address.
    pub logins: u32,
    /// At most this part of them succeeds.
    pub max_success: f64,
    /// At most so many attempts a login: who stuffs has one password for each.
    pub attempts: f64,
    /// Fewer logins are enough if they come in the order of a list: this part of them is in order...
    pub list_order: f64,
    /// ...and there are so many.
    pub list_logins: u32,
    /// Addresses that a run looks at.
    pub most: u32,
    /// Who is told; empty: the usual channels.
    pub channels: Vec<String>,
    /// Who is told of the accounts that were entered; empty: the usual channels.
    pub entered_channels: Vec<String>,
    /// Seconds that channels which block put the address on the blacklist.
    pub block_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hours: 24,
            logins: 40,
            max_success: 0.1,
            attempts: 2.0,
            list_order: 0.85,
            list_logins: 15,
            most: 200,
            channels: Vec::new(),
            entered_channels: Vec::new(),
            block_seconds: 86_400,
        }
    }
}

/// The policy.
pub struct Stuffing {
    settings: Settings,
}

impl Stuffing {
    fn since(&self) -> Filter<'static> {
        reports::since(clock::now() - f64::from(self.settings.hours) * 3600.0)
    }

    /// What an address tried, oldest first.
    fn attempts(&self, address: IpAddress) -> Result<Vec<Report>> {
        let mut filter = self.since();
        let bits = if matches!(address, IpAddress::Ipv4(_)) { 32 } else { 128 };
        filter.network = Some(Netmask { address, bits });
        let mut found = reports::find(filter, LATEST)?;
        found.reverse();
        Ok(found)
    }

    fn look(&self, address: IpAddress) -> Result<()> {
        let settings = &self.settings;
        let attempts = self.attempts(address)?;
        let order = logins(&attempts);
        let good = attempts.iter().filter(|report| report.success).count();
        let success = number(good) / number(attempts.len().max(1));
        let listed = in_order(&order) >= settings.list_order;
        let enough = order.len() >= settings.logins as usize
            || (listed && order.len() >= (settings.list_logins as usize).max(LONG));
        let each = number(attempts.len()) / number(order.len().max(1));
        if !enough || success > settings.max_success || each > settings.attempts {
            return Ok(());
        }
        Alert::new("credential-stuffing")
            .ip(address)
            .severity(Severity::Warning)
            .channels(&settings.channels)
            .block(BlockOf::Ip, settings.block_seconds)
            .text(format!(
                "{} logins tried in {} hours, {good} attempts succeeded",
                order.len(),
                settings.hours
            ))
            .field("logins", order.len())
            .field("succeeded", good)
            .field("list_order", listed)
            .raise()?;
        for report in attempts.iter().filter(|report| report.success) {
            Alert::new("stuffed-account")
                .login(&report.login)
                .ip(report.remote)
                .time(report.t)
                .severity(Severity::Critical)
                .channels(&settings.entered_channels)
                .text("somebody with a list of passwords got in")
                .ask_user()
                .raise()?;
        }
        Ok(())
    }
}

/// A count, to divide.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The different logins in the order of their first attempts.
fn logins(attempts: &[Report]) -> Vec<&str> {
    let mut known = std::collections::BTreeSet::new();
    attempts.iter().map(|report| report.login.as_str()).filter(|login| known.insert(*login)).collect()
}

/// The part of the neighbours that are in alphabetical order: about a half by chance, nearly all of them in a list.
fn in_order(logins: &[&str]) -> f64 {
    if logins.len() < LONG {
        return 0.0;
    }
    let rising = logins.windows(2).filter(|pair| pair[0] < pair[1]).count();
    number(rising) / number(logins.len() - 1)
}

#[portcullis::policy]
impl Policy for Stuffing {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        if settings.hours == 0 || settings.logins == 0 || settings.most > 10_000 {
            return Err(Failure::new("settings \"hours\" and \"logins\": above 0; \"most\": at most 10000"));
        }
        if !(0.0..=1.0).contains(&settings.max_success) || !(0.5..=1.0).contains(&settings.list_order) {
            return Err(Failure::new("settings \"max_success\": from 0 to 1; \"list_order\": from 0.5 to 1"));
        }
        Ok(Self { settings })
    }

    fn background(&mut self, _: &str) -> Result<()> {
        let settings = &self.settings;
        let least = settings.logins.min(settings.list_logins);
        let mut failed = self.since();
        failed.success = Some(false);
        for ranked in reports::top(failed, Field::Address, Measure::Distinct(Field::Login), settings.most)? {
            // Those that succeeded are not among the failures.
            if ranked.count < f64::from(least) * (1.0 - settings.max_success) {
                break;
            }
            if let Ok(address) = ranked.value.parse::<IpAddr>() {
                self.look(IpAddress::from(address))?;
            }
        }
        Ok(())
    }
}
