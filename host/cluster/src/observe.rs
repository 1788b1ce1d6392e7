//! Telling siblings what was changed here.

use std::sync::Arc;

use bstr::BStr;
use capabilities::lists::{Colour, Entry, Kind as EntryKind, ListObserver, Origin};
use capabilities::stats::{Change, StatsObserver};
use statsdb::StatsDb;
use wire::replication::{self, Kind, ListAction, ListOp, StatsAction, StatsOp};

use crate::apply::entry_number;
use crate::table::Table;

/// Hears of local changes and sends them to all siblings that are sent packets.
pub(crate) struct Teller(pub(crate) Arc<Table>);

impl StatsObserver for Teller {
    fn changed(&self, db: &StatsDb, _: u64, key: &[u8], change: Change<'_>) {
        if !self.0.is_sent_to() {
            return;
        }
        let op = StatsOp::new(db.name(), StatsAction::Add, key);
        let op = match change {
            Change::Add { field, value } => StatsOp { field: Some(field), text: Some(value), ..op },
            Change::AddCount { field, value, n } => {
                StatsOp { field: Some(field), text: Some(value), number: Some(n as u32), ..op }
            }
            Change::Sub { field, value } => {
                StatsOp { action: StatsAction::Sub, field: Some(field), text: Some(value), ..op }
            }
            Change::Reset => StatsOp { action: StatsAction::Reset, ..op },
            Change::ResetField { field } => {
                StatsOp { action: StatsAction::ResetField, field: Some(field), ..op }
            }
        };
        self.0.send(|out| replication::encode_stats(&op, false, out));
    }
}

impl Teller {
    fn list(&self, colour: Colour, op: &ListOp<'_>) {
        if self.0.is_sent_to() {
            let kind = match colour {
                Colour::Black => Kind::Blacklist,
                Colour::White => Kind::Whitelist,
            };
            self.0.send(|out| replication::encode_list(kind, op, false, out));
        }
    }
}

impl ListObserver for Teller {
    fn added(&self, colour: Colour, kind: EntryKind, entry: &Entry, expire_secs: u32, origin: Origin) {
        if origin == Origin::Local {
            let op = ListOp {
                action: ListAction::Add,
                kind: entry_number(kind),
                key: &entry.key,
                ttl: expire_secs,
                reason: &entry.reason,
            };
            self.list(colour, &op);
        }
    }

    fn deleted(&self, colour: Colour, kind: EntryKind, key: &BStr, _existed: bool, origin: Origin) {
        if origin == Origin::Local {
            let op =
                ListOp { action: ListAction::Delete, kind: entry_number(kind), key, ttl: 0, reason: b"" };
            self.list(colour, &op);
        }
    }

    // Each daemon lets its entries go by itself.
    fn expired(&self, _: Colour, _: EntryKind, _: &Entry) {}

    fn crowded_out(&self, _: Colour, _: EntryKind, _: &Entry) {}
}
