#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mask(text: &str) -> Netmask {
    Netmask::parse(text.as_bytes()).unwrap()
}

fn group(masks: &[&str]) -> NetmaskGroup {
    let mut group = NetmaskGroup::default();
    for mask in masks {
        group.add_mask(mask.as_bytes()).unwrap();
    }
    group
}

#[test]
fn text_shows_the_masked_network_and_always_the_bits() {
    for (text, shown) in [
        ("1.2.3.4", "1.2.3.4/32"),
        ("114.31.192.200/24", "114.31.192.0/24"),
        ("114.31.192.200/20", "114.31.192.0/20"),
        ("114.31.192.200/0", "0.0.0.0/0"),
        ("2001:C78:0:ff:1:2:3:1000", "2001:c78:0:ff:1:2:3:1000/128"),
        ("2001:C78:0:ff:1:2:3:1000/64", "2001:c78:0:ff::/64"),
        ("2001:C78:0:ff:1:2:3:1000/61", "2001:c78:0:f8::/61"),
        ("2001:C78:0:ff:1:2:3:1000/0", "::/0"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4/128"),
        ("::ffff:1.2.3.4/64", "::/64"),
    ] {
        let mask = mask(text);
        let mut written = Vec::new();
        mask.write_text(&mut written);
        assert_eq!((mask.to_string().as_str(), written.as_slice()), (shown, shown.as_bytes()), "{text}");
    }
}

#[test]
fn a_bad_address_is_told_from_bad_bits() {
    for text in [
        "",
        "/",
        "/8",
        "1",
        "1.2.3",
        "01.2.3.4",
        "1.2.3.4 ",
        "0x1.2.3.4",
        "1.2.3.4:80",
        "::1%lo",
        "[::1]",
        "host/x",
    ] {
        assert!(matches!(Netmask::parse(text.as_bytes()), Err(NetmaskError::BadAddress(_))), "{text}");
    }
    for text in [
        "1.2.3.4/33",
        "1.2.3.4/",
        "1.2.3.4/08",
        "1.2.3.4/00",
        "1.2.3.4/-1",
        "1.2.3.4/+8",
        "1.2.3.4/8 ",
        "1.2.3.4/x",
        "1.2.3.4/256",
        "1.2.3.4/8/8",
        "1.2.3.4/255.0.0.0",
        "::/129",
        "::/999",
        "::/1000",
    ] {
        assert!(matches!(Netmask::parse(text.as_bytes()), Err(NetmaskError::BadBits { .. })), "{text}");
    }
    assert_eq!(
        Netmask::parse(b"1.2.3.4/33").unwrap_err().to_string(),
        "Invalid prefix length '33' in netmask '1.2.3.4/33'"
    );
}

#[test]
fn families_are_separate() {
    assert!(mask("0.0.0.0/0").contains(ip("1.2.3.4")));
    assert!(!mask("0.0.0.0/0").contains(ip("::ffff:1.2.3.4")));
    assert!(mask("::/0").contains(ip("::ffff:1.2.3.4")));
    assert!(!mask("::/0").contains(ip("1.2.3.4")));
    assert!(group(&["0.0.0.0/0"]).matches(ip("1.2.3.4")));
    assert!(!group(&["0.0.0.0/0"]).matches(ip("::1")));
}

#[test]
fn the_empty_mask_contains_nothing_and_has_no_text() {
    assert!(Netmask::EMPTY.is_empty() && Netmask::default().is_empty());
    assert!(!Netmask::EMPTY.contains(ip("0.0.0.0")));
    assert_eq!(Netmask::EMPTY.to_string(), "");
    assert!(!mask("0.0.0.0/0").is_empty());
}

#[test]
fn bits_are_clamped_to_the_width() {
    assert_eq!(Netmask::new(ip("1.2.3.4"), 255).to_string(), "1.2.3.4/32");
    assert_eq!(Netmask::new(ip("::1"), 255).to_string(), "::1/128");
}

#[test]
fn longest_prefix_decides_whatever_the_order() {
    let masks = ["10.0.0.0/8", "!10.1.0.0/16", "10.1.2.0/24", "!10.1.2.3", "!2001:db8::/32", "::/0"];
    let mut reversed = masks;
    reversed.reverse();
    for group in [group(&masks), group(&reversed)] {
        for (address, positive) in [
            ("10.9.9.9", true),
            ("10.1.9.9", false),
            ("10.1.2.9", true),
            ("10.1.2.3", false),
            ("11.0.0.1", false),
            ("2001:db8::1", false),
            ("2001:db9::1", true),
        ] {
            assert_eq!(group.matches(ip(address)), positive, "{address}");
        }
    }
}

#[test]
fn the_same_mask_replaces_its_sign_in_place() {
    let mut group = group(&["10.0.0.0/8", "::/0", "!10.9.9.9/8"]);
    assert!(!group.matches(ip("10.1.1.1")));
    let listed: Vec<_> = group.iter().map(|(mask, positive)| (mask.to_string(), positive)).collect();
    assert_eq!(listed, [("10.0.0.0/8".to_owned(), false), ("::/0".to_owned(), true)]);
    assert_eq!(group.len(), 2);
    group.clear();
    assert!(group.is_empty() && !group.matches(ip("::1")));
}

#[test]
fn a_bad_mask_leaves_the_group_as_it_was() {
    let mut group = group(&["10.0.0.0/8"]);
    for text in ["", "!", "!!10.0.0.0/8", "10.0.0.0/64", "example.net", "! 10.0.0.0/8"] {
        assert!(group.add_mask(text.as_bytes()).is_err(), "{text}");
    }
    group.insert(Netmask::EMPTY, true);
    assert_eq!(group.len(), 1);
}

#[test]
fn default_acl_is_local_and_private() {
    let acl = NetmaskGroup::default_acl();
    let listed: Vec<_> = acl.iter().map(|(mask, _)| mask.to_string()).collect();
    assert_eq!(
        listed,
        [
            "127.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "192.168.0.0/16",
            "172.16.0.0/12",
            "::1/128",
            "fc00::/7",
            "fe80::/10"
        ]
    );
    for (address, inside) in [
        ("127.0.0.1", true),
        ("172.31.255.255", true),
        ("172.32.0.0", false),
        ("100.127.1.1", true),
        ("100.128.0.0", false),
        ("8.8.8.8", false),
        ("::1", true),
        ("::2", false),
        ("fdff::1", true),
        ("2001:db8::1", false),
    ] {
        assert_eq!(acl.matches(ip(address)), inside, "{address}");
    }
}

/// Addresses and masks from a small space, so that they meet often.
fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits & 0xc000_0103))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits & (3 << 126 | 1 << 64 | 3)))),
    ]
}

proptest! {
    #[test]
    fn contains_compares_the_leading_bits(network in any_ip(), bits in 0_u8..=128, address in any_ip()) {
        let mask = Netmask::new(network, bits);
        let naive = match (network, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let differ = net.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(bits.min(32))
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let differ = net.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(bits)
            }
            _ => false,
        };
        prop_assert_eq!(mask.contains(address), naive);
        prop_assert_eq!(Netmask::parse(mask.to_string().as_bytes()), Ok(mask));
    }

    #[test]
    fn a_group_answers_as_a_walk_over_its_masks(
        masks in proptest::collection::vec((any_ip(), 0_u8..=128, any::<bool>()), 0..40),
        addresses in proptest::collection::vec(any_ip(), 1..20),
    ) {
        let mut group = NetmaskGroup::default();
        for (ip, bits, positive) in masks {
            group.insert(Netmask::new(ip, bits), positive);
        }
        for address in addresses {
            let naive = group
                .iter()
                .filter(|(mask, _)| mask.contains(address))
                .max_by_key(|(mask, _)| mask.bits())
                .is_some_and(|(_, positive)| positive);
            prop_assert_eq!(group.matches(address), naive);
        }
    }

    #[test]
    fn any_bytes_are_a_mask_or_an_error(text in "!?[0-9a-f:./]{0,24}", bytes: Vec<u8>) {
        let mut group = NetmaskGroup::default();
        for text in [text.as_bytes(), &bytes] {
            let added = group.add_mask(text).is_ok();
            prop_assert_eq!(added, Netmask::parse(text.strip_prefix(b"!").unwrap_or(text)).is_ok());
        }
    }
}
