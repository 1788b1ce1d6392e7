//! List entries between nodes: of two changes of an entry the later one counts.
//!
//! Each node notes of every entry when it was changed, and of one that is gone that it was (a *tombstone*), for as long as
//! some node might still have what was there before. That is a map of last-writer-wins registers, each beside a time that
//! only grows: whatever order changes arrive in, all nodes end with the same. That an entry's time is over is no change: each
//! node finds it out by its own clock, and what it notes stays the same.

mod change;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
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
/// Most memory that they take, about, bytes.
const MAX_TOMBSTONE_BYTES: usize = 64 << 20;
/// How far a sibling's clock may be ahead, milliseconds. Whatever it says of later than that is no change.
const AHEAD_MS: u64 = 86_400_000;

/// What is noted of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Note {
    stamp: Stamp,
    what: What,
    /// Until when others may still have what was there before it, unix seconds; at least until it is over itself.
    longest: u64,
    /// It is not in the list (any more): deleted, or its time is over here.
    gone: bool,
}

#[derive(Default)]
struct Notes {
    of: HashMap<Id, Note>,
    /// Those that are gone, by when they are forgotten.
    tombstones: BTreeSet<(u64, Id)>,
    /// Of the tombstones.
    bytes: usize,
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
                    let longest = entry.expiration;
                    let note = Note { stamp: Stamp::default(), what, longest, gone: false };
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
            Origin::Local => notes.put(id.clone(), Note::listed(self.later(known, now_ms), expiration)),
            Origin::Loaded if known.is_none() => {
                notes.put(id.clone(), Note::listed(Stamp::default(), expiration));
            }
            Origin::Loaded => {}
            // A session noted it already; a packet did not.
            Origin::Replicated if known.is_some_and(|known| known.what == what && !known.gone) => {}
            Origin::Replicated => notes.put(id.clone(), Note::listed(packet(known, now_ms), expiration)),
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
        let until = known.map_or(now + UNKNOWN, |known| known.longest.clamp(now + SHORTEST, now + LONGEST));
        match origin {
            Origin::Replicated if known.is_some_and(|known| known.gone) => {}
            Origin::Replicated => notes.put(id.clone(), Note::deleted(packet(known, now_ms), until)),
            Origin::Local | Origin::Loaded => {
                notes.put(id.clone(), Note::deleted(self.later(known, now_ms), until));
            }
        }
        origin == Origin::Local
    }

    /// An entry's time is over. If it took the place of one with more time left, whoever has only heard of that still has it:
    /// so it is remembered.
    pub(super) fn expired(&self, id: &Id) {
        if !self.is_noting() {
            return;
        }
        let mut notes = self.notes.lock();
        match notes.of.get(id).copied() {
            Some(note) if note.gone => {}
            Some(note) if note.until() > note.what.until() => {
                notes.put(id.clone(), Note { gone: true, ..note });
            }
            _ => _ = notes.of.remove(id),
        }
    }

    /// An entry had to make room; others keep theirs.
    pub(super) fn crowded_out(&self, id: &Id) {
        if self.is_noting() {
            let mut notes = self.notes.lock();
            if notes.of.get(id).is_some_and(|note| !note.gone) {
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
        let time_ms = known.map_or(now_ms, |known| now_ms.max(known.stamp.time_ms.saturating_add(1)));
        Stamp { time_ms, origin: self.origin }
    }

    /// Forgets tombstones whose time is over. `now`: unix seconds.
    pub fn prune(&self, now: u64) {
        let mut notes = self.notes.lock();
        while notes.tombstones.first().is_some_and(|(until, _)| *until <= now) {
            notes.drop_tombstone();
        }
    }

    /// What siblings have to know of an entry now; `None` if nothing is known of it.
    pub(super) fn change(&self, id: &Id) -> Option<EntryChange> {
        let note = self.notes.lock().of.get(id).copied();
        let id = id.clone();
        if let Some(Note { stamp, what, longest, gone: true }) = note {
            return Some(EntryChange { id, stamp, what, longest, reason: Vec::new().into() });
        }
        let Entry { expiration, reason, .. } = self.caps.lists.list(id.colour).find(id.kind, &id.key)?;
        let (stamp, longest) = note.map_or_else(Default::default, |note| (note.stamp, note.longest));
        let what = What::Listed(expiration);
        Some(EntryChange { id, stamp, what, longest: longest.max(expiration), reason })
    }

    /// Takes over what a sibling says of an entry, if that is later than what is known here. Whether it was.
    pub(super) fn merge(&self, now: u64, change: EntryChange) -> bool {
        self.begin();
        let EntryChange { id, stamp, what, longest, reason } = change;
        if stamp.time_ms > now.saturating_mul(1000).saturating_add(AHEAD_MS) {
            return false;
        }
        let over = what.until() <= now;
        let gone = over || matches!(what, What::Deleted(_));
        let note = Note { stamp, what, longest: longest.max(what.until()), gone };
        if over {
            // What it took the place of may not be.
            let known = self.notes.lock().of.get(&id).map_or(0, |known| known.longest);
            if (Note { longest: note.longest.max(known), ..note }).until() <= now {
                return false;
            }
        }
        let admit = || self.notes.lock().join(&id, note);
        let list = self.caps.lists.list(id.colour);
        match what {
            What::Listed(expiration) if !over => {
                let entry = Entry { key: id.key.clone(), expiration, reason };
                list.put_if(now, id.kind, entry, Origin::Replicated, admit)
            }
            _ if list.find(id.kind, &id.key).is_some() => {
                list.remove_if(id.kind, &id.key, Origin::Replicated, admit)
            }
            // Nothing to be taken off: no reason to write a line about it.
            _ => admit(),
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
            .filter(|(_, note)| note.until() > now)
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
    let after = |known: Note| time_ms.max(known.stamp.time_ms.saturating_add(1));
    Stamp { time_ms: known.map_or(time_ms, after), origin: CLASSIC }
}

impl Note {
    fn listed(stamp: Stamp, expiration: u64) -> Self {
        Self { stamp, what: What::Listed(expiration), longest: expiration, gone: false }
    }

    fn deleted(stamp: Stamp, until: u64) -> Self {
        Self { stamp, what: What::Deleted(until), longest: until, gone: true }
    }

    /// The greater one counts. Of two without a stamp the one that lasts longer.
    fn order(&self) -> (Stamp, bool, u64) {
        (self.stamp, matches!(self.what, What::Deleted(_)), self.what.until())
    }

    /// Until when it has to be known. The same on all nodes, whatever their clocks.
    fn until(&self) -> u64 {
        let longest = self.stamp.time_ms / 1000 + LONGEST;
        match self.what {
            What::Listed(expiration) => expiration.max(self.longest.min(longest)),
            What::Deleted(_) => self.longest.min(longest),
        }
    }

    fn digest(&self, secret: &Secret) -> u64 {
        let mut bytes = [0; 33];
        bytes[..8].copy_from_slice(&self.stamp.time_ms.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.stamp.origin.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.what.until().to_le_bytes());
        bytes[24..32].copy_from_slice(&self.longest.to_le_bytes());
        bytes[32] = u8::from(matches!(self.what, What::Deleted(_)));
        secret.key(&bytes).max(1)
    }
}

impl Notes {
    /// Notes this; how long others may have what was there before is not forgotten.
    fn put(&mut self, id: Id, note: Note) {
        let mut longest = note.longest;
        if let Some(before) = self.of.get(&id).copied() {
            longest = longest.max(before.longest);
            if before.gone && self.tombstones.remove(&(before.until(), id.clone())) {
                self.bytes -= weight(&id);
            }
        }
        let note = Note { longest, ..note };
        if note.gone {
            self.bytes += weight(&id);
            self.tombstones.insert((note.until(), id.clone()));
        }
        self.of.insert(id, note);
        while self.tombstones.len() > MAX_TOMBSTONES || self.bytes > MAX_TOMBSTONE_BYTES {
            self.drop_tombstone();
        }
    }

    /// Notes this if it is later than what is known. Whether it is.
    fn join(&mut self, id: &Id, note: Note) -> bool {
        match self.of.get(id).copied() {
            Some(known) if note.order() <= known.order() => {
                if note.longest > known.longest {
                    self.put(id.clone(), Note { longest: note.longest, ..known });
                }
                false
            }
            _ => {
                self.put(id.clone(), note);
                true
            }
        }
    }

    /// Forgets the tombstone that goes first.
    fn drop_tombstone(&mut self) {
        if let Some((_, id)) = self.tombstones.pop_first() {
            self.bytes -= weight(&id);
            self.of.remove(&id);
        }
    }
}

/// Bytes that a tombstone takes, about: its key is in the map and in the order.
fn weight(id: &Id) -> usize {
    2 * (size_of::<Id>() + id.key.len()) + size_of::<Note>() + size_of::<u64>()
}
