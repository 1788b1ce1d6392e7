//! Stats DBs by name.

mod ask;
mod db;
mod observer;
mod remote;
mod seen;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bstr::{BStr, BString};
use parking_lot::{Mutex, RwLock};
use statsdb::{CountMinShape, Schema, SchemaError, StatsDb};

use crate::log::{Level, Log};

pub use ask::Question;
pub use db::Db;
use observer::Observers;
pub use observer::{Change, StatsObserver};
pub use remote::{Answer, Ask, AskError, Found, OnUnreachable, Remote, Step, Unreachable};

/// Most names that are not there and have a stand-in of their own, and bytes of such a name: a policy may ask for what a client
/// sent.
const STAND_INS: usize = 64;
const STAND_IN_NAME: usize = 200;

/// The stats DBs of this daemon. The first one created under a name stays: the configuration runs several times.
pub struct StatsRegistry {
    log: Arc<Log>,
    none: Db,
    stand_ins: Mutex<BTreeMap<BString, Db>>,
    dbs: RwLock<BTreeMap<BString, Db>>,
    observers: Arc<Observers>,
}

impl StatsRegistry {
    /// No DBs yet.
    ///
    /// # Errors
    /// None in practice: the schema of the stand-ins for unknown names is constant.
    pub fn new(log: Arc<Log>) -> Result<Self, SchemaError> {
        let none = Schema {
            name: "none".into(),
            window_secs: 1,
            windows: 1,
            fields: Vec::new(),
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        };
        let none = Db::stand_in(StatsDb::new(none)?, "none".into());
        let stand_ins = Mutex::default();
        Ok(Self { log, none, stand_ins, dbs: RwLock::default(), observers: Arc::default() })
    }

    /// Tells this observer of every local change of a DB that replicates, from now on.
    pub fn observe(&self, observer: &Arc<dyn StatsObserver>) {
        self.observers.add(observer);
    }

    /// Creates a DB, or finds the one that has this name already (whatever its schema).
    ///
    /// # Errors
    /// A schema that cannot be served.
    pub fn create(&self, schema: Schema) -> Result<Db, SchemaError> {
        self.create_or_find(schema).map(|(db, _)| db)
    }

    /// The same, and whether it was created.
    ///
    /// # Errors
    /// A schema that cannot be served.
    pub fn create_or_find(&self, schema: Schema) -> Result<(Db, bool), SchemaError> {
        let mut dbs = self.dbs.write();
        if let Some(db) = dbs.get(&schema.name) {
            return Ok((db.clone(), false));
        }
        let db = Db::new(StatsDb::new(schema)?, Arc::clone(&self.observers));
        dbs.insert(db.name().to_owned(), db.clone());
        Ok((db, true))
    }

    /// Its name is unknown again, and free for another one: the configuration that made it is not used.
    pub fn forget(&self, db: &Db) {
        self.dbs.write().retain(|_, other| !other.is(db));
    }

    /// The DB of this name.
    pub fn get(&self, name: &[u8]) -> Option<Db> {
        self.dbs.read().get(BStr::new(name)).cloned()
    }

    /// The DB of this name, or, with a warning in the log, one called `none` that has no fields: adds to it are
    /// ignored, reads give 0 (wforce compatibility).
    pub fn get_or_none(&self, name: &[u8]) -> Db {
        self.get(name).unwrap_or_else(|| {
            let text = format!("getStringStatsDB: no stats DB named \"{}\"", BStr::new(name));
            self.log.limited("unknown stats DB", Duration::from_secs(1), Level::Warning, text);
            self.stand_in(name)
        })
    }

    /// What stands for a name that there is not: the same one each time, as policies ask again and again.
    fn stand_in(&self, name: &[u8]) -> Db {
        let mut known = self.stand_ins.lock();
        if let Some(db) = known.get(BStr::new(name)) {
            return db.clone();
        }
        if known.len() >= STAND_INS || name.len() > STAND_IN_NAME {
            return self.none.clone();
        }
        let Ok(local) = StatsDb::new(self.none.schema().clone()) else { return self.none.clone() };
        let db = Db::stand_in(local, name.into());
        known.insert(name.into(), db.clone());
        db
    }

    /// All DBs, by name in ascending byte order.
    pub fn all(&self) -> Vec<Db> {
        self.dbs.read().values().cloned().collect()
    }

    /// Whether the counts of some DB are, or will be, kept outside.
    pub fn some_outside(&self) -> bool {
        self.dbs.read().values().any(Db::is_outside)
    }

    /// How many DBs there are.
    pub fn len(&self) -> usize {
        self.dbs.read().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use statsdb::FieldKind;

    use super::*;

    fn schema(name: &str, windows: u32) -> Schema {
        Schema {
            name: name.into(),
            window_secs: 60,
            windows,
            fields: vec![("n".into(), FieldKind::Int)],
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        }
    }

    #[test]
    fn the_first_creation_wins_and_names_are_sorted() {
        let stats = StatsRegistry::new(Log::discard()).unwrap();
        assert!(stats.is_empty());
        let first = stats.create(schema("b", 2)).unwrap();
        stats.create(schema("a", 2)).unwrap();
        let second = stats.create(schema("b", 7)).unwrap();
        assert!(first.is(&second));
        assert_eq!(second.schema().windows, 2);
        let names: Vec<_> = stats.all().iter().map(|db| db.name().to_string()).collect();
        assert_eq!((names, stats.len()), (vec!["a".to_owned(), "b".to_owned()], 2));
        assert!(stats.get(b"a").is_some() && stats.get(b"c").is_none());
    }

    #[test]
    fn an_unknown_name_gives_a_db_that_ignores_everything() {
        let stats = StatsRegistry::new(Log::discard()).unwrap();
        let none = stats.get_or_none(b"nowhere");
        assert_eq!(none.name(), "none");
        none.add(1000, b"key", b"n", b"5").unwrap();
        assert_eq!((none.get(1000, b"key", b"n"), none.len()), (0, 0));
        assert!(none.windows(1000, b"key", b"n", None).is_empty());
        stats.create(schema("here", 2)).unwrap();
        assert_eq!(stats.get_or_none(b"here").name(), "here");
        assert!(stats.get(b"none").is_none());
        assert_eq!(none.stands_for(), Some(BStr::new("nowhere")));
        assert!(none.is(&stats.get_or_none(b"nowhere")));
        let others: Vec<Db> = (0..1000).map(|n| stats.get_or_none(format!("no {n}").as_bytes())).collect();
        assert!(others[100].is(&others[999]) && !others[0].is(&others[1]), "their number is bounded");
        assert!(stats.get_or_none(&[b'x'; 1000]).is(&others[999]));
    }

    /// Writes down what it hears.
    #[derive(Default)]
    struct Diary(parking_lot::Mutex<Vec<String>>);

    impl StatsObserver for Diary {
        fn changed(&self, db: &StatsDb, now: u64, key: &[u8], change: Change<'_>) {
            let count = db.get(now, key, b"n");
            self.0.lock().push(format!("{} {now} {} {change:?} -> {count}", db.name(), BStr::new(key)));
        }
    }

    #[test]
    fn local_changes_of_a_replicating_db_are_told_after_they_were_made() {
        let stats = StatsRegistry::new(Log::discard()).unwrap();
        let db = stats.create(schema("a", 2)).unwrap();
        let diary = Arc::new(Diary::default());
        let observer: Arc<dyn StatsObserver> = diary.clone();
        stats.observe(&observer);
        db.add(1000, b"k", b"n", b"5").unwrap();
        assert!(diary.0.lock().is_empty(), "it does not replicate yet");
        db.enable_replication();
        db.add(1000, b"k", b"n", b"2").unwrap();
        db.add(1000, b"k", b"n", b"no number").unwrap_err();
        db.add(1000, b"k", b"other", b"1").unwrap();
        db.add_count(1000, b"k", b"n", b"x", -3);
        db.sub(1001, b"k", b"n", b"3").unwrap();
        db.reset_field(1002, b"k", b"n");
        db.local().add(1002, b"k", b"n", b"9").unwrap();
        stats.get(b"a").unwrap().reset(1003, b"k");
        let heard = diary.0.lock();
        let text = |bytes: &[u8]| format!("{bytes:?}");
        let (n, x) = (text(b"n"), text(b"x"));
        assert_eq!(
            *heard,
            [
                format!("a 1000 k Add {{ field: {n}, value: {} }} -> 7", text(b"2")),
                format!("a 1000 k Add {{ field: {}, value: {} }} -> 7", text(b"other"), text(b"1")),
                format!("a 1000 k AddCount {{ field: {n}, value: {x}, n: -3 }} -> 7"),
                format!("a 1001 k Sub {{ field: {n}, value: {} }} -> 4", text(b"3")),
                format!("a 1002 k ResetField {{ field: {n} }} -> 0"),
                "a 1003 k Reset -> 0".to_owned(),
            ]
        );
    }
}
