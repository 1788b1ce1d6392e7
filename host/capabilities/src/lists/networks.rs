//! Which networks of a list hold an address, longest prefix first.

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::net::IpAddr;

use bstr::BString;
use hashbrown::HashMap;
use login::{Netmask, truncate};

/// By prefix length: the networks of this length and what they are called in the table of entries.
type Family = BTreeMap<u8, HashMap<IpAddr, BString, RandomState>>;

/// One hash table for each prefix length in use, so a look-up costs as many probes as there are lengths in use.
#[derive(Default)]
pub(super) struct Networks {
    v4: Family,
    v6: Family,
}

impl Networks {
    /// `key` is what the network is called in the table of entries.
    pub(super) fn insert(&mut self, mask: &Netmask, key: BString) {
        let network = mask.network();
        self.family(network).entry(mask.bits()).or_default().insert(network, key);
    }

    pub(super) fn remove(&mut self, mask: &Netmask) {
        let network = mask.network();
        let family = self.family(network);
        if let Some(networks) = family.get_mut(&mask.bits()) {
            networks.remove(&network);
            if networks.is_empty() {
                family.remove(&mask.bits());
            }
        }
    }

    /// The keys of the networks that hold this address, longest prefix first. Families are separate: a v4-mapped IPv6
    /// address is an IPv6 address.
    pub(super) fn holding(&self, ip: IpAddr) -> impl Iterator<Item = &BString> {
        let family = if ip.is_ipv4() { &self.v4 } else { &self.v6 };
        family.iter().rev().filter_map(move |(bits, networks)| networks.get(&truncate(ip, *bits)))
    }

    fn family(&mut self, ip: IpAddr) -> &mut Family {
        if ip.is_ipv4() { &mut self.v4 } else { &mut self.v6 }
    }
}
