//! Addresses of siblings and report sinks as the configuration writes them.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use bstr::{BString, ByteSlice};
use login::Addr;

/// How a sibling is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
    /// Not at all: it is only listened to.
    None,
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
            Protocol::None => "none",
        })
    }
}

/// A sibling's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiblingAddr {
    /// Address and port.
    pub addr: SocketAddr,
    /// Protocol.
    pub protocol: Protocol,
}

impl fmt::Display for SiblingAddr {
    /// `ip:port protocol`, as `siblings()` prints it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.addr, self.protocol)
    }
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Neither an address nor a known host.
    #[error("Unable to resolve address or host name '{0}'")]
    Host(BString),
    /// Not a port.
    #[error("Not a port number: '{0}'")]
    Port(BString),
    /// Another protocol.
    #[error("Sibling::stringToProtocol(): Unknown protocol {0}")]
    Protocol(BString),
}

/// Reads `host[:port[:protocol]]`; IPv6 plain or as `[ip6]:port[:protocol]`. Host names are resolved now, the first
/// answer counts.
///
/// # Errors
/// See [`PeerError`].
pub fn sibling_address(text: &[u8], default_port: u16) -> Result<SiblingAddr, PeerError> {
    if let Some(ip) = text.to_str().ok().and_then(|text| text.parse::<std::net::Ipv6Addr>().ok()) {
        let addr = SocketAddr::new(ip.into(), default_port);
        return Ok(SiblingAddr { addr, protocol: Protocol::Udp });
    }
    let (host, rest) = match text.strip_prefix(b"[").and_then(|rest| rest.split_once_str("]:")) {
        Some((host, rest)) => (host, Some(rest)),
        None => match text.split_once_str(":") {
            Some((host, rest)) => (host, Some(rest)),
            None => (text, None),
        },
    };
    let (port, protocol) = match rest {
        None => (default_port, Protocol::Udp),
        Some(rest) => match rest.split_once_str(":") {
            None => (port(rest)?, Protocol::Udp),
            Some((number, word)) => (port(number)?, protocol(word)?),
        },
    };
    Ok(SiblingAddr { addr: resolve(host, port)?, protocol })
}

fn port(text: &[u8]) -> Result<u16, PeerError> {
    let number = text.to_str().ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| PeerError::Port(text.into()))
}

fn protocol(text: &[u8]) -> Result<Protocol, PeerError> {
    match text {
        b"udp" => Ok(Protocol::Udp),
        b"tcp" => Ok(Protocol::Tcp),
        b"none" => Ok(Protocol::None),
        _ => Err(PeerError::Protocol(text.into())),
    }
}

fn resolve(host: &[u8], port: u16) -> Result<SocketAddr, PeerError> {
    let refused = || PeerError::Host(host.into());
    let name = host.to_str().ok().filter(|name| !name.is_empty()).ok_or_else(refused)?;
    (name, port).to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(refused)
}

/// Reads `ip[:port]`, addresses only.
///
/// # Errors
/// [`PeerError::Host`].
pub fn sink_address(text: &[u8], default_port: u16) -> Result<SocketAddr, PeerError> {
    let addr = Addr::parse(text).map_err(|_| PeerError::Host(text.into()))?;
    Ok(SocketAddr::new(addr.ip, if addr.port == 0 { default_port } else { addr.port }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn sibling_addresses_as_wforce_reads_them() {
        for (text, shown) in [
            ("192.0.2.1", "192.0.2.1:4001 udp"),
            ("192.0.2.1:5000", "192.0.2.1:5000 udp"),
            ("192.0.2.1:5000:tcp", "192.0.2.1:5000 tcp"),
            ("192.0.2.1:5000:none", "192.0.2.1:5000 none"),
            ("2001:db8::1", "[2001:db8::1]:4001 udp"),
            ("[2001:db8::1]:5000", "[2001:db8::1]:5000 udp"),
            ("[2001:db8::1]:5000:tcp", "[2001:db8::1]:5000 tcp"),
        ] {
            assert_eq!(sibling_address(text.as_bytes(), 4001).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn bad_sibling_addresses() {
        for text in ["192.0.2.1:5000:TCP", "192.0.2.1:x", "192.0.2.1:70000", "[2001:db8::1]", "", ":4001"] {
            assert!(sibling_address(text.as_bytes(), 4001).is_err(), "{text}");
        }
    }

    #[test]
    fn sinks_take_addresses_only() {
        assert_eq!(sink_address(b"192.0.2.1", 4501).unwrap().to_string(), "192.0.2.1:4501");
        assert_eq!(sink_address(b"[2001:db8::1]:99", 4501).unwrap().to_string(), "[2001:db8::1]:99");
        assert!(sink_address(b"localhost", 4501).is_err());
    }
}
