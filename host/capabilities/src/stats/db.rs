//! The handle through which policies read and change a stats DB.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString};
use login::Addr;
use statsdb::{AddrKey, NotANumber, Schema, StatsDb};

use super::observer::{Change, Observers};
use super::remote::Remote;
use crate::context;

/// A stats DB as policies, the API and the console have it: every change goes through here, so that whoever must know of
/// it (siblings) hears of it. In the context of a call that has one, reads and changes are noted, or changes go over what
/// is live instead of into it. Cheap to clone. `now`: unix seconds.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    local: StatsDb,
    outside: AtomicBool,
    remote: OnceLock<Arc<dyn Remote>>,
    observers: Arc<Observers>,
    /// The name that there is not, if it stands for one.
    stands_for: Option<BString>,
}

impl Db {
    pub(super) fn new(local: StatsDb, observers: Arc<Observers>) -> Self {
        Self::of(local, observers, None)
    }

    /// What is given to whoever asks for a name that there is not.
    pub(super) fn stand_in(local: StatsDb, name: BString) -> Self {
        Self::of(local, Arc::default(), Some(name))
    }

    fn of(local: StatsDb, observers: Arc<Observers>, stands_for: Option<BString>) -> Self {
        let (outside, remote) = (AtomicBool::new(false), OnceLock::new());
        Self(Arc::new(Inner { local, outside, remote, observers, stands_for }))
    }

    /// The name that there is not, if it stands for one.
    pub fn stands_for(&self) -> Option<&BStr> {
        self.0.stands_for.as_ref().map(BStr::new)
    }

    /// The DB in memory, for those that apply what a sibling sent, that dump or that restore: nobody is told of a change
    /// made there.
    pub fn local(&self) -> &StatsDb {
        &self.0.local
    }

    /// Where the counts are kept, if not in memory: then they are asked for with [`Db::ask`], and the other functions only
    /// see what is counted here.
    #[inline]
    pub fn remote(&self) -> Option<&Arc<dyn Remote>> {
        self.0.remote.get()
    }

    /// Its counts will be kept outside, as soon as the daemon has started.
    pub fn will_be_outside(&self) {
        self.0.outside.store(true, Ordering::Relaxed);
    }

    /// Whether its counts are, or will be, kept outside.
    pub fn is_outside(&self) -> bool {
        self.0.outside.load(Ordering::Relaxed)
    }

    pub(super) fn remote_place(&self) -> &OnceLock<Arc<dyn Remote>> {
        &self.0.remote
    }

    /// Whether both are the same DB.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many handles of this DB there are.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Its name.
    pub fn name(&self) -> &BStr {
        self.0.local.name()
    }

    /// What it was created with, fields sorted by name.
    pub fn schema(&self) -> &Schema {
        self.0.local.schema()
    }

    /// Adds the number that `value` begins with to an int, `value` itself to a distinct count, 1 to its count in a sketch.
    ///
    /// # Errors
    /// An int's value is no number; the key and the field exist all the same, and nobody is told.
    pub fn add(&self, now: u64, key: &[u8], field: &[u8], value: &[u8]) -> Result<(), NotANumber> {
        match context::current() {
            None => self.add_live(now, key, field, value),
            Some(context) => context.stats_add(self, now, key, field, value),
        }
    }

    pub(super) fn add_live(
        &self,
        now: u64,
        key: &[u8],
        field: &[u8],
        value: &[u8],
    ) -> Result<(), NotANumber> {
        self.0.local.add(now, key, field, value)?;
        self.tell(now, key, Change::Add { field, value });
        Ok(())
    }

    /// Adds `n` to the count of `value` in a sketch; other kinds stay as they are.
    pub fn add_count(&self, now: u64, key: &[u8], field: &[u8], value: &[u8], n: i32) {
        match context::current() {
            None => self.add_count_live(now, key, field, value, n),
            Some(context) => context.stats_add_count(self, now, key, field, value, n),
        }
    }

    pub(super) fn add_count_live(&self, now: u64, key: &[u8], field: &[u8], value: &[u8], n: i32) {
        self.0.local.add_count(now, key, field, value, n);
        self.tell(now, key, Change::AddCount { field, value, n });
    }

    /// Subtracts the number that `value` begins with from an int; other kinds stay as they are.
    ///
    /// # Errors
    /// As for [`Db::add`].
    pub fn sub(&self, now: u64, key: &[u8], field: &[u8], value: &[u8]) -> Result<(), NotANumber> {
        match context::current() {
            None => self.sub_live(now, key, field, value),
            Some(context) => context.stats_sub(self, now, key, field, value),
        }
    }

    pub(super) fn sub_live(
        &self,
        now: u64,
        key: &[u8],
        field: &[u8],
        value: &[u8],
    ) -> Result<(), NotANumber> {
        self.0.local.sub(now, key, field, value)?;
        self.tell(now, key, Change::Sub { field, value });
        Ok(())
    }

    /// Empties all fields of a key, which stays.
    pub fn reset(&self, now: u64, key: &[u8]) {
        match context::current() {
            None => self.reset_live(now, key),
            Some(context) => context.stats_reset(self, now, key, None),
        }
    }

    pub(super) fn reset_live(&self, now: u64, key: &[u8]) {
        self.0.local.reset(now, key);
        self.tell(now, key, Change::Reset);
    }

    /// Empties one field of a key.
    pub fn reset_field(&self, now: u64, key: &[u8], field: &[u8]) {
        match context::current() {
            None => self.reset_field_live(now, key, field),
            Some(context) => context.stats_reset(self, now, key, Some(field)),
        }
    }

    pub(super) fn reset_field_live(&self, now: u64, key: &[u8], field: &[u8]) {
        self.0.local.reset_field(now, key, field);
        self.tell(now, key, Change::ResetField { field });
    }

    #[inline]
    fn tell(&self, now: u64, key: &[u8], change: Change<'_>) {
        self.0.observers.tell(&self.0.local, now, key, change);
    }

    /// The sum, the number of distinct values or the total of all windows; 0 if the key or the field is not there.
    pub fn get(&self, now: u64, key: &[u8], field: &[u8]) -> i32 {
        match context::current() {
            None => self.0.local.get(now, key, field),
            Some(context) => context.stats_get(self, now, key, field),
        }
    }

    /// The count of `value` in a sketch; 0 for other kinds.
    pub fn get_value(&self, now: u64, key: &[u8], field: &[u8], value: &[u8]) -> i32 {
        match context::current() {
            None => self.0.local.get_value(now, key, field, value),
            Some(context) => context.stats_get_value(self, now, key, field, value),
        }
    }

    /// The current window alone; see [`StatsDb::current`] for what a value means.
    pub fn current(&self, now: u64, key: &[u8], field: &[u8], value: Option<&[u8]>) -> i32 {
        match context::current() {
            None => self.0.local.current(now, key, field, value),
            Some(context) => context.stats_current(self, now, key, field, value),
        }
    }

    /// Each window, the current one first; empty if the key or the field is not there.
    pub fn windows(&self, now: u64, key: &[u8], field: &[u8], value: Option<&[u8]>) -> Vec<i32> {
        match context::current() {
            None => self.0.local.windows(now, key, field, value),
            Some(context) => context.stats_windows(self, now, key, field, value),
        }
    }

    /// The key's existing fields with their [`Db::get`], sorted by name; `None` if the key is not there.
    pub fn stats_of(&self, now: u64, key: &[u8]) -> Option<Vec<(BString, i32)>> {
        self.0.local.stats_of(now, key)
    }

    /// The key's existing fields with their [`Db::windows`], sorted by name; `None` if the key is not there.
    pub fn windows_of(&self, now: u64, key: &[u8]) -> Option<Vec<(BString, Vec<i32>)>> {
        self.0.local.windows_of(now, key)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.local.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.local.is_empty()
    }

    /// The most keys kept; see [`StatsDb::set_max_size`].
    pub fn set_max_size(&self, max: u32) {
        self.0.local.set_max_size(max);
    }

    /// The most keys kept.
    pub fn max_size(&self) -> u32 {
        self.0.local.max_size()
    }

    /// The most bytes kept; see [`StatsDb::set_max_bytes`].
    pub fn set_max_bytes(&self, max: u64) {
        self.0.local.set_max_bytes(max);
    }

    /// Bytes in use for all keys.
    pub fn memory_bytes(&self) -> usize {
        self.0.local.memory_bytes()
    }

    /// Prefix length of IPv4 keys; more than 32 is 32.
    pub fn set_v4_prefix(&self, bits: u8) {
        self.0.local.set_v4_prefix(bits);
    }

    /// Prefix length of IPv4 keys.
    pub fn v4_prefix(&self) -> u8 {
        self.0.local.v4_prefix()
    }

    /// Prefix length of IPv6 keys; more than 128 is 128.
    pub fn set_v6_prefix(&self, bits: u8) {
        self.0.local.set_v6_prefix(bits);
    }

    /// Prefix length of IPv6 keys.
    pub fn v6_prefix(&self) -> u8 {
        self.0.local.v6_prefix()
    }

    /// The key of an address: its network's text under the DB's prefixes, such as `192.0.2.0/24`.
    pub fn addr_key(&self, addr: &Addr) -> AddrKey {
        self.0.local.addr_key(addr)
    }

    /// Changes are told from now on.
    pub fn enable_replication(&self) {
        self.0.local.enable_replication();
    }

    /// Whether changes are told.
    pub fn replicates(&self) -> bool {
        self.0.local.replicates()
    }
}
