//! Addresses of clients: reading every form wforce reads, and writing the one form it writes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bstr::{BStr, BString, ByteSlice as _};

mod text;

pub use text::AddrText;

/// An address with an optional port, 0 if none was given. What tuples, lists and keys use is `ip`; the port is only
/// read where an address names a server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Addr {
    /// The address. A v4-mapped IPv6 address stays IPv6 until [`Addr::unmapped`] is called.
    pub ip: IpAddr,
    /// The port, in host byte order.
    pub port: u16,
}

/// A text that is no address. The message is the one wforce clients know.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Unable to convert presentation address '{text}'")]
pub struct AddrError {
    text: BString,
}

impl AddrError {
    /// The text that was refused.
    pub fn text(&self) -> &BStr {
        self.text.as_bstr()
    }

    /// The message with the refused text byte for byte, which `Display` cannot give for invalid UTF-8.
    pub fn reason(&self) -> BString {
        let mut reason = b"Unable to convert presentation address '".to_vec();
        reason.extend_from_slice(&self.text);
        reason.push(b'\'');
        reason.into()
    }
}

impl Addr {
    /// `0.0.0.0`, what a tuple without `remote` has.
    pub const UNSPECIFIED: Addr = Addr { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };

    /// The address without a port.
    pub fn from_ip(ip: IpAddr) -> Addr {
        Addr { ip, port: 0 }
    }

    /// Reads `v4`, `v4:port`, `v6`, `[v6]` and `[v6]:port`.
    ///
    /// IPv4 is read as libc's `inet_aton` does (wforce compatibility): one to four parts, the last one filling the
    /// remaining bytes, each decimal, octal (`0177`) or hexadecimal (`0x7f`), and trailing white space ignored. So
    /// `127.1` is `127.0.0.1` and `10` is `0.0.0.10`. An IPv6 zone (`fe80::1%eth0`) is accepted and dropped. The port
    /// is decimal, at most 65535; leading zeros do not matter.
    ///
    /// # Errors
    /// [`AddrError`] for anything else, host names included.
    pub fn parse(text: &[u8]) -> Result<Addr, AddrError> {
        parse(text).ok_or_else(|| AddrError { text: text.into() })
    }

    /// A v4-mapped IPv6 address as IPv4, any other unchanged. The port stays.
    #[must_use]
    pub fn unmapped(self) -> Addr {
        match self.ip {
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => Addr { ip: IpAddr::V4(v4), port: self.port },
                None => self,
            },
            IpAddr::V4(_) => self,
        }
    }

    /// Whether it is an IPv4 address. A v4-mapped one is not.
    pub fn is_ipv4(&self) -> bool {
        self.ip.is_ipv4()
    }

    /// Whether it is an IPv6 address, v4-mapped ones included.
    pub fn is_ipv6(&self) -> bool {
        self.ip.is_ipv6()
    }

    /// Whether it is an IPv6 address of the form `::ffff:1.2.3.4`.
    pub fn is_mapped_ipv4(&self) -> bool {
        matches!(self.ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
    }

    /// The text of the address without its port, on the stack.
    pub fn text(&self) -> AddrText {
        AddrText::from(self.ip)
    }

    /// Appends the text of the address without its port, in the form of `inet_ntop`.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text());
    }
}

impl Default for Addr {
    fn default() -> Self {
        Addr::UNSPECIFIED
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        Addr::from_ip(ip)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

fn parse(text: &[u8]) -> Option<Addr> {
    if let Some(rest) = text.strip_prefix(b"[") {
        let (host, tail) = split_once(rest, b']')?;
        let port = match tail {
            [] => 0,
            [b':', digits @ ..] => parse_port(digits)?,
            _ => return None,
        };
        return Some(Addr { ip: parse_v6(host)?, port });
    }
    match text.find_byte(b':') {
        None => Some(Addr { ip: IpAddr::V4(inet_aton(text)?), port: 0 }),
        Some(colon) if text.get(colon + 1..)?.find_byte(b':').is_none() => {
            let (host, tail) = text.split_at(colon);
            Some(Addr { ip: IpAddr::V4(inet_aton(host)?), port: parse_port(tail.get(1..)?)? })
        }
        Some(_) => Some(Addr { ip: parse_v6(text)?, port: 0 }),
    }
}

fn split_once(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (head, tail) = text.split_at_checked(text.find_byte(byte)?)?;
    Some((head, tail.get(1..)?))
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    // `str::parse` would take a plus sign too.
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.to_str().ok()?.parse().ok()
}

fn parse_v6(text: &[u8]) -> Option<IpAddr> {
    let host = match split_once(text, b'%') {
        None => text,
        Some((host, zone)) if zone_name(zone) => host,
        Some(_) => return None,
    };
    host.to_str().ok()?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// Interface names are at most 15 bytes long in Linux; the characters are those that occur in practice.
fn zone_name(zone: &[u8]) -> bool {
    (1..=15).contains(&zone.len())
        && zone.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Four decimal parts without leading zeros: what clients really send. `None` says nothing about other forms.
fn dotted_quad(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut bits, mut part, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    for byte in text {
        match *byte {
            b'.' if digits > 0 => {
                bits = bits << 8 | part;
                (part, digits) = (0, 0);
                dots += 1;
            }
            digit @ b'0'..=b'9' if digits == 0 || part > 0 => {
                part = part * 10 + u32::from(digit - b'0');
                digits += 1;
                if part > 255 {
                    return None;
                }
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0).then(|| Ipv4Addr::from_bits(bits << 8 | part))
}

fn inet_aton(text: &[u8]) -> Option<Ipv4Addr> {
    dotted_quad(text).or_else(|| any_aton(text))
}

fn any_aton(text: &[u8]) -> Option<Ipv4Addr> {
    let text = text.trim_ascii_end();
    let mut parts = [0_u32; 4];
    let mut count = 0;
    for part in text.split(|byte| *byte == b'.') {
        *parts.get_mut(count)? = aton_part(part)?;
        count += 1;
    }
    let (last, bytes) = parts.get(..count)?.split_last()?;
    if bytes.iter().any(|byte| *byte > 255) {
        return None;
    }
    let free_bits = 32 - 8 * bytes.len() as u32;
    if free_bits < 32 && last >> free_bits != 0 {
        return None;
    }
    let high = bytes.iter().enumerate().fold(0, |sum, (at, byte)| sum | byte << (24 - 8 * at));
    Some(Ipv4Addr::from_bits(high | last))
}

fn aton_part(part: &[u8]) -> Option<u32> {
    let (digits, radix) = match part {
        [b'0', b'x' | b'X', hex @ ..] => (hex, 16),
        [b'0', octal @ ..] if !octal.is_empty() => (octal, 8),
        decimal => (decimal, 10),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, digit| {
        value.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?)
    })
}

#[cfg(test)]
mod tests;
