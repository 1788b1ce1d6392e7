//! Which keys changed here, in order.

mod observe;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bstr::BStr;
use capabilities::lists::{Colour, Kind};
use capabilities::stats::Db;
use parking_lot::{Mutex, RwLock};
use statsdb::{KeyShare, Reset, Scope, Writer};
use tokio::sync::Notify;

use super::entries::Id;
use super::kept::Kept;
use super::too_long::{self, LeftOut, TooLong};
use super::{Entries, FRAME_BYTES};

/// What an entry costs beside its key.
const ENTRY_BYTES: usize = size_of::<Entry>();

/// Entries looked at for one frame; most of a hot key's are the same and cost next to nothing.
const BATCH: usize = 4096;
/// Entries copied under one lock: requests wait for it.
const AT_ONCE: usize = 512;

/// In the place of a database's number: the lists.
pub(super) const LISTS: u16 = u16::MAX;

/// Blocks of shares by the numbers of their databases.
pub(super) type Blocks = Vec<(u16, Vec<u8>)>;

/// What a frame tells of changes.
pub(super) struct Taken {
    /// The position after the last of them.
    pub position: u64,
    /// Of stats DBs.
    pub blocks: Blocks,
    /// Of lists.
    pub entries: Vec<u8>,
}

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
    /// The entry of a list was changed.
    Listed { colour: Colour, kind: Kind },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Entry {
    db: u16,
    what: What,
    key: Box<[u8]>,
}

#[derive(Default)]
struct Lines {
    /// The position of the first one that is kept.
    first: u64,
    kept: Kept<Entry>,
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
    /// How many databases there are, for whoever only wants to know whether some were added.
    count: AtomicUsize,
    lists: Option<Arc<Entries>>,
    entries: Mutex<Lines>,
    too_long: TooLong,
    recording: AtomicBool,
    sleepers: AtomicUsize,
    wake: Notify,
}

impl Journal {
    /// An empty journal of at most `max_bytes`.
    pub fn new(origin: u64, max_bytes: usize) -> Self {
        Self {
            origin,
            max_bytes,
            dbs: RwLock::default(),
            count: AtomicUsize::new(0),
            lists: None,
            entries: Mutex::default(),
            too_long: TooLong::default(),
            recording: AtomicBool::new(true),
            sleepers: AtomicUsize::new(0),
            wake: Notify::new(),
        }
    }

    /// The same for lists, too.
    #[must_use]
    pub fn with_lists(self, lists: Arc<Entries>) -> Self {
        Self { lists: Some(lists), ..self }
    }

    /// The notes about lists.
    pub(super) fn lists(&self) -> Option<&Entries> {
        self.lists.as_deref()
    }

    /// Whether changes are kept. While nobody could take them they need not be; once they are again, whoever had heard of
    /// this journal before is repaired.
    pub fn set_recording(&self, recording: bool) {
        if recording == self.recording.load(Ordering::Acquire) {
            return;
        }
        if !recording {
            self.recording.store(false, Ordering::Release);
        }
        let mut entries = self.entries.lock();
        entries.first += entries.kept.len() as u64 + 1;
        let old = std::mem::take(&mut entries.kept);
        entries.bytes = 0;
        self.recording.store(recording, Ordering::Release);
        // Freeing a full journal takes a while that no request should wait for.
        drop(entries);
        drop(old);
    }

    /// Whether changes are kept.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }

    /// Waits until there is something from `position` on.
    pub async fn beyond(&self, position: u64) {
        loop {
            let wake = self.wake.notified();
            tokio::pin!(wake);
            wake.as_mut().enable();
            let _sleeper = Sleeper::new(&self.sleepers);
            if self.end() > position {
                return;
            }
            wake.await;
        }
    }

    /// How many databases there are.
    pub(super) fn db_count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// This node's origin.
    pub fn origin(&self) -> u64 {
        self.origin
    }

    /// Takes care of a database from now on, unless it is known.
    pub fn add_db(&self, db: &Db) {
        let mut dbs = self.dbs.write();
        if !dbs.iter().any(|known| known.is(db)) && dbs.len() < usize::from(LISTS) {
            if db.local().own_origin() == statsdb::NOBODY {
                db.local().share_as(self.origin);
            }
            dbs.push(db.clone());
            self.count.store(dbs.len(), Ordering::Release);
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

    /// An entry of a list was changed, or a repair brought something new about it.
    pub(super) fn push_entry(&self, id: Id) {
        let Id { colour, kind, key } = id;
        let key = Vec::from(key).into_boxed_slice();
        self.push(Entry { db: LISTS, what: What::Listed { colour, kind }, key });
    }

    fn push(&self, entry: Entry) {
        if !self.is_recording() {
            return;
        }
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
        drop(entries);
        // Whoever is about to wait looks once more after it said so.
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.wake.notify_waiters();
        }
    }

    /// Forgets the entries before a position: everybody has them who could want them.
    pub fn forget(&self, before: u64) {
        loop {
            let mut entries = self.entries.lock();
            for _ in 0..AT_ONCE {
                if entries.first >= before {
                    return;
                }
                let Some(gone) = entries.kept.pop_front() else { return };
                entries.first += 1;
                entries.bytes -= ENTRY_BYTES + gone.key.len();
            }
        }
    }

    /// Some entries from a position on; `None` if they are no longer kept.
    fn some(&self, from: u64) -> Option<Vec<Entry>> {
        let entries = self.entries.lock();
        let skip = usize::try_from(from.checked_sub(entries.first)?).ok()?;
        Some(entries.kept.from(skip).take(AT_ONCE).cloned().collect())
    }

    /// The changes from a position on that fit in a frame: what the databases and lists say now. `None` if some are no longer
    /// kept.
    pub(super) fn take(&self, from: u64, now: u64) -> Option<Taken> {
        let dbs = self.dbs();
        let mut writers: Vec<Writer> = dbs.iter().map(|_| Writer::default()).collect();
        let mut seen = HashSet::with_capacity(AT_ONCE);
        let (mut position, mut bytes, mut listed) = (from, 0, Vec::new());
        while bytes <= FRAME_BYTES && position - from < BATCH as u64 {
            let some = self.some(position)?;
            // What was read before these were copied may lack what they are about.
            seen.clear();
            if some.is_empty() {
                break;
            }
            for entry in some {
                if bytes > FRAME_BYTES {
                    break;
                }
                position += 1;
                if seen.contains(&entry) {
                    continue;
                }
                let before = listed.len();
                if let What::Listed { colour, kind } = entry.what {
                    self.tell(&Entries::key(colour, kind, BStr::new(&entry.key)), &mut listed);
                } else {
                    let place = usize::from(entry.db);
                    if let (Some(db), Some(writer)) = (dbs.get(place), writers.get_mut(place))
                        && let Some(share) = self.share(db, &entry, now)
                    {
                        let before = writer.len();
                        writer.push(&share);
                        bytes += writer.len() - before;
                    }
                }
                bytes += listed.len() - before;
                seen.insert(entry);
            }
        }
        let blocks = (0u16..).zip(&mut writers).filter(|(_, writer)| !writer.is_empty());
        let blocks = blocks.map(|(db, writer)| (db, writer.finish())).collect();
        Some(Taken { position, blocks, entries: listed })
    }

    /// What a database says now of what an entry is about.
    fn share(&self, db: &Db, entry: &Entry, now: u64) -> Option<KeyShare> {
        let local = db.local();
        match entry.what {
            What::Key => Some(self.fitting(db, local.share(now, &entry.key, Scope::Nodes)?)),
            What::Cell { field, window } => local.own_cell(&entry.key, field, window),
            What::Value { field, window, value } => local.own_value(&entry.key, field, window, value),
            What::Reset { field, reset } => {
                let key = entry.key.to_vec().into();
                Some(KeyShare { key, resets: vec![(field, reset)], parts: Vec::new() })
            }
            What::Listed { .. } => None,
        }
    }

    /// As much of what is known of a key as fits in a frame.
    pub(super) fn fitting(&self, db: &Db, share: KeyShare) -> KeyShare {
        self.too_long.fitting(db.name(), share)
    }

    /// Appends what is to be told of an entry of a list. One that fits in no frame is not told of.
    pub(super) fn tell(&self, id: &Id, out: &mut Vec<u8>) {
        match self.lists().and_then(|lists| lists.change(id)) {
            Some(change) if change.size() < too_long::MOST => change.encode(out),
            Some(_) => self.too_long.entry(id),
            None => {}
        }
    }

    /// What was left out because it was too long.
    pub fn left_out(&self) -> LeftOut {
        self.too_long.left_out()
    }
}

/// Somebody who waits.
struct Sleeper<'a>(&'a AtomicUsize);

impl<'a> Sleeper<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
