//! Which keys changed here, in order.

use std::collections::{HashSet, VecDeque};

use capabilities::stats::{Change, Db, StatsObserver};
use parking_lot::{Mutex, RwLock};
use statsdb::{FieldKind, KeyShare, Reset, Scope, StatsDb, Writer};

use super::FRAME_BYTES;
use super::acceptor::shorten;

/// What an entry costs beside its key.
const ENTRY_BYTES: usize = size_of::<Entry>();

/// Entries looked at for one frame; most of a hot key's are the same and cost next to nothing.
const BATCH: usize = 4096;

/// Blocks of shares by the numbers of their databases.
pub(super) type Blocks = Vec<(u16, Vec<u8>)>;

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum What {
    /// What was counted in a window of a field.
    Cell { field: u16, window: u32 },
    /// One value of a distinct count.
    Value { field: u16, window: u32, value: u64 },
    /// A repair brought something new: all that is known is passed on, because nobody else may be about to.
    Key,
    /// The key was reset.
    Reset { field: u16, reset: Reset },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Entry {
    db: u16,
    what: What,
    key: Box<[u8]>,
}

#[derive(Default)]
struct Entries {
    /// The position of the first one that is kept.
    first: u64,
    kept: VecDeque<Entry>,
    bytes: usize,
    overflowed: u64,
}

/// How full the journal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JournalStatus {
    /// Changes since the start.
    pub end: u64,
    /// Changes that are kept.
    pub kept: usize,
    /// Bytes they take.
    pub bytes: usize,
    /// Changes that had to make room: siblings that had not taken them are repaired.
    pub overflowed: u64,
}

/// The journal of a node: one for all siblings. Appending takes a short lock and never waits for anybody; when it is
/// full the oldest entries go, and a sibling that had not taken them is repaired instead.
pub struct Journal {
    origin: u64,
    max_bytes: usize,
    dbs: RwLock<Vec<Db>>,
    entries: Mutex<Entries>,
}

impl Journal {
    /// An empty journal of at most `max_bytes`.
    pub fn new(origin: u64, max_bytes: usize) -> Self {
        Self { origin, max_bytes, dbs: RwLock::default(), entries: Mutex::default() }
    }

    /// This node's origin.
    pub fn origin(&self) -> u64 {
        self.origin
    }

    /// Takes care of a database from now on, unless it is known.
    pub fn add_db(&self, db: &Db) {
        let mut dbs = self.dbs.write();
        if !dbs.iter().any(|known| known.is(db)) && dbs.len() < usize::from(u16::MAX) {
            if db.local().own_origin() == statsdb::NOBODY {
                db.local().share_as(self.origin);
            }
            dbs.push(db.clone());
        }
    }

    /// The databases by number.
    pub fn dbs(&self) -> Vec<Db> {
        self.dbs.read().clone()
    }

    /// How full it is.
    pub fn status(&self) -> JournalStatus {
        let entries = self.entries.lock();
        JournalStatus {
            end: entries.first + entries.kept.len() as u64,
            kept: entries.kept.len(),
            bytes: entries.bytes,
            overflowed: entries.overflowed,
        }
    }

    /// The position after the last entry.
    pub fn end(&self) -> u64 {
        self.status().end
    }

    /// The position of the first entry that is kept.
    pub fn first(&self) -> u64 {
        self.entries.lock().first
    }

    /// A repair brought something new about a key.
    pub(super) fn pass_on(&self, db: u16, key: &[u8]) {
        self.push(Entry { db, what: What::Key, key: key.into() });
    }

    fn push(&self, entry: Entry) {
        let mut entries = self.entries.lock();
        entries.bytes += ENTRY_BYTES + entry.key.len();
        entries.kept.push_back(entry);
        while entries.bytes > self.max_bytes
            && let Some(gone) = entries.kept.pop_front()
        {
            entries.first += 1;
            entries.overflowed += 1;
            entries.bytes -= ENTRY_BYTES + gone.key.len();
        }
    }

    /// The changes from a position on that fit in a frame, as blocks of shares: what the databases say now. Returns the
    /// position after the last of them; `None` if some are no longer kept.
    pub(super) fn take(&self, from: u64, now: u64) -> Option<(u64, Blocks)> {
        let some: Vec<Entry> = {
            let entries = self.entries.lock();
            let skip = usize::try_from(from.checked_sub(entries.first)?).ok()?;
            entries.kept.iter().skip(skip).take(BATCH).cloned().collect()
        };
        let dbs = self.dbs.read();
        let mut writers: Vec<Writer> = dbs.iter().map(|_| Writer::default()).collect();
        let (mut seen, mut position, mut bytes) = (HashSet::with_capacity(some.len()), from, 0);
        for entry in &some {
            if bytes > FRAME_BYTES {
                break;
            }
            position += 1;
            if !seen.insert(entry) {
                continue;
            }
            let place = usize::from(entry.db);
            if let (Some(db), Some(writer)) = (dbs.get(place), writers.get_mut(place))
                && let Some(share) = share(db.local(), entry, now)
            {
                let before = writer.len();
                writer.push(&share);
                bytes += writer.len() - before;
            }
        }
        let blocks = (0u16..).zip(&mut writers).filter(|(_, writer)| !writer.is_empty());
        Some((position, blocks.map(|(db, writer)| (db, writer.finish())).collect()))
    }
}

/// What a database says now of what an entry is about.
fn share(db: &StatsDb, entry: &Entry, now: u64) -> Option<KeyShare> {
    match entry.what {
        What::Key => db.share(now, &entry.key, Scope::Nodes).map(shorten),
        What::Cell { field, window } => db.own_cell(&entry.key, field, window),
        What::Value { field, window, value } => db.own_value(&entry.key, field, window, value),
        What::Reset { field, reset } => {
            Some(KeyShare { key: entry.key.to_vec().into(), resets: vec![(field, reset)], parts: Vec::new() })
        }
    }
}

impl StatsObserver for Journal {
    fn changed(&self, db: &StatsDb, now: u64, key: &[u8], change: Change<'_>) {
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
