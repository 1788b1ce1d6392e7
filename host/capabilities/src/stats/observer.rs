//! Who hears of changes of stats DBs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use statsdb::StatsDb;

/// What was done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// `twAdd(key, field, value)`
    Add {
        /// The field.
        field: &'a [u8],
        /// The value as text.
        value: &'a [u8],
    },
    /// `twAdd(key, field, value, n)`
    AddCount {
        /// The field.
        field: &'a [u8],
        /// The value as text.
        value: &'a [u8],
        /// How often.
        n: i32,
    },
    /// `twSub(key, field, value)`
    Sub {
        /// The field.
        field: &'a [u8],
        /// The value as text.
        value: &'a [u8],
    },
    /// `twReset(key)`
    Reset,
    /// `twResetField(key, field)`
    ResetField {
        /// The field.
        field: &'a [u8],
    },
}

/// Hears of every change that this daemon itself made to a DB that replicates, after it was made, on the thread that
/// made it: so an observer must not wait for anything. Changes that siblings sent are not told. Two changes of one key
/// made at the same time may be told in either order.
pub trait StatsObserver: Send + Sync {
    /// `key` of `db` was changed at `now`, unix seconds. Also called for a field that the DB does not have: siblings may
    /// have it (wforce compatibility).
    fn changed(&self, db: &StatsDb, now: u64, key: &[u8], change: Change<'_>);
}

/// The observers of all DBs of a daemon. Telling them costs one load when there are none.
#[derive(Default)]
pub(super) struct Observers(ArcSwap<Vec<Arc<dyn StatsObserver>>>);

impl Observers {
    pub(super) fn add(&self, observer: &Arc<dyn StatsObserver>) {
        self.0.rcu(|observers| observers.iter().chain([observer]).cloned().collect::<Vec<_>>());
    }

    #[inline]
    pub(super) fn tell(&self, db: &StatsDb, now: u64, key: &[u8], change: Change<'_>) {
        if db.replicates() {
            for observer in self.0.load().iter() {
                observer.changed(db, now, key, change);
            }
        }
    }
}
