//! Names to ask for.

use std::net::IpAddr;

use hickory_resolver::proto::rr::Name;

/// A name from a policy, taken as complete: no search list is ever added. `None` for what is no DNS name.
pub(super) fn name(text: &[u8]) -> Option<Name> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() {
        return None;
    }
    let mut name = Name::from_str_relaxed(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The name of an address in `in-addr.arpa` or `ip6.arpa`.
pub(super) fn reverse(ip: IpAddr) -> Name {
    let mut name = Name::from(ip);
    name.set_fqdn(true);
    name
}

/// An address in the zone of an RBL: the octets of an IPv4 address, the nibbles of an IPv6 address, last one first.
pub(super) fn rbl(ip: IpAddr, zone: &[u8]) -> Option<Name> {
    let zone = std::str::from_utf8(zone).ok()?;
    let mut text = String::with_capacity(64 + zone.len());
    match ip {
        IpAddr::V4(ip) => {
            for octet in ip.octets().iter().rev() {
                text.push_str(&octet.to_string());
                text.push('.');
            }
        }
        IpAddr::V6(ip) => {
            for octet in ip.octets().iter().rev() {
                for nibble in [octet & 15, octet >> 4] {
                    text.extend(char::from_digit(u32::from(nibble), 16));
                    text.push('.');
                }
            }
        }
    }
    text.push_str(zone.trim_start_matches('.'));
    name(text.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn rbl_text(ip: &str, zone: &str) -> String {
        rbl(ip.parse().unwrap(), zone.as_bytes()).unwrap().to_ascii()
    }

    #[test]
    fn rbl_names_are_reversed() {
        assert_eq!(rbl_text("192.0.2.99", "rbl.example"), "99.2.0.192.rbl.example.");
        assert_eq!(rbl_text("192.0.2.99", "rbl.example."), "99.2.0.192.rbl.example.");
        assert_eq!(
            rbl_text("2001:db8:1:2:3:4:567:89ab", "ugly.example.com"),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com."
        );
    }

    #[test]
    fn reverse_names() {
        assert_eq!(reverse("192.0.2.1".parse().unwrap()).to_ascii(), "1.2.0.192.in-addr.arpa.");
        assert!(reverse("2001:db8::1".parse().unwrap()).to_ascii().ends_with(".8.b.d.0.1.0.0.2.ip6.arpa."));
    }

    #[test]
    fn what_is_no_name_is_none() {
        assert_eq!(name(b"_dmarc.example.com").unwrap().to_ascii(), "_dmarc.example.com.");
        assert_eq!(name(b""), None);
        assert_eq!(name(b"\xff\xfe"), None);
        assert_eq!(name(b"a..b"), None);
        assert_eq!(name(&[b'a'; 64]), None);
        assert_eq!(name("a.".repeat(200).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_name_or_none(text in proptest::collection::vec(any::<u8>(), 0..80), ip in any::<std::net::IpAddr>()) {
            if let Some(found) = name(&text) {
                prop_assert!(found.is_fqdn());
            }
            let _ = rbl(ip, &text);
            prop_assert!(rbl(ip, b"rbl.example").is_some());
            prop_assert!(reverse(ip).is_fqdn());
        }
    }
}
