//! Nodes that tell each other what they counted, in any order, any number of times, with gaps.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "shares/convergence.rs"]
mod convergence;

use common::{START, schema};
use portcullis_statsdb::{
    KeyShare, Merged, Outline, Reader, Room, Schema, Scope, Secret, SiblingChange, StatsDb, Translation,
    Writer, classic_origin, translate,
};

const SECS: u32 = 10;
const WINDOWS: u32 = 4;
const SECRET: Secret = Secret([7; 16]);

fn node(origin: u64) -> StatsDb {
    let db = StatsDb::new(Schema { start: 0, ..schema(SECS, WINDOWS, 2) }).unwrap();
    db.share_as(origin);
    db
}

fn same(db: &StatsDb) -> Translation {
    translate(&Outline::new(db.schema()), db)
}

/// Through bytes, as between nodes.
fn travel(share: &KeyShare) -> KeyShare {
    let mut writer = Writer::default();
    writer.push(share);
    let block = writer.finish();
    let read: Vec<KeyShare> = Reader::new(&block).unwrap().map(Result::unwrap).collect();
    assert_eq!(read, std::slice::from_ref(share));
    read.into_iter().next().unwrap()
}

/// Everything one node knows goes to the other.
fn tell(from: &StatsDb, to: &StatsDb, now: u64) {
    let catalogue = from.catalogue(now, &SECRET);
    for line in catalogue.lines().iter().chain(catalogue.empty()) {
        let share = from.share_of(now, line, &SECRET).unwrap();
        assert_ne!(to.merge(now, &travel(&share), &same(to), Room::Spare), Merged::NoRoom);
    }
}

fn digests(db: &StatsDb, now: u64) -> Vec<(u64, u64)> {
    db.catalogue(now, &SECRET).lines().iter().map(|line| (line.key, line.digest)).collect()
}

fn add(db: &StatsDb, now: u64, key: &[u8], n: i32) {
    db.add(now, key, b"i", n.to_string().as_bytes()).unwrap();
}

#[test]
fn parts_of_all_nodes_add_up_however_often_they_are_told() {
    let (a, b, c) = (node(100), node(200), node(300));
    add(&a, START, b"k", 1);
    add(&b, START, b"k", 10);
    add(&c, START + 10, b"k", 100);
    for _ in 0..3 {
        tell(&a, &b, START + 10);
        tell(&b, &c, START + 10);
        tell(&c, &a, START + 10);
        tell(&c, &b, START + 10);
    }
    for db in [&a, &b, &c] {
        assert_eq!(db.windows(START + 10, b"k", b"i", None), [100, 11, 0, 0]);
    }
    assert_eq!(digests(&a, START + 10), digests(&b, START + 10));
    assert_eq!(digests(&b, START + 10), digests(&c, START + 10));
    // What each counts from now on replaces what it had told.
    add(&a, START + 10, b"k", 5);
    add(&a, START, b"k", 2);
    tell(&a, &c, START + 10);
    assert_eq!(c.windows(START + 10, b"k", b"i", None), [105, 13, 0, 0]);
    assert_ne!(digests(&b, START + 10), digests(&c, START + 10));
}

#[test]
fn an_older_part_does_not_replace_a_newer_one() {
    let (a, b) = (node(100), node(200));
    add(&a, START, b"k", 1);
    let old = a.own_cell(b"k", a.field(b"i").unwrap().0, a.window(START)).unwrap();
    add(&a, START, b"k", 1);
    let new = a.own_cell(b"k", a.field(b"i").unwrap().0, a.window(START)).unwrap();
    assert_eq!(b.merge(START, &new, &same(&b), Room::Make), Merged::Changed);
    assert_eq!(b.merge(START, &old, &same(&b), Room::Make), Merged::Known);
    assert_eq!(b.merge(START, &new, &same(&b), Room::Make), Merged::Known);
    assert_eq!(b.get(START, b"k", b"i"), 2);
    // A node is not told by others what it counted itself.
    assert_eq!(
        a.merge(START, &b.share(START, b"k", Scope::Nodes).unwrap(), &same(&a), Room::Make),
        Merged::Known
    );
    assert_eq!(a.get(START, b"k", b"i"), 2);
}

#[test]
fn a_reset_erases_what_it_saw_and_what_it_could_have_seen() {
    let (a, b) = (node(100), node(200));
    for db in [&a, &b] {
        add(db, START, b"k", 5);
        db.add(START, b"k", b"h", b"x").unwrap();
        db.add(START, b"k", b"c", b"x").unwrap();
    }
    tell(&a, &b, START);
    tell(&b, &a, START);
    let stale = b.share(START, b"k", Scope::Nodes).unwrap();
    let reset = a.reset(START, b"k").unwrap();
    assert_eq!((reset.time_ms, reset.origin), (START * 1000, 100));
    assert_eq!(a.get(START, b"k", b"i"), 0);
    // Told again by somebody who has not heard of the reset yet: it stays erased.
    a.merge(START, &stale, &same(&a), Room::Make);
    assert_eq!((a.get(START, b"k", b"i"), a.get(START, b"k", b"h"), a.get(START, b"k", b"c")), (0, 0, 0));
    add(&a, START, b"k", 1);
    tell(&a, &b, START);
    assert_eq!((b.get(START, b"k", b"i"), b.get(START, b"k", b"h"), b.get(START, b"k", b"c")), (1, 0, 0));
    // What is counted in later windows is not touched by it, though the node that counted had not heard of it.
    let c = node(300);
    add(&c, START, b"k", 7);
    add(&c, START + 10, b"k", 9);
    tell(&c, &a, START + 10);
    assert_eq!(a.windows(START + 10, b"k", b"i", None), [9, 1, 0, 0]);
    tell(&a, &c, START + 10);
    assert_eq!(c.windows(START + 10, b"k", b"i", None), [9, 1, 0, 0]);
    assert_eq!(digests(&a, START + 10), digests(&c, START + 10));
    // The next one of the same second counts as later.
    assert_eq!(a.reset_field(START, b"k", b"i").unwrap().time_ms, START * 1000 + 1);
}

#[test]
fn two_resets_at_once_do_not_count_twice() {
    let (a, b) = (node(100), node(200));
    add(&a, START, b"k", 5);
    tell(&a, &b, START);
    a.reset(START, b"k");
    b.reset(START, b"k");
    tell(&a, &b, START);
    tell(&b, &a, START);
    add(&b, START, b"k", 3);
    tell(&b, &a, START);
    assert_eq!((a.get(START, b"k", b"i"), b.get(START, b"k", b"i")), (3, 3));
}

#[test]
fn sketches_of_several_nodes_are_counted_together() {
    let (a, b) = (node(100), node(200));
    a.add_count(START, b"k", b"c", b"NL", 5);
    b.add_count(START, b"k", b"c", b"NL", 2);
    b.add_count(START, b"k", b"c", b"US", 1);
    for _ in 0..2 {
        tell(&a, &b, START);
        tell(&b, &a, START);
    }
    for db in [&a, &b] {
        assert!(db.get_value(START, b"k", b"c", b"NL") >= 7);
        assert_eq!(db.windows(START, b"k", b"c", None), [8, 0, 0, 0]);
        assert_eq!(db.current(START, b"k", b"c", None), 8);
    }
    assert_eq!(digests(&a, START), digests(&b, START));
    b.reset_field(START, b"k", b"c");
    tell(&b, &a, START);
    assert_eq!((a.get(START, b"k", b"c"), b.get(START, b"k", b"c")), (0, 0));
    a.set_max_bytes(0);
    assert_eq!(a.memory_bytes(), 0);
}

#[test]
fn classic_siblings_count_at_each_node_and_are_not_passed_on() {
    let (a, b) = (node(100), node(200));
    for db in [&a, &b] {
        let of = classic_origin(b"192.0.2.7");
        db.apply_classic(START, b"k", b"i", (of, SiblingChange::Add(b"5"))).unwrap();
        db.apply_classic(START, b"k", b"i", (of, SiblingChange::SubInt(1))).unwrap();
        db.apply_classic(START, b"k", b"c", (of, SiblingChange::AddCount(b"x", 3))).unwrap();
        db.apply_classic(START, b"k", b"h", (of, SiblingChange::Add(b"x"))).unwrap();
        db.apply_classic(START, b"k", b"i", (of, SiblingChange::Add(b"x"))).unwrap_err();
        add(db, START, b"k", 100);
    }
    tell(&a, &b, START);
    tell(&b, &a, START);
    for db in [&a, &b] {
        assert_eq!((db.get(START, b"k", b"i"), db.get(START, b"k", b"h")), (204, 1));
        assert_eq!(db.get_value(START, b"k", b"c", b"x"), 3);
    }
    // A snapshot has it all.
    let again = node(101);
    let all = a.share(START, b"k", Scope::Everything).unwrap();
    again.merge(START, &travel(&all), &same(&again), Room::Make);
    assert_eq!(again.get(START, b"k", b"i"), 204);
    assert_eq!(again.get_value(START, b"k", b"c", b"x"), 3);
}

#[test]
fn what_came_by_packets_is_forgotten_once_the_same_sibling_tells_all_of_it() {
    let (a, b) = (node(100), node(200));
    let (by_b, by_wforce) = (classic_origin(b"192.0.2.2"), classic_origin(b"192.0.2.3"));
    for n in 1..=10i32 {
        add(&b, START, b"k", n);
        b.add_count(START, b"k", b"c", b"US", 1);
        // Every fourth packet is lost.
        if n % 4 != 0 {
            a.apply_classic(START, b"k", b"i", (by_b, SiblingChange::AddInt(n))).unwrap();
            a.apply_classic(START, b"k", b"c", (by_b, SiblingChange::AddCount(b"US", 1))).unwrap();
        }
    }
    a.apply_classic(START, b"k", b"i", (by_wforce, SiblingChange::AddInt(1000))).unwrap();
    add(&a, START, b"k", 100);
    assert_eq!(a.get(START, b"k", b"i"), 1143);
    // Also what a snapshot brought back.
    let again = node(101);
    let all = a.share(START, b"k", Scope::Everything).unwrap();
    again.merge(START, &travel(&all), &same(&again), Room::Make);
    for a in [a, again] {
        // Before it has told anything, it has replaced nothing.
        a.forget_classic(by_b, 200);
        assert_eq!(a.get(START, b"k", b"i"), 1143);
        tell(&b, &a, START);
        a.forget_classic(by_b, 200);
        assert_eq!(a.get(START, b"k", b"i"), 1155);
        assert_eq!(a.get_value(START, b"k", b"c", b"US"), 10);
        a.forget_classic(by_b, 200);
        a.forget_classic(classic_origin(b"nobody"), 200);
        assert_eq!(a.get(START, b"k", b"i"), 1155);
    }
}

#[test]
fn what_a_program_told_that_was_replaced_stays() {
    let (a, b) = (node(100), node(200));
    let by_b = classic_origin(b"192.0.2.2");
    // A wforce told of two windows, and of another key; then a node took its place, in the middle of the second window.
    let second = START + 10;
    for (key, time) in [(b"k", START), (b"k", second), (b"q", START)] {
        a.apply_classic(time, key, b"i", (by_b, SiblingChange::AddInt(7))).unwrap();
        a.apply_classic(time, key, b"c", (by_b, SiblingChange::AddCount(b"US", 7))).unwrap();
    }
    add(&b, second, b"k", 2);
    tell(&b, &a, second);
    a.forget_classic(by_b, 200);
    assert_eq!(a.windows(second, b"k", b"i", None), [7, 7, 0, 0]);
    assert_eq!(a.get_value(second, b"k", b"c", b"US"), 14);
    assert_eq!(a.get(second, b"q", b"i"), 7);
}

#[test]
fn what_is_nothing_in_the_end_is_told_as_well() {
    let (a, b) = (node(100), node(200));
    add(&a, START, b"k", 5);
    a.add_count(START, b"k", b"c", b"US", 3);
    tell(&a, &b, START);
    add(&a, START, b"k", -5);
    a.add_count(START, b"k", b"c", b"US", -3);
    let catalogue = a.catalogue(START, &SECRET);
    let [line] = catalogue.empty() else { panic!("one key, of which nothing counts") };
    assert_eq!((line.digest, catalogue.lines().len()), (0, 0));
    assert_eq!(catalogue.find(line.key), Some(line));
    assert_eq!(catalogue.empty_leaf(0, 0), [*line]);
    assert_eq!(catalogue.sums(0, 0, 1), node(300).catalogue(START, &SECRET).sums(0, 0, 1));
    tell(&a, &b, START);
    assert_eq!((b.get(START, b"k", b"i"), b.get(START, b"k", b"c")), (0, 0));
    assert_eq!(digests(&a, START), digests(&b, START));
    // Once its windows are over there is nothing left to tell.
    assert!(a.catalogue(START + 100_000, &SECRET).empty().is_empty());
}

#[test]
fn what_is_left_of_a_program_is_not_compared_again() {
    let (a, b) = (node(100), node(200));
    let by_b = classic_origin(b"192.0.2.2");
    a.apply_classic(START, b"k", b"i", (by_b, SiblingChange::AddInt(7))).unwrap();
    a.apply_classic(START, b"k", b"c", (by_b, SiblingChange::AddCount(b"US", 7))).unwrap();
    let count = |n: i32| {
        add(&b, START, b"k", n);
        b.add_count(START, b"k", b"c", b"DE", n);
        tell(&b, &a, START);
    };
    let sums = |db: &StatsDb| {
        let of = |value: &[u8]| db.get_value(START, b"k", b"c", value);
        (db.get(START, b"k", b"i"), db.get(START, b"k", b"c"), of(b"US"))
    };
    // In the window in which the node took its place the larger count holds. Two nodes' sketches have other hashes: a part of
    // each value is taken back.
    count(2);
    a.forget_classic(by_b, 200);
    assert_eq!(sums(&a), (7, 7, 5));
    count(3);
    assert_eq!(sums(&a), (10, 10, 5));
    // The node compares again: at once, after a restart from a snapshot, and after it was a packet sender for a while.
    a.forget_classic(by_b, 200);
    assert_eq!(sums(&a), (10, 10, 5));
    let all = a.share(START, b"k", Scope::Everything).unwrap();
    let again = node(101);
    again.merge(START, &travel(&all), &same(&again), Room::Make);
    assert_eq!(sums(&again), (10, 10, 5));
    for db in [&a, &again] {
        tell(&b, db, START);
        db.forget_classic(by_b, 200);
        assert_eq!(sums(db), (10, 10, 5));
    }
    a.apply_classic(START, b"k", b"i", (by_b, SiblingChange::AddInt(1))).unwrap();
    add(&b, START, b"k", 1);
    tell(&b, &a, START);
    a.forget_classic(by_b, 200);
    assert_eq!(a.get(START, b"k", b"i"), 11);
}

#[test]
fn a_restarted_node_gets_back_what_it_had_told() {
    let (a, b) = (node(100), node(200));
    add(&a, START, b"k", 5);
    let snapshot = a.share(START, b"k", Scope::Everything).unwrap();
    add(&a, START, b"k", 6);
    tell(&a, &b, START);
    drop(a);
    let a = node(101);
    a.merge(START, &snapshot, &same(&a), Room::Make);
    assert_eq!(a.get(START, b"k", b"i"), 5);
    add(&a, START, b"k", 1);
    tell(&b, &a, START);
    tell(&a, &b, START);
    assert_eq!((a.get(START, b"k", b"i"), b.get(START, b"k", b"i")), (12, 12));
}

#[test]
fn a_full_database_is_not_pushed_out_by_what_others_know() {
    let (a, b) = (node(100), node(200));
    b.set_max_size(2);
    for n in 0..20u8 {
        add(&a, START, &[n], 1);
    }
    add(&b, START, b"mine", 1);
    for line in a.catalogue(START, &SECRET).lines() {
        b.merge(START, &a.share_of(START, line, &SECRET).unwrap(), &same(&b), Room::Spare);
    }
    assert_eq!(b.get(START, b"mine", b"i"), 1);
    assert_eq!(b.len(), 2);
}

#[test]
fn an_evicted_key_comes_back_with_what_was_counted_here() {
    let (a, b) = (node(100), node(200));
    add(&a, START, b"k", 5);
    tell(&a, &b, START);
    a.set_max_size(0);
    for n in 0..4u8 {
        add(&a, START, &[n], 1);
    }
    a.set_max_size(100);
    assert_eq!(a.get(START, b"k", b"i"), 0);
    tell(&b, &a, START);
    assert_eq!(a.get(START, b"k", b"i"), 5);
    add(&a, START, b"k", 1);
    tell(&a, &b, START);
    assert_eq!(b.get(START, b"k", b"i"), 6);
}

#[test]
fn other_windows_and_fields_are_taken_as_well_as_they_can() {
    let from = node(100);
    for n in 0..4 {
        add(&from, START + 10 * n, b"k", 1 << n);
        from.add(START + 10 * n, b"k", b"h", n.to_string().as_bytes()).unwrap();
    }
    let share = from.share(START + 30, b"k", Scope::Everything).unwrap();
    let coarse = StatsDb::new(Schema { start: 0, ..schema(20, 4, 1) }).unwrap();
    let how = translate(&Outline::new(from.schema()), &coarse);
    coarse.merge(START + 30, &share, &how, Room::Make);
    assert_eq!(coarse.windows(START + 30, b"k", b"i", None), [12, 3, 0, 0]);
    assert_eq!(coarse.windows(START + 30, b"k", b"h", None), [2, 2, 0, 0]);
    let mut fields = schema(10, 4, 1).fields;
    fields[1].1 = portcullis_statsdb::FieldKind::Int;
    fields.remove(0);
    let other = StatsDb::new(Schema { start: 0, fields, ..schema(10, 4, 1) }).unwrap();
    let how = translate(&Outline::new(from.schema()), &other);
    other.merge(START + 30, &share, &how, Room::Make);
    assert_eq!(other.get(START + 30, b"k", b"h"), 0);
}

#[test]
fn parts_from_wrong_clocks_are_left_out() {
    let (a, b) = (node(100), node(200));
    add(&a, START + 100_000, b"k", 5);
    let cell = a.own_cell(b"k", a.field(b"i").unwrap().0, a.window(START + 100_000)).unwrap();
    b.merge(START, &cell, &same(&b), Room::Make);
    assert_eq!(b.get(START + 100_000, b"k", b"i"), 0);
    b.merge(START + 200_000, &cell, &same(&b), Room::Make);
    assert_eq!(b.get(START + 200_000, b"k", b"i"), 0);
}

/// A part of an origin that did not count anything, and one of another that did.
#[test]
fn origins_without_counts_take_no_place_among_those_that_are_told_apart() {
    let db = node(100);
    let (field, window) = (db.field(b"i").unwrap().0, db.window(START));
    let hear = |origin: u64, n: i32| {
        let amount = portcullis_statsdb::Amount::Int(n);
        let part = portcullis_statsdb::Part { field, window, origin, version: 1, amount };
        // Many parts of one key are many to look through.
        let key = (origin % 1000).to_string().into_bytes().into();
        let share = KeyShare { key, resets: Vec::new(), parts: vec![part] };
        db.merge(START, &share, &same(&db), Room::Make)
    };
    for origin in 0..70_000 {
        assert_eq!(hear(1 << 40 | origin, 0), Merged::Known);
    }
    assert_eq!(hear(200, 5), Merged::Changed);
    assert_eq!((db.get(START, b"200", b"i"), db.take_refused_origins()), (5, 0));
    for origin in 0..60_000 {
        hear(1 << 41 | origin, 1);
    }
    let refused = db.take_refused_origins();
    assert!(refused > 0, "there is an end to them, which is told");
    let counted = |key: u32| db.get(START, key.to_string().as_bytes(), b"i");
    assert_eq!((0..1000).map(counted).sum::<i32>(), 5 + 60_000 - refused as i32);
    assert_eq!(db.take_refused_origins(), 0);
}
