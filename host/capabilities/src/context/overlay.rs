//! Where the writes of a policy go that must not change anything: seen by that policy only, over what is live.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bstr::{BStr, BString};
use parking_lot::{Mutex, RwLock};
use statsdb::{StatsDb, Together};

use crate::lists::{Colour, Entry, Kind, Lists};

/// Keys and entries that may be hidden at once.
const MAX_HIDDEN: usize = 65_536;

/// The writes. Bounded like what they are written over: its stats DBs keep as many keys as the live ones, its lists as
/// many entries.
#[derive(Default)]
pub struct Overlay {
    dbs: RwLock<BTreeMap<BString, Arc<StatsDb>>>,
    /// Fields and keys that were reset here, and until when that matters: what was live before has left the windows then.
    /// Meanwhile only what is written here counts for them.
    resets: Mutex<HashMap<Place, u64>>,
    /// Entries added here. Nobody observes these lists.
    pub(crate) lists: Lists,
    /// Entries deleted here.
    unlisted: Mutex<HashSet<(Colour, Kind, BString)>>,
}

/// A key of a DB, all of it or one field.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    db: BString,
    key: BString,
    field: Option<BString>,
}

impl Overlay {
    /// The DB that is written in place of this one; made when it is first needed.
    pub(crate) fn db(&self, live: &StatsDb) -> Option<Arc<StatsDb>> {
        if let Some(own) = self.dbs.read().get(live.name()) {
            return Some(Arc::clone(own));
        }
        let mut dbs = self.dbs.write();
        if let Some(own) = dbs.get(live.name()) {
            return Some(Arc::clone(own));
        }
        // A schema that one DB has fits another.
        let own = Arc::new(StatsDb::new(live.schema().clone()).ok()?);
        own.set_max_size(live.max_size());
        own.set_max_bytes(live.max_bytes());
        dbs.insert(live.name().to_owned(), Arc::clone(&own));
        Some(own)
    }

    /// Reads a field of a key as the policy wrote it: over what is live, or alone after a reset.
    pub(crate) fn read<R>(
        &self,
        live: &StatsDb,
        now: u64,
        key: &[u8],
        field: &[u8],
        together: impl FnOnce(Together<'_>) -> R,
        alone: impl FnOnce(&StatsDb) -> R,
    ) -> R {
        let own = self.dbs.read().get(live.name()).cloned();
        match own {
            None => alone(live),
            Some(own) if self.was_reset(live, now, key, field) => alone(&own),
            Some(own) => together(Together { base: live, beside: &own }),
        }
    }

    fn was_reset(&self, live: &StatsDb, now: u64, key: &[u8], field: &[u8]) -> bool {
        let resets = self.resets.lock();
        if resets.is_empty() {
            return false;
        }
        let mut place = Place { db: live.name().into(), key: key.into(), field: None };
        let holds = |place: &Place| resets.get(place).is_some_and(|until| now < *until);
        if holds(&place) {
            return true;
        }
        place.field = Some(field.into());
        holds(&place)
    }

    /// Empties a key, or one field of it.
    pub(crate) fn reset(&self, live: &StatsDb, now: u64, key: &[u8], field: Option<&[u8]>) {
        let Some(own) = self.db(live) else { return };
        match field {
            Some(field) => own.reset_field(now, key, field),
            None => own.reset(now, key),
        };
        let schema = live.schema();
        let until = now + u64::from(schema.window_secs.max(1)) * u64::from(schema.windows.max(1));
        let mut resets = self.resets.lock();
        if resets.len() >= MAX_HIDDEN {
            resets.retain(|_, until| now < *until);
            if resets.len() >= MAX_HIDDEN {
                resets.clear();
            }
        }
        resets.insert(
            Place { db: live.name().into(), key: key.into(), field: field.map(BString::from) },
            until,
        );
    }

    /// An entry was added here: it is no longer deleted.
    pub(crate) fn list(&self, colour: Colour, kind: Kind, key: BString) {
        self.unlisted.lock().remove(&(colour, kind, key));
    }

    /// An entry was deleted here.
    pub(crate) fn unlist(&self, colour: Colour, kind: Kind, key: BString) {
        let mut unlisted = self.unlisted.lock();
        if unlisted.len() >= MAX_HIDDEN {
            unlisted.clear();
        }
        unlisted.insert((colour, kind, key));
    }

    /// The live entry, unless it was deleted here.
    pub(crate) fn unless_unlisted(&self, colour: Colour, kind: Kind, live: Entry) -> Option<Entry> {
        let unlisted = self.unlisted.lock();
        if unlisted.is_empty() || !unlisted.contains(&(colour, kind, live.key.clone())) {
            return Some(live);
        }
        None
    }

    /// The names of the DBs that something was written over.
    pub fn touched(&self) -> Vec<BString> {
        self.dbs.read().keys().cloned().collect()
    }

    /// The DB written in place of the one of this name.
    pub fn written(&self, name: &[u8]) -> Option<Arc<StatsDb>> {
        self.dbs.read().get(BStr::new(name)).cloned()
    }
}
