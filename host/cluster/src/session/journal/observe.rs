//! What the journal hears of.

use bstr::BStr;
use capabilities::lists::{Colour, Entry as ListEntry, Kind, ListObserver, Origin};
use capabilities::stats::{Change, StatsObserver};
use statsdb::{FieldKind, Reset, StatsDb};

use super::super::Entries;
use super::{Entry, Journal, What};

impl StatsObserver for Journal {
    fn changed(&self, db: &StatsDb, now: u64, key: &[u8], change: Change<'_>) {
        if !self.is_recording() {
            return;
        }
        let place = {
            let dbs = self.dbs.read();
            dbs.iter().position(|known| std::ptr::eq(known.local(), db))
        };
        let Some(place) = place.and_then(|place| u16::try_from(place).ok()) else { return };
        let window = db.window(now);
        let what = match change {
            Change::Add { field, value } => match db.field(field) {
                Some((field, FieldKind::Hll)) => {
                    What::Value { field, window, value: StatsDb::hash_value(value) }
                }
                Some((field, _)) => What::Cell { field, window },
                None => return,
            },
            Change::AddCount { field, .. } | Change::Sub { field, .. } => match db.field(field) {
                Some((field, FieldKind::Int | FieldKind::CountMin)) => What::Cell { field, window },
                _ => return,
            },
            Change::Reset | Change::ResetField { .. } => {
                let field = match change {
                    Change::ResetField { field } => match db.field(field) {
                        Some((field, _)) => field,
                        None => return,
                    },
                    _ => statsdb::ALL_FIELDS,
                };
                let known = db.reset_of(key, field);
                let asked = Reset { time_ms: now.saturating_mul(1000), origin: self.origin };
                What::Reset { field, reset: known.max(asked) }
            }
        };
        let key = key.get(..key.len().min(statsdb::MAX_KEY)).unwrap_or(key).into();
        self.push(Entry { db: place, what, key });
    }
}

impl ListObserver for Journal {
    fn added(&self, colour: Colour, kind: Kind, entry: &ListEntry, _expire_secs: u32, origin: Origin) {
        let Some(lists) = self.lists() else { return };
        let id = Entries::key(colour, kind, BStr::new(&entry.key));
        if lists.added(&id, entry.expiration, origin, lists.now_ms()) {
            self.push_entry(id);
        }
    }

    fn deleted(&self, colour: Colour, kind: Kind, key: &BStr, _existed: bool, origin: Origin) {
        let Some(lists) = self.lists() else { return };
        let id = Entries::key(colour, kind, key);
        if lists.deleted(&id, origin, lists.now_ms()) {
            self.push_entry(id);
        }
    }

    fn expired(&self, colour: Colour, kind: Kind, entry: &ListEntry) {
        if let Some(lists) = self.lists() {
            lists.expired(&Entries::key(colour, kind, BStr::new(&entry.key)));
        }
    }

    fn crowded_out(&self, colour: Colour, kind: Kind, entry: &ListEntry) {
        if let Some(lists) = self.lists() {
            lists.crowded_out(&Entries::key(colour, kind, BStr::new(&entry.key)));
        }
    }
}
