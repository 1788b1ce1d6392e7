//! Netmasks and groups of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bstr::{BString, ByteSlice as _};

mod group;

pub use group::NetmaskGroup;

use crate::Addr;
use crate::addr::AddrText;

/// A network: an address with its host bits cleared, and a prefix length. May be empty, which contains nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Netmask {
    network: Option<IpAddr>,
    bits: u8,
}

/// A text that is no netmask.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NetmaskError {
    /// The address part is neither a dotted quad nor IPv6.
    #[error("Unable to convert presentation address '{0}'")]
    BadAddress(BString),
    /// The part after the slash is no plain decimal number, or exceeds the width of the address.
    #[error("Invalid prefix length '{bits}' in netmask '{mask}'")]
    BadBits {
        /// The whole text.
        mask: BString,
        /// The part after the slash.
        bits: BString,
    },
}

impl Netmask {
    /// The mask that contains nothing. Its text is empty.
    pub const EMPTY: Netmask = Netmask { network: None, bits: 0 };

    /// The network of `ip` with a prefix of `bits`, clamped to 32 or 128. A v4-mapped address stays IPv6.
    pub fn new(ip: IpAddr, bits: u8) -> Netmask {
        let bits = bits.min(width(ip));
        Netmask { network: Some(truncate(ip, bits)), bits }
    }

    /// Reads a strict dotted quad (four decimal parts, no leading zeros) or IPv6, and optionally `/bits`: decimal
    /// digits without a leading zero, at most 32 or 128. Without bits it is a single address.
    ///
    /// wforce takes prefix lengths above the width; here they are an error, so that a typing error is seen.
    ///
    /// # Errors
    /// [`NetmaskError::BadAddress`] or [`NetmaskError::BadBits`]; a bad address is reported first.
    pub fn parse(text: &[u8]) -> Result<Netmask, NetmaskError> {
        let (host, bits) = match text.split_once_str(b"/") {
            Some((host, bits)) => (host, Some(bits)),
            None => (text, None),
        };
        let Some(ip) = host.to_str().ok().and_then(|host| host.parse::<IpAddr>().ok()) else {
            return Err(NetmaskError::BadAddress(host.into()));
        };
        let Some(bits) = bits else { return Ok(Netmask::new(ip, width(ip))) };
        match parse_bits(bits) {
            Some(number) if number <= width(ip) => Ok(Netmask::new(ip, number)),
            _ => Err(NetmaskError::BadBits { mask: text.into(), bits: bits.into() }),
        }
    }

    /// The address with its host bits cleared; `0.0.0.0` for the empty mask.
    pub fn network(&self) -> IpAddr {
        self.network.unwrap_or(Addr::UNSPECIFIED.ip)
    }

    /// The prefix length, 0 for the empty mask.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether `ip` lies in the network. The families are separate: a v4-mapped IPv6 address is in no IPv4 network.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match self.network {
            Some(network) if network.is_ipv4() == ip.is_ipv4() => truncate(ip, self.bits) == network,
            _ => false,
        }
    }

    /// Whether it is the empty mask.
    pub fn is_empty(&self) -> bool {
        self.network.is_none()
    }

    /// Appends `network/bits`, with the bits even if it is a single address; nothing for the empty mask.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        if let Some(network) = self.network {
            out.extend_from_slice(&AddrText::from(network));
            out.push(b'/');
            out.extend_from_slice(itoa::Buffer::new().format(self.bits).as_bytes());
        }
    }
}

impl Default for Netmask {
    fn default() -> Self {
        Netmask::EMPTY
    }
}

impl fmt::Display for Netmask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network {
            Some(network) => write!(f, "{}/{}", AddrText::from(network), self.bits),
            None => Ok(()),
        }
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// The network of `ip` with a prefix of `bits` (clamped to 32 or 128): the address with its host bits cleared. A v4-mapped
/// address stays IPv6.
pub fn truncate(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

fn parse_bits(digits: &[u8]) -> Option<u8> {
    match digits {
        [b'0'] => Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() <= 2 && rest.iter().all(u8::is_ascii_digit) => {
            digits.to_str().ok()?.parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
