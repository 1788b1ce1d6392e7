//! What holds of a stats DB wherever it is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::BString;
use capabilities::stats::{Ask, AskError, Db, Found, Step};
use capabilities::{Capabilities, Log, Options};
use portcullis_tests::PATIENCE;
use statsdb::{CountMinShape, FieldKind, Schema};
use valkey::{StatsOptions, StatsStore};

/// Capabilities and a runtime, with DBs.
pub struct World {
    pub runtime: tokio::runtime::Runtime,
    pub caps: Arc<Capabilities>,
}

impl World {
    pub fn new() -> World {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = Options { log: Log::discard(), metrics_prefix: "wforce".into(), regexes: None };
        World { runtime, caps: Capabilities::new(options).unwrap() }
    }

    pub fn memory(&self, name: &str) -> Kept<'_> {
        let fields = [("i", FieldKind::Int), ("h", FieldKind::Hll), ("c", FieldKind::CountMin)];
        let schema = Schema {
            name: name.into(),
            window_secs: 60,
            windows: 3,
            fields: fields.map(|(name, kind)| (name.into(), kind)).to_vec(),
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        };
        Kept { world: self, db: self.caps.stats.create(schema).unwrap() }
    }

    pub fn outside(&self, name: &str, options: &[(&str, &str)]) -> Kept<'_> {
        let kept = self.memory(name);
        let options: BTreeMap<BString, BString> =
            options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let options = StatsOptions::parse(options).unwrap();
        let store = StatsStore::start(&self.caps, &kept.db, options, self.runtime.handle()).unwrap();
        assert!(self.runtime.block_on(store.connected(PATIENCE)));
        kept
    }
}

/// A DB, wherever it is kept.
pub struct Kept<'w> {
    world: &'w World,
    pub db: Db,
}

pub fn step(key: &[u8], field: &str, ask: Ask) -> Step {
    Step { key: key.into(), field: field.into(), ask }
}

pub fn add(value: &str) -> Ask {
    Ask::Add { value: value.into() }
}

#[allow(clippy::unnecessary_wraps, reason = "as the questions have it")]
fn of(value: &str) -> Option<BString> {
    Some(value.into())
}

impl Kept<'_> {
    pub fn ask(&self, now: u64, steps: Vec<Step>) -> Result<Vec<Found>, AskError> {
        self.world.runtime.block_on(self.db.ask(None, now, steps))
    }

    pub fn one(&self, now: u64, key: &[u8], field: &str, ask: Ask) -> Found {
        self.ask(now, vec![step(key, field, ask)]).unwrap().pop().unwrap()
    }

    pub fn number(&self, now: u64, key: &[u8], field: &str, ask: Ask) -> i32 {
        self.one(now, key, field, ask).number()
    }

    pub fn windows(&self, now: u64, key: &[u8], field: &str, value: Option<BString>) -> Vec<i32> {
        match self.one(now, key, field, Ask::Windows { value }) {
            Found::List(list) => list,
            found => panic!("{found:?}"),
        }
    }

    pub fn size(&self, now: u64) -> u64 {
        match self.db.remote() {
            Some(remote) => self.world.runtime.block_on(remote.size(now)).unwrap(),
            None => self.db.len() as u64,
        }
    }

    pub fn sums(&self, now: u64, key: &str) -> Option<Vec<(BString, i32)>> {
        self.world.runtime.block_on(self.db.all_of(now, key.into()))
    }
}

/// The beginning of a window.
pub const T: u64 = 1_800_000_000;

/// What holds of a stats DB wherever it is kept.
pub fn battery(db: &Kept<'_>) {
    sums(db);
    distinct_values(db);
    sketches(db);
    batches(db);
    keys(db);
}

fn sums(db: &Kept<'_>) {
    assert_eq!(db.number(T, b"k", "i", Ask::Get), 0);
    assert_eq!(db.windows(T, b"k", "i", None), Vec::<i32>::new());
    for ask in [add("5"), add(" 7x"), Ask::Sub { value: "2".into() }] {
        assert_eq!(db.one(T, b"k", "i", ask), Found::Done);
    }
    assert_eq!(db.number(T + 59, b"k", "i", Ask::Get), 10);
    db.one(T + 60, b"k", "i", add("1"));
    assert_eq!(db.windows(T + 61, b"k", "i", None), [1, 10, 0]);
    assert_eq!(db.windows(T + 61, b"k", "i", of("x")), [1, 10, 0], "a value says nothing of a sum");
    assert_eq!(db.number(T + 61, b"k", "i", Ask::Current { value: None }), 1);
    assert_eq!(db.number(T + 61, b"k", "i", Ask::GetValue { value: "5".into() }), 0);
    assert_eq!(db.number(T + 130, b"k", "i", Ask::Get), 11);
    db.one(T + 180, b"k", "i", add("100"));
    assert_eq!(db.windows(T + 180, b"k", "i", None), [100, 0, 1]);
    assert_eq!(db.number(T + 360, b"k", "i", Ask::Get), 0);
    for _ in 0..2 {
        db.one(T, b"wrap", "i", add("2147483647"));
    }
    assert_eq!(db.number(T, b"wrap", "i", Ask::Get), -2);
    db.one(T, b"k", "nosuch", add("1"));
    assert_eq!(db.number(T, b"k", "nosuch", Ask::Get), 0);
    assert!(matches!(db.ask(T, vec![step(b"k", "i", add("x"))]), Err(AskError::NotANumber(_))));
}

fn distinct_values(db: &Kept<'_>) {
    let many = |from: usize, to: usize| {
        (from..to).map(|n| step(b"h", "h", add(&format!("value {n}")))).collect::<Vec<_>>()
    };
    for value in ["a", "b", "a", "", "c"] {
        db.one(T, b"few", "h", add(value));
    }
    assert_eq!(db.number(T, b"few", "h", Ask::Get), 4);
    assert_eq!(db.number(T, b"few", "h", Ask::Current { value: of("a") }), 4);
    assert_eq!(db.number(T, b"few", "h", Ask::Current { value: of("new") }), 5);
    assert_eq!(db.number(T, b"few", "h", Ask::Get), 4, "a read only reads");
    db.one(T + 60, b"few", "h", add("a"));
    assert_eq!(db.number(T + 60, b"few", "h", Ask::Get), 4, "seen in two windows, it is one");
    assert_eq!(db.windows(T + 60, b"few", "h", None), [1, 4, 0]);
    assert_eq!(db.windows(T + 60, b"few", "h", of("b")), [2, 4, 1]);
    assert_eq!(db.number(T, b"few", "h", Ask::GetValue { value: "a".into() }), 0);

    db.ask(T, many(0, 256)).unwrap();
    assert_eq!(db.number(T, b"h", "h", Ask::Get), 256, "exact while few");
    for part in 0..5 {
        db.ask(T, many(part * 1000, part * 1000 + 1000)).unwrap();
    }
    let about = |found: i32| assert!((4600..=5400).contains(&found), "{found}");
    about(db.number(T, b"h", "h", Ask::Get));
    db.ask(T + 60, many(0, 100)).unwrap();
    about(db.number(T + 60, b"h", "h", Ask::Get));
    assert_eq!(db.number(T + 60, b"h", "h", Ask::Current { value: None }), 100);
}

fn sketches(db: &Kept<'_>) {
    for (value, count) in [("NL", 3), ("DE", 2), ("NL", 1)] {
        db.one(T, b"c", "c", Ask::AddCount { value: value.into(), count });
    }
    db.one(T + 60, b"c", "c", add("NL"));
    assert_eq!(db.number(T + 60, b"c", "c", Ask::Get), 7);
    assert_eq!(db.number(T + 60, b"c", "c", Ask::GetValue { value: "NL".into() }), 5);
    assert_eq!(db.number(T + 60, b"c", "c", Ask::Current { value: of("NL") }), 1);
    assert_eq!(db.number(T + 60, b"c", "c", Ask::Current { value: None }), 1);
    assert_eq!(db.windows(T + 60, b"c", "c", of("NL")), [1, 4, 0]);
    assert_eq!(db.windows(T + 60, b"c", "c", None), [1, 6, 0]);
    db.one(T + 60, b"c", "c", Ask::Sub { value: "NL".into() });
    db.one(T + 60, b"k", "i", Ask::AddCount { value: "NL".into(), count: 9 });
    assert_eq!(db.number(T + 60, b"c", "c", Ask::Get), 7, "only sums are subtracted from");
}

fn batches(db: &Kept<'_>) {
    let found = db.ask(
        T,
        vec![
            step(b"one", "i", add("2")),
            step(b"two", "i", add("3")),
            step(b"one", "i", Ask::Get),
            step(b"one", "h", add("x")),
            step(b"two", "i", Ask::Current { value: None }),
            step(b"one", "h", Ask::Get),
            step(b"three", "i", Ask::Get),
        ],
    );
    let (done, number) = (Found::Done, Found::Number);
    let expected = [done.clone(), done.clone(), number(2), done, number(3), number(1), number(0)];
    assert_eq!(found.unwrap(), expected);
    let failing = db
        .ask(T, vec![step(b"one", "i", add("5")), step(b"one", "i", add("x")), step(b"one", "i", add("7"))]);
    assert!(matches!(failing, Err(AskError::NotANumber(_))));
    assert_eq!(db.number(T, b"one", "i", Ask::Get), 7, "what came before stays done");
    assert_eq!(db.ask(T, Vec::new()), Ok(Vec::new()));
}

fn keys(db: &Kept<'_>) {
    let before = db.size(T + 10);
    let strange: [&[u8]; 4] = [b"{a}:\0\xff\r\n", b"", b"}{", "\u{fc}".as_bytes()];
    for key in strange {
        db.one(T + 10, key, "i", add("1"));
        db.one(T + 10, key, "i", add("1"));
        assert_eq!(db.number(T + 10, key, "i", Ask::Get), 2, "{key:?}");
    }
    assert_eq!(db.size(T + 10) - before, 4);
    let long = vec![b'x'; 5000];
    db.one(T + 10, &long, "i", add("1"));
    assert_eq!(db.number(T + 10, &long[..4096], "i", Ask::Get), 1, "of a long key the first part counts");
    for field in ["i", "h", "c"] {
        db.one(T, b"gone", field, add("1"));
    }
    let sums = |list: &[(&str, i32)]| {
        Some(list.iter().map(|(name, sum)| ((*name).into(), *sum)).collect::<Vec<_>>())
    };
    assert_eq!(db.sums(T, "gone"), sums(&[("c", 1), ("h", 1), ("i", 1)]));
    assert_eq!(db.sums(T, "never"), None);
    db.one(T, b"gone", "h", Ask::ResetField);
    assert_eq!(db.number(T, b"gone", "h", Ask::Get), 0);
    assert_eq!(db.number(T, b"gone", "c", Ask::GetValue { value: "1".into() }), 1);
    let size = db.size(T);
    db.one(T, b"gone", "", Ask::Reset);
    db.one(T, b"never", "", Ask::Reset);
    assert_eq!(db.number(T, b"gone", "c", Ask::Get) + db.number(T, b"gone", "i", Ask::Get), 0);
    assert_eq!(db.size(T), size, "a reset removes no key and makes none");
}
