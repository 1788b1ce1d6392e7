//! Slow scans: addresses and networks that fail at many logins, a little at a time over days. See README.md.

#[cfg(test)]
mod tests;

use core::net::IpAddr;

use portcullis::alerts::{Alert, BlockOf, Severity};
use portcullis::reports::{self, Field, Filter, Measure};
use portcullis::{Failure, IpAddress, Netmask, Policy, Result, clock};
use recent::DAY;
use serde::Deserialize;

/// Settings of the policy; README.md says what each is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Days that are looked back.
    pub days: u32,
    /// So many different logins failed at from one address.
    pub logins: u32,
    /// The same from one network (/24, IPv6 /64).
    pub network_logins: u32,
    /// At most this part of its attempts succeed.
    pub max_success: f64,
    /// Addresses and networks that a run looks at.
    pub most: u32,
    /// Who is told; empty: the usual channels.
    pub channels: Vec<String>,
    /// Seconds that channels which block put the address on the blacklist.
    pub block_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            days: 7,
            logins: 20,
            network_logins: 60,
            max_success: 0.05,
            most: 200,
            channels: Vec::new(),
            block_seconds: 86_400,
        }
    }
}

/// The policy.
pub struct SlowScan {
    settings: Settings,
}

impl SlowScan {
    fn failures(&self) -> Filter<'static> {
        let mut filter = reports::since(clock::now() - f64::from(self.settings.days) * DAY);
        filter.success = Some(false);
        filter
    }

    /// The part of a network's attempts that succeeded, and how many there were.
    fn success(&self, network: Netmask) -> Result<(f64, f64)> {
        let mut filter = self.failures();
        (filter.network, filter.success) = (Some(network), None);
        let all = reports::count(filter.clone())?;
        filter.success = Some(true);
        Ok((reports::count(filter)? / all.max(1.0), all))
    }

    /// Tells of those above the limit; not of networks with an address that was told of. What was told of is added.
    fn scan(&self, field: Field, limit: u32, reason: &str, told: &mut Vec<IpAddress>) -> Result<()> {
        for ranked in
            reports::top(self.failures(), field, Measure::Distinct(Field::Login), self.settings.most)?
        {
            if ranked.count < f64::from(limit) {
                break;
            }
            let Some(network) = parse(&ranked.value) else { continue };
            if told.iter().any(|address| address.is_in(&network)) {
                continue;
            }
            let (success, attempts) = self.success(network)?;
            if success > self.settings.max_success {
                // Many people behind one address, some of whom mistype.
                continue;
            }
            Alert::new(reason)
                .ip(network.address)
                .severity(Severity::Warning)
                .channels(&self.settings.channels)
                .block(BlockOf::Ip, self.settings.block_seconds)
                .text(format!(
                    "{} failed at {} logins in {} days, {attempts} attempts",
                    ranked.value, ranked.count, self.settings.days
                ))
                .field("source", &ranked.value)
                .field("logins", ranked.count)
                .field("attempts", attempts)
                .raise()?;
            told.push(network.address);
        }
        Ok(())
    }
}

/// A network, or an address as the network of itself.
fn parse(text: &str) -> Option<Netmask> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let bits = match bits {
        Some(bits) => bits.parse().ok()?,
        None if address.is_ipv4() => 32,
        None => 128,
    };
    Some(Netmask { address: IpAddress::from(address), bits })
}

#[portcullis::policy]
impl Policy for SlowScan {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        if settings.days == 0 || settings.logins == 0 || settings.most > 10_000 {
            return Err(Failure::new("settings \"days\" and \"logins\": above 0; \"most\": at most 10000"));
        }
        if !(0.0..=1.0).contains(&settings.max_success) {
            return Err(Failure::new("setting \"max_success\": from 0 to 1"));
        }
        Ok(Self { settings })
    }

    fn background(&mut self, _: &str) -> Result<()> {
        let mut told = Vec::new();
        self.scan(Field::Address, self.settings.logins, "slow-scan", &mut told)?;
        self.scan(Field::Network, self.settings.network_logins, "slow-scan-network", &mut told)
    }
}
