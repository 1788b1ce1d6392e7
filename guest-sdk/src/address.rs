//! Addresses and networks: the contract's form, Rust's own, and text.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{IpAddress, Netmask};

impl From<IpAddress> for IpAddr {
    fn from(address: IpAddress) -> Self {
        match address {
            IpAddress::Ipv4(bits) => Self::V4(Ipv4Addr::from_bits(bits)),
            IpAddress::Ipv6((a, b, c, d)) => Self::V6(Ipv6Addr::from_bits(
                (u128::from(a) << 96) | (u128::from(b) << 64) | (u128::from(c) << 32) | u128::from(d),
            )),
        }
    }
}

impl From<IpAddr> for IpAddress {
    /// A v4-mapped IPv6 address becomes the IPv4 address that it is.
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Ipv4(address.to_bits()),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                Self::Ipv6(((bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32))
            }
        }
    }
}

impl PartialEq for IpAddress {
    fn eq(&self, other: &Self) -> bool {
        IpAddr::from(*self) == IpAddr::from(*other)
    }
}

impl Eq for IpAddress {}

impl fmt::Display for IpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

impl IpAddress {
    /// Its network as text: `192.0.2.0/24`, with the first so many bits of an IPv4 or of an IPv6 address.
    pub fn network(self, v4_bits: u8, v6_bits: u8) -> String {
        match IpAddr::from(self) {
            IpAddr::V4(address) => {
                let bits = v4_bits.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                format!("{}/{bits}", Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let bits = v6_bits.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                format!("{}/{bits}", Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        }
    }

    /// Whether it is in a network. IPv4 and IPv6 are separate.
    pub fn is_in(self, network: &Netmask) -> bool {
        match (IpAddr::from(self), IpAddr::from(network.address)) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                self.network(network.bits, network.bits)
                    == network.address.network(network.bits, network.bits)
            }
            _ => false,
        }
    }

    /// Whether it can only be used inside a site: private, loopback, link-local and unspecified addresses.
    pub fn is_private(self) -> bool {
        match IpAddr::from(self) {
            IpAddr::V4(address) => {
                address.is_private()
                    || address.is_loopback()
                    || address.is_link_local()
                    || address.is_unspecified()
            }
            IpAddr::V6(address) => {
                address.is_unique_local()
                    || address.is_loopback()
                    || address.is_unicast_link_local()
                    || address.is_unspecified()
            }
        }
    }
}
