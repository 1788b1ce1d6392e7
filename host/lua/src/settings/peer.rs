//! Addresses of report sinks as the configuration writes them.

use std::net::SocketAddr;

use bstr::BString;
use login::Addr;

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Not an address.
    #[error("Unable to resolve address or host name '{0}'")]
    Host(BString),
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
    fn sinks_take_addresses_only() {
        assert_eq!(sink_address(b"192.0.2.1", 4501).unwrap().to_string(), "192.0.2.1:4501");
        assert_eq!(sink_address(b"[2001:db8::1]:99", 4501).unwrap().to_string(), "[2001:db8::1]:99");
        assert!(sink_address(b"localhost", 4501).is_err());
    }
}
