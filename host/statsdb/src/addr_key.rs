//! Addresses as keys: the network's text and its prefix length, without any allocation.

use std::net::IpAddr;
use std::ops::Deref;

/// Longest text: eight groups of four digits, seven colons, `/128`; a mapped address is shorter.
const CAPACITY: usize = 48;

/// The key of an address, such as `1.2.3.0/24`. Dereferences to its bytes.
#[derive(Clone, Copy)]
pub struct AddrKey {
    text: [u8; CAPACITY],
    len: u8,
}

impl AddrKey {
    /// The key of `ip` under the given prefix lengths. A mapped address is an IPv6 address.
    pub fn new(ip: IpAddr, v4_prefix: u8, v6_prefix: u8) -> Self {
        let bits = if ip.is_ipv4() { v4_prefix.min(32) } else { v6_prefix.min(128) };
        let network = login::truncate(ip, bits);
        let mut key = Self { text: [0; CAPACITY], len: 0 };
        key.push(&login::Addr::from_ip(network).text());
        key.push(b"/");
        key.push(itoa::Buffer::new().format(bits).as_bytes());
        key
    }

    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        // The buffer holds the longest text there is, so there is always space.
        if let Some(space) = self.text.get_mut(start..start + bytes.len()) {
            space.copy_from_slice(bytes);
            self.len += bytes.len() as u8;
        }
    }
}

impl Deref for AddrKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }
}

impl AsRef<[u8]> for AddrKey {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for AddrKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", bstr::BStr::new(&**self))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn networks_carry_their_prefix() {
        for (ip, v4, v6, key) in [
            ("1.2.3.4", 32, 128, "1.2.3.4/32"),
            ("114.31.192.200", 24, 128, "114.31.192.0/24"),
            ("114.31.192.200", 20, 128, "114.31.192.0/20"),
            ("114.31.192.200", 0, 128, "0.0.0.0/0"),
            ("2001:C78:0:ff:1:2:3:1000", 32, 64, "2001:c78:0:ff::/64"),
            ("2001:C78:0:ff:1:2:3:1000", 32, 61, "2001:c78:0:f8::/61"),
            ("2001:C78:0:ff:1:2:3:1000", 32, 0, "::/0"),
            ("::ffff:1.2.3.4", 32, 128, "::ffff:1.2.3.4/128"),
            ("::ffff:1.2.3.4", 32, 64, "::/64"),
            ("::1.2.3.4", 32, 128, "::1.2.3.4/128"),
            ("::1", 32, 128, "::1/128"),
            (
                "1111:2222:3333:4444:5555:6666:7777:8888",
                32,
                128,
                "1111:2222:3333:4444:5555:6666:7777:8888/128",
            ),
        ] {
            assert_eq!(&*AddrKey::new(ip.parse().unwrap(), v4, v6), key.as_bytes());
        }
    }
}
