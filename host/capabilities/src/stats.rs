//! Stats DBs by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bstr::{BStr, BString};
use parking_lot::RwLock;
use statsdb::{CountMinShape, Schema, SchemaError, StatsDb};

use crate::log::{Level, Log};

/// The stats DBs of this daemon. The first one created under a name stays: the configuration runs several times.
pub struct StatsRegistry {
    log: Arc<Log>,
    none: Arc<StatsDb>,
    dbs: RwLock<BTreeMap<BString, Arc<StatsDb>>>,
}

impl StatsRegistry {
    /// No DBs yet.
    ///
    /// # Errors
    /// None in practice: the schema of the stand-in for unknown names is constant.
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
        Ok(Self { log, none: Arc::new(StatsDb::new(none)?), dbs: RwLock::default() })
    }

    /// Creates a DB, or finds the one that has this name already (whatever its schema).
    ///
    /// # Errors
    /// A schema that cannot be served.
    pub fn create(&self, schema: Schema) -> Result<Arc<StatsDb>, SchemaError> {
        let mut dbs = self.dbs.write();
        if let Some(db) = dbs.get(&schema.name) {
            return Ok(Arc::clone(db));
        }
        let db = Arc::new(StatsDb::new(schema)?);
        dbs.insert(db.name().to_owned(), Arc::clone(&db));
        Ok(db)
    }

    /// The DB of this name.
    pub fn get(&self, name: &[u8]) -> Option<Arc<StatsDb>> {
        self.dbs.read().get(BStr::new(name)).cloned()
    }

    /// The DB of this name, or, with a warning in the log, one called `none` that has no fields: adds to it are
    /// ignored, reads give 0 (wforce compatibility).
    pub fn get_or_none(&self, name: &[u8]) -> Arc<StatsDb> {
        self.get(name).unwrap_or_else(|| {
            let text = format!("getStringStatsDB: no stats DB named \"{}\"", BStr::new(name));
            self.log.limited("unknown stats DB", Duration::from_secs(1), Level::Warning, text);
            Arc::clone(&self.none)
        })
    }

    /// All DBs, by name in ascending byte order.
    pub fn all(&self) -> Vec<Arc<StatsDb>> {
        self.dbs.read().values().cloned().collect()
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
        assert!(Arc::ptr_eq(&first, &second));
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
    }
}
