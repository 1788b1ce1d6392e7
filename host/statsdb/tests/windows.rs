//! How windows come and go.
#![allow(clippy::unwrap_used)]

mod common;
use common::{START, db, schema};
use portcullis_statsdb::{Schema, StatsDb};

#[test]
fn a_window_counts_until_its_slot_is_used_again() {
    let db = db(10, 3);
    for (offset, n) in [(0, "1"), (9, "2"), (10, "4"), (20, "8")] {
        db.add(START + offset, b"k", b"i", n.as_bytes()).unwrap();
    }
    for (offset, sum, windows) in [
        (20, 15, [8, 4, 3]),
        (29, 15, [8, 4, 3]),
        (30, 12, [0, 8, 4]),
        (40, 8, [0, 0, 8]),
        (49, 8, [0, 0, 8]),
        (50, 0, [0, 0, 0]),
    ] {
        assert_eq!(db.get(START + offset, b"k", b"i"), sum, "+{offset}");
        assert_eq!(db.windows(START + offset, b"k", b"i", None), windows, "+{offset}");
        assert_eq!(db.current(START + offset, b"k", b"i", None), windows[0], "+{offset}");
    }
    assert_eq!(db.len(), 1);
    assert_eq!(db.stats_of(START + 1000, b"k"), Some(vec![("i".into(), 0)]));
}

#[test]
fn cleaning_happens_exactly_at_the_border() {
    let db = db(10, 2);
    let add = |offset, n: &str| db.add(START + offset, b"k", b"i", n.as_bytes()).unwrap();
    let see = |offset| (db.current(START + offset, b"k", b"i", None), db.get(START + offset, b"k", b"i"));
    add(7, "100");
    add(17, "10");
    assert_eq!(see(19), (10, 110));
    assert_eq!(see(20), (0, 10));
    add(20, "1");
    assert_eq!(see(20), (1, 11));
    add(26, "1");
    assert_eq!(see(27), (2, 12));
    add(28, "5");
    assert_eq!(see(28), (7, 17));
}

#[test]
fn idle_keys_stay_and_count_again() {
    let db = db(10, 3);
    for field in [&b"i"[..], b"h", b"c"] {
        db.add(START, b"k", field, b"7").unwrap();
    }
    let later = START + 10_000;
    assert_eq!(db.stats_of(later, b"k").unwrap(), [("c".into(), 0), ("h".into(), 0), ("i".into(), 0)]);
    for field in [&b"i"[..], b"h", b"c"] {
        assert_eq!(db.windows(later, b"k", field, None), [0, 0, 0]);
        db.add(later, b"k", field, b"5").unwrap();
    }
    assert_eq!(db.stats_of(later, b"k").unwrap(), [("c".into(), 1), ("h".into(), 1), ("i".into(), 5)]);
}

#[test]
fn zero_seconds_or_windows_work_as_one() {
    let db = db(0, 0);
    assert_eq!((db.schema().window_secs, db.schema().windows), (0, 0));
    db.add(START, b"k", b"i", b"3").unwrap();
    assert_eq!(db.windows(START, b"k", b"i", None), [3]);
    assert_eq!(db.get(START + 1, b"k", b"i"), 0);
}

#[test]
fn a_start_in_the_future_is_window_zero() {
    let db = StatsDb::new(Schema { start: START + 1_000_000, ..schema(10, 3, 1) }).unwrap();
    db.add(START, b"k", b"i", b"3").unwrap();
    db.add(0, b"k", b"i", b"4").unwrap();
    assert_eq!(db.windows(START, b"k", b"i", None), [7, 0, 0]);
}

#[test]
fn a_clock_that_goes_back_keeps_the_newest_windows() {
    let db = db(10, 3);
    let count = |now| db.windows(now, b"k", b"i", None);
    for (offset, n) in [(100, "1"), (110, "2"), (105, "4"), (50, "8"), (120, "16"), (0, "32")] {
        db.add(START + offset, b"k", b"i", n.as_bytes()).unwrap();
    }
    assert_eq!(count(START + 120), [16, 2, 5]);
    assert_eq!(count(START + 50), [0, 0, 0]);
    assert_eq!(count(START), [32, 0, 0]);
    // A wild clock does not make a key grow without bounds.
    for n in (0..10_000).rev() {
        db.add(START + n * 10, b"k", b"i", b"1").unwrap();
        db.add(START + n * 10, b"k", b"h", b"1").unwrap();
    }
    assert!(db.memory_bytes() < 1000);
    db.add(u64::MAX, b"k", b"i", b"1").unwrap();
    assert_eq!(count(u64::MAX), [1, 0, 0]);
    assert_eq!(count(0)[0], count(START)[0]);
}
