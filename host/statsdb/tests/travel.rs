//! Dumping keys and taking them over.
#![allow(clippy::unwrap_used)]

mod common;
use common::{START as NOW, db, schema};
use portcullis_statsdb::{CountMinShape, Dump, FieldState, Schema, Slot, StatsDb};
use proptest::prelude::*;
use std::sync::Arc;

fn field(name: &str, start: u64, slots: &[(u64, &[u8])]) -> FieldState {
    let slots = slots.iter().map(|(time, bytes)| Slot { time: *time, bytes: bytes.to_vec() }).collect();
    FieldState { name: name.into(), start, slots }
}

#[test]
fn a_dump_shows_slots_in_array_order_with_their_times() {
    let db = db(10, 3);
    for (offset, n) in [(0, "1"), (10, "2"), (20, "-3"), (35, "7")] {
        db.add(NOW + offset, b"k", b"i", n.as_bytes()).unwrap();
    }
    db.add(NOW + 15, b"k", b"h", b"foo").unwrap();
    let mut dump = db.dump();
    let state = dump.next().unwrap();
    assert_eq!(dump.next(), None);
    assert_eq!((state.shard, state.key), (0, "k".into()));
    let ints: [(u64, &[u8]); 3] =
        [(NOW + 30, b"\0\0\0\x07"), (NOW + 10, b"\0\0\0\x02"), (NOW + 20, b"\xff\xff\xff\xfd")];
    assert_eq!(state.fields[1], field("i", NOW, &ints));
    let distinct = &state.fields[0];
    assert_eq!((distinct.name.as_slice(), distinct.slots.len()), (&b"h"[..], 3));
    let mut empty = vec![0; 65];
    empty[0] = 6;
    let mut foo = empty.clone();
    foo[1 + 53] = 1;
    assert_eq!(distinct.slots[0], Slot { time: 0, bytes: empty.clone() });
    assert_eq!(distinct.slots[1], Slot { time: NOW + 10, bytes: foo });
    assert_eq!(distinct.slots[2], Slot { time: 0, bytes: empty });
}

#[test]
fn what_was_dumped_can_be_restored_elsewhere() {
    let from = StatsDb::new(Schema { hll_bits: 10, ..schema(10, 4, 3) }).unwrap();
    let to = StatsDb::new(Schema { hll_bits: 10, start: NOW + 33, ..schema(10, 4, 2) }).unwrap();
    for n in 0..200u32 {
        let (now, key) = (NOW + u64::from(n / 4), format!("key {}", n % 40));
        from.add(now, key.as_bytes(), b"i", n.to_string().as_bytes()).unwrap();
        for m in 0..3 {
            from.add(now, key.as_bytes(), b"h", format!("{n} {m}").as_bytes()).unwrap();
            from.add(now, key.as_bytes(), b"c", format!("{}", n % 7).as_bytes()).unwrap();
        }
    }
    let now = NOW + 50;
    to.add(now, b"key 1", b"i", b"1000").unwrap();
    for state in Dump::new(Arc::new(from)).collect::<Vec<_>>() {
        to.restore_key(now, &state.key, &state.fields).unwrap();
    }
    let from = StatsDb::new(Schema { hll_bits: 10, ..schema(10, 4, 3) }).unwrap();
    for state in to.dump() {
        from.restore_key(now, &state.key, &state.fields).unwrap();
    }
    assert_eq!((from.len(), to.len()), (40, 40));
    for n in 0..40u32 {
        let key = format!("key {n}");
        for at in [now, now + 9, now + 25, now + 100] {
            assert_eq!(from.windows_of(at, key.as_bytes()), to.windows_of(at, key.as_bytes()));
            assert_eq!(from.stats_of(at, key.as_bytes()), to.stats_of(at, key.as_bytes()));
        }
        // Each key was written five times, ten seconds apart, three values each; the first window is over.
        let ints: Vec<i32> = (0..5).rev().map(|m| (n + 40 * m) as i32).collect();
        assert_eq!(to.windows(now - 1, key.as_bytes(), b"i", None), ints[..4]);
        assert_eq!(to.windows(now - 1, key.as_bytes(), b"c", None), [3; 4]);
        assert_eq!(to.windows(now - 1, key.as_bytes(), b"h", None), [3; 4]);
        for m in 1..5 {
            let value = ((n + 40 * m) % 7).to_string();
            assert!(to.get_value(now - 1, key.as_bytes(), b"c", value.as_bytes()) >= 3);
        }
    }
}

#[test]
fn restored_counts_go_on_as_at_the_sender() {
    let (a, b) = (db(10, 3), db(10, 3));
    (0..100u32).for_each(|n| a.add(NOW, b"k", b"h", n.to_string().as_bytes()).unwrap());
    let state = a.dump().next().unwrap();
    b.restore_key(NOW, b"k", &state.fields).unwrap();
    let before = b.get(NOW, b"k", b"h");
    assert!((80..=120).contains(&before), "{before}");
    // What the sender had already counted does not count again.
    (0..100u32).for_each(|n| b.add(NOW, b"k", b"h", n.to_string().as_bytes()).unwrap());
    assert_eq!(b.get(NOW, b"k", b"h"), before);
    assert_eq!(b.dump().next().unwrap().fields, state.fields);
    // A window of its own counts exactly, the union of both as well as it can.
    b.add(NOW + 10, b"k", b"h", b"another").unwrap();
    assert_eq!(b.current(NOW + 10, b"k", b"h", None), 1);
    assert!((80..=125).contains(&b.get(NOW + 10, b"k", b"h")));
}

#[test]
fn given_slots_replace_and_the_others_stay() {
    let db = StatsDb::new(Schema { start: NOW, ..schema(60, 3, 1) }).unwrap();
    db.add(NOW, b"k", b"i", b"100").unwrap();
    db.restore_key(NOW, b"k", &[field("i", NOW - 30, &[(NOW - 30, &[0, 0, 0, 5])])]).unwrap();
    assert_eq!(db.windows(NOW, b"k", b"i", None), [5, 0, 0]);
    // From now on the field's windows begin where the sender's do.
    db.add(NOW + 30, b"k", b"i", b"1").unwrap();
    assert_eq!(db.windows(NOW + 30, b"k", b"i", None), [1, 5, 0]);
    db.restore_key(NOW + 30, b"k", &[field("i", NOW - 30, &[(NOW - 30, &[0, 0, 0, 6])])]).unwrap();
    assert_eq!(db.windows(NOW + 30, b"k", b"i", None), [1, 6, 0]);
    // No slot at all: the field and its start, nothing else.
    db.restore_key(NOW + 30, b"k", &[field("i", NOW - 30, &[])]).unwrap();
    assert_eq!(db.windows(NOW + 30, b"k", b"i", None), [1, 6, 0]);
    db.restore_key(NOW + 30, b"new", &[field("i", NOW - 30, &[])]).unwrap();
    assert_eq!(db.stats_of(NOW, b"new").unwrap(), [("i".into(), 0)]);
}

#[test]
fn what_does_not_fit_is_ignored_or_refused() {
    let db = db(60, 3);
    db.add(NOW, b"k", b"i", b"1").unwrap();
    let one: (u64, &[u8]) = (NOW, &[0, 0, 0, 1]);
    db.restore_key(NOW, b"x", &[field("unknown", NOW, &[one])]).unwrap();
    assert_eq!(db.len(), 1);
    db.restore_key(NOW, b"k", &[field("i", NOW, &[(NOW, &[0, 0, 0, 9]), (0, &[]), (0, &[]), one, one])])
        .unwrap();
    assert_eq!(db.windows(NOW, b"k", b"i", None), [9, 0, 0]);
    let bad = field("h", NOW, &[(NOW, &[4; 17]), (NOW, &[6, 1, 2])]);
    let error = db.restore_key(NOW, b"k", &[field("i", NOW, &[one]), bad]).unwrap_err();
    assert_eq!(error.to_string(), "field h: slot 1 is no serialised hll");
    let error = db.restore_key(NOW, b"y", &[field("c", NOW, &[(NOW, &[0; 468])])]).unwrap_err();
    assert_eq!((error.slot, error.kind), (0, "countmin"));
    assert_eq!(db.windows(NOW, b"k", b"i", None), [9, 0, 0]);
    assert_eq!(db.len(), 1);
}

#[test]
fn slots_with_impossible_times_do_no_harm() {
    let db = db(10, 3);
    for time in [0, 1, NOW - 5, NOW + 7, NOW + 12, NOW + 1_000_000, u64::MAX] {
        for start in [0, NOW, NOW + 5, NOW + 1_000_000, u64::MAX] {
            for now in [0, NOW, NOW + 100, u64::MAX] {
                let slots: [(u64, &[u8]); 3] =
                    [(time, &[0, 0, 0, 1]), (time, &[0, 0, 0, 2]), (time, &[0, 0, 0, 3])];
                db.restore_key(now, b"k", &[field("i", start, &slots)]).unwrap();
                db.restore_key(now, b"k", &[field("i", start, &slots[..1])]).unwrap();
                db.restore_key(now, b"k", &[field("h", start, &[(time, &[4; 17])])]).unwrap();
                db.add(now, b"k", b"i", b"1").unwrap();
                db.get(now, b"k", b"i");
                assert_eq!(db.dump().count(), 1);
            }
        }
    }
    assert!(db.memory_bytes() < 10_000);
}

#[test]
fn another_shape_of_sketch_keeps_counting() {
    let shape = CountMinShape { eps: 0.2, gamma: 0.05 };
    let from = StatsDb::new(Schema { countmin: shape, ..schema(10, 3, 1) }).unwrap();
    let to = db(10, 3);
    from.add_count(NOW, b"k", b"c", b"NL", 5);
    to.restore_key(NOW, b"k", &from.dump().next().unwrap().fields).unwrap();
    to.add_count(NOW, b"k", b"c", b"NL", 2);
    to.add_count(NOW + 10, b"k", b"c", b"NL", 1);
    assert_eq!(to.get_value(NOW + 10, b"k", b"c", b"NL"), 8);
    assert_eq!(to.windows(NOW + 10, b"k", b"c", None), [1, 7, 0]);
    let slots = to.dump().next().unwrap().fields.remove(0).slots;
    assert_eq!(slots.iter().map(|slot| slot.bytes.len()).collect::<Vec<_>>(), [204, 468, 468]);
}

/// Slots that are often right: each kind's first bytes decide.
fn slot() -> impl Strategy<Value = Slot> {
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        proptest::collection::vec(0u8..40, 16).prop_map(|registers| [&[4], &registers[..]].concat()),
        (any::<u32>(), proptest::collection::vec(any::<u8>(), 32))
            .prop_map(|(gamma, rest)| { [&0.99f32.to_le_bytes()[..], &gamma.to_le_bytes(), &rest].concat() }),
        proptest::collection::vec(any::<u8>(), 32).prop_map(|rest| [
            &0.99f32.to_le_bytes()[..],
            &0.5f32.to_le_bytes(),
            &rest
        ]
        .concat()),
    ];
    let time = prop_oneof![Just(0), NOW - 50..NOW + 50, any::<u64>()];
    (time, bytes).prop_map(|(time, bytes)| Slot { time, bytes })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn whatever_is_restored_the_database_goes_on(
        messages in proptest::collection::vec(
            ("[ihc]", NOW - 50..NOW + 50, proptest::collection::vec(slot(), 0..5), 0u64..30),
            1..8,
        )
    ) {
        let db = db(10, 3);
        let mut now = NOW;
        for (name, start, slots, wait) in messages {
            now += wait;
            let _ = db.restore_key(now, b"k", &[FieldState { name: name.into(), start, slots }]);
            for field in [&b"i"[..], b"h", b"c"] {
                let before = db.current(now, b"k", field, None);
                db.add_count(now, b"k", field, b"1", 0);
                prop_assert_eq!(db.current(now, b"k", field, None), before);
                db.add(now, b"k", field, b"1").unwrap();
                db.get_value(now, b"k", field, b"1");
                db.windows(now, b"k", field, Some(b"2"));
            }
            // What goes out can be taken in again.
            let state = db.dump().next().unwrap();
            db.restore_key(now, b"k", &state.fields).unwrap();
            let again = db.dump().next().unwrap();
            prop_assert_eq!(&again.fields[2], &state.fields[2]);
            prop_assert_eq!(&again.fields[0], &state.fields[0]);
        }
        db.set_max_bytes(0);
        prop_assert_eq!(db.memory_bytes(), 0);
    }
}
