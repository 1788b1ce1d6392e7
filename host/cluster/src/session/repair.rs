//! Comparing two databases, or the lists: what either end remembers while it is going on.

use std::collections::{HashMap, VecDeque};

use statsdb::{Catalogue, Line, Secret, StatsDb, Writer};

use super::entries::Id;
use super::journal::{Blocks, LISTS};
use super::message::{MAX_ITEMS, Message};
use super::{Entries, FRAME_BYTES, Journal, SessionError};

/// Keys in a leaf, about, when the database was counted.
const LEAF_KEYS: usize = 8;
/// Fewest and most bits of a leaf's number.
const BITS: std::ops::RangeInclusive<u8> = 4..=17;

/// Lines of a message at most: with the numbers of its leaves they fit into a frame.
pub(super) const MAX_LINES: usize = 15 * MAX_ITEMS;

/// Keys that may wait to be asked for. More than that come with the next comparison, or with one that the other end begins.
const MAX_WANTED: usize = 1 << 22;

/// What is compared.
pub(super) enum Subject<'a> {
    Db(&'a StatsDb),
    Lists(&'a Entries),
}

impl Subject<'_> {
    fn catalogue(&self, now: u64, secret: &Secret) -> (Catalogue, HashMap<u64, Id>) {
        match self {
            Self::Db(db) => (db.catalogue(now, secret), HashMap::new()),
            Self::Lists(lists) => lists.catalogue(now, secret),
        }
    }
}

/// The dialer's side of the repair of one database.
pub(super) struct Comparison {
    pub db: u16,
    catalogue: Catalogue,
    /// Entries of lists by their hashes.
    ids: HashMap<u64, Id>,
    secret: Secret,
    now: u64,
    bits: u8,
    /// The next leaf whose sum is to be sent.
    next: u32,
    /// Keys to be sent.
    send: VecDeque<Line>,
    /// Keys to be asked for.
    want: Vec<u64>,
    /// The leaves before this one were told, or do not differ.
    told: u32,
    /// The acceptor has told all its lines.
    all_told: bool,
    /// The end was announced.
    announced: bool,
}

impl Comparison {
    pub fn new(number: u16, subject: &Subject<'_>, now: u64, secret: Secret) -> Self {
        match subject {
            Subject::Db(db) => db.prune(now),
            Subject::Lists(lists) => lists.prune(now),
        }
        let (catalogue, ids) = subject.catalogue(now, &secret);
        let leaves = (catalogue.lines().len() / LEAF_KEYS).max(1).ilog2() as u8;
        let bits = leaves.clamp(*BITS.start(), *BITS.end());
        let (send, want) = (VecDeque::new(), Vec::new());
        Self {
            db: number,
            catalogue,
            ids,
            secret,
            now,
            bits,
            next: 0,
            send,
            want,
            told: 0,
            all_told: false,
            announced: false,
        }
    }

    /// The next message but for shares, of which [`Comparison::next_line`] tells.
    pub fn message(&mut self) -> Option<Message> {
        let leaves = 1u32 << self.bits;
        if self.next < leaves {
            let first = self.next;
            let count = (leaves - first).min(MAX_ITEMS as u32);
            self.next += count;
            let sums = self.catalogue.sums(u32::from(self.bits), first, count);
            let Self { db, secret, now, bits, .. } = *self;
            return Some(Message::Sums { db, secret, now, bits, first, sums });
        }
        if !self.want.is_empty() {
            let rest = self.want.split_off(self.want.len().min(MAX_ITEMS));
            return Some(Message::Want { db: self.db, keys: std::mem::replace(&mut self.want, rest) });
        }
        if self.all_told && self.send.is_empty() && !self.announced {
            self.announced = true;
            return Some(Message::Repaired { db: self.db });
        }
        None
    }

    /// A frame full of keys to be sent; `None` if there are none.
    pub fn keys(&mut self, journal: &Journal, place: usize, now: u64) -> Option<Filled> {
        let Self { db, secret, ids, send, .. } = self;
        fill(journal, (*db, place), now, secret, ids, || send.pop_front())
    }

    /// Compares the acceptor's lines of some leaves with its own.
    ///
    /// # Errors
    /// If these are not the lines of leaves that were asked for, each of them once and in order: whoever told the same
    /// again and again would have the same keys sent again and again.
    pub fn compare(&mut self, leaves: &[u32], theirs: &[(u64, u64)], last: bool) -> Result<(), SessionError> {
        if self.all_told || (leaves.is_empty() && !last) {
            return Err(SessionError::Unexpected);
        }
        for leaf in leaves {
            if *leaf < self.told || *leaf >= self.next {
                return Err(SessionError::Unexpected);
            }
            self.told = leaf + 1;
        }
        let bits = u32::from(self.bits);
        if theirs.iter().any(|(key, _)| leaves.binary_search(&leaf_of(*key, bits)).is_err()) {
            return Err(SessionError::Unexpected);
        }
        let mut theirs = theirs.to_vec();
        theirs.sort_unstable();
        theirs.dedup_by_key(|line| line.0);
        let known = |key: u64| theirs.binary_search_by_key(&key, |line| line.0).map(|at| theirs[at].1).ok();
        for leaf in leaves {
            for line in self.catalogue.leaf(bits, *leaf) {
                if known(line.key) != Some(line.digest) {
                    self.send.push_back(*line);
                }
            }
        }
        for (key, digest) in &theirs {
            // A key that is not there is one of which nothing is known, as an empty one.
            let own = self.catalogue.find(*key);
            if own.map_or(0, |line| line.digest) != *digest {
                if self.want.len() < MAX_WANTED {
                    self.want.push(*key);
                }
                // What once was something and is nothing now: that has to be told, too.
                self.send.extend(own.filter(|line| line.digest == 0));
            }
        }
        self.all_told |= last;
        Ok(())
    }

    /// Whether the acceptor has to say [`Message::Repaired`] next.
    pub fn is_announced(&self) -> bool {
        self.announced
    }
}

/// The leaf that a key's hash is in. `bits`: of [`BITS`].
fn leaf_of(key: u64, bits: u32) -> u32 {
    (key >> (u64::BITS - bits)) as u32
}

/// The acceptor's side.
pub(super) struct Answers {
    pub db: u16,
    catalogue: Catalogue,
    /// Entries of lists by their hashes.
    ids: HashMap<u64, Id>,
    secret: Secret,
    bits: u8,
    /// The next leaf whose sum is expected.
    next: u32,
    /// Leaves that differ.
    leaves: VecDeque<u32>,
    /// Whether the last message about leaves was made.
    told: bool,
    /// Keys to be sent.
    send: VecDeque<u64>,
    /// The dialer is through.
    finished: bool,
    /// The database is not here: nothing differs.
    absent: bool,
}

impl Answers {
    pub fn new(number: u16, subject: &Subject<'_>, now: u64, secret: Secret, bits: u8) -> Option<Self> {
        let begun = Self::none(number, secret, bits)?;
        let (catalogue, ids) = subject.catalogue(now, &secret);
        Some(Self { catalogue, ids, absent: false, ..begun })
    }

    /// Of a database that is not here, or of another kind: there is nothing to be said.
    pub fn none(db: u16, secret: Secret, bits: u8) -> Option<Self> {
        BITS.contains(&bits).then(|| Self {
            db,
            catalogue: Catalogue::default(),
            ids: HashMap::new(),
            secret,
            bits,
            next: 0,
            leaves: VecDeque::new(),
            told: false,
            send: VecDeque::new(),
            finished: false,
            absent: true,
        })
    }

    /// Compares sums; false if they are not the ones that come next.
    pub fn sums(&mut self, bits: u8, first: u32, sums: &[u64]) -> bool {
        let leaves = 1u32 << self.bits;
        if bits != self.bits || first != self.next || sums.len() as u64 > u64::from(leaves - first) {
            return false;
        }
        self.next += sums.len() as u32;
        if self.absent {
            return true;
        }
        let own = self.catalogue.sums(u32::from(bits), first, sums.len() as u32);
        let differ = (first..).zip(own.iter().zip(sums)).filter(|(_, (own, theirs))| own != theirs);
        self.leaves.extend(differ.map(|(leaf, _)| leaf));
        true
    }

    /// The dialer wants these keys; false if it wants more than there are.
    pub fn want(&mut self, keys: &[u64]) -> bool {
        self.send.extend(keys);
        self.send.len() <= self.catalogue.lines().len() + self.catalogue.empty().len()
    }

    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The next message but for shares.
    pub fn message(&mut self) -> Option<Message> {
        let complete = self.next == 1 << self.bits;
        if !self.leaves.is_empty() || (complete && !self.told) {
            let (mut leaves, mut lines) = (Vec::new(), Vec::new());
            while lines.len() < MAX_ITEMS
                && leaves.len() < MAX_ITEMS
                && let Some(leaf) = self.leaves.pop_front()
            {
                leaves.push(leaf);
                let bits = u32::from(self.bits);
                let own = [self.catalogue.leaf(bits, leaf), self.catalogue.empty_leaf(bits, leaf)];
                lines.extend(own.into_iter().flatten().map(|line| (line.key, line.digest)));
            }
            // A leaf of a dialer that knows little can be larger than a frame. What is left out it sends itself, or hears of
            // in the next comparison, when its leaves are smaller.
            lines.truncate(MAX_LINES);
            let last = complete && self.leaves.is_empty();
            self.told |= last;
            return Some(Message::Lines { db: self.db, leaves, lines, last });
        }
        None
    }

    /// A frame full of keys to be sent; `None` if there are none.
    pub fn keys(&mut self, journal: &Journal, place: usize, now: u64) -> Option<Filled> {
        let Self { db, secret, ids, send, catalogue, .. } = self;
        fill(journal, (*db, place), now, secret, ids, || {
            while let Some(key) = send.pop_front() {
                if let Some(line) = catalogue.find(key) {
                    return Some(*line);
                }
            }
            None
        })
    }

    /// Whether everything was answered.
    pub fn is_done(&self) -> bool {
        self.finished && self.send.is_empty() && self.leaves.is_empty()
    }
}

/// A frame full of keys, as messages have them, and how many there are.
pub(super) struct Filled {
    pub blocks: Blocks,
    pub entries: Vec<u8>,
    pub keys: u64,
}

/// Fills a frame. `number`: the database's number between the two ends, and its place in this end's journal.
fn fill(
    journal: &Journal,
    (number, place): (u16, usize),
    now: u64,
    secret: &Secret,
    ids: &HashMap<u64, Id>,
    mut next: impl FnMut() -> Option<Line>,
) -> Option<Filled> {
    let (mut writer, mut entries, mut keys) = (Writer::default(), Vec::new(), 0);
    let dbs = journal.dbs();
    while writer.len() + entries.len() < FRAME_BYTES
        && let Some(line) = next()
    {
        keys += 1;
        if number == LISTS {
            if let Some(id) = ids.get(&line.key) {
                journal.tell(id, &mut entries);
            }
        } else if let Some(db) = dbs.get(place)
            && let Some(share) = db.local().share_of(now, &line, secret)
        {
            writer.push(&journal.fitting(db, share));
        }
    }
    let blocks = if writer.is_empty() { Vec::new() } else { vec![(number, writer.finish())] };
    (keys > 0).then_some(Filled { blocks, entries, keys })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::MAX_TEXT;
    use super::*;

    /// A sibling that knows little asks with few leaves, of which each holds more than a frame.
    #[test]
    fn a_leaf_that_is_larger_than_a_frame_is_cut() {
        let lines = (0..100_000).map(|key| (key, key + 1));
        let none = Answers::none(0, Secret([0; 16]), 4).unwrap();
        let mut answers = Answers { catalogue: Catalogue::of(lines), absent: false, ..none };
        assert!(answers.sums(4, 0, &[0; 16]));
        let message = answers.message().unwrap();
        let Message::Lines { leaves, lines, last, .. } = &message else { panic!("{message:?}") };
        assert_eq!((leaves.as_slice(), lines.len(), *last), (&[0][..], MAX_LINES, true));
        assert!(message.encode().len() <= MAX_TEXT);
        assert!(answers.want(&[5]), "and the comparison goes on");
    }
}
