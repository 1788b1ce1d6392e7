//! Doing what siblings tell: their changes are made here, too, and told nobody further.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bstr::BStr;
use capabilities::Capabilities;
use capabilities::lists::{Colour, Kind as EntryKind, Origin};
use statsdb::{FieldState, SiblingChange, Slot, StatsDb, classic_origin};
use wire::replication::{Kind, ListAction, ListOp, Message, StatsAction, StatsOp, SyncField};

use crate::peer::Peer;
use crate::receive::{Sink, Unusable};

/// Applies messages to the stats DBs and lists of a daemon.
pub struct Applier {
    caps: Arc<Capabilities>,
}

/// Unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The kind of an entry by its number in messages.
pub(crate) fn entry_kind(number: u32) -> Option<EntryKind> {
    Some(match number {
        0 => EntryKind::Ip,
        1 => EntryKind::Login,
        2 => EntryKind::IpLogin,
        3 => EntryKind::Ja3,
        4 => EntryKind::IpJa3,
        _ => return None,
    })
}

/// The number of a kind of entry in messages.
pub(crate) fn entry_number(kind: EntryKind) -> u32 {
    match kind {
        EntryKind::Ip => 0,
        EntryKind::Login => 1,
        EntryKind::IpLogin => 2,
        EntryKind::Ja3 => 3,
        EntryKind::IpJa3 => 4,
    }
}

/// Whether a message is part of a start-up sync of a database that is not shared in sessions.
pub(crate) fn is_sync(caps: &Capabilities, message: &Message<'_>) -> bool {
    message.kind == Kind::Stats
        && StatsOp::decode(message.op).is_ok_and(|op| {
            let shared = caps.stats.get(op.db).is_some_and(|db| db.replicates());
            op.action == StatsAction::SyncKey && !shared
        })
}

impl Applier {
    /// Messages are applied to these.
    pub fn new(caps: Arc<Capabilities>) -> Self {
        Self { caps }
    }

    /// Makes a change that the sibling at this address asks for. Whether the DB replicates here makes no difference (wforce compatibility). Unknown DBs, fields
    /// and kinds of entries are no error.
    ///
    /// # Errors
    /// See [`Unusable`]; nothing was changed then.
    pub fn apply(&self, now: u64, from: IpAddr, message: &Message<'_>) -> Result<(), Unusable> {
        match message.kind {
            Kind::Stats => self.stats(now, from, &StatsOp::decode(message.op)?),
            Kind::Blacklist => self.list(now, Colour::Black, &ListOp::decode(message.op)?),
            Kind::Whitelist => self.list(now, Colour::White, &ListOp::decode(message.op)?),
            Kind::None => Err(Unusable::NoType),
        }
    }

    fn stats(&self, now: u64, from: IpAddr, op: &StatsOp<'_>) -> Result<(), Unusable> {
        let Some(db) = self.caps.stats.get(op.db) else {
            let name = BStr::new(op.db);
            let text = format!("a sibling sent a change of the stats DB \"{name}\", which is unknown here");
            self.caps.log.limited(
                &text,
                std::time::Duration::from_mins(1),
                capabilities::Level::Warning,
                &text,
            );
            return Ok(());
        };
        let outcome = change(db.local(), now, from, op);
        outcome.map_err(|why| Unusable::Value { db: op.db.into(), why })
    }

    fn list(&self, now: u64, colour: Colour, op: &ListOp<'_>) -> Result<(), Unusable> {
        let Some(kind) = entry_kind(op.kind) else { return Ok(()) };
        let list = self.caps.lists.list(colour);
        match op.action {
            ListAction::Add => {
                let added = list.add_key(now, kind, op.key, op.ttl, op.reason, Origin::Replicated);
                if added { Ok(()) } else { Err(Unusable::Address(op.key.into())) }
            }
            ListAction::Delete => {
                list.delete_key(kind, op.key, Origin::Replicated);
                Ok(())
            }
            ListAction::None => Ok(()),
        }
    }
}

/// Who counted what packets from this address tell.
pub(crate) fn told_by(from: IpAddr) -> u64 {
    match from.to_canonical() {
        IpAddr::V4(addr) => classic_origin(&addr.octets()),
        IpAddr::V6(addr) => classic_origin(&addr.octets()),
    }
}

fn change(db: &StatsDb, now: u64, from: IpAddr, op: &StatsOp<'_>) -> Result<(), String> {
    let key = op.key;
    let field = op.field.unwrap_or_default();
    let number = op.number.map(|number| number as i32);
    let change = match (op.action, op.text, number) {
        (StatsAction::Add, Some(text), Some(number)) => SiblingChange::AddCount(text, number),
        (StatsAction::Add, Some(text), None) => SiblingChange::Add(text),
        (StatsAction::Add, None, Some(number)) => SiblingChange::AddInt(number),
        (StatsAction::Add | StatsAction::Sub, None, None) => return Err("there is nothing to count".into()),
        (StatsAction::Sub, Some(text), _) => SiblingChange::Sub(text),
        (StatsAction::Sub, None, Some(number)) => SiblingChange::SubInt(number),
        (StatsAction::Reset, ..) => {
            db.reset_classic(key, None);
            return Ok(());
        }
        (StatsAction::ResetField, ..) => {
            if let Some(field) = op.field {
                db.reset_classic(key, Some(field));
            }
            return Ok(());
        }
        (StatsAction::SyncKey, ..) => {
            let fields: Vec<FieldState> = op.fields.iter().map(state).collect();
            return db.restore_key(now, key, &fields).map_err(|error| error.to_string());
        }
        (StatsAction::None, ..) => return Ok(()),
    };
    db.apply_classic(now, key, field, (told_by(from), change)).map_err(|error| error.to_string())
}

fn state(field: &SyncField<'_>) -> FieldState {
    let slots = field.slots.iter().map(|slot| Slot { time: slot.time, bytes: slot.bytes.to_vec() });
    FieldState { name: field.name.into(), start: field.start, slots: slots.collect() }
}

impl Sink for Applier {
    fn take(&self, peer: &Arc<Peer>, message: &Message<'_>) -> Result<(), Unusable> {
        self.apply(now(), peer.addr().ip(), message)
    }
}

#[cfg(test)]
mod tests;
