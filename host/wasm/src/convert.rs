//! Addresses and networks across the border.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bindings::types::{IpAddress, Netmask};

/// The component's form of an address.
pub(crate) fn address(ip: IpAddr) -> IpAddress {
    match ip {
        IpAddr::V4(ip) => IpAddress::Ipv4(ip.to_bits()),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            IpAddress::Ipv6(((bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32))
        }
    }
}

/// The host's form of it. A v4-mapped IPv6 address is the IPv4 address.
pub(crate) fn ip(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
        IpAddress::Ipv6((a, b, c, d)) => {
            let bits = u128::from(a) << 96 | u128::from(b) << 64 | u128::from(c) << 32 | u128::from(d);
            Ipv6Addr::from_bits(bits).to_canonical()
        }
    }
}

/// The same with its text and key functions.
pub(crate) fn addr(address: IpAddress) -> login::Addr {
    login::Addr::from_ip(ip(address))
}

/// The host's form of a network; bits beyond the family's are clamped.
pub(crate) fn netmask(mask: Netmask) -> login::Netmask {
    login::Netmask::new(ip(mask.address), mask.bits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_cross_the_border_and_come_back() {
        for text in ["192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1:2", "::", "::1"] {
            let there: IpAddr = text.parse().unwrap();
            assert_eq!(ip(address(there)), there);
        }
        assert!(matches!(address("192.0.2.1".parse().unwrap()), IpAddress::Ipv4(0xc000_0201)));
        assert_eq!(ip(IpAddress::Ipv6((0, 0, 0xffff, 0xc000_0201))), "192.0.2.1".parse::<IpAddr>().unwrap());
    }
}
