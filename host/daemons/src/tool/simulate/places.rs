//! Who has which address, where the free test files of `MaxMind` see it, and which of them a block list names.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The block list of the simulation.
const ZONE: &str = "bl.example.org";

/// Networks whose place the test files know: homes are in Great Britain.
const LONDON: [u8; 3] = [81, 2, 69];
const BRITAIN_V6: u32 = 0x2a02_d3c0;
/// Sweden, the United States, Bhutan.
const ABROAD: [[u8; 4]; 3] = [[89, 160, 20, 112], [216, 160, 83, 56], [67, 43, 156, 8]];
/// China, Japan, Korea, Hong Kong: a /32 each.
const ABROAD_V6: [u32; 4] = [0x2001_0250, 0x2001_0218, 0x2001_0220, 0x2001_02e0];

fn v4([a, b, c]: [u8; 3], d: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d as u8))
}

/// An address of a customer in a provider's /32: each has a /48.
fn v6(provider: u32, customer: u64) -> IpAddr {
    let high = (u128::from(provider) << 96) | (u128::from(customer & 0xffff) << 80);
    IpAddr::V6(Ipv6Addr::from_bits(high | 0x7))
}

/// The address of a household: some in London, others elsewhere in the country, or where no file knows.
pub(super) fn home(number: u64) -> IpAddr {
    match number {
        ..48 => v4(LONDON, 144 + number),
        _ if number.is_multiple_of(2) => v6(BRITAIN_V6, number),
        _ => IpAddr::V4(Ipv4Addr::new(100, 64 + (number >> 16) as u8, (number >> 8) as u8, number as u8)),
    }
}

/// The one address of an office.
pub(super) fn office(number: u64) -> IpAddr {
    v4([198, 51, 100 + number as u8], 10)
}

/// One of the few addresses that all customers of a mobile carrier share.
pub(super) fn carrier(number: u64) -> IpAddr {
    v4([203, 0, 113], 100 + number % 8)
}

/// One of the two webmail servers.
pub(super) fn webmail(number: u64) -> IpAddr {
    v4([192, 0, 2], 80 + number % 2)
}

/// Where somebody is who flew away.
pub(super) fn abroad(number: u64) -> IpAddr {
    let [a, b, c, d] = ABROAD[(number % 3) as usize];
    v4([a, b, c], u64::from(d) + number % 8)
}

/// A machine of a botnet, each in another network: every other one where no file knows, the rest abroad.
pub(super) fn bot(net: u8, number: u64) -> IpAddr {
    if number.is_multiple_of(2) {
        IpAddr::V4(Ipv4Addr::new(45, (net << 4) + (number >> 8) as u8, number as u8, 7))
    } else {
        v6(ABROAD_V6[net as usize % ABROAD_V6.len()], (u64::from(net) << 12) + number)
    }
}

/// A machine that a block list names.
pub(super) fn listed(number: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(185, 220, number as u8, 66))
}

/// How many such machines there are.
pub(super) const LISTED: u64 = 120;
/// Households with an infected machine, which are on the list too.
const INFECTED_HOMES: [u64; 3] = [5, 61, 83];

/// What DNS answers: the block list.
pub(super) fn dns() -> BTreeMap<String, Vec<String>> {
    let homes = INFECTED_HOMES.iter().map(|number| home(*number));
    let all = (0..LISTED).map(listed).chain(homes);
    all.filter_map(|address| match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            Some((format!("{d}.{c}.{b}.{a}.{ZONE}"), vec!["127.0.0.4".to_owned()]))
        }
        IpAddr::V6(_) => None,
    })
    .collect()
}
