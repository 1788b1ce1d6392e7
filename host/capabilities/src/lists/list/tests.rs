#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;
use crate::lists::Lists;

const NOW: u64 = 1_763_787_000;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mask(text: &str) -> Netmask {
    Netmask::parse(text.as_bytes()).unwrap()
}

fn keys(list: &List, kind: Kind) -> Vec<String> {
    list.entries(kind).into_iter().map(|entry| entry.key.to_string()).collect()
}

#[test]
fn every_kind_is_added_checked_and_deleted() {
    let lists = Lists::default();
    let list = &lists.black;
    assert!(list.is_empty());
    list.add_ip(NOW, ip("192.0.2.1"), 60, b"r1");
    list.add_netmask(NOW, &mask("2001:db8::/32"), 60, b"r2").unwrap();
    list.add_login(NOW, b"ju\xffst", 60, b"r3");
    list.add_ja3(NOW, b"abc", 60, b"r4");
    list.add_ip_login(NOW, ip("2001:db8::1"), b"joe", 60, b"r5");
    list.add_ip_ja3(NOW, ip("192.0.2.1"), b"abc", 60, b"r6");
    assert_eq!(keys(list, Kind::Ip), ["192.0.2.1/32", "2001:db8::/32"]);
    assert_eq!(keys(list, Kind::IpLogin), ["2001:db8::1:joe"]);
    assert_eq!(keys(list, Kind::IpJa3), ["192.0.2.1:abc"]);
    let entry = list.check_ip(NOW, ip("2001:db8:1::7")).unwrap();
    assert_eq!((entry.key, entry.expiration, entry.reason), ("2001:db8::/32".into(), NOW + 60, "r2".into()));
    assert_eq!(list.check_ip(NOW, ip("192.0.2.1")).unwrap().reason, "r1");
    assert_eq!(list.check_login(NOW, b"ju\xffst").unwrap().reason, "r3");
    assert_eq!(list.check_ja3(NOW, b"abc").unwrap().reason, "r4");
    assert_eq!(list.check_ip_login(NOW, ip("2001:db8::1"), b"joe").unwrap().reason, "r5");
    assert_eq!(list.check_ip_ja3(NOW, ip("192.0.2.1"), b"abc").unwrap().reason, "r6");
    assert_eq!(list.check_ip(NOW, ip("192.0.2.2")), None);
    assert_eq!(list.check_ip(NOW, ip("::ffff:192.0.2.1")), None);
    assert_eq!(list.check_login(NOW, b"abc"), None);
    assert_eq!(lists.white.check_ip(NOW, ip("192.0.2.1")), None);

    assert!(list.delete_ip(ip("192.0.2.1")));
    assert!(!list.delete_ip(ip("192.0.2.1")));
    assert!(!list.delete_ip(ip("2001:db8::1")));
    assert!(list.delete_netmask(&mask("2001:db8::/32")));
    assert!(list.delete_login(b"ju\xffst"));
    assert!(list.delete_ja3(b"abc"));
    assert!(list.delete_ip_login(ip("2001:db8::1"), b"joe"));
    assert!(list.delete_ip_ja3(ip("192.0.2.1"), b"abc"));
    assert!(list.is_empty());
}

#[test]
fn an_empty_netmask_is_refused() {
    let lists = Lists::default();
    assert_eq!(lists.black.add_netmask(NOW, &Netmask::EMPTY, 60, b""), Err(EmptyNetmask));
    assert!(!lists.black.delete_netmask(&Netmask::EMPTY));
    assert!(!lists.black.add_key(NOW, Kind::Ip, b"", 60, b"", Origin::Loaded));
    assert!(!lists.black.add_key(NOW, Kind::Ip, b"mail.example", 60, b"", Origin::Replicated));
    assert!(lists.black.is_empty());
}

#[test]
fn the_smallest_network_wins_while_it_lasts() {
    let lists = Lists::default();
    let list = &lists.black;
    list.add_netmask(NOW, &mask("0.0.0.0/0"), 60, b"all").unwrap();
    list.add_netmask(NOW, &mask("10.0.0.0/8"), 60, b"eight").unwrap();
    list.add_netmask(NOW, &mask("10.1.2.3/24"), 10, b"short").unwrap();
    assert_eq!(keys(list, Kind::Ip), ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.0/24"]);
    let reason = |now, address| list.check_ip(now, ip(address)).map(|entry| entry.reason.to_string());
    assert_eq!(reason(NOW, "10.1.2.9").as_deref(), Some("short"));
    assert_eq!(reason(NOW + 10, "10.1.2.9").as_deref(), Some("eight"));
    assert_eq!(reason(NOW, "10.9.9.9").as_deref(), Some("eight"));
    assert_eq!(reason(NOW, "9.9.9.9").as_deref(), Some("all"));
    assert_eq!(reason(NOW, "::1"), None);
    list.add_netmask(NOW, &mask("::/0"), 60, b"all six").unwrap();
    assert_eq!(reason(NOW, "::1").as_deref(), Some("all six"));
}

#[test]
fn re_adding_replaces_and_moves_to_the_end() {
    let lists = Lists::default();
    let list = &lists.white;
    for login in ["a", "b", "c"] {
        list.add_login(NOW, login.as_bytes(), 60, b"first");
    }
    list.add_login(NOW, b"a", 600, b"second");
    assert_eq!(keys(list, Kind::Login), ["b", "c", "a"]);
    assert_eq!(list.len(Kind::Login), 3);
    assert_eq!(list.check_login(NOW + 100, b"a").unwrap().reason, "second");
    assert_eq!(list.purge(NOW + 60).len(), 2);
    assert_eq!(keys(list, Kind::Login), ["a"]);
}

#[test]
fn entries_match_until_their_second_and_go_with_the_purge() {
    let lists = Lists::default();
    let list = &lists.black;
    list.add_login(NOW, b"later", 11, b"");
    list.add_login(NOW, b"joe", 10, b"");
    list.add_ip(NOW, ip("192.0.2.1"), 0, b"");
    assert!(list.check_login(NOW + 9, b"joe").is_some());
    assert!(list.check_login(NOW + 10, b"joe").is_none());
    assert!(list.check_ip(NOW, ip("192.0.2.1")).is_none());
    assert_eq!(list.len(Kind::Login), 2);
    let expired = list.purge(NOW + 10);
    let expired: Vec<_> = expired.iter().map(|(kind, entry)| (*kind, entry.key.to_string())).collect();
    assert_eq!(expired, [(Kind::Ip, "192.0.2.1/32".to_owned()), (Kind::Login, "joe".to_owned())]);
    assert_eq!(keys(list, Kind::Login), ["later"]);
    assert!(list.purge(NOW + 10).is_empty());
}

#[test]
fn a_login_is_checked_in_order() {
    let lists = Lists::default();
    let list = &lists.black;
    let hit = |ja3: &[u8]| list.check(NOW, ip("192.0.2.1"), b"joe", ja3).map(|hit| hit.kind);
    assert_eq!(hit(b"abc"), None);
    list.add_ip_ja3(NOW, ip("192.0.2.1"), b"abc", 60, b"");
    assert_eq!(hit(b"abc"), Some(Kind::IpJa3));
    assert_eq!(hit(b""), None);
    list.add_ip_login(NOW, ip("192.0.2.1"), b"joe", 60, b"");
    assert_eq!(hit(b"abc"), Some(Kind::IpLogin));
    list.add_ja3(NOW, b"abc", 60, b"");
    assert_eq!(hit(b"abc"), Some(Kind::Ja3));
    assert_eq!(hit(b""), Some(Kind::IpLogin));
    list.add_login(NOW, b"joe", 60, b"");
    assert_eq!(hit(b"abc"), Some(Kind::Login));
    list.add_ip(NOW, ip("192.0.2.1"), 60, b"");
    assert_eq!(hit(b"abc"), Some(Kind::Ip));
    // An entry for the empty hash matches nobody who has none.
    list.add_ja3(NOW, b"", 60, b"");
    assert_eq!(list.check(NOW, ip("192.0.2.9"), b"jane", b""), None);
}

#[test]
fn messages_and_attributes_of_a_hit() {
    let lists = Lists::default();
    lists.black.add_ip(NOW, ip("192.0.2.1"), 879, b"brute");
    lists.white.add_ip_ja3(NOW, ip("192.0.2.1"), b"abc", 60, b"office");
    let hit = lists.black.check(NOW, ip("192.0.2.1"), b"joe", b"abc").unwrap();
    assert_eq!(hit.msg, "Temporarily blacklisted IP Address - try again later");
    assert_eq!(hit.phrase(), "blacklisted IP");
    let attrs =
        |hit: &Hit| hit.attrs().iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
    assert_eq!(attrs(&hit), ["blacklisted=1", "expiration=2025-Nov-22 05:04:39", "key=ip", "reason=brute"]);
    let hit = lists.white.check(NOW, ip("192.0.2.1"), b"joe", b"abc").unwrap();
    assert_eq!(hit.msg, "Whitelisted IP/JA3 Hash");
    assert_eq!(hit.phrase(), "whitelisted IPJA3");
    assert_eq!(
        attrs(&hit),
        ["expiration=2025-Nov-22 04:51:00", "key=ipja3", "reason=office", "whitelisted=1"]
    );

    lists.black.set_ret_msg(Kind::Ip, b"{login} from {ip}, {ip}: {ja3} {else}");
    assert_eq!(lists.black.ret_msg(Kind::Ip), "{login} from {ip}, {ip}: {ja3} {else}");
    let hit = lists.black.check(NOW, ip("192.0.2.1"), b"{ja3}\xff", b"abc").unwrap();
    assert_eq!(hit.msg, b"abc\xff from 192.0.2.1, 192.0.2.1: abc {else}".as_slice());
}

#[test]
fn a_disabled_list_still_answers_policies() {
    let lists = Lists::default();
    assert!(lists.black.enabled() && lists.white.enabled());
    lists.black.disable();
    assert!(!lists.black.enabled() && lists.white.enabled());
    lists.black.add_login(NOW, b"joe", 60, b"");
    assert!(lists.black.check_login(NOW, b"joe").is_some());
}

#[test]
fn keys_of_siblings_and_storage_are_found() {
    let lists = Lists::default();
    let list = &lists.black;
    assert!(list.add_key(NOW, Kind::Ip, b"10.1.2.3/8", 60, b"", Origin::Replicated));
    assert!(list.add_key(NOW, Kind::IpLogin, b"::1:joe:x", 60, b"", Origin::Loaded));
    assert_eq!(keys(list, Kind::Ip), ["10.0.0.0/8"]);
    assert!(list.check_ip(NOW, ip("10.200.0.1")).is_some());
    assert!(list.check_ip_login(NOW, ip("::1"), b"joe:x").is_some());
    assert!(list.delete_key(Kind::Ip, b"10.0.0.0/8", Origin::Replicated));
    assert!(!list.delete_key(Kind::Ip, b"nonsense", Origin::Replicated));
    assert!(list.check_ip(NOW, ip("10.200.0.1")).is_none());
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl ListObserver for Notes {
    fn added(&self, colour: Colour, kind: Kind, entry: &Entry, expire_secs: u32, origin: Origin) {
        self.0.lock().push(format!("+{colour:?} {kind:?} {} {expire_secs} {origin:?}", entry.key));
    }

    fn deleted(&self, colour: Colour, kind: Kind, key: &BStr, existed: bool, origin: Origin) {
        self.0.lock().push(format!("-{colour:?} {kind:?} {key} {existed} {origin:?}"));
    }

    fn expired(&self, colour: Colour, kind: Kind, entry: &Entry) {
        self.0.lock().push(format!("x{colour:?} {kind:?} {}", entry.key));
    }

    fn crowded_out(&self, colour: Colour, kind: Kind, entry: &Entry) {
        self.0.lock().push(format!("o{colour:?} {kind:?} {}", entry.key));
    }
}

#[test]
fn in_a_full_list_what_expires_first_makes_room() {
    let mut lists = Lists::default();
    lists.black.limit.entries = 3;
    let notes = Arc::new(Notes::default());
    let list = &lists.black;
    list.add_ip(NOW, ip("192.0.2.1"), u32::MAX, b"for good");
    list.add_ip(NOW, ip("192.0.2.2"), 60, b"");
    list.add_ip(NOW, ip("192.0.2.3"), 30, b"");
    lists.observe(Arc::clone(&notes) as Arc<dyn ListObserver>);
    // What is there already needs no room, nor does another kind.
    list.add_ip(NOW, ip("192.0.2.2"), 60, b"again");
    list.add_login(NOW, b"joe", 5, b"");
    list.add_ip(NOW, ip("192.0.2.4"), 10, b"");
    list.add_ip(NOW, ip("192.0.2.5"), 10, b"");
    assert_eq!(keys(list, Kind::Ip), ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.5/32"]);
    assert!(list.check_ip(NOW, ip("192.0.2.3")).is_none() && list.check_ip(NOW, ip("192.0.2.1")).is_some());
    assert_eq!(
        *notes.0.lock(),
        [
            "+Black Ip 192.0.2.2/32 60 Local",
            "+Black Login joe 5 Local",
            "oBlack Ip 192.0.2.3/32",
            "+Black Ip 192.0.2.4/32 10 Local",
            "oBlack Ip 192.0.2.4/32",
            "+Black Ip 192.0.2.5/32 10 Local",
        ]
    );
    lists.purge(NOW + 100);
    list.delete_ip(ip("192.0.2.1"));
    assert!(list.is_empty());
}

#[test]
fn long_entries_fill_a_list_sooner() {
    let mut lists = Lists::default();
    lists.black.limit.bytes = 100_000;
    let list = &lists.black;
    for number in 0..100_u32 {
        list.add_login(NOW, format!("{number:010000}").as_bytes(), 60 + number, b"");
    }
    assert_eq!(list.len(Kind::Login), 3);
    assert!(list.check_login(NOW, format!("{:010000}", 99).as_bytes()).is_some());
    // One alone may be larger than the limit.
    list.add_login(NOW, &vec![b'x'; 100_000], 60, b"");
    assert_eq!(list.len(Kind::Login), 1);
}

#[test]
fn observers_hear_of_everything_once() {
    let lists = Lists::default();
    let notes = Arc::new(Notes::default());
    lists.observe(Arc::clone(&notes) as Arc<dyn ListObserver>);
    lists.black.add_ip(NOW, ip("192.0.2.1"), 5, b"");
    lists.white.add_key(NOW, Kind::Login, b"joe", 6, b"", Origin::Replicated);
    lists.black.delete_ja3(b"abc");
    lists.white.delete_key(Kind::Login, b"joe", Origin::Replicated);
    lists.purge(NOW + 100);
    assert_eq!(
        *notes.0.lock(),
        [
            "+Black Ip 192.0.2.1/32 5 Local",
            "+White Login joe 6 Replicated",
            "-Black Ja3 abc false Local",
            "-White Login joe true Replicated",
            "xBlack Ip 192.0.2.1/32",
        ]
    );
}

#[test]
fn a_hundred_thousand_networks_are_found_and_purged() {
    let lists = Lists::default();
    let list = &lists.black;
    let address = |number: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(number));
    for number in 0..100_000_u32 {
        let bits = 20 + (number % 13) as u8;
        list.add_netmask(NOW, &Netmask::new(address(number << 12), bits), 1 + number % 7, b"").unwrap();
    }
    assert_eq!(list.len(Kind::Ip), 100_000);
    for number in (0..100_000_u32).step_by(997) {
        assert!(list.check_ip(NOW, address(number << 12)).is_some());
    }
    assert_eq!(list.purge(NOW + 100).len(), 100_000);
    assert!(list.is_empty());
    assert!(list.check_ip(NOW, address(4096)).is_none());
}

proptest! {
    /// Longest-prefix matching agrees with trying every network.
    #[test]
    fn prefixes_agree_with_a_search(
        networks in proptest::collection::vec((any::<u32>(), 0_u8..=32), 0..40),
        probes in proptest::collection::vec(any::<u32>(), 1..20),
    ) {
        let lists = Lists::default();
        let v4 = |bits: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(bits));
        // Few leading bits, so that networks nest and probes hit.
        let squeeze = |bits: u32| (bits & 0x0003_0003) | 0x0a00_0000;
        let masks: Vec<Netmask> = networks.iter().map(|(net, bits)| Netmask::new(v4(squeeze(*net)), *bits)).collect();
        for mask in &masks {
            lists.black.add_netmask(NOW, mask, 60, b"").unwrap();
        }
        for probe in probes {
            let probe = v4(squeeze(probe));
            let best = masks.iter().filter(|mask| mask.contains(probe)).max_by_key(|mask| mask.bits());
            let found = lists.black.check_ip(NOW, probe).map(|entry| entry.key.to_string());
            prop_assert_eq!(found, best.map(ToString::to_string));
        }
    }

    /// Any sequence of changes keeps the order of insertion, the count and the answers right.
    #[test]
    fn changes_agree_with_a_plain_list(
        changes in proptest::collection::vec((0_u8..4, 0_u8..6, 0_u32..20), 0..60),
    ) {
        let lists = Lists::default();
        let mut model: Vec<(u8, u64)> = Vec::new();
        let mut now = NOW;
        for (change, key, secs) in changes {
            match change {
                0 | 1 => {
                    lists.black.add_login(now, &[key], secs, b"");
                    model.retain(|(other, _)| *other != key);
                    model.push((key, now + u64::from(secs)));
                }
                2 => {
                    let existed = model.iter().any(|(other, _)| *other == key);
                    prop_assert_eq!(lists.black.delete_login(&[key]), existed);
                    model.retain(|(other, _)| *other != key);
                }
                _ => {
                    now += u64::from(secs / 4);
                    let gone = model.iter().filter(|(_, expiration)| *expiration <= now).count();
                    prop_assert_eq!(lists.black.purge(now).len(), gone);
                    model.retain(|(_, expiration)| *expiration > now);
                }
            }
            let entries = lists.black.entries(Kind::Login);
            let listed: Vec<(u8, u64)> = entries.iter().map(|entry| (entry.key[0], entry.expiration)).collect();
            prop_assert_eq!(&listed, &model);
            prop_assert_eq!(lists.black.is_empty(), model.is_empty());
            for key in 0..6 {
                let matches = model.iter().any(|(other, expiration)| *other == key && now < *expiration);
                prop_assert_eq!(lists.black.check_login(now, &[key]).is_some(), matches);
            }
        }
    }
}
