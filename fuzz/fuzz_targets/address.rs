//! Addresses, netmasks and groups of netmasks. The text is lines: masks for a group, each also read as an address.

#![no_main]

use libfuzzer_sys::fuzz_target;
use login::{Addr, Netmask, NetmaskGroup};

fuzz_target!(|text: &[u8]| {
    let mut group = NetmaskGroup::default();
    let mut addrs = Vec::new();
    for line in text.split(|byte| *byte == b'\n').take(64) {
        check_mask(line, &mut group);
        addrs.extend(check_addr(line));
    }
    addrs.extend(group.iter().map(|(mask, _)| Addr::from_ip(mask.network())));
    for addr in addrs {
        let expected = group
            .iter()
            .filter(|(mask, _)| mask.contains(addr.ip))
            .max_by_key(|(mask, _)| mask.bits())
            .is_some_and(|(_, positive)| positive);
        assert_eq!(group.matches(addr.ip), expected, "{addr}");
    }
});

fn check_addr(text: &[u8]) -> Option<Addr> {
    match Addr::parse(text) {
        Ok(addr) => {
            let mut written = Vec::new();
            addr.write_text(&mut written);
            assert_eq!(Addr::parse(&written).ok(), Some(Addr::from_ip(addr.ip)));
            assert_eq!(written, addr.to_string().as_bytes());
            assert!(!addr.unmapped().is_mapped_ipv4());
            assert_ne!(addr.is_ipv4(), addr.is_ipv6());
            Some(addr)
        }
        Err(error) => {
            assert_eq!(&error.text()[..], text);
            // Whatever the standard library takes for an address is one; zones, which it reads as numbers of any
            // length and we as names of interfaces, aside.
            let text = std::str::from_utf8(text).unwrap_or_default();
            assert!(text.contains('%') || text.parse::<std::net::SocketAddr>().is_err());
            None
        }
    }
}

fn check_mask(line: &[u8], group: &mut NetmaskGroup) {
    let (text, positive) = match line.strip_prefix(b"!") {
        Some(rest) => (rest, false),
        None => (line, true),
    };
    let len = group.len();
    let added = group.add_mask(line);
    match Netmask::parse(text) {
        Ok(mask) => {
            assert!(added.is_ok() && mask.contains(mask.network()));
            assert_eq!(Netmask::parse(mask.to_string().as_bytes()), Ok(mask));
            assert!(group.iter().any(|entry| entry == (mask, positive)));
            // A strict mask of full width without bits is an address in the looser form, too, and the same one.
            if !text.contains(&b'/') {
                assert_eq!(Addr::parse(text).ok(), Some(Addr::from_ip(mask.network())));
            }
        }
        Err(error) => {
            assert_eq!(added, Err(error));
            assert_eq!(group.len(), len);
        }
    }
}
