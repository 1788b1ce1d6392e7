//! Conditions on reports.

use std::net::IpAddr;

use login::Netmask;
use serde::{Deserialize, Serialize};

use super::forms;
use crate::{Confirmation, Report};

/// Which reports: all conditions that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// A network the address lies in, of any size.
    #[serde(skip_serializing_if = "Option::is_none", with = "forms::optional_netmask")]
    pub network: Option<Netmask>,
    /// The country's two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The number of the network's owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// The device, see [`device_of`](crate::device_of).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The truncated hash of the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pwhash: Option<String>,
    /// Whether the login succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Whether a policy rejected it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_reject: Option<bool>,
    /// What the user said about it: one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmations: Option<Vec<Confirmation>>,
}

impl Filter {
    /// Whether a report meets all conditions.
    pub fn matches(&self, report: &Report) -> bool {
        fn meets<T: PartialEq<U> + ?Sized, U>(wanted: Option<&T>, is: &U) -> bool {
            wanted.is_none_or(|wanted| *wanted == *is)
        }
        meets(self.login.as_ref(), &report.login)
            && meets(self.ip.map(|ip| ip.to_canonical()).as_ref(), &report.remote)
            && self.network.is_none_or(|network| network.contains(report.remote))
            && meets(self.country.as_ref(), &report.place.country)
            && meets(self.asn.as_ref(), &report.asn)
            && self.device.as_ref().is_none_or(|device| *device == report.device())
            && meets(self.protocol.as_ref(), &report.protocol)
            && meets(self.pwhash.as_ref(), &report.pwhash)
            && meets(self.success.as_ref(), &report.success)
            && meets(self.policy_reject.as_ref(), &report.policy_reject)
            && self.confirmations.as_ref().is_none_or(|some| some.contains(&report.confirmation))
    }
}
