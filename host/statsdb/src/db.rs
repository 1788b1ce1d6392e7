//! The database as its callers see it.

mod limits;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use bstr::{BStr, BString};
use parking_lot::Mutex;

use crate::dump::Dump;
use crate::layout::Layout;
use crate::murmur::{SHARD_SEED, murmur3_32};
use crate::schema::{DEFAULT_MAX_SIZE, MAX_KEY};
use crate::shard::{Change, Shard};
use crate::share::origins::Origins;
use crate::share::{NOBODY, Reset};
use crate::view::{Answer, Asked, View};
use crate::wire::{self, FieldState, RestoreError};
use crate::{AddrKey, FieldKind, NotANumber, Schema, SchemaError, countmin, hll, int};
use limits::shard_bytes;

/// No limit of bytes was set.
const BY_SIZE: u64 = u64::MAX;

/// A time-window database. Every method takes `&self` and holds at most one short lock; `now` is in unix seconds.
///
/// Unknown fields are no error: writes to them are ignored, reads find nothing. Of a key longer than 4096 bytes only its
/// first 4096 count, for writes and reads alike: long ones that differ only behind that share their counts, so nobody
/// gets around a count with a long key, nor fills the memory with them.
pub struct StatsDb {
    layout: Layout,
    shards: Box<[Lane]>,
    /// Most keys in a shard.
    max_len: AtomicU32,
    /// Most bytes in all shards; [`BY_SIZE`]: according to the most keys.
    max_bytes: AtomicU64,
    v4_prefix: AtomicU8,
    v6_prefix: AtomicU8,
    replicates: AtomicBool,
    origins: Origins,
    /// The own origin once more, for whoever must not wait.
    own_origin: AtomicU64,
}

/// A shard on cache lines of its own.
#[repr(align(128))]
struct Lane(Mutex<Shard>);

impl StatsDb {
    /// An empty database.
    ///
    /// # Errors
    /// If the schema is beyond the limits of windows, fields or shards, or has an impossible sketch.
    pub fn new(schema: Schema) -> Result<Self, SchemaError> {
        let layout = Layout::new(schema)?;
        let max_len = DEFAULT_MAX_SIZE / layout.schema.shards;
        let max_bytes = shard_bytes(BY_SIZE, max_len, layout.schema.shards);
        let lane = |_| Lane(Mutex::new(Shard::new(max_len as usize, max_bytes)));
        Ok(Self {
            shards: (0..layout.schema.shards).map(lane).collect(),
            layout,
            max_len: AtomicU32::new(max_len),
            max_bytes: AtomicU64::new(BY_SIZE),
            v4_prefix: AtomicU8::new(32),
            v6_prefix: AtomicU8::new(128),
            replicates: AtomicBool::new(false),
            origins: Origins::default(),
            own_origin: AtomicU64::new(NOBODY),
        })
    }

    /// The database's name.
    pub fn name(&self) -> &BStr {
        self.layout.schema.name.as_ref()
    }

    /// What the database was created with, fields sorted by name.
    pub fn schema(&self) -> &Schema {
        &self.layout.schema
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// This node's origin; [`NOBODY`] while the database is not shared with other nodes.
    pub fn own_origin(&self) -> u64 {
        self.own_origin.load(Ordering::Relaxed)
    }

    /// From now on this node's part of all counts is told from those of other nodes, under this origin.
    pub fn share_as(&self, origin: u64) {
        self.origins.set_own(origin);
        self.own_origin.store(origin, Ordering::Relaxed);
    }

    pub(crate) fn shard(&self, index: u32) -> &Mutex<Shard> {
        &self.shards[index as usize].0
    }

    #[inline]
    pub(crate) fn shard_of(&self, key: &[u8]) -> &Mutex<Shard> {
        match &*self.shards {
            [only] => &only.0,
            shards => &shards[murmur3_32(key, SHARD_SEED) as usize % shards.len()].0,
        }
    }

    #[inline]
    fn change(&self, now: u64, key: &[u8], number: u16, change: Change) {
        let key = cut(key);
        let hash = self.layout.hash(key);
        self.shard_of(key).lock().write(&self.layout, hash, key, number, now, change);
    }

    /// `twAdd(key, field, value)`: adds the number that `value` begins with to an int, `value` itself to a distinct
    /// count, 1 to the count of `value` in a sketch.
    ///
    /// # Errors
    /// If an int's value is no number; the key and the field exist all the same (wforce compatibility).
    pub fn add(&self, now: u64, key: &[u8], field: &[u8], value: &[u8]) -> Result<(), NotANumber> {
        self.add_or_sub(now, key, field, value, i32::wrapping_add)
    }

    /// `twSub(key, field, value)`: subtracts the number that `value` begins with from an int; has no effect on other
    /// kinds, though the key and its window exist afterwards.
    ///
    /// # Errors
    /// As for [`StatsDb::add`].
    pub fn sub(&self, now: u64, key: &[u8], field: &[u8], value: &[u8]) -> Result<(), NotANumber> {
        self.add_or_sub(now, key, field, value, i32::wrapping_sub)
    }

    #[inline]
    fn add_or_sub(
        &self,
        now: u64,
        key: &[u8],
        field: &[u8],
        value: &[u8],
        sign: fn(i32, i32) -> i32,
    ) -> Result<(), NotANumber> {
        let Some((number, kind)) = self.layout.field(field) else { return Ok(()) };
        let adds = sign(0, 1) == 1;
        let parsed = if kind == FieldKind::Int { int::parse(value).map(Some) } else { Ok(None) };
        let change = match (kind, parsed) {
            (FieldKind::Int, Ok(Some(n))) => Change::Add(sign(0, n)),
            (_, Err(_)) => Change::Create,
            (FieldKind::Hll, _) if adds => Change::Insert(hll::hash(value)),
            (FieldKind::CountMin, _) if adds => Change::Count(countmin::hash(value), 1),
            _ => Change::Touch,
        };
        self.change(now, key, number, change);
        parsed.map(|_| ())
    }

    /// `twAdd(key, field, value, n)`: adds `n` to the count of `value` in a sketch; has no effect on other kinds,
    /// though the key and its window exist afterwards (wforce compatibility).
    pub fn add_count(&self, now: u64, key: &[u8], field: &[u8], value: &[u8], n: i32) {
        let Some((number, kind)) = self.layout.field(field) else { return };
        let change = match kind {
            FieldKind::CountMin => Change::Count(countmin::hash(value), n),
            FieldKind::Int | FieldKind::Hll => Change::Touch,
        };
        self.change(now, key, number, change);
    }

    /// Adds a number, as a sibling may ask for: to an int; as decimal text to a distinct count; no effect on a sketch.
    pub fn add_int(&self, now: u64, key: &[u8], field: &[u8], n: i32) {
        let Some((number, kind)) = self.layout.field(field) else { return };
        let change = match kind {
            FieldKind::Int => Change::Add(n),
            FieldKind::Hll => Change::Insert(hll::hash(n.to_string().as_bytes())),
            FieldKind::CountMin => Change::Touch,
        };
        self.change(now, key, number, change);
    }

    /// Subtracts a number, as a sibling may ask for: from an int; no effect on other kinds.
    pub fn sub_int(&self, now: u64, key: &[u8], field: &[u8], n: i32) {
        let Some((number, kind)) = self.layout.field(field) else { return };
        let change = if kind == FieldKind::Int { Change::Add(n.wrapping_neg()) } else { Change::Touch };
        self.change(now, key, number, change);
    }

    /// Runs `read` on a field of a key under the shard's lock.
    #[inline]
    pub(crate) fn read<R>(
        &self,
        now: u64,
        key: &[u8],
        number: u16,
        read: impl FnOnce(View<'_>) -> R,
    ) -> Option<R> {
        let key = cut(key);
        let hash = self.layout.hash(key);
        let shard = self.shard_of(key).lock();
        let entry = shard.record(hash, key)?;
        let field = entry.1.field(&self.layout, number).ok()?;
        Some(read(shard.view(&self.layout, entry, number, field, now)))
    }

    /// Runs `read` on each field of a key under the shard's lock.
    fn read_all<R>(&self, now: u64, key: &[u8], read: impl Fn(View<'_>) -> R) -> Option<Vec<(BString, R)>> {
        let key = cut(key);
        let hash = self.layout.hash(key);
        let shard = self.shard_of(key).lock();
        let entry = shard.record(hash, key)?;
        let fields = entry.1.fields(&self.layout).map(|(number, field)| {
            let name = self.layout.schema.fields[usize::from(number)].0.clone();
            (name, read(shard.view(&self.layout, entry, number, field, now)))
        });
        Some(fields.collect())
    }

    /// `twGet(key, field)`: the sum, the number of distinct values or the total of all windows; 0 if the key or the
    /// field is not there.
    pub fn get(&self, now: u64, key: &[u8], field: &[u8]) -> i32 {
        let Some((number, _)) = self.layout.field(field) else { return 0 };
        self.read(now, key, number, |view| view.sum(Asked::Nothing)).map_or(0, Answer::number)
    }

    /// `twGet(key, field, value)`: the count of `value` in a sketch; 0 for other kinds (wforce compatibility).
    pub fn get_value(&self, now: u64, key: &[u8], field: &[u8], value: &[u8]) -> i32 {
        match self.layout.field(field) {
            Some((number, FieldKind::CountMin)) => {
                let asked = Asked::Count(countmin::hash(value));
                self.read(now, key, number, |view| view.sum(asked)).map_or(0, Answer::number)
            }
            _ => 0,
        }
    }

    /// `twGetCurrent(key, field[, value])`: the current window alone. With a value: its count in a sketch; of a
    /// distinct count what it would be if the value were added (which it is not); no difference to an int.
    pub fn current(&self, now: u64, key: &[u8], field: &[u8], value: Option<&[u8]>) -> i32 {
        let Some((number, kind)) = self.layout.field(field) else { return 0 };
        let asked = asked(kind, value);
        self.read(now, key, number, |view| view.now(asked)).map_or(0, Answer::number)
    }

    /// `twGetWindows(key, field[, value])`: each window, the current one first, the value as for
    /// [`StatsDb::current`]; empty if the key or the field is not there.
    pub fn windows(&self, now: u64, key: &[u8], field: &[u8], value: Option<&[u8]>) -> Vec<i32> {
        let Some((number, kind)) = self.layout.field(field) else { return Vec::new() };
        let asked = asked(kind, value);
        self.read(now, key, number, |view| view.each(asked)).map_or_else(Vec::new, numbers)
    }

    /// The key's existing fields with what [`StatsDb::get`] tells of them, sorted by name; `None` if the key is not
    /// there.
    pub fn stats_of(&self, now: u64, key: &[u8]) -> Option<Vec<(BString, i32)>> {
        let answers = self.read_all(now, key, |view| view.sum(Asked::Nothing))?;
        Some(answers.into_iter().map(|(name, answer)| (name, answer.number())).collect())
    }

    /// The key's existing fields with what [`StatsDb::windows`] tells of them, sorted by name; `None` if the key is
    /// not there.
    pub fn windows_of(&self, now: u64, key: &[u8]) -> Option<Vec<(BString, Vec<i32>)>> {
        let answers = self.read_all(now, key, |view| view.each(Asked::Nothing))?;
        Some(answers.into_iter().map(|(name, answers)| (name, numbers(answers))).collect())
    }

    /// `twReset(key)`: empties all fields of a key, which stays. Returns what other nodes of a shared database have to
    /// know.
    pub fn reset(&self, now: u64, key: &[u8]) -> Option<Reset> {
        self.reset_some(now, key, None)
    }

    /// What a sibling's classic packet asks for: empties all fields of a key, or one. It tells every node itself, so other
    /// nodes of a shared database need not hear of it from this one.
    pub fn reset_classic(&self, key: &[u8], field: Option<&[u8]>) {
        let only = match field {
            None => None,
            Some(field) => match self.layout.field(field) {
                Some((number, _)) => Some(number),
                None => return,
            },
        };
        let key = cut(key);
        let hash = self.layout.hash(key);
        self.shard_of(key).lock().reset(&self.layout, hash, key, only, None);
    }

    /// `twResetField(key, field)`: empties one field of a key. Returns as [`StatsDb::reset`].
    pub fn reset_field(&self, now: u64, key: &[u8], field: &[u8]) -> Option<Reset> {
        let (number, _) = self.layout.field(field)?;
        self.reset_some(now, key, Some(number))
    }

    fn reset_some(&self, now: u64, key: &[u8], only: Option<u16>) -> Option<Reset> {
        let key = cut(key);
        let hash = self.layout.hash(key);
        let own = self.own_origin();
        let mark = (own != NOBODY).then(|| Reset { time_ms: now.saturating_mul(1000), origin: own });
        self.shard_of(key).lock().reset(&self.layout, hash, key, only, mark)
    }

    /// `twSetv4Prefix`; more than 32 is 32.
    pub fn set_v4_prefix(&self, bits: u8) {
        self.v4_prefix.store(bits.min(32), Ordering::Relaxed);
    }

    /// Prefix length of IPv4 keys.
    pub fn v4_prefix(&self) -> u8 {
        self.v4_prefix.load(Ordering::Relaxed)
    }

    /// `twSetv6Prefix`; more than 128 is 128.
    pub fn set_v6_prefix(&self, bits: u8) {
        self.v6_prefix.store(bits.min(128), Ordering::Relaxed);
    }

    /// Prefix length of IPv6 keys.
    pub fn v6_prefix(&self) -> u8 {
        self.v6_prefix.load(Ordering::Relaxed)
    }

    /// The key of an address: its network's text under the database's prefixes, such as `192.0.2.0/24`.
    pub fn addr_key(&self, addr: &login::Addr) -> AddrKey {
        AddrKey::new(addr.ip, self.v4_prefix(), self.v6_prefix())
    }

    /// `twEnableReplication`.
    pub fn enable_replication(&self) {
        self.replicates.store(true, Ordering::Relaxed);
    }

    /// Whether changes are to be sent to siblings.
    pub fn replicates(&self) -> bool {
        self.replicates.load(Ordering::Relaxed)
    }

    /// All keys in the form that travels, shard by shard, from the least to the most recently written.
    pub fn dump(&self) -> Dump<&Self> {
        Dump::new(self)
    }

    /// Puts a key's fields in the state a sibling sent: the key counts as written, given slots replace what is there,
    /// slots beyond stay. Unknown fields and slots beyond the number of windows are ignored.
    ///
    /// # Errors
    /// If a slot cannot be read; nothing is changed then.
    pub fn restore_key(&self, now: u64, key: &[u8], fields: &[FieldState]) -> Result<(), RestoreError> {
        let restored = wire::decode(&self.layout, fields)?;
        if !restored.is_empty() {
            let key = cut(key);
            let hash = self.layout.hash(key);
            let shared = self.own_origin() != NOBODY;
            self.shard_of(key).lock().restore(&self.layout, (hash, key), now, restored, shared);
        }
        Ok(())
    }
}

/// As much of a key as counts.
#[inline]
pub(crate) fn cut(key: &[u8]) -> &[u8] {
    key.get(..MAX_KEY).unwrap_or(key)
}

pub(crate) fn asked(kind: FieldKind, value: Option<&[u8]>) -> Asked {
    match (kind, value) {
        (FieldKind::Hll, Some(value)) => Asked::Distinct(hll::hash(value)),
        (FieldKind::CountMin, Some(value)) => Asked::Count(countmin::hash(value)),
        _ => Asked::Nothing,
    }
}

fn numbers(answers: Vec<Answer>) -> Vec<i32> {
    answers.into_iter().map(Answer::number).collect()
}
