//! Addresses of siblings as the configuration and the API write them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use bstr::{BString, ByteSlice};

/// The port of siblings whose address has none.
pub const DEFAULT_PORT: u16 = 4001;

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

impl Protocol {
    /// Its word in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::None => "none",
        }
    }
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
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

impl std::str::FromStr for Protocol {
    type Err = AddressError;

    fn from_str(word: &str) -> Result<Self, AddressError> {
        match word {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            "none" => Ok(Self::None),
            _ => Err(AddressError::Protocol(word.into())),
        }
    }
}

/// Where a sibling is, and what its address was when it was last looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Address or host name as it was written.
    pub host: String,
    /// How it is reached.
    pub protocol: Protocol,
    /// Address and port.
    pub addr: SocketAddr,
}

impl Target {
    /// Reads `host[:port[:protocol]]`; IPv6 plain or as `[ip6]:port[:protocol]`. Host names are looked up now (which may
    /// wait for DNS), the first answer counts.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(text: &[u8]) -> Result<Self, AddressError> {
        if let Some(ip) = text.to_str().ok().and_then(|text| text.parse::<Ipv6Addr>().ok()) {
            let addr = SocketAddr::new(ip.into(), DEFAULT_PORT);
            return Ok(Self { host: ip.to_string(), protocol: Protocol::Udp, addr });
        }
        let (host, rest) = match text.strip_prefix(b"[").and_then(|rest| rest.split_once_str("]:")) {
            Some((host, rest)) => (host, Some(rest)),
            None => match text.split_once_str(":") {
                Some((host, rest)) => (host, Some(rest)),
                None => (text, None),
            },
        };
        let (port, protocol) = match rest {
            None => (DEFAULT_PORT, Protocol::Udp),
            Some(rest) => match rest.split_once_str(":") {
                None => (port(rest)?, Protocol::Udp),
                Some((number, word)) => {
                    let unknown = || AddressError::Protocol(word.into());
                    (port(number)?, word.to_str().map_err(|_| unknown())?.parse()?)
                }
            },
        };
        Self::new(host, port, protocol)
    }

    /// The target of a host (address or name), port and protocol. Looks a name up.
    ///
    /// # Errors
    /// [`AddressError::Host`]
    pub fn new(host: &[u8], port: u16, protocol: Protocol) -> Result<Self, AddressError> {
        let refused = || AddressError::Host(host.into());
        let name = host.to_str().ok().filter(|name| !name.is_empty()).ok_or_else(refused)?;
        // An IPv6 address may be in brackets.
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        let addr = if let Ok(ip) = bare.parse::<IpAddr>() {
            SocketAddr::new(ip, port)
        } else {
            let found = (name, port).to_socket_addrs().ok().and_then(|mut found| found.next());
            found.ok_or_else(refused)?
        };
        Ok(Self { host: bare.to_owned(), protocol, addr })
    }

    /// Whether it is a name, whose address may change.
    pub fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }
}

impl fmt::Display for Target {
    /// `ip:port protocol`, as `siblings()` prints it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.addr, self.protocol.name())
    }
}

fn port(text: &[u8]) -> Result<u16, AddressError> {
    let number = text.to_str().ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| AddressError::Port(text.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn addresses_have_port_and_protocol_or_their_defaults() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:4001 udp"),
            ("192.0.2.1:5000", "192.0.2.1:5000 udp"),
            ("192.0.2.1:5000:tcp", "192.0.2.1:5000 tcp"),
            ("192.0.2.1:5000:none", "192.0.2.1:5000 none"),
            ("::1", "[::1]:4001 udp"),
            ("2001:db8::5", "[2001:db8::5]:4001 udp"),
            ("[2001:db8::5]:77", "[2001:db8::5]:77 udp"),
            ("[::1]:77:tcp", "[::1]:77 tcp"),
        ] {
            let target = Target::parse(text.as_bytes()).unwrap();
            assert_eq!((target.to_string().as_str(), target.is_name()), (expected, false), "{text}");
        }
        let local = Target::parse(b"localhost:9:tcp").unwrap();
        assert!(local.addr.ip().is_loopback() && local.is_name());
    }

    #[test]
    fn mistakes_are_told() {
        for (text, expected) in [
            ("", "Unable to resolve address or host name ''"),
            ("nosuch.invalid", "Unable to resolve address or host name 'nosuch.invalid'"),
            ("192.0.2.1:x", "Not a port number: 'x'"),
            ("192.0.2.1:70000", "Not a port number: '70000'"),
            ("192.0.2.1:1:TCP", "Sibling::stringToProtocol(): Unknown protocol TCP"),
            ("192.0.2.1:1:", "Sibling::stringToProtocol(): Unknown protocol "),
            ("[::1]", "Not a port number"),
        ] {
            let error = Target::parse(text.as_bytes()).map(|target| target.to_string());
            assert!(
                error.clone().is_err_and(|error| error.to_string().starts_with(expected)),
                "{text}: {error:?}"
            );
        }
    }
}
