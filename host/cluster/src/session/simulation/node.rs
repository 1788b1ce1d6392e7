//! A node of the simulation.

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::BString;
use capabilities::Capabilities;
use capabilities::lists::{Colour, Entry, Kind, ListObserver, Origin};
use capabilities::stats::{Db, StatsObserver};
use statsdb::{CountMinShape, FieldKind, KeyShare, Outline, Room, Schema, Scope, Secret, translate};

use super::{KEYS, NODES};
use crate::session::{Dialer, Entries, Heard, Journal};
use crate::testing;

/// A node: what it counts and lists, and its ends of sessions.
pub(super) struct Node {
    pub caps: Arc<Capabilities>,
    pub entries: Arc<Entries>,
    pub db: Db,
    pub journal: Arc<Journal>,
    pub heard: Arc<Heard>,
    pub dialers: Vec<Option<Dialer>>,
    /// Seconds that its clock is ahead.
    pub skew: u64,
}

impl Node {
    pub(super) fn new(number: usize, boot: u64, skew: u64, journal_bytes: usize) -> Self {
        let caps = testing::capabilities();
        let fields = [("i", FieldKind::Int), ("h", FieldKind::Hll), ("c", FieldKind::CountMin)];
        let schema = Schema {
            name: "db".into(),
            window_secs: 5,
            windows: 100,
            fields: fields.map(|(name, kind)| (name.into(), kind)).into(),
            shards: 3,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        };
        let db = caps.stats.create(schema).unwrap();
        db.enable_replication();
        let origin = 1000 * (number as u64 + 1) + boot;
        let entries = Arc::new(Entries::new(Arc::clone(&caps), origin));
        entries.begin();
        let journal = Arc::new(Journal::new(origin, journal_bytes).with_lists(Arc::clone(&entries)));
        journal.add_db(&db);
        caps.stats.observe(&(Arc::clone(&journal) as Arc<dyn StatsObserver>));
        caps.lists.observe(Arc::clone(&journal) as Arc<dyn ListObserver>);
        let dialer = |peer| {
            (peer != number).then(|| Dialer::new(Arc::clone(&journal), Secret([peer as u8 + boot as u8; 16])))
        };
        let dialers = (0..NODES).map(dialer).collect();
        Self { caps, entries, db, heard: Arc::default(), dialers, skew, journal }
    }

    pub(super) fn save(&self, now: u64) -> Saved {
        let counts = (0..KEYS)
            .filter_map(|key| self.db.local().share(now, &key.to_le_bytes(), Scope::Everything))
            .collect();
        Saved { counts, listed: self.listed(now) }
    }

    pub(super) fn restore(&self, now: u64, saved: Saved) {
        let how = translate(&Outline::new(self.db.schema()), self.db.local());
        for share in &saved.counts {
            self.db.local().merge(now, share, &how, Room::Make);
        }
        for ((colour, key), (expiration, reason)) in saved.listed {
            // Its clock may be another one now.
            if let Some(left) = expiration.checked_sub(now).filter(|left| *left > 0) {
                let list = self.caps.lists.list(COLOURS[colour]);
                list.add_key(now, Kind::Login, &key, left as u32, &reason, Origin::Loaded);
            }
        }
    }

    /// What its lists hold at a time.
    pub(super) fn listed(&self, now: u64) -> Listed {
        let of = |colour: usize| {
            let entries = self.caps.lists.list(COLOURS[colour]).entries(Kind::Login);
            entries.into_iter().filter(|entry| entry.expiration > now).map(move |entry| {
                let Entry { key, expiration, reason } = entry;
                ((colour, key), (expiration, reason))
            })
        };
        (0..COLOURS.len()).flat_map(of).collect()
    }
}

pub(super) const COLOURS: [Colour; 2] = [Colour::Black, Colour::White];

/// Which entry: of which list, and its key.
pub(super) type Place = (usize, BString);
/// When each expires, and why it is there.
pub(super) type Listed = BTreeMap<Place, (u64, BString)>;

/// What outlives a node.
#[derive(Default)]
pub(super) struct Saved {
    counts: Vec<KeyShare>,
    listed: Listed,
}
