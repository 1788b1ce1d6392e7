//! List entries between nodes: of two changes of an entry the later one counts.
//!
//! Each node notes of every entry when it was changed, and of deleted ones that they were (a *tombstone*), for as long as
//! some node might still have the entry. That is a map of last-writer-wins registers: whatever order changes arrive in, all
//! nodes end with the same.

mod change;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bstr::BStr;
use capabilities::Capabilities;
use capabilities::lists::{Colour, Entry, Kind, Origin};
use parking_lot::Mutex;
use statsdb::{CLASSIC, Catalogue, Secret};

pub(super) use change::decode;
pub use change::{EntryChange, Id, Stamp, What};

/// How long a tombstone is kept at least and at most, seconds: entries with more time left than the longest may come back
/// if a node that has one was away for all that time.
const SHORTEST: u64 = 3600;
const LONGEST: u64 = 30 * 86_400;
/// How long for an entry that was not here, seconds.
const UNKNOWN: u64 = 86_400;
/// Most tombstones; those that would go first make room.
const MAX_TOMBSTONES: usize = 200_000;

/// What is noted of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Note {
    stamp: Stamp,
    what: What,
    /// Until when others may still have what was there before it, unix seconds.
    longest: u64,
}

#[derive(Default)]
struct Notes {
    of: HashMap<Id, Note>,
    /// Tombstones by when they go.
    tombstones: BTreeMap<(u64, u64), Id>,
    next: u64,
}

/// The notes of a node, beside its lists.
pub struct Entries {
    caps: Arc<Capabilities>,
    origin: u64,
    notes: Mutex<Notes>,
    /// Whether anything is noted yet.
    noting: AtomicBool,
}

impl Entries {
    /// Notes about these lists, by the node with this origin. Nothing is noted before [`Entries::begin`].
    pub fn new(caps: Arc<Capabilities>, origin: u64) -> Self {
        Self { caps, origin, notes: Mutex::default(), noting: AtomicBool::new(false) }
    }

    /// Notes from now on. What is in the lists already has no stamp: any change that anybody noted counts as later.
    pub fn begin(&self) {
        if self.noting.swap(true, Ordering::AcqRel) {
            return;
        }
        for colour in [Colour::Black, Colour::White] {
            for kind in Kind::ALL {
                for entry in self.caps.lists.list(colour).entries(kind) {
                    let id = Id { colour, kind, key: entry.key };
                    let what = What::Listed(entry.expiration);
                    let note = Note { stamp: Stamp::default(), what, longest: entry.expiration };
                    self.notes.lock().of.entry(id).or_insert(note);
                }
            }
        }
    }

    fn is_noting(&self) -> bool {
        self.noting.load(Ordering::Acquire)
    }

    /// An entry was added, now: `now_ms`, unix milliseconds. Whether siblings have to be told.
    pub(super) fn added(&self, id: &Id, expiration: u64, origin: Origin, now_ms: u64) -> bool {
        if !self.is_noting() {
            return false;
        }
        let mut notes = self.notes.lock();
        let known = notes.of.get(id).copied();
        let what = What::Listed(expiration);
        match origin {
            Origin::Local => notes.put(id.clone(), self.later(known, now_ms), what),
            Origin::Loaded if known.is_none() => notes.put(id.clone(), Stamp::default(), what),
            Origin::Loaded => {}
            // A session noted it already; a packet did not.
            Origin::Replicated if known.is_some_and(|known| known.what == what) => {}
            Origin::Replicated => notes.put(id.clone(), packet(known, now_ms), what),
        }
        origin == Origin::Local
    }

    /// An entry was deleted, now: `now_ms`, unix milliseconds. Whether siblings have to be told.
    pub(super) fn deleted(&self, id: &Id, origin: Origin, now_ms: u64) -> bool {
        if !self.is_noting() {
            return false;
        }
        let mut notes = self.notes.lock();
        let known = notes.of.get(id).copied();
        let now = now_ms / 1000;
        let until = match known.map(|known| known.what) {
            Some(What::Listed(expiration)) => expiration.clamp(now + SHORTEST, now + LONGEST),
            Some(What::Deleted(until)) => until.max(now + SHORTEST),
            None => now + UNKNOWN,
        };
        let what = What::Deleted(until);
        match origin {
            Origin::Replicated if matches!(known, Some(Note { what: What::Deleted(_), .. })) => {}
            Origin::Replicated => notes.put(id.clone(), packet(known, now_ms), what),
            Origin::Local | Origin::Loaded => notes.put(id.clone(), self.later(known, now_ms), what),
        }
        origin == Origin::Local
    }

    /// An entry's time is over. If it took the place of one with more time left, whoever has only heard of that still has it.
    pub(super) fn expired(&self, id: &Id) {
        if !self.is_noting() {
            return;
        }
        let mut notes = self.notes.lock();
        match notes.of.get(id).copied() {
            Some(Note { stamp, what: What::Listed(expiration), longest }) if longest > expiration => {
                notes.put(id.clone(), stamp, What::Deleted(longest.min(expiration + LONGEST)));
            }
            Some(Note { what: What::Listed(_), .. }) => _ = notes.of.remove(id),
            _ => {}
        }
    }

    /// An entry had to make room; others keep theirs.
    pub(super) fn crowded_out(&self, id: &Id) {
        if self.is_noting() {
            let mut notes = self.notes.lock();
            if matches!(notes.of.get(id), Some(Note { what: What::Listed(_), .. })) {
                notes.of.remove(id);
            }
        }
    }

    /// The daemon's time, unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.caps.clock.since_epoch().as_millis()).unwrap_or(u64::MAX)
    }

    /// A stamp later than that of what is known.
    fn later(&self, known: Option<Note>, now_ms: u64) -> Stamp {
        let time_ms = known.map_or(now_ms, |known| now_ms.max(known.stamp.time_ms + 1));
        Stamp { time_ms, origin: self.origin }
    }

    /// Forgets tombstones whose time is over. `now`: unix seconds.
    pub fn prune(&self, now: u64) {
        let mut notes = self.notes.lock();
        while notes.tombstones.first_key_value().is_some_and(|((until, _), _)| *until <= now) {
            notes.drop_tombstone();
        }
    }

    /// What siblings have to know of an entry now; `None` if nothing is known of it.
    pub(super) fn change(&self, id: &Id) -> Option<EntryChange> {
        let note = self.notes.lock().of.get(id).copied();
        let id = id.clone();
        match note {
            Some(Note { stamp, what: What::Deleted(until), .. }) => {
                Some(EntryChange { id, stamp, what: What::Deleted(until), reason: Vec::new().into() })
            }
            note => {
                let entry = self.caps.lists.list(id.colour).find(id.kind, &id.key)?;
                let stamp = note.map_or_else(Stamp::default, |note| note.stamp);
                Some(EntryChange { id, stamp, what: What::Listed(entry.expiration), reason: entry.reason })
            }
        }
    }

    /// Takes over what a sibling says of an entry, if that is later than what is known here. Whether it was.
    pub(super) fn merge(&self, now: u64, change: EntryChange) -> bool {
        self.begin();
        let EntryChange { id, stamp, mut what, reason } = change;
        let note = Note { stamp, what, longest: what.until() };
        let list = self.caps.lists.list(id.colour);
        if what.until() <= now {
            // What it took the place of is over as well.
            match self.notes.lock().of.get(&id) {
                Some(known) if known.longest > now && note.order() > known.order() => {
                    what = What::Deleted(known.longest.min(now + LONGEST));
                }
                _ => return false,
            }
        }
        let admit = || {
            let mut notes = self.notes.lock();
            let known = notes.of.get(&id);
            let newer = known.is_none_or(|known| note.order() > known.order());
            if newer {
                notes.put(id.clone(), stamp, what);
            }
            newer
        };
        match what {
            What::Listed(expiration) => {
                let entry = Entry { key: id.key.clone(), expiration, reason };
                list.put_if(now, id.kind, entry, Origin::Replicated, admit)
            }
            What::Deleted(_) if list.find(id.kind, &id.key).is_some() => {
                list.remove_if(id.kind, &id.key, Origin::Replicated, admit)
            }
            // Nothing to be taken off: no reason to write a line about it.
            What::Deleted(_) => admit(),
        }
    }

    /// Digests of everything that is noted and not over at `now`, and which entry each hash stands for.
    pub(super) fn catalogue(&self, now: u64, secret: &Secret) -> (Catalogue, HashMap<u64, Id>) {
        self.begin();
        let notes = self.notes.lock();
        let mut ids = HashMap::with_capacity(notes.of.len());
        let lines: Vec<(u64, u64)> = notes
            .of
            .iter()
            .filter(|(_, note)| note.what.until() > now)
            .map(|(id, note)| {
                let hash = secret.key(&id.bytes());
                ids.insert(hash, id.clone());
                (hash, note.digest(secret))
            })
            .collect();
        (Catalogue::of(lines), ids)
    }

    /// How many notes there are, and how many of them are tombstones.
    pub fn len(&self) -> (usize, usize) {
        let notes = self.notes.lock();
        (notes.of.len(), notes.tombstones.len())
    }

    pub(super) fn key(colour: Colour, kind: Kind, key: &BStr) -> Id {
        Id { colour, kind, key: key.to_owned() }
    }
}

/// The stamp of what a packet asked for: all nodes that got it give about the same one.
fn packet(known: Option<Note>, now_ms: u64) -> Stamp {
    let time_ms = now_ms / 1000 * 1000;
    Stamp { time_ms: known.map_or(time_ms, |known| time_ms.max(known.stamp.time_ms + 1)), origin: CLASSIC }
}

impl Note {
    /// The greater one counts. Of two without a stamp the one that lasts longer.
    fn order(&self) -> (Stamp, bool, u64) {
        (self.stamp, matches!(self.what, What::Deleted(_)), self.what.until())
    }

    fn digest(&self, secret: &Secret) -> u64 {
        let mut bytes = [0; 25];
        bytes[..8].copy_from_slice(&self.stamp.time_ms.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.stamp.origin.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.what.until().to_le_bytes());
        bytes[24] = u8::from(matches!(self.what, What::Deleted(_)));
        secret.key(&bytes).max(1)
    }
}

impl Notes {
    fn put(&mut self, id: Id, stamp: Stamp, what: What) {
        if let What::Deleted(until) = what {
            self.next += 1;
            self.tombstones.insert((until, self.next), id.clone());
        }
        let before = self.of.get(&id).map_or(0, |note| note.longest);
        self.of.insert(id, Note { stamp, what, longest: before.max(what.until()) });
        while self.tombstones.len() > MAX_TOMBSTONES {
            self.drop_tombstone();
        }
    }

    /// Forgets the tombstone that goes first, unless the entry was changed since.
    fn drop_tombstone(&mut self) {
        let Some(((until, _), id)) = self.tombstones.pop_first() else { return };
        if self.of.get(&id).is_some_and(|note| note.what == What::Deleted(until)) {
            self.of.remove(&id);
        }
    }
}
