//! All keys by digests of what is known about them: two databases with equal digests hold the same.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use xxhash_rust::xxh3::xxh3_64;

use super::{Amount, KeyShare, Reset};
use crate::StatsDb;

/// Entries looked at under one lock.
const BATCH: u32 = 256;

/// One key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Line {
    /// A keyed hash of the key.
    pub key: u64,
    /// A keyed hash of what is known about it.
    pub digest: u64,
    pub(crate) shard: u32,
    pub(crate) handle: u32,
}

/// The keys of a database about which something is known, in order of their hashes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Catalogue {
    lines: Vec<Line>,
    /// Keys that are there and of which all that counts is nothing, with a digest of 0: they are the same as no keys, but
    /// whoever knows something of them has to be told.
    empty: Vec<Line>,
}

/// The hash function of one comparison: both sides use the same secret, an outsider cannot find keys that collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret(pub [u8; 16]);

impl Secret {
    fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }

    /// The hash of a key.
    pub fn key(&self, key: &[u8]) -> u64 {
        self.hasher().hash(key)
    }

    /// The digest of what is known about a key; 0 for nothing. Parts that make no difference to any count do not count,
    /// and the order of parts does not matter. `names` are the fields' names, hashed.
    fn digest(&self, share: &KeyShare, names: &[u64], counts: impl Fn(u32) -> bool, window_ms: u64) -> u64 {
        let name = |field: u16| names.get(usize::from(field)).copied().unwrap_or(u64::from(field));
        let part = |field: u16, window: u32, origin: u64, content: &[u8]| {
            let mut hasher = self.hasher();
            hasher.write_u64(name(field));
            hasher.write_u32(window);
            hasher.write_u64(origin);
            hasher.write(content);
            hasher.finish()
        };
        let mut sum = 0u64;
        for one in share.parts.iter().filter(|part| counts(part.window)) {
            let add = match &one.amount {
                Amount::Int(0) => 0,
                Amount::Int(value) => part(one.field, one.window, one.origin, &value.to_le_bytes()),
                Amount::Sketch(bytes) if bytes.get(8..12) == Some(&[0; 4]) && is_empty(bytes) => 0,
                Amount::Sketch(bytes) => part(one.field, one.window, one.origin, bytes),
                Amount::Values(values) => {
                    let each =
                        values.iter().map(|value| part(one.field, one.window, 0, &value.to_le_bytes()));
                    each.fold(0u64, u64::wrapping_add)
                }
                Amount::Registers { values, .. } if values.iter().all(|rank| *rank == 0) => 0,
                Amount::Registers { values, .. } => part(one.field, one.window, 0, values),
            };
            sum = sum.wrapping_add(add);
        }
        for (field, Reset { time_ms, origin }) in &share.resets {
            let window = u32::try_from(time_ms / window_ms).unwrap_or(u32::MAX);
            if counts(window) {
                sum = sum.wrapping_add(part(*field, window, *origin, &time_ms.to_le_bytes()));
            }
        }
        sum
    }
}

/// Whether a sketch's cells are all zero: they come after eps, gamma and the total, the hashes are last.
fn is_empty(bytes: &[u8]) -> bool {
    crate::wire::decode_sketch(bytes).is_some_and(|sketch| sketch.is_empty())
}

impl Catalogue {
    /// Looks at all keys of a database, with short locks. What no longer counts at `now` (unix seconds) is left out.
    pub fn new(db: &StatsDb, now: u64, secret: &Secret) -> Self {
        let layout = db.layout();
        let names: Vec<u64> = layout.schema.fields.iter().map(|(name, _)| xxh3_64(name)).collect();
        let current = layout.current(now);
        let window_ms = layout.window_secs * 1000;
        let (mut lines, mut empty) = (Vec::new(), Vec::new());
        for shard in 0..layout.schema.shards {
            let mut from = 0;
            loop {
                let ids = db.origins().ids();
                let locked = db.shard(shard).lock();
                let places = locked.places();
                if from >= places {
                    break;
                }
                for handle in from..places.min(from + BATCH) {
                    let Some(share) =
                        locked.share(layout, handle, current, db.own_origin(), super::Scope::Nodes, &ids)
                    else {
                        continue;
                    };
                    let digest =
                        secret.digest(&share, &names, |window| layout.alive(window, current), window_ms);
                    let line = || Line { key: secret.key(&share.key), digest, shard, handle };
                    if digest != 0 {
                        lines.push(line());
                    } else if share.parts.iter().any(|part| layout.alive(part.window, current)) {
                        empty.push(line());
                    }
                }
                from += BATCH;
            }
        }
        lines.sort_unstable();
        empty.sort_unstable();
        Self { lines, empty }
    }

    /// A catalogue of things that are no keys of a database: hashes and digests.
    pub fn of(pairs: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let line = |(key, digest)| Line { key, digest, shard: 0, handle: 0 };
        let mut lines: Vec<Line> = pairs.into_iter().map(line).collect();
        lines.sort_unstable();
        Self { lines, empty: Vec::new() }
    }

    /// All lines, in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Keys that are there without anything that counts, in order; their digests are 0, and no sum has them.
    pub fn empty(&self) -> &[Line] {
        &self.empty
    }

    /// The lines whose key hashes begin with these `bits` bits of `leaf`.
    pub fn leaf(&self, bits: u32, leaf: u32) -> &[Line] {
        within(&self.lines, bits, leaf)
    }

    /// The same of [`Catalogue::empty`].
    pub fn empty_leaf(&self, bits: u32, leaf: u32) -> &[Line] {
        within(&self.empty, bits, leaf)
    }

    /// The line of a key's hash, also if it is an empty one.
    pub fn find(&self, key: u64) -> Option<&Line> {
        [&self.lines, &self.empty].into_iter().find_map(|lines| {
            let at = lines.partition_point(|line| line.key < key);
            lines.get(at).filter(|line| line.key == key)
        })
    }

    /// One sum for each of the `2^bits` leaves from `first` on.
    pub fn sums(&self, bits: u32, first: u32, count: u32) -> Vec<u64> {
        let mut sums = vec![0u64; count as usize];
        let from = self.lines.partition_point(|line| prefix(line.key, bits) < first);
        for line in &self.lines[from..] {
            let leaf = prefix(line.key, bits) - first;
            let Some(sum) = sums.get_mut(leaf as usize) else { break };
            *sum = sum.wrapping_add(mix(line.key, line.digest));
        }
        sums
    }
}

fn within(lines: &[Line], bits: u32, leaf: u32) -> &[Line] {
    let of = |line: &Line| prefix(line.key, bits);
    let from = lines.partition_point(|line| of(line) < leaf);
    let to = lines.partition_point(|line| of(line) <= leaf);
    &lines[from..to]
}

/// The first `bits` bits of a hash.
fn prefix(hash: u64, bits: u32) -> u32 {
    (hash >> 1 >> (63 - bits.min(32))) as u32
}

/// Binds a digest to its key, so that two keys that changed places do not cancel each other out.
fn mix(key: u64, digest: u64) -> u64 {
    let mixed = (key ^ digest.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ digest
}
