//! Conditions on reports.

use std::collections::BTreeMap;
use std::net::IpAddr;

use login::{Attrs, MultiAttrs, Netmask};
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
    /// The city's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
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
    /// Attributes that must have these values; one of several values is enough.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attrs: BTreeMap<String, String>,
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
            && meets(self.city.as_ref(), &report.place.city)
            && meets(self.asn.as_ref(), &report.asn)
            && self.device.as_ref().is_none_or(|device| *device == report.device())
            && meets(self.protocol.as_ref(), &report.protocol)
            && meets(self.pwhash.as_ref(), &report.pwhash)
            && meets(self.success.as_ref(), &report.success)
            && meets(self.policy_reject.as_ref(), &report.policy_reject)
            && self.confirmations.as_ref().is_none_or(|some| some.contains(&report.confirmation))
            && self.attrs.iter().all(|(key, value)| has(&report.attrs, &report.attrs_mv, key, value))
    }
}

/// Whether an attribute has this value, or it is one of its values.
pub(crate) fn has(attrs: &Attrs, attrs_mv: &MultiAttrs, key: &str, value: &str) -> bool {
    match attrs_mv.iter().find(|(name, _)| *name == key) {
        Some((_, values)) => values.iter().any(|one| *one == value),
        None => attrs.iter().any(|(name, one)| *name == key && *one == value),
    }
}
