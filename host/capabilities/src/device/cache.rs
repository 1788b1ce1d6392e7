//! Attributes of device strings seen lately, bounded by entries and by bytes.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};
use login::Attrs;
use parking_lot::Mutex;

use super::Form;

/// Locks, so that threads rarely meet at one.
const SHARDS: usize = 16;
/// Entries in all shards together.
const ENTRIES: usize = 16_384;
/// Bytes in all shards together, keys and attributes.
const BYTES: usize = 16 << 20;

/// A cache of two generations in each shard: what is used moves into the young one, and when that has half the shard's
/// share it becomes the old one, whose unused rest is dropped. That is nearly least-recently-used order without its links.
pub(super) struct Cache {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    young: HashMap<Key, Value, Prehashed>,
    old: HashMap<Key, Value, Prehashed>,
    young_bytes: usize,
}

#[derive(Clone)]
struct Value {
    attrs: Arc<Attrs>,
    bytes: usize,
}

struct Key {
    hash: u64,
    form: Form,
    text: Box<[u8]>,
}

/// What is looked for; hashed once for the shard and its tables.
struct Wanted<'a> {
    hash: u64,
    form: Form,
    text: &'a [u8],
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form && self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.form == key.form && *self.text == *key.text
    }
}

/// Passes the hash through that a key carries.
#[derive(Clone, Copy, Default)]
struct Prehashed;

struct PassThrough(u64);

impl BuildHasher for Prehashed {
    type Hasher = PassThrough;

    fn build_hasher(&self) -> PassThrough {
        PassThrough(0)
    }
}

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Cache {
    pub(super) fn get(&self, form: Form, text: &[u8]) -> Option<Arc<Attrs>> {
        let wanted = self.wanted(form, text);
        let mut shard = self.shard(wanted.hash).lock();
        if let Some(found) = shard.young.get(&wanted) {
            return Some(Arc::clone(&found.attrs));
        }
        let (key, value) = shard.old.remove_entry(&wanted)?;
        let attrs = Arc::clone(&value.attrs);
        shard.insert(key, value);
        Some(attrs)
    }

    pub(super) fn put(&self, form: Form, text: &[u8], attrs: &Arc<Attrs>) {
        let Wanted { hash, .. } = self.wanted(form, text);
        let value = Value { attrs: Arc::clone(attrs), bytes: cost(text, attrs) };
        self.shard(hash).lock().insert(Key { hash, form, text: text.into() }, value);
    }

    fn wanted<'a>(&self, form: Form, text: &'a [u8]) -> Wanted<'a> {
        Wanted { hash: self.hasher.hash_one((form, text)), form, text }
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The tables use the lowest and the highest bits themselves.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }

    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        self.shards
            .iter()
            .map(|shard| shard.lock().size())
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

impl Shard {
    fn insert(&mut self, key: Key, value: Value) {
        let bytes = value.bytes;
        if self.young.len() >= ENTRIES / SHARDS / 2 || self.young_bytes + bytes > BYTES / SHARDS / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        if let Some(replaced) = self.young.insert(key, value) {
            self.young_bytes -= replaced.bytes;
        }
    }

    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        let bytes = self.young.values().chain(self.old.values()).map(|value| value.bytes).sum();
        (self.young.len() + self.old.len(), bytes)
    }
}

/// Bytes of an entry: its texts, and the fixed parts around them.
fn cost(text: &[u8], attrs: &Attrs) -> usize {
    let pair = size_of::<(bstr::BString, bstr::BString)>();
    let attrs: usize = attrs.iter().map(|(key, value)| key.len() + value.len() + pair).sum();
    text.len() + attrs + size_of::<(Key, Value)>() + 64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn attrs(value: &str) -> Arc<Attrs> {
        Arc::new(vec![("k".into(), value.into())])
    }

    #[test]
    fn the_form_is_part_of_the_key() {
        let cache = Cache::default();
        cache.put(Form::Http, b"x", &attrs("http"));
        assert!(cache.get(Form::Imap, b"x").is_none());
        cache.put(Form::Imap, b"x", &attrs("imap"));
        assert_eq!(cache.get(Form::Http, b"x"), Some(attrs("http")));
        assert_eq!(cache.get(Form::Imap, b"x"), Some(attrs("imap")));
        assert!(cache.get(Form::Http, b"y").is_none());
    }

    #[test]
    fn what_is_used_stays_while_many_others_come() {
        let cache = Cache::default();
        cache.put(Form::Http, b"favourite", &attrs("1"));
        for number in 0..ENTRIES * 4 {
            cache.put(Form::Http, number.to_string().as_bytes(), &attrs("2"));
            assert!(cache.get(Form::Http, b"favourite").is_some());
        }
        assert!(cache.size().0 <= ENTRIES);
        assert!(cache.get(Form::Http, b"0").is_none());
    }

    #[test]
    fn bytes_are_bounded_too() {
        let cache = Cache::default();
        for number in 0..10_000 {
            let text = format!("{number} {}", "x".repeat(8000));
            cache.put(Form::Http, text.as_bytes(), &attrs("2"));
        }
        assert!(cache.size().1 <= BYTES, "{:?}", cache.size());
        assert!(cache.size().0 > 500, "{:?}", cache.size());
    }
}
