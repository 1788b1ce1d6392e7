//! The text of an address, as `inet_ntop` of the C library writes it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

/// Eight groups of four digits and seven colons; the forms with a dotted quad are shorter.
const LONGEST: usize = 39;

/// The text of one address, held on the stack.
#[derive(Clone, Copy)]
pub struct AddrText {
    bytes: [u8; LONGEST],
    len: u8,
}

impl AddrText {
    fn new(ip: IpAddr) -> AddrText {
        let mut text = AddrText { bytes: [0; LONGEST], len: 0 };
        match ip {
            IpAddr::V4(v4) => text.push_v4(v4),
            IpAddr::V6(v6) => text.push_v6(v6),
        }
        text
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(usize::from(self.len)) {
            *slot = byte;
            self.len += 1;
        }
    }

    fn push_all(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        if let Some(space) = self.bytes.get_mut(start..start + bytes.len()) {
            space.copy_from_slice(bytes);
            self.len += bytes.len() as u8;
        }
    }

    fn push_v4(&mut self, v4: Ipv4Addr) {
        for (at, octet) in v4.octets().into_iter().enumerate() {
            if at > 0 {
                self.push(b'.');
            }
            self.push_all(itoa::Buffer::new().format(octet).as_bytes());
        }
    }

    fn push_v6(&mut self, v6: Ipv6Addr) {
        let groups = v6.segments();
        let (start, len) = longest_zeros(groups);
        // inet_ntop also writes the long dead v4-compatible addresses (`::1.2.3.4`) with a dotted quad; Rust does not.
        let dotted = start == 0 && (len == 6 || (len == 5 && groups[5] == 0xffff));
        for (at, group) in groups.into_iter().enumerate() {
            if (start..start + len).contains(&at) {
                if at == start {
                    self.push(b':');
                    self.push(b':');
                }
                continue;
            }
            if at > 0 && at != start + len {
                self.push(b':');
            }
            if dotted && at == 6 {
                let [.., a, b, c, d] = v6.octets();
                self.push_v4(Ipv4Addr::new(a, b, c, d));
                return;
            }
            self.push_hex(group);
        }
    }

    fn push_hex(&mut self, group: u16) {
        let digits = (16 - group.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            self.push(b"0123456789abcdef"[usize::from(group >> (4 * digit) & 0xf)]);
        }
    }
}

/// Start and length of the first longest run of at least two zero groups; `(8, 0)` without one, so that no group is
/// in it or right behind it.
fn longest_zeros(groups: [u16; 8]) -> (usize, usize) {
    let (mut best, mut run) = ((8, 0), 0);
    for (at, group) in groups.into_iter().enumerate() {
        run = if group == 0 { run + 1 } else { 0 };
        if run >= 2 && run > best.1 {
            best = (at + 1 - run, run);
        }
    }
    best
}

impl From<IpAddr> for AddrText {
    fn from(ip: IpAddr) -> Self {
        AddrText::new(ip)
    }
}

impl Deref for AddrText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for AddrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(self).unwrap_or_default())
    }
}

impl fmt::Debug for AddrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
