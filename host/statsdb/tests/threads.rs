//! Many threads at once.
#![allow(clippy::unwrap_used)]

mod common;
use common::{START as NOW, schema};
use portcullis_statsdb::StatsDb;

#[test]
fn no_count_is_lost() {
    for shards in [1, 8] {
        let db = StatsDb::new(schema(60, 3, shards)).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                let db = &db;
                scope.spawn(move || {
                    for n in 0..20_000u32 {
                        let key = (n.wrapping_mul(7919) % 1000).to_le_bytes();
                        db.add(NOW, &key, b"i", b"1").unwrap();
                        db.add(NOW, b"all", b"h", &(n % 200).to_le_bytes()).unwrap();
                        db.add(NOW, b"all", b"c", &thread.to_le_bytes()).unwrap();
                    }
                });
            }
            scope.spawn(|| (0..20).for_each(|_| assert!(db.dump().count() <= 1001)));
        });
        let sum: i32 = (0..1000u32).map(|n| db.get(NOW, &n.to_le_bytes(), b"i")).sum();
        assert_eq!(sum, 80_000);
        assert_eq!((db.get(NOW, b"all", b"h"), db.get(NOW, b"all", b"c")), (200, 80_000));
        assert_eq!(db.len(), 1001);
    }
}

#[test]
fn a_dump_sees_every_key_that_stays() {
    let db = StatsDb::new(schema(60, 3, 1)).unwrap();
    for n in 0..5000u32 {
        db.add(NOW, &n.to_le_bytes(), b"i", b"1").unwrap();
    }
    let mut seen = Vec::new();
    for (n, state) in (0u32..).zip(db.dump()) {
        seen.push(state.key);
        // Writes move keys to the end of the line, on which the walk does not depend.
        db.add(NOW, &(4999 - n).to_le_bytes(), b"i", b"1").unwrap();
        db.add(NOW, &(10_000 + n).to_le_bytes(), b"i", b"1").unwrap();
    }
    assert_eq!(seen.len(), 5000);
    assert!(seen.into_iter().zip(0u32..).all(|(key, n)| key == n.to_le_bytes()));
}
