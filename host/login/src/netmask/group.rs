//! Groups of netmasks in which the longest prefix decides.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Netmask, NetmaskError, truncate};

/// Positive and negative netmasks. Of those that contain an address the one with the longest prefix decides.
///
/// A look-up tries each prefix length present once, so thousands of masks of a few lengths cost a few searches. The
/// trees keep both adding and matching logarithmic whatever masks are chosen.
#[derive(Clone, Default, Debug)]
pub struct NetmaskGroup {
    entries: Vec<(Netmask, bool)>,
    v4: Family,
    v6: Family,
}

/// For each prefix length present, longest first: network number to position in the list of entries.
type Family = Vec<(u8, BTreeMap<u128, usize>)>;

/// Who may use the HTTP API when the configuration says nothing (wforce compatibility): local and private networks.
const DEFAULT_ACL: [(IpAddr, u8); 9] = {
    const fn v4(a: u8, b: u8) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::new(a, b, 0, 0))
    }
    const fn v6(first: u16, last: u16) -> IpAddr {
        IpAddr::V6(std::net::Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last))
    }
    [
        (v4(127, 0), 8),
        (v4(10, 0), 8),
        (v4(100, 64), 10),
        (v4(169, 254), 16),
        (v4(192, 168), 16),
        (v4(172, 16), 12),
        (v6(0, 1), 128),
        (v6(0xfc00, 0), 7),
        (v6(0xfe80, 0), 10),
    ]
};

impl NetmaskGroup {
    /// The ACL of a server whose configuration sets none.
    pub fn default_acl() -> NetmaskGroup {
        let mut group = NetmaskGroup::default();
        for (ip, bits) in DEFAULT_ACL {
            group.insert(Netmask::new(ip, bits), true);
        }
        group
    }

    /// Adds the mask in `text`; a leading `!` makes it negative. The same mask again replaces the sign, in place.
    ///
    /// # Errors
    /// What [`Netmask::parse`] says about the text behind the `!`.
    pub fn add_mask(&mut self, text: &[u8]) -> Result<(), NetmaskError> {
        let (text, positive) = match text.strip_prefix(b"!") {
            Some(rest) => (rest, false),
            None => (text, true),
        };
        self.insert(Netmask::parse(text)?, positive);
        Ok(())
    }

    /// Adds a mask, or replaces its sign. The empty mask is ignored.
    pub fn insert(&mut self, mask: Netmask, positive: bool) {
        let Some(network) = mask.network else { return };
        let family = if network.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        let at = match family.binary_search_by(|(bits, _)| mask.bits.cmp(bits)) {
            Ok(at) => at,
            Err(at) => {
                family.insert(at, (mask.bits, BTreeMap::new()));
                at
            }
        };
        let Some((_, networks)) = family.get_mut(at) else { return };
        let position = *networks.entry(number(network)).or_insert(self.entries.len());
        match self.entries.get_mut(position) {
            Some(entry) => entry.1 = positive,
            None => self.entries.push((mask, positive)),
        }
    }

    /// Whether the mask with the longest prefix that contains `ip` is positive; false if none contains it. The
    /// families are separate, and a v4-mapped IPv6 address stays IPv6.
    pub fn matches(&self, ip: IpAddr) -> bool {
        let family = if ip.is_ipv4() { &self.v4 } else { &self.v6 };
        family
            .iter()
            .find_map(|(bits, networks)| networks.get(&number(truncate(ip, *bits))))
            .and_then(|position| self.entries.get(*position))
            .is_some_and(|(_, positive)| *positive)
    }

    /// Removes all masks.
    pub fn clear(&mut self) {
        *self = NetmaskGroup::default();
    }

    /// The number of masks.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no mask.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The masks in the order of their first adding, each with whether it is positive.
    pub fn iter(&self) -> impl Iterator<Item = (Netmask, bool)> + '_ {
        self.entries.iter().copied()
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}
