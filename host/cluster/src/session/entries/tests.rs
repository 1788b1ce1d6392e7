#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::testing;

const NOW: u64 = 1_700_000_000;
const MS: u64 = NOW * 1000;

fn node(origin: u64) -> Entries {
    let entries = Entries::new(testing::capabilities(), origin);
    entries.begin();
    entries
}

fn id(key: &str) -> Id {
    Id { colour: Colour::Black, kind: Kind::Login, key: key.into() }
}

fn list(entries: &Entries, key: &str, seconds: u32, ms: u64) {
    let list = &entries.caps.lists.black;
    list.add_key(NOW, Kind::Login, key.as_bytes(), seconds, b"why", Origin::Local);
    assert!(entries.added(&id(key), NOW + u64::from(seconds), Origin::Local, ms));
}

fn delete(entries: &Entries, key: &str, ms: u64) {
    entries.caps.lists.black.delete_key(Kind::Login, key.as_bytes(), Origin::Local);
    assert!(entries.deleted(&id(key), Origin::Local, ms));
}

/// Everything one node knows at its time, told to the other at that one's.
fn tell_at((from, from_now): (&Entries, u64), (to, to_now): (&Entries, u64)) -> usize {
    let (_, ids) = from.catalogue(from_now, &Secret([3; 16]));
    let mut bytes = Vec::new();
    for id in ids.values() {
        from.change(id).unwrap().encode(&mut bytes);
    }
    decode(&bytes).unwrap().into_iter().filter(|change| to.merge(to_now, change.clone())).count()
}

fn tell(from: &Entries, to: &Entries) -> usize {
    tell_at((from, NOW), (to, NOW))
}

/// It is that late now.
fn turn(entries: &Entries, now: u64) {
    for (kind, entry) in entries.caps.lists.black.purge(now) {
        entries.expired(&Id { colour: Colour::Black, kind, key: entry.key });
    }
    entries.prune(now);
}

fn lines(entries: &Entries) -> Vec<(u64, u64)> {
    lines_at(entries, NOW)
}

fn lines_at(entries: &Entries, now: u64) -> Vec<(u64, u64)> {
    let (catalogue, _) = entries.catalogue(now, &Secret([3; 16]));
    catalogue.lines().iter().map(|line| (line.key, line.digest)).collect()
}

fn listed(entries: &Entries, key: &str) -> bool {
    listed_at(entries, key, NOW)
}

fn listed_at(entries: &Entries, key: &str, now: u64) -> bool {
    entries.caps.lists.black.check_login(now, key.as_bytes()).is_some()
}

#[test]
fn the_later_change_counts_whoever_hears_of_it_first() {
    let (a, b) = (node(100), node(200));
    list(&a, "joe", 600, MS);
    assert_eq!((tell(&a, &b), tell(&a, &b)), (1, 0));
    assert!(listed(&b, "joe"));
    delete(&b, "joe", MS + 5);
    assert_eq!((tell(&a, &b), tell(&b, &a)), (0, 1));
    assert!(!listed(&a, "joe") && !listed(&b, "joe"));
    // A clock that is behind does not keep a node from changing its mind.
    list(&a, "joe", 700, MS - 60_000);
    assert_eq!(tell(&a, &b), 1);
    assert!(listed(&b, "joe"));
    assert_eq!(b.caps.lists.black.check_login(NOW, b"joe").unwrap().reason, "why");
    assert_eq!(lines(&a), lines(&b));
}

#[test]
fn what_was_loaded_spreads_and_gives_way_to_what_is_known() {
    let (a, b) = (node(100), node(200));
    for entries in [&a, &b] {
        entries.caps.lists.black.add_key(NOW, Kind::Login, b"old", 600, b"r", Origin::Loaded);
        entries.added(&id("old"), NOW + 600, Origin::Loaded, MS);
    }
    assert_eq!(tell(&a, &b), 0);
    delete(&a, "old", MS);
    assert_eq!((tell(&b, &a), tell(&a, &b)), (0, 1));
    assert!(!listed(&b, "old"));
    // The tombstone goes in its time, and so does an entry.
    a.prune(NOW + 2 * LONGEST);
    assert_eq!(a.len(), (0, 0));
    list(&a, "short", 10, MS);
    a.expired(&id("short"));
    assert_eq!(a.len(), (0, 0));
}

/// An entry that is listed anew for a shorter time: what it took the place of does not come back when it is over.
#[test]
fn the_end_of_a_short_entry_is_the_end_of_the_long_one_before_it() {
    let late = |from: &Entries, to: &Entries| to.merge(NOW + 20, from.change(&id("joe")).unwrap());
    let both = || {
        let nodes = (node(100), node(200));
        list(&nodes.0, "joe", 7200, MS);
        tell(&nodes.0, &nodes.1);
        list(&nodes.0, "joe", 10, MS + 5);
        nodes
    };
    let over = |entries: &Entries| turn(entries, NOW + 10);
    // The other one hears of it when it is over.
    let (a, b) = both();
    assert!(late(&a, &b) && !listed(&b, "joe") && !late(&a, &b));
    // It hears of it in time, and then of the first one once more.
    let (a, b) = both();
    let first = b.change(&id("joe")).unwrap();
    tell(&a, &b);
    over(&b);
    assert!(!b.merge(NOW + 20, first) && !listed(&b, "joe"));
    // It only hears of it from what is left of it.
    let (a, b) = both();
    over(&a);
    assert!(!late(&b, &a) && !listed(&a, "joe"));
    assert!(late(&a, &b) && !listed(&b, "joe"));
    assert_eq!(lines(&a), lines(&b));
    // A deletion is not forgotten for an entry that is over before it.
    let (a, b) = both();
    delete(&a, "joe", MS + 6);
    list(&a, "joe", 10, MS + 7);
    over(&a);
    assert!(!late(&b, &a) && !listed(&a, "joe"));
    // What only had to make room is still there elsewhere.
    let (a, b) = both();
    tell(&a, &b);
    a.crowded_out(&id("joe"));
    assert_eq!((a.len(), listed(&b, "joe")), ((0, 0), true));
}

/// Whoever deletes the short one, knowing of the long one before it or not.
#[test]
fn a_deleted_short_entry_does_not_leave_the_long_one_before_it_behind() {
    for other_deletes in [false, true] {
        let (a, b, away) = (node(100), node(200), node(300));
        list(&a, "joe", 7 * 86_400, MS);
        tell(&a, &away);
        list(&a, "joe", 600, MS + 5);
        // The other one hears of nothing but the short one.
        tell(&a, &b);
        let by = if other_deletes { &b } else { &a };
        delete(by, "joe", MS + 10);
        assert_eq!(tell(by, if other_deletes { &a } else { &b }), 1);
        let later = NOW + 2 * SHORTEST;
        for entries in [&a, &b] {
            turn(entries, later);
            assert_eq!(tell_at((&away, later), (entries, later)), 0);
            assert!(!listed_at(entries, "joe", later), "{other_deletes}");
        }
        assert_eq!(tell_at((&b, later), (&away, later)), 1);
        assert!(!listed_at(&away, "joe", later));
    }
}

#[test]
fn a_clock_that_is_ahead_ends_no_entry_elsewhere() {
    let (a, ahead) = (node(100), node(200));
    list(&a, "joe", 7200, MS);
    assert_eq!(tell_at((&a, NOW), (&ahead, NOW + 900)), 1);
    list(&a, "joe", 600, MS + 5);
    // There its time is over before it is heard of.
    assert_eq!(tell_at((&a, NOW), (&ahead, NOW + 900)), 1);
    assert!(!listed_at(&ahead, "joe", NOW + 900));
    assert_eq!(tell_at((&ahead, NOW + 900), (&a, NOW)), 0);
    assert!(listed(&a, "joe"), "here it goes on");
    assert_eq!(lines_at(&ahead, NOW + 900), lines(&a), "and both know the same of it");
}

#[test]
fn an_entry_that_is_listed_shortly_again_and_again_is_remembered_once() {
    let a = node(100);
    list(&a, "joe", 7200, MS);
    for again in 1..100 {
        list(&a, "joe", 10, MS + again);
        turn(&a, NOW + 10);
        assert_eq!(a.len(), (1, 1));
    }
    turn(&a, NOW + 7200);
    assert_eq!(a.len(), (0, 0));
}

#[test]
fn tombstones_of_very_long_keys_take_no_more_memory_than_others() {
    let a = node(100);
    for number in 0..200 {
        delete(&a, &format!("{number}{}", "x".repeat(1 << 20)), MS + number * 1000);
    }
    let (notes, tombstones) = a.len();
    assert!(notes == tombstones && (10..40).contains(&notes), "{notes}");
    assert!(a.notes.lock().bytes <= MAX_TOMBSTONE_BYTES);
    // The last one is among them, and the room is there again when they are forgotten.
    assert!(a.change(&id(&format!("199{}", "x".repeat(1 << 20)))).is_some());
    a.prune(NOW + 2 * LONGEST);
    assert_eq!((a.len(), a.notes.lock().bytes), ((0, 0), 0));
}

#[test]
fn a_time_that_no_clock_shows_is_no_change() {
    let (a, liar) = (node(100), node(200));
    list(&a, "joe", 600, MS);
    for time_ms in [MS + AHEAD_MS + 1, u64::MAX] {
        for what in [What::Deleted(u64::MAX), What::Listed(u64::MAX)] {
            let stamp = Stamp { time_ms, origin: 200 };
            let reason = "lies".into();
            let change = EntryChange { id: id("joe"), stamp, what, longest: u64::MAX, reason };
            assert!(!a.merge(NOW, change));
        }
    }
    assert!(listed(&a, "joe"));
    // One that a clock can show: it is forgotten in its time, whatever it says, and gives way to what is later.
    let stamp = Stamp { time_ms: MS + AHEAD_MS - 1, origin: 200 };
    let what = What::Deleted(u64::MAX);
    assert!(a.merge(NOW, EntryChange { id: id("joe"), stamp, what, longest: u64::MAX, reason: "".into() }));
    assert!(!listed(&a, "joe"));
    assert_eq!((tell(&a, &liar), liar.len()), (1, (1, 1)));
    list(&a, "joe", 600, MS + 1);
    assert_eq!(tell(&a, &liar), 1);
    assert!(listed(&a, "joe") && listed(&liar, "joe"));
    liar.prune(NOW + LONGEST + 2 * 86_400);
    a.prune(NOW + LONGEST + 2 * 86_400);
    assert_eq!((a.len().1, liar.len().1), (0, 0));
}

#[test]
fn what_is_over_is_not_taken_in() {
    let (a, b) = (node(100), node(200));
    list(&a, "joe", 10, MS);
    let change = a.change(&id("joe")).unwrap();
    assert!(!b.merge(NOW + 10, change.clone()));
    assert!(b.merge(NOW + 9, change));
}

#[test]
fn changes_survive_their_bytes_and_nonsense_is_refused() {
    let change = EntryChange {
        id: Id { colour: Colour::White, kind: Kind::IpJa3, key: "192.0.2.1:abc".into() },
        stamp: Stamp { time_ms: MS, origin: 77 },
        what: What::Listed(NOW + 5),
        longest: NOW + 500,
        reason: "too \"many\"".into(),
    };
    let mut bytes = Vec::new();
    change.encode(&mut bytes);
    assert_eq!(decode(&bytes).unwrap(), [change]);
    for cut in 1..bytes.len() {
        assert!(decode(&bytes[..cut]).is_err(), "{cut}");
    }
    for (at, value) in [(0, 2), (1, 5), (2, 2)] {
        let mut bad = bytes.clone();
        bad[at] = value;
        assert!(decode(&bad).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever was changed where, and whoever told whom in between: after everybody has told everybody all hold the same.
    #[test]
    fn nodes_agree_in_the_end(steps in proptest::collection::vec((0usize..3, 0usize..3, 0u8..4, 0u64..50), 0..40)) {
        let nodes = [node(100), node(200), node(300)];
        for (at, other, key, ms) in steps {
            let key = format!("user{key}");
            // The last one's clock is ahead, and some entries are over before the others'.
            let now = |node: usize| NOW + 10 * (node as u64 / 2);
            match ms % 6 {
                0 => list(&nodes[at], &key, 600 + ms as u32, MS + ms),
                1 => list(&nodes[at], &key, 5 + ms as u32, MS + ms),
                2 => delete(&nodes[at], &key, MS + ms),
                3 => turn(&nodes[at], now(at)),
                _ => _ = tell_at((&nodes[at], now(at)), (&nodes[other], now(other))),
            }
        }
        for now in [NOW + 20, NOW + 100] {
            for node in &nodes {
                turn(node, now);
            }
            for _ in 0..2 {
                for from in &nodes {
                    for to in &nodes {
                        tell_at((from, now), (to, now));
                    }
                }
            }
            for other in &nodes[1..] {
                prop_assert_eq!(lines_at(other, now), lines_at(&nodes[0], now));
                for key in 0..4 {
                    let key = format!("user{key}");
                    prop_assert_eq!(listed_at(other, &key, now), listed_at(&nodes[0], &key, now));
                }
            }
        }
    }
}
