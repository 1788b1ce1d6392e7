//! Bounds on keys and bytes, and what goes when they are reached.
#![allow(clippy::unwrap_used)]

mod common;
use common::{START as NOW, db, schema};
use portcullis_statsdb::StatsDb;

fn keys(db: &StatsDb) -> Vec<String> {
    db.dump().map(|state| state.key.to_string()).collect()
}

#[test]
fn the_least_recently_written_key_makes_room_at_once() {
    let db = db(60, 3);
    db.set_max_size(3);
    for n in 1..=10 {
        db.add(NOW, format!("k{n}").as_bytes(), b"i", b"1").unwrap();
        assert!(db.len() <= 3);
    }
    assert_eq!(keys(&db), ["k8", "k9", "k10"]);
}

#[test]
fn reads_and_resets_do_not_keep_a_key() {
    let db = db(60, 3);
    db.set_max_size(3);
    for key in [b"a", b"b", b"c"] {
        db.add(NOW, key, b"i", b"1").unwrap();
    }
    db.get(NOW, b"a", b"i");
    db.windows(NOW, b"a", b"i", None);
    db.reset(NOW, b"a");
    db.reset_field(NOW, b"a", b"i");
    db.sub(NOW, b"b", b"i", b"1").unwrap();
    db.add(NOW, b"d", b"i", b"1").unwrap();
    assert_eq!(keys(&db), ["c", "b", "d"]);
    let state = db.dump().next().unwrap();
    db.restore_key(NOW, b"c", &state.fields).unwrap();
    assert_eq!(keys(&db), ["b", "d", "c"]);
}

#[test]
fn shards_share_the_maximum() {
    let db = StatsDb::new(schema(60, 3, 10)).unwrap();
    assert_eq!(db.max_size(), 524_280);
    db.set_max_size(25);
    assert_eq!(db.max_size(), 20);
    for n in 0..1000 {
        db.add(NOW, format!("k{n}").as_bytes(), b"i", b"1").unwrap();
    }
    assert_eq!(db.len(), 20);
    let shards: Vec<u32> = db.dump().map(|state| state.shard).collect();
    assert_eq!(shards, (0..10).flat_map(|n| [n, n]).collect::<Vec<_>>());
}

#[test]
fn keys_live_in_the_shards_of_the_reference() {
    for (count, expected) in [(4, [2, 2, 1, 3, 3, 0]), (10, [8, 0, 9, 3, 3, 8])] {
        let db = StatsDb::new(schema(60, 3, count)).unwrap();
        for (key, shard) in ["a", "b", "c", "d", "e", "k"].into_iter().zip(expected) {
            db.add(NOW, key.as_bytes(), b"i", b"1").unwrap();
            assert_eq!(db.dump().find(|state| state.key == key).unwrap().shard, shard);
        }
    }
}

#[test]
fn a_lower_maximum_takes_effect_at_once() {
    let db = db(60, 3);
    for n in 0..5000 {
        db.add(NOW, format!("k{n}").as_bytes(), b"i", b"1").unwrap();
    }
    db.set_max_size(2);
    assert_eq!(keys(&db), ["k4998", "k4999"]);
    db.set_max_size(0);
    assert!(db.is_empty());
    db.add(NOW, b"a", b"i", b"1").unwrap();
    db.add(NOW, b"b", b"i", b"1").unwrap();
    assert_eq!(keys(&db), ["b"]);
}

#[test]
fn bytes_are_bounded_too() {
    let db = db(60, 3);
    db.set_max_bytes(100_000);
    for n in 0..3000u32 {
        let key = format!("k{n}");
        db.add(NOW, key.as_bytes(), b"i", b"1").unwrap();
        db.add(NOW, key.as_bytes(), b"c", b"value").unwrap();
        (0..20).for_each(|n: u32| db.add(NOW, key.as_bytes(), b"h", &n.to_le_bytes()).unwrap());
        assert!(db.memory_bytes() <= 100_000);
        assert_eq!(db.get(NOW, key.as_bytes(), b"h"), 20);
    }
    assert!(db.len() > 50);
    assert_eq!(keys(&db).last().unwrap(), "k2999");
    // One key alone may be larger than the limit.
    db.set_max_bytes(10);
    assert!(db.is_empty());
    db.add(NOW, b"k", b"c", b"value").unwrap();
    assert_eq!(db.get(NOW, b"k", b"c"), 1);
    db.add(NOW, b"l", b"c", b"value").unwrap();
    assert_eq!(keys(&db), ["l"]);
}

#[test]
fn bytes_are_bounded_by_default_too() {
    let db = db(60, 3);
    assert_eq!(db.max_bytes(), 524_288 * 4096);
    db.set_max_size(100_000);
    assert_eq!(db.max_bytes(), 100_000 * 4096);
    db.set_max_size(4096);
    assert_eq!(db.max_bytes(), 16 << 20);
    for n in 0..5000u32 {
        let mut key = vec![b'x'; 1 << 20];
        key[..4].copy_from_slice(&n.to_le_bytes());
        db.add(NOW, &key, b"i", b"1").unwrap();
    }
    assert!(db.memory_bytes() <= 16 << 20 && db.len() > 1000, "{} {}", db.memory_bytes(), db.len());
    db.set_max_bytes(1 << 20);
    assert!(db.memory_bytes() <= 1 << 20 && db.len() > 100);
    // What was set stays, whatever the number of keys.
    db.set_max_size(2_000_000);
    assert_eq!(db.max_bytes(), 1 << 20);
}

#[test]
fn of_a_long_key_the_first_4096_bytes_count() {
    let db = db(60, 3);
    let long = vec![b'x'; 5000];
    db.add(NOW, &long, b"i", b"1").unwrap();
    db.add(NOW, &long[..4500], b"i", b"1").unwrap();
    db.add(NOW, &long[..4095], b"i", b"1").unwrap();
    assert_eq!((db.len(), db.get(NOW, &long, b"i"), db.get(NOW, &long[..4096], b"i")), (2, 2, 2));
    assert_eq!(db.stats_of(NOW, &long).unwrap()[0].1, 2);
    let state = db.dump().next().unwrap();
    assert_eq!(state.key.len(), 4096);
    db.reset_field(NOW, &long, b"i");
    assert_eq!(db.get(NOW, &long, b"i"), 0);
    db.restore_key(NOW, &long, &state.fields).unwrap();
    assert_eq!((db.len(), db.get(NOW, &long, b"i")), (2, 2));
    db.reset(NOW, &long);
    assert_eq!(db.get(NOW, &long, b"i"), 0);
}

#[test]
fn any_number_of_keys_is_found_again() {
    let db = db(60, 3);
    let name = |n: u32| format!("key {n}").into_bytes();
    for n in 0..50_000 {
        db.add_int(NOW, &name(n), b"i", n as i32);
    }
    db.set_max_size(30_000);
    for n in 50_000..60_000 {
        db.add_int(NOW, &name(n), b"i", n as i32);
    }
    for n in 0..60_000 {
        assert_eq!(db.get(NOW, &name(n), b"i"), if n < 30_000 { 0 } else { n as i32 });
    }
    assert_eq!(db.len(), 30_000);
}
