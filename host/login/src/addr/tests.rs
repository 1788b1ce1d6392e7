#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Option<(String, u16)> {
    Addr::parse(text.as_bytes()).ok().map(|addr| (addr.to_string(), addr.port))
}

fn plain(text: &str) -> Option<String> {
    read(text).map(|(text, port)| {
        assert_eq!(port, 0, "no port in {text}");
        text
    })
}

#[test]
fn v4_is_read_as_inet_aton_does() {
    for (text, address) in [
        ("1.2.3.4", "1.2.3.4"),
        ("255.255.255.255", "255.255.255.255"),
        ("1", "0.0.0.1"),
        ("10", "0.0.0.10"),
        ("127.1", "127.0.0.1"),
        ("1.2.3", "1.2.0.3"),
        ("1.2.65535", "1.2.255.255"),
        ("1.16777215", "1.255.255.255"),
        ("4294967295", "255.255.255.255"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F000001", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("010.8.010.8", "8.8.8.8"),
        ("0", "0.0.0.0"),
        ("1.2.3.4 ", "1.2.3.4"),
    ] {
        assert_eq!(plain(text).as_deref(), Some(address), "{text}");
    }
}

#[test]
fn what_inet_aton_refuses_is_refused() {
    for text in [
        "",
        " ",
        ".",
        "1.",
        ".1",
        "1..2",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.256.1.1",
        "1.2.3.256",
        "1.2.65536",
        "1.16777216",
        "4294967296",
        "99999999999999999999",
        "0x",
        "0x.1",
        "0xg",
        "08",
        "1.2.3.09",
        "-1",
        "+1",
        " 1.2.3.4",
        "localhost",
        "1.2.3.4a",
        "1.2.3.4/32",
        "1.2.3.4 5",
    ] {
        assert_eq!(read(text), None, "{text:?}");
    }
}

#[test]
fn ports_are_read_and_not_shown() {
    for (text, address, port) in [
        ("1.2.3.4:99", "1.2.3.4", 99),
        ("127.1:0", "127.0.0.1", 0),
        ("1.2.3.4:65535", "1.2.3.4", 65535),
        ("1.2.3.4:000080", "1.2.3.4", 80),
        ("[::1]:0000443", "::1", 443),
        ("[::1]:443", "::1", 443),
        ("[::1]", "::1", 0),
        ("[2001:DB8::0001]:00080", "2001:db8::1", 80),
    ] {
        assert_eq!(read(text), Some((address.to_owned(), port)), "{text}");
    }
    for text in [
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:+1",
        "1.2.3.4:-1",
        "1.2.3.4:http",
        ":80",
        "[::1]:",
        "[::1]x",
        "[::1]:65536",
        "[1.2.3.4]:80",
        "[]",
        "[",
        "[::1",
        "::1]",
        "[::1]:80:80",
        "1.2.3.4:000065536",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn v6_text_is_that_of_inet_ntop() {
    for (text, address) in [
        ("::", "::"),
        ("::1", "::1"),
        ("1::", "1::"),
        ("2001:C78:0:ff:1:2:3:1000", "2001:c78:0:ff:1:2:3:1000"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
        ("0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"),
        ("0:0:2:3:4:5:6:7", "::2:3:4:5:6:7"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ("::ffff:0:0", "::ffff:0.0.0.0"),
        ("::1.2.3.4", "::1.2.3.4"),
        ("::1:0", "::0.1.0.0"),
        ("::ffff", "::ffff"),
        ("::ffff:0:1.2.3.4", "::ffff:0:102:304"),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
    ] {
        assert_eq!(plain(text).as_deref(), Some(address), "{text}");
    }
    for text in
        [":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "::1.2.3", "::1 "]
    {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn v6_zone_is_dropped() {
    assert_eq!(plain("fe80::1%eth0").as_deref(), Some("fe80::1"));
    assert_eq!(read("[fe80::1%wlan-0.5]:80"), Some(("fe80::1".to_owned(), 80)));
    for text in ["fe80::1%", "fe80::1%et h", "fe80::1%a%b", "fe80::1%sixteen_letters_", "1.2.3.4%eth0"] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn a_mapped_address_becomes_v4_only_when_asked() {
    let mapped = Addr::parse(b"[::ffff:1.2.3.4]:7").unwrap();
    assert!(mapped.is_ipv6() && mapped.is_mapped_ipv4() && !mapped.is_ipv4());
    let v4 = mapped.unmapped();
    assert!(v4.is_ipv4() && !v4.is_ipv6() && !v4.is_mapped_ipv4());
    assert_eq!((v4.to_string().as_str(), v4.port), ("1.2.3.4", 7));
    let other = Addr::parse(b"::1.2.3.4").unwrap();
    assert_eq!(other.unmapped(), other);
}

#[test]
fn the_refused_text_is_in_the_message_byte_for_byte() {
    let error = Addr::parse(b"caf\xe9").unwrap_err();
    assert_eq!(error.reason(), b"Unable to convert presentation address 'caf\xe9'".as_bstr());
    assert_eq!(error.text(), b"caf\xe9".as_bstr());
    assert_eq!(
        Addr::parse(b"x.example").unwrap_err().to_string(),
        "Unable to convert presentation address 'x.example'"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(v4: u32, groups: [u16; 8], zeros: u8, port: u16) {
        let mut groups = groups;
        for (at, group) in groups.iter_mut().enumerate() {
            if zeros >> at & 1 == 1 {
                *group = 0;
            }
        }
        for ip in [IpAddr::V4(Ipv4Addr::from_bits(v4)), IpAddr::V6(Ipv6Addr::from(groups))] {
            let addr = Addr::from_ip(ip);
            let mut text = Vec::new();
            addr.write_text(&mut text);
            prop_assert_eq!(Addr::parse(&text), Ok(addr));
            // The standard library agrees but for the v4-compatible form, where it follows another RFC.
            if !text.starts_with(b"::") || text.find_byte(b'.').is_none() || addr.is_mapped_ipv4() {
                prop_assert_eq!(text.to_str().unwrap(), ip.to_string());
            }
            let with_port = if addr.is_ipv4() { format!("{addr}:{port}") } else { format!("[{addr}]:{port}") };
            prop_assert_eq!(Addr::parse(with_port.as_bytes()), Ok(Addr { ip, port }));
        }
    }

    #[test]
    fn any_bytes_are_an_address_or_an_error(text in "[0-9a-fxX:.%\\[\\] -]{0,24}", bytes: Vec<u8>) {
        for text in [text.as_bytes(), &bytes] {
            if let Ok(addr) = Addr::parse(text) {
                prop_assert_eq!(Addr::parse(&addr.text()).unwrap().ip, addr.ip);
            }
        }
    }
}
