#![allow(clippy::unwrap_used, clippy::expect_used)]
use capabilities::stats::Db;
use statsdb::{CountMinShape, FieldKind, Schema};
use wire::replication::{SyncSlot, encode_list, encode_stats};

use super::*;
use crate::testing;

const NOW: u64 = 1_700_000_050;
const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

struct World {
    applier: Applier,
    db: Db,
}

fn world() -> World {
    let caps = testing::capabilities();
    let fields = [("c", FieldKind::CountMin), ("h", FieldKind::Hll), ("i", FieldKind::Int)];
    let schema = Schema {
        name: "db1".into(),
        window_secs: 60,
        windows: 3,
        fields: fields.map(|(name, kind)| (name.into(), kind)).to_vec(),
        shards: 2,
        start: 1_700_000_000,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    };
    let db = caps.stats.create(schema).unwrap();
    World { applier: Applier::new(caps), db }
}

impl World {
    fn stats(&self, op: &StatsOp<'_>) -> Result<(), Unusable> {
        let mut bytes = Vec::new();
        encode_stats(op, false, &mut bytes);
        self.applier.apply(NOW, FROM, &Message::decode(&bytes).unwrap())
    }

    fn list(&self, kind: Kind, op: &ListOp<'_>) -> Result<(), Unusable> {
        let mut bytes = Vec::new();
        encode_list(kind, op, false, &mut bytes);
        self.applier.apply(NOW, FROM, &Message::decode(&bytes).unwrap())
    }

    fn get(&self, field: &[u8]) -> i32 {
        self.db.get(NOW, b"k", field)
    }
}

fn op<'a>(action: StatsAction, field: &'a [u8], text: Option<&'a [u8]>, number: Option<i32>) -> StatsOp<'a> {
    let number = number.map(|number| number as u32);
    StatsOp { field: Some(field), text, number, ..StatsOp::new(b"db1", action, b"k") }
}

#[test]
fn counts_change_as_the_sender_changed_them() {
    let world = world();
    let all = [
        (op(StatsAction::Add, b"i", Some(b"5"), None), [5, 0, 0]),
        (op(StatsAction::Add, b"i", None, Some(-2)), [3, 0, 0]),
        (op(StatsAction::Sub, b"i", Some(b"1"), Some(100)), [2, 0, 0]),
        (op(StatsAction::Sub, b"i", None, Some(4)), [-2, 0, 0]),
        (op(StatsAction::Add, b"h", Some(b"a"), None), [-2, 1, 0]),
        (op(StatsAction::Add, b"c", Some(b"NL"), Some(3)), [-2, 1, 3]),
        (op(StatsAction::Add, b"other", Some(b"1"), None), [-2, 1, 3]),
        (op(StatsAction::None, b"i", Some(b"1"), None), [-2, 1, 3]),
        (op(StatsAction::ResetField, b"c", None, None), [-2, 1, 0]),
        (StatsOp::new(b"db1", StatsAction::ResetField, b"k"), [-2, 1, 0]),
        (StatsOp::new(b"db1", StatsAction::Reset, b"k"), [0, 0, 0]),
        (StatsOp { db: b"unknown", ..op(StatsAction::Add, b"i", Some(b"5"), None) }, [0, 0, 0]),
    ];
    for (op, expected) in all {
        world.stats(&op).unwrap();
        assert_eq!([world.get(b"i"), world.get(b"h"), world.get(b"c")], expected, "{op:?}");
    }
}

#[test]
fn a_synced_key_replaces_what_was_counted() {
    let world = world();
    world.db.add(NOW, b"k", b"i", b"100").unwrap();
    let start = NOW - 30;
    let slots = vec![SyncSlot { time: start, bytes: &[0, 0, 0, 5] }; 1];
    let field = SyncField { name: b"i", start, slots };
    world
        .stats(&StatsOp { fields: vec![field], ..StatsOp::new(b"db1", StatsAction::SyncKey, b"k") })
        .unwrap();
    assert_eq!(world.db.windows(NOW, b"k", b"i", None), [5, 0, 0]);
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let world = world();
    for op in [
        op(StatsAction::Add, b"i", Some(b"text"), None),
        op(StatsAction::Sub, b"i", Some(b""), None),
        op(StatsAction::Add, b"i", None, None),
    ] {
        assert!(matches!(world.stats(&op), Err(Unusable::Value { .. })), "{op:?}");
    }
    let slots = vec![SyncSlot { time: 1, bytes: b"\x03" }];
    let field = SyncField { name: b"h", start: 1, slots };
    let bad = StatsOp { fields: vec![field], ..StatsOp::new(b"db1", StatsAction::SyncKey, b"k") };
    assert!(world.stats(&bad).unwrap_err().to_string().contains("field h"));
    let bad = ListOp { action: ListAction::Add, kind: 0, key: b"nonsense", ttl: 5, reason: b"" };
    assert!(matches!(world.list(Kind::Blacklist, &bad), Err(Unusable::Address(_))));
    assert!(matches!(
        world.applier.apply(NOW, FROM, &Message { kind: Kind::None, op: b"", forwarded: false }),
        Err(Unusable::NoType)
    ));
    assert_eq!(world.get(b"i"), 0);
}

#[test]
fn lists_change_in_all_kinds() {
    let world = world();
    let lists = &world.applier.caps.lists;
    for (number, key) in
        [&b"10.0.0.0/8"[..], b"joe", b"1.2.3.4:joe", b"ja3", b"1.2.3.4:ja3", b"other"].into_iter().enumerate()
    {
        let add = ListOp { action: ListAction::Add, kind: number as u32, key, ttl: 60, reason: b"bad" };
        world.list(Kind::Whitelist, &add).unwrap();
        let Some(kind) = entry_kind(number as u32) else { continue };
        assert_eq!(entry_number(kind), number as u32);
        let entries = lists.white.entries(kind);
        assert_eq!((entries.len(), entries[0].key.as_slice(), entries[0].expiration), (1, key, NOW + 60));
        world.list(Kind::Whitelist, &ListOp { action: ListAction::None, ..add }).unwrap();
        world.list(Kind::Whitelist, &ListOp { action: ListAction::Delete, ..add }).unwrap();
        assert_eq!(lists.white.len(kind), 0);
    }
    assert!(lists.black.is_empty());
}
