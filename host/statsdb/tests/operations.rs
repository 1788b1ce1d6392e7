//! What each operation does to each kind of field.
#![allow(clippy::unwrap_used)]

mod common;
use common::{START as NOW, db, schema};
use portcullis_statsdb::{CountMinShape, FieldKind, NotANumber, Schema, SchemaError, StatsDb};

#[test]
fn ints_sum_wrapping() {
    let db = db(60, 3);
    db.add(NOW, b"k", b"i", b" 5 apples").unwrap();
    db.sub(NOW, b"k", b"i", b"7").unwrap();
    assert_eq!(db.get(NOW, b"k", b"i"), -2);
    db.add_int(NOW, b"k", b"i", i32::MIN);
    assert_eq!(db.get(NOW, b"k", b"i"), i32::MAX - 1);
    db.sub_int(NOW, b"k", b"i", i32::MIN);
    db.add_int(NOW + 60, b"k", b"i", i32::MAX);
    db.add_int(NOW + 120, b"k", b"i", i32::MAX);
    assert_eq!(db.get(NOW + 120, b"k", b"i"), -4);
    assert_eq!(db.get_value(NOW, b"k", b"i", b"5"), 0);
    assert_eq!(db.current(NOW, b"k", b"i", Some(b"5")), -2);
    assert_eq!(db.windows(NOW + 60, b"k", b"i", Some(b"5")), [i32::MAX, -2, 0]);
}

#[test]
fn text_that_is_no_number_makes_the_key_only() {
    let db = db(60, 3);
    assert_eq!(db.add(NOW, b"k", b"i", b"abc"), Err(NotANumber));
    assert_eq!(db.sub(NOW, b"l", b"i", b"99999999999"), Err(NotANumber));
    assert_eq!(NotANumber.to_string(), "stoi");
    assert_eq!(db.len(), 2);
    assert_eq!(db.windows(NOW, b"k", b"i", None), [0, 0, 0]);
    assert_eq!(db.stats_of(NOW, b"l").unwrap(), [("i".into(), 0)]);
}

#[test]
fn distinct_counts_count_values_once() {
    let db = db(60, 3);
    for value in [&b"a"[..], b"b", b"a", b"", b"a\0b", b"a\0c"] {
        db.add(NOW, b"k", b"h", value).unwrap();
    }
    db.add(NOW + 60, b"k", b"h", b"b").unwrap();
    db.add_int(NOW + 60, b"k", b"h", -12);
    db.add(NOW + 60, b"k", b"h", b"-12").unwrap();
    assert_eq!(db.get(NOW + 60, b"k", b"h"), 6);
    assert_eq!(db.windows(NOW + 60, b"k", b"h", None), [2, 5, 0]);
    assert_eq!(db.get_value(NOW + 60, b"k", b"h", b"a"), 0);
}

#[test]
fn asking_a_distinct_count_for_a_value_counts_it_in_but_leaves_nothing() {
    let db = db(60, 3);
    db.add(NOW, b"k", b"h", b"a").unwrap();
    for _ in 0..2 {
        assert_eq!(db.current(NOW, b"k", b"h", Some(b"a")), 1);
        assert_eq!(db.current(NOW, b"k", b"h", Some(b"b")), 2);
        assert_eq!(db.windows(NOW, b"k", b"h", Some(b"b")), [2, 1, 1]);
    }
    assert_eq!(db.windows(NOW, b"k", b"h", None), [1, 0, 0]);
    assert_eq!(db.current(NOW, b"missing", b"h", Some(b"b")), 0);
    assert_eq!(db.windows(NOW, b"missing", b"h", Some(b"b")), []);
    assert_eq!(db.len(), 1);
}

#[test]
fn distinct_counts_are_exact_up_to_256_and_good_beyond() {
    let db = StatsDb::new(Schema { hll_bits: 14, ..schema(60, 6, 1) }).unwrap();
    for n in 0..256u32 {
        db.add(NOW + u64::from(n % 6) * 60, b"k", b"h", n.to_string().as_bytes()).unwrap();
        db.add(NOW + 300, b"l", b"h", n.to_string().as_bytes()).unwrap();
        assert_eq!(db.current(NOW + 300, b"l", b"h", None), n as i32 + 1);
    }
    assert_eq!(db.get(NOW + 300, b"k", b"h"), 256);
    for n in 0..10_000u32 {
        db.add(NOW + u64::from(n / 2000) * 60, b"m", b"h", n.to_string().as_bytes()).unwrap();
        db.add(NOW + 300, b"m", b"h", n.to_string().as_bytes()).unwrap();
    }
    let sum = db.get(NOW + 300, b"m", b"h");
    assert!((9_800..=10_200).contains(&sum), "{sum}");
    for count in db.windows(NOW + 300, b"m", b"h", None).into_iter().skip(1) {
        assert!((1_960..=2_040).contains(&count), "{count}");
    }
}

#[test]
fn sketches_count_per_value() {
    let db = db(60, 3);
    db.add(NOW, b"k", b"c", b"NL").unwrap();
    db.add_count(NOW, b"k", b"c", b"NL", 3);
    db.add_count(NOW, b"k", b"c", b"NL\0ignored", -1);
    db.add_count(NOW + 60, b"k", b"c", b"NL", 10);
    db.sub(NOW + 60, b"k", b"c", b"NL").unwrap();
    db.add_int(NOW + 60, b"k", b"c", 5);
    assert_eq!(db.get(NOW + 60, b"k", b"c"), 13);
    assert_eq!(db.get_value(NOW + 60, b"k", b"c", b"NL"), 13);
    assert_eq!(db.current(NOW + 60, b"k", b"c", None), 10);
    assert_eq!(db.current(NOW + 60, b"k", b"c", Some(b"NL")), 10);
    assert_eq!(db.windows(NOW + 60, b"k", b"c", None), [10, 3, 0]);
    assert_eq!(db.windows(NOW + 60, b"k", b"c", Some(b"NL")), [10, 3, 0]);
    db.add_count(NOW + 60, b"k", b"c", b"US", -20);
    assert_eq!(db.get_value(NOW + 60, b"k", b"c", b"US"), -20);
    assert_eq!(db.get(NOW + 60, b"k", b"c"), -7);
}

#[test]
fn writes_without_effect_still_make_the_key() {
    let db = db(60, 3);
    db.add_count(NOW, b"a", b"i", b"5", 5);
    db.add_count(NOW, b"b", b"h", b"5", 5);
    db.sub(NOW, b"c", b"h", b"5").unwrap();
    db.sub(NOW, b"d", b"c", b"5").unwrap();
    db.add_int(NOW, b"e", b"c", 5);
    assert_eq!(db.len(), 5);
    for (key, field) in [(b"a", b"i"), (b"b", b"h"), (b"c", b"h"), (b"d", b"c"), (b"e", b"c")] {
        assert_eq!(db.windows(NOW, key, field, None), [0, 0, 0]);
    }
}

#[test]
fn unknown_fields_do_nothing() {
    let db = db(60, 3);
    db.add(NOW, b"k", b"x", b"abc").unwrap();
    db.sub(NOW, b"k", b"", b"abc").unwrap();
    db.add_count(NOW, b"k", b"x", b"abc", 1);
    db.add_int(NOW, b"k", b"x", 1);
    db.reset_field(NOW, b"k", b"x");
    assert!(db.is_empty());
    assert_eq!(db.get(NOW, b"k", b"x"), 0);
    assert_eq!(db.get_value(NOW, b"k", b"x", b"v"), 0);
    assert_eq!(db.windows(NOW, b"k", b"x", None), []);
    assert_eq!(db.stats_of(NOW, b"k"), None);
}

#[test]
fn resets_empty_fields_and_keep_keys() {
    let db = db(60, 3);
    for field in [&b"i"[..], b"h", b"c"] {
        (0..300u32).for_each(|n| db.add(NOW, b"k", field, n.to_string().as_bytes()).unwrap());
    }
    let full = db.memory_bytes();
    db.reset_field(NOW, b"k", b"h");
    let sums = |db: &StatsDb| db.stats_of(NOW, b"k").unwrap().into_iter().map(|(_, n)| n).collect::<Vec<_>>();
    assert_eq!(sums(&db), [300, 0, 44_850]);
    db.reset(NOW, b"k");
    db.reset(NOW, b"missing");
    assert_eq!(sums(&db), [0, 0, 0]);
    assert_eq!(db.windows(NOW, b"k", b"i", None), [0, 0, 0]);
    assert_eq!(db.len(), 1);
    assert!(db.memory_bytes() + 2000 < full);
    db.add(NOW, b"k", b"h", b"1").unwrap();
    assert_eq!(sums(&db), [0, 1, 0]);
    assert_eq!(db.windows_of(NOW, b"k").unwrap()[1], ("h".into(), vec![1, 0, 0]));
}

#[test]
fn keys_and_values_are_any_bytes() {
    let db = db(60, 3);
    for len in [0, 1, 254, 255, 256, 70_000] {
        let key = vec![0xff; len];
        db.add(NOW, &key, b"h", &key).unwrap();
        db.add(NOW, &key, b"i", b"1").unwrap();
        assert_eq!((db.get(NOW, &key, b"h"), db.get(NOW, &key, b"i")), (1, 1));
    }
    assert_eq!(db.len(), 6);
}

#[test]
fn prefixes_shape_address_keys() {
    let db = db(60, 3);
    let addr = login::Addr::parse(b"114.31.192.200").unwrap();
    assert_eq!(&*db.addr_key(&addr), b"114.31.192.200/32");
    db.set_v4_prefix(20);
    assert_eq!(&*db.addr_key(&addr), b"114.31.192.0/20");
    let addr = login::Addr::parse(b"::ffff:1.2.3.4").unwrap();
    assert_eq!(&*db.addr_key(&addr), b"::ffff:1.2.3.4/128");
    db.set_v6_prefix(64);
    assert_eq!(&*db.addr_key(&addr), b"::/64");
    db.set_v4_prefix(44);
    db.set_v6_prefix(255);
    assert_eq!((db.v4_prefix(), db.v6_prefix()), (32, 128));
}

#[test]
fn replication_is_off_until_enabled() {
    let db = db(60, 3);
    assert!(!db.replicates());
    db.enable_replication();
    assert!(db.replicates());
}

#[test]
fn impossible_schemas_are_refused() {
    let refused = |schema| StatsDb::new(schema).err().unwrap();
    assert_eq!(refused(schema(1, 1, 0)), SchemaError::Shards(0));
    assert_eq!(refused(schema(1, 100_000, 1)), SchemaError::Windows(100_000));
    let shape = CountMinShape { eps: 1.0, gamma: 0.2 };
    assert!(matches!(refused(Schema { countmin: shape, ..schema(1, 1, 1) }), SchemaError::Shape(_)));
    for (text, kind) in [("int", FieldKind::Int), ("hll", FieldKind::Hll), ("countmin", FieldKind::CountMin)]
    {
        assert_eq!(text.parse(), Ok(kind));
        assert_eq!(kind.name(), text);
    }
    for text in ["", "Int", "HLL", "int ", "count-min"] {
        assert!(text.parse::<FieldKind>().is_err());
    }
}

#[test]
fn many_fields_are_found() {
    let fields = (0..40).map(|n| (format!("f{n}").into(), FieldKind::Int)).collect();
    let db = StatsDb::new(Schema { fields, ..schema(60, 3, 1) }).unwrap();
    for n in (0..40).rev() {
        db.add_int(NOW, b"k", format!("f{n}").as_bytes(), n);
    }
    for n in 0..40 {
        assert_eq!(db.get(NOW, b"k", format!("f{n}").as_bytes()), n);
    }
    let names: Vec<_> = db.stats_of(NOW, b"k").unwrap().into_iter().map(|(name, _)| name).collect();
    assert!(names.is_sorted() && names.len() == 40);
}
