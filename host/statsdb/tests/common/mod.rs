//! What the tests share.
#![allow(clippy::unwrap_used, dead_code)]

use portcullis_statsdb::{CountMinShape, FieldKind, Schema, StatsDb};

/// The second the databases of the tests were created in.
pub const START: u64 = 1_700_000_000;

/// A schema with one field of each kind: i, h and c.
pub fn schema(window_secs: u32, windows: u32, shards: u32) -> Schema {
    Schema {
        name: "db".into(),
        window_secs,
        windows,
        fields: vec![
            ("i".into(), FieldKind::Int),
            ("h".into(), FieldKind::Hll),
            ("c".into(), FieldKind::CountMin),
        ],
        shards,
        start: START,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    }
}

/// A database of that schema.
pub fn db(window_secs: u32, windows: u32) -> StatsDb {
    StatsDb::new(schema(window_secs, windows, 1)).unwrap()
}
