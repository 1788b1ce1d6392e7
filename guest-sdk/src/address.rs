//! Addresses and networks: the contract's form, Rust's own, and text.

use alloc::string::String;
use core::fmt::{self, Write as _};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{IpAddress, Netmask};

/// Bytes that the text of most addresses needs.
pub(crate) const ADDRESS: usize = 15;

/// A number of up to three digits.
fn decimal(text: &mut String, number: u8) {
    if number >= 100 {
        text.push(char::from(b'0' + number / 100));
    }
    if number >= 10 {
        text.push(char::from(b'0' + number / 10 % 10));
    }
    text.push(char::from(b'0' + number % 10));
}

/// Many a policy makes keys of addresses at each call, and going through the formatter costs several times as much.
fn write(text: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            decimal(text, a);
            for part in [b, c, d] {
                text.push('.');
                decimal(text, part);
            }
        }
        IpAddr::V6(address) => {
            // Writing to a string cannot fail.
            let _ = write!(text, "{address}");
        }
    }
}

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
        let mut text = String::with_capacity(ADDRESS + 4);
        self.write_network(&mut text, v4_bits, v6_bits);
        text
    }

    /// Appends [`Self::network`] to a text, as for a key of a network with a login.
    pub fn write_network(self, text: &mut String, v4_bits: u8, v6_bits: u8) {
        let (network, bits) = match IpAddr::from(self) {
            IpAddr::V4(address) => {
                let bits = v4_bits.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                (IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask)), bits)
            }
            IpAddr::V6(address) => {
                let bits = v6_bits.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                (IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask)), bits)
            }
        };
        write(text, network);
        text.push('/');
        decimal(text, bits);
    }

    /// Appends its plain text to a text: less work than formatting it.
    pub fn write(self, text: &mut String) {
        write(text, self.into());
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

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};
    use core::net::IpAddr;

    use crate::IpAddress;

    #[test]
    fn written_and_formatted_texts_are_the_same() {
        for text in [
            "0.0.0.0",
            "9.10.99.100",
            "192.0.2.1",
            "255.255.255.255",
            "::",
            "2001:db8::1:0:2",
            "1:2:3:4:5:6:7:8",
        ] {
            let address: IpAddr = text.parse().unwrap();
            let address = IpAddress::from(address);
            let mut written = String::from("x");
            address.write(&mut written);
            assert_eq!(written, alloc::format!("x{text}"));
            assert_eq!(address.to_string(), text);
        }
        for n in 0..=u8::MAX {
            let mut written = String::new();
            IpAddress::Ipv4(u32::from_be_bytes([n, 0, n, 1])).write(&mut written);
            assert_eq!(written, alloc::format!("{n}.0.{n}.1"));
        }
    }

    #[test]
    fn networks_have_their_length_behind_them() {
        let v4 = IpAddress::from("192.0.2.129".parse::<IpAddr>().unwrap());
        let v6 = IpAddress::from("2001:db8:1:2::3".parse::<IpAddr>().unwrap());
        for (address, v4_bits, v6_bits, network) in [
            (v4, 24, 0, "192.0.2.0/24"),
            (v4, 0, 0, "0.0.0.0/0"),
            (v4, 40, 0, "192.0.2.129/32"),
            (v6, 0, 48, "2001:db8:1::/48"),
            (v6, 0, 0, "::/0"),
            (v6, 0, 200, "2001:db8:1:2::3/128"),
        ] {
            assert_eq!(address.network(v4_bits, v6_bits), network);
        }
    }
}
