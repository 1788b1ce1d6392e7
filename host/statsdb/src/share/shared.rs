//! The database as other nodes' sessions, snapshots and packets see it.

use super::origins::CLASSIC_NUMBER;
use super::{Catalogue, KeyShare, Line, Merged, NOBODY, Part, Room, Scope, Secret, Translation};
use crate::db::cut;
use crate::shard::{Change, Shard};
use crate::{FieldKind, NotANumber, StatsDb, countmin, hll, int};

/// A change that a sibling's classic packet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiblingChange<'a> {
    /// As [`StatsDb::add`].
    Add(&'a [u8]),
    /// As [`StatsDb::sub`].
    Sub(&'a [u8]),
    /// As [`StatsDb::add_count`].
    AddCount(&'a [u8], i32),
    /// As [`StatsDb::add_int`].
    AddInt(i32),
    /// As [`StatsDb::sub_int`].
    SubInt(i32),
}

impl StatsDb {
    /// Makes a change that a sibling's classic packet asks for. In a database that is shared between nodes it counts as the
    /// part of that sibling ([`super::classic_origin`]), who tells every node itself.
    ///
    /// # Errors
    /// As for [`StatsDb::add`].
    pub fn apply_classic(
        &self,
        now: u64,
        key: &[u8],
        field: &[u8],
        (sibling, change): (u64, SiblingChange<'_>),
    ) -> Result<(), NotANumber> {
        let shared = self.own_origin() != NOBODY;
        let known = self.layout().field(field).filter(|(_, kind)| shared && *kind != FieldKind::Hll);
        let Some((number, kind)) = known else {
            return match change {
                SiblingChange::Add(value) => self.add(now, key, field, value),
                SiblingChange::Sub(value) => self.sub(now, key, field, value),
                SiblingChange::AddCount(value, n) => {
                    self.add_count(now, key, field, value, n);
                    Ok(())
                }
                SiblingChange::AddInt(n) => {
                    self.add_int(now, key, field, n);
                    Ok(())
                }
                SiblingChange::SubInt(n) => {
                    self.sub_int(now, key, field, n);
                    Ok(())
                }
            };
        };
        let (int, count) = match (kind, change) {
            (FieldKind::Int, SiblingChange::Add(value)) => (int::parse(value), None),
            (FieldKind::Int, SiblingChange::Sub(value)) => (int::parse(value).map(i32::wrapping_neg), None),
            (FieldKind::Int, SiblingChange::AddInt(n)) => (Ok(n), None),
            (FieldKind::Int, SiblingChange::SubInt(n)) => (Ok(n.wrapping_neg()), None),
            (FieldKind::CountMin, SiblingChange::Add(value)) => (Ok(0), Some((countmin::hash(value), 1))),
            (FieldKind::CountMin, SiblingChange::AddCount(value, n)) => {
                (Ok(0), Some((countmin::hash(value), n)))
            }
            _ => (Ok(0), None),
        };
        let first = match int {
            Err(_) => Change::Create,
            Ok(n) if kind == FieldKind::Int => Change::Add(n),
            Ok(_) => Change::Touch,
        };
        let key = cut(key);
        let hash = self.layout().hash(key);
        let mut locked = self.shard_of(key).lock();
        locked.write(self.layout(), hash, key, number, now, first);
        if let Some(handle) = locked.handle(hash, key) {
            let origin = self.origins().number(sibling).unwrap_or(CLASSIC_NUMBER);
            let at = (number, self.layout().current(now), origin);
            match (int, count) {
                (Ok(n), None) if n != 0 => locked.add_classic_int(handle, at, n),
                (_, Some(counted)) => locked.add_classic_count(self.layout(), handle, at, counted),
                _ => {}
            }
        }
        int.map(|_| ())
    }

    /// How many changes and parts of other nodes found no place among the origins that are told apart (60,000 until the process
    /// ends) since it was last asked. Such parts are left out; such changes by packets all count as one sibling's.
    pub fn take_refused_origins(&self) -> u64 {
        self.origins().take_refused()
    }

    /// A field's number and kind by its name.
    pub fn field(&self, name: &[u8]) -> Option<(u16, FieldKind)> {
        self.layout().field(name)
    }

    /// The absolute number of the window that `now` lies in.
    pub fn window(&self, now: u64) -> u32 {
        self.layout().current(now)
    }

    /// What a distinct count keeps of a value.
    pub fn hash_value(value: &[u8]) -> u64 {
        hll::hash(value)
    }

    /// What this node counted of a key in one window of a field, with the resets of the key. `None` if the key or the
    /// window is gone.
    pub fn own_cell(&self, key: &[u8], field: u16, window: u32) -> Option<KeyShare> {
        self.with_source(key, |source| {
            let resets = source.overlay.map_or_else(Vec::new, |overlay| overlay.resets().to_vec());
            Some(KeyShare { key: key.into(), resets, parts: vec![source.cell(field, window)?] })
        })
    }

    /// The reset that holds for a field of a key, [`super::ALL_FIELDS`] for the one of all; the default one if there is
    /// none.
    pub fn reset_of(&self, key: &[u8], field: u16) -> super::Reset {
        let reset = self.with_source(key, |source| Some(source.overlay?.reset_of(field)));
        reset.unwrap_or_default()
    }

    /// A single value of a distinct count, with the resets of the key. `None` if it is no longer there.
    pub fn own_value(&self, key: &[u8], field: u16, window: u32, value: u64) -> Option<KeyShare> {
        self.with_source(key, |source| {
            if !source.holds(field, window, value) {
                return None;
            }
            let resets = source.overlay.map_or_else(Vec::new, |overlay| overlay.resets().to_vec());
            let amount = super::Amount::Values(vec![value]);
            let part = Part { field, window, origin: NOBODY, version: 0, amount };
            Some(KeyShare { key: key.into(), resets, parts: vec![part] })
        })
    }

    fn with_source<R>(
        &self,
        key: &[u8],
        tell: impl FnOnce(super::export::Source<'_>) -> Option<R>,
    ) -> Option<R> {
        let key = cut(key);
        let hash = self.layout().hash(key);
        let shard = self.shard_of(key).lock();
        let handle = shard.handle(hash, key)?;
        tell(shard.source(self.layout(), handle, self.own_origin())?)
    }

    /// All that is known about a key and still counts at `now`.
    pub fn share(&self, now: u64, key: &[u8], scope: Scope) -> Option<KeyShare> {
        let ids = self.origins().ids();
        let current = self.layout().current(now);
        self.with_source(key, |source| Some(source.share(current, scope, &ids)))
    }

    /// All that nodes tell each other of a key from a catalogue; `None` if it is gone.
    pub fn share_of(&self, now: u64, line: &Line, secret: &Secret) -> Option<KeyShare> {
        let ids = self.origins().ids();
        let current = self.layout().current(now);
        let shard = self.shard(line.shard).lock();
        if secret.key(shard.key_at(line.handle)?) != line.key {
            return None;
        }
        shard.share(self.layout(), line.handle, current, self.own_origin(), Scope::Nodes, &ids)
    }

    /// Forgets what other nodes counted in windows that are over.
    pub fn prune(&self, now: u64) {
        let current = self.layout().current(now);
        self.for_each_key(|shard, handle| shard.prune(self.layout(), handle, current));
    }

    /// Forgets what a sibling ([`super::classic_origin`]) told by classic packets where the part is known that it tells as a
    /// node with this origin: it would count twice. Where it is more than that part, the rest stays, as [`super::CLASSIC`]'s: it
    /// came from another program that was there before, and is not compared again. Of sketches whose hashes differ only the sums
    /// can be compared. Distinct counts stay as they are; they are the same either way.
    pub fn forget_classic(&self, sibling: u64, node: u64) {
        let numbers = self.origins().known(sibling).zip(self.origins().known(node));
        if let Some(numbers) = numbers.filter(|(classic, _)| *classic != CLASSIC_NUMBER) {
            self.for_each_key(|shard, handle| shard.forget_classic(self.layout(), handle, numbers));
        }
    }

    /// All places of keys, some of which may be empty, with short locks.
    fn for_each_key(&self, mut change: impl FnMut(&mut Shard, u32)) {
        for shard in 0..self.schema().shards {
            let mut from = 0;
            loop {
                let mut locked = self.shard(shard).lock();
                let end = locked.places().min(from + 256);
                if from >= end {
                    break;
                }
                (from..end).for_each(|handle| change(&mut locked, handle));
                from = end;
            }
        }
    }

    /// A catalogue of all keys, as of `now`.
    pub fn catalogue(&self, now: u64, secret: &Secret) -> Catalogue {
        Catalogue::new(self, now, secret)
    }

    /// Takes over what another node, or a snapshot, knows about a key. What this node knows already, or better, stays.
    pub fn merge(&self, now: u64, share: &KeyShare, how: &Translation, room: Room) -> Merged {
        let key = cut(&share.key);
        let hash = self.layout().hash(key);
        let parts = how.parts(self.layout(), share);
        let resets = how.resets(share).collect();
        let mut locked = self.shard_of(key).lock();
        locked.merge(self.layout(), (hash, key), (now, room), self.origins(), resets, parts)
    }
}
