//! One list: its entries, its messages, its switch.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bstr::{BStr, BString, ByteSlice};
use login::{Attrs, Netmask};
use parking_lot::{Mutex, RwLock};

use super::table::Limit;
use tables::Tables;
pub(super) use tables::{ip_text, pair_key};

use super::{Colour, Entry, Kind, ListObserver, Origin, expiration_text};

/// A netmask without a network (unparsable text gave it) cannot be listed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("cannot list an empty netmask")]
pub struct EmptyNetmask;

/// A login that matched a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which list.
    pub colour: Colour,
    /// What matched.
    pub kind: Kind,
    /// The entry that matched.
    pub entry: Entry,
    /// The message for the client, with `{ip}`, `{login}` and `{ja3}` replaced.
    pub msg: BString,
}

impl Hit {
    /// The `r_attrs` of the answer, sorted: `expiration`, `key` (the kind), `reason`, and `blacklisted` or `whitelisted`.
    pub fn attrs(&self) -> Attrs {
        let listed = match self.colour {
            Colour::Black => "blacklisted",
            Colour::White => "whitelisted",
        };
        let mut attrs: Attrs = vec![
            ("expiration".into(), expiration_text(self.entry.expiration).into()),
            ("key".into(), self.kind.api_name().into()),
            ("reason".into(), self.entry.reason.clone()),
            (listed.into(), "1".into()),
        ];
        attrs.sort();
        attrs
    }

    /// The phrase of the allow log line: `blacklisted IP`, `whitelisted IPLogin`, ...
    pub fn phrase(&self) -> BString {
        let listed = match self.colour {
            Colour::Black => "blacklisted ",
            Colour::White => "whitelisted ",
        };
        BString::from([listed, self.kind.phrase_name()].concat())
    }
}

/// One list. Every method may be called from any thread; a check of an empty list takes no lock, a check that misses
/// allocates nothing.
pub struct List {
    colour: Colour,
    tables: RwLock<Tables>,
    /// How much each kind may hold.
    limit: Limit,
    entries: AtomicUsize,
    enabled: AtomicBool,
    messages: RwLock<[BString; 5]>,
    observers: Arc<RwLock<Vec<Arc<dyn ListObserver>>>>,
    /// Held over a change and the telling of it, so that observers hear of changes in their order; readers never take it.
    changing: Mutex<()>,
}

impl List {
    pub(super) fn new(colour: Colour, observers: Arc<RwLock<Vec<Arc<dyn ListObserver>>>>) -> Self {
        Self {
            colour,
            tables: RwLock::default(),
            limit: Limit::DEFAULT,
            entries: AtomicUsize::new(0),
            enabled: AtomicBool::new(true),
            messages: RwLock::new(Kind::ALL.map(|kind| kind.default_message(colour).into())),
            observers,
            changing: Mutex::new(()),
        }
    }

    /// Lists an address for `expire_secs` from `now` (unix seconds). Adding what is there replaces it and makes it the
    /// youngest. In a full list (1,000,000 entries of a kind, or 512 MiB of them) the entry that would expire first makes
    /// room: so short bans crowd out each other, not what was listed for good.
    pub fn add_ip(&self, now: u64, ip: IpAddr, expire_secs: u32, reason: &[u8]) {
        let mask = Netmask::new(ip, 128);
        self.insert(now, Kind::Ip, mask.to_string().into(), expire_secs, reason, Origin::Local);
    }

    /// The same for a network.
    ///
    /// # Errors
    /// The netmask is empty.
    pub fn add_netmask(
        &self,
        now: u64,
        mask: &Netmask,
        expire_secs: u32,
        reason: &[u8],
    ) -> Result<(), EmptyNetmask> {
        if mask.is_empty() {
            return Err(EmptyNetmask);
        }
        self.insert(now, Kind::Ip, mask.to_string().into(), expire_secs, reason, Origin::Local);
        Ok(())
    }

    /// The same for a login, taken as it is.
    pub fn add_login(&self, now: u64, login: &[u8], expire_secs: u32, reason: &[u8]) {
        self.insert(now, Kind::Login, login.into(), expire_secs, reason, Origin::Local);
    }

    /// The same for a JA3 hash.
    pub fn add_ja3(&self, now: u64, ja3: &[u8], expire_secs: u32, reason: &[u8]) {
        self.insert(now, Kind::Ja3, ja3.into(), expire_secs, reason, Origin::Local);
    }

    /// The same for an address with a login.
    pub fn add_ip_login(&self, now: u64, ip: IpAddr, login: &[u8], expire_secs: u32, reason: &[u8]) {
        self.insert(now, Kind::IpLogin, pair_key(ip, login), expire_secs, reason, Origin::Local);
    }

    /// The same for an address with a JA3 hash.
    pub fn add_ip_ja3(&self, now: u64, ip: IpAddr, ja3: &[u8], expire_secs: u32, reason: &[u8]) {
        self.insert(now, Kind::IpJa3, pair_key(ip, ja3), expire_secs, reason, Origin::Local);
    }

    /// Adds by key text, as siblings and persistent storage have it. False, and nothing happens, for an address or
    /// network that is none.
    pub fn add_key(
        &self,
        now: u64,
        kind: Kind,
        key: &[u8],
        expire_secs: u32,
        reason: &[u8],
        origin: Origin,
    ) -> bool {
        let Some(key) = normal_key(kind, key) else { return false };
        self.insert(now, kind, key, expire_secs, reason, origin);
        true
    }

    /// Takes an address off the list, just the entry of the single address. Whether it was there.
    pub fn delete_ip(&self, ip: IpAddr) -> bool {
        self.remove(Kind::Ip, Netmask::new(ip, 128).to_string().as_bytes(), Origin::Local)
    }

    /// The same for a network.
    pub fn delete_netmask(&self, mask: &Netmask) -> bool {
        !mask.is_empty() && self.remove(Kind::Ip, mask.to_string().as_bytes(), Origin::Local)
    }

    /// The same for a login.
    pub fn delete_login(&self, login: &[u8]) -> bool {
        self.remove(Kind::Login, login, Origin::Local)
    }

    /// The same for a JA3 hash.
    pub fn delete_ja3(&self, ja3: &[u8]) -> bool {
        self.remove(Kind::Ja3, ja3, Origin::Local)
    }

    /// The same for an address with a login.
    pub fn delete_ip_login(&self, ip: IpAddr, login: &[u8]) -> bool {
        self.remove(Kind::IpLogin, &pair_key(ip, login), Origin::Local)
    }

    /// The same for an address with a JA3 hash.
    pub fn delete_ip_ja3(&self, ip: IpAddr, ja3: &[u8]) -> bool {
        self.remove(Kind::IpJa3, &pair_key(ip, ja3), Origin::Local)
    }

    /// Deletes by key text. Whether it was there.
    pub fn delete_key(&self, kind: Kind, key: &[u8], origin: Origin) -> bool {
        normal_key(kind, key).is_some_and(|key| self.remove(kind, &key, origin))
    }

    /// The entry of the smallest network that holds this address.
    pub fn check_ip(&self, now: u64, ip: IpAddr) -> Option<Entry> {
        if self.is_empty() {
            return None;
        }
        self.tables.read().ip(now, ip).cloned()
    }

    /// The entry of exactly this network.
    pub fn check_netmask(&self, now: u64, mask: &Netmask) -> Option<Entry> {
        if self.is_empty() || mask.is_empty() {
            return None;
        }
        self.check_text(now, Kind::Ip, mask.to_string().as_bytes())
    }

    /// The entry of this login.
    pub fn check_login(&self, now: u64, login: &[u8]) -> Option<Entry> {
        self.check_text(now, Kind::Login, login)
    }

    /// The entry of this JA3 hash.
    pub fn check_ja3(&self, now: u64, ja3: &[u8]) -> Option<Entry> {
        self.check_text(now, Kind::Ja3, ja3)
    }

    /// The entry of this address with this login.
    pub fn check_ip_login(&self, now: u64, ip: IpAddr, login: &[u8]) -> Option<Entry> {
        if self.is_empty() {
            return None;
        }
        self.tables.read().pair(now, Kind::IpLogin, ip, login).cloned()
    }

    /// The entry of this address with this JA3 hash.
    pub fn check_ip_ja3(&self, now: u64, ip: IpAddr, ja3: &[u8]) -> Option<Entry> {
        if self.is_empty() {
            return None;
        }
        self.tables.read().pair(now, Kind::IpJa3, ip, ja3).cloned()
    }

    /// Checks a login in the order address, login, JA3, address with login, address with JA3; the kinds with JA3 only if
    /// there is one. The first hit counts. It says nothing of whether the list is [enabled](Self::enabled).
    pub fn check(&self, now: u64, ip: IpAddr, login: &[u8], ja3: &[u8]) -> Option<Hit> {
        if self.is_empty() {
            return None;
        }
        let (kind, entry) = {
            let tables = self.tables.read();
            let (kind, entry) = Kind::ALL.into_iter().find_map(|kind| {
                let entry = match kind {
                    Kind::Ip => tables.ip(now, ip),
                    Kind::Login => tables.text(now, kind, login),
                    Kind::IpLogin => tables.pair(now, kind, ip, login),
                    Kind::Ja3 | Kind::IpJa3 if ja3.is_empty() => None,
                    Kind::Ja3 => tables.text(now, kind, ja3),
                    Kind::IpJa3 => tables.pair(now, kind, ip, ja3),
                };
                entry.map(|entry| (kind, entry))
            })?;
            (kind, entry.clone())
        };
        Some(Hit { colour: self.colour, kind, entry, msg: self.message(kind, ip, login, ja3) })
    }

    /// The entries of a kind, oldest (re-)insertion first; those that expired are there until the next purge.
    pub fn entries(&self, kind: Kind) -> Vec<Entry> {
        self.tables.read().kinds[kind as usize].iter().cloned().collect()
    }

    /// How many entries of a kind there are.
    pub fn len(&self, kind: Kind) -> usize {
        self.tables.read().kinds[kind as usize].len()
    }

    /// Whether there are no entries of any kind.
    pub fn is_empty(&self) -> bool {
        self.entries.load(Ordering::Acquire) == 0
    }

    /// Removes what has expired by `now` and tells the observers; returns it in the order of expiry within each kind.
    pub fn purge(&self, now: u64) -> Vec<(Kind, Entry)> {
        if self.is_empty() {
            return Vec::new();
        }
        let _in_order = self.changing.lock();
        let mut expired = Vec::new();
        for kind in Kind::ALL {
            // One short lock for each batch: a purge of very many entries must not keep requests waiting.
            loop {
                let before = expired.len();
                self.tables.write().expire(now, kind, 256, &mut expired);
                if expired.len() == before {
                    break;
                }
                self.entries.fetch_sub(expired.len() - before, Ordering::Release);
            }
        }
        for (kind, entry) in &expired {
            self.tell(|observer| observer.expired(self.colour, *kind, entry));
        }
        expired
    }

    /// The message of hits of a kind, with its placeholders.
    pub fn ret_msg(&self, kind: Kind) -> BString {
        self.messages.read()[kind as usize].clone()
    }

    /// Sets the message of hits of a kind. `{ip}`, `{login}` and `{ja3}` stand for the values of the login at hand.
    pub fn set_ret_msg(&self, kind: Kind, message: &[u8]) {
        self.messages.write()[kind as usize] = message.into();
    }

    /// Whether the server checks this list itself.
    pub fn enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// The server no longer checks this list itself; policies still can.
    pub fn disable(&self) {
        self.enabled.store(false, Ordering::Relaxed);
    }

    /// The server checks this list itself again.
    pub fn enable(&self) {
        self.enabled.store(true, Ordering::Relaxed);
    }

    fn check_text(&self, now: u64, kind: Kind, key: &[u8]) -> Option<Entry> {
        if self.is_empty() {
            return None;
        }
        self.tables.read().text(now, kind, key).cloned()
    }

    fn message(&self, kind: Kind, ip: IpAddr, login: &[u8], ja3: &[u8]) -> BString {
        let message = self.ret_msg(kind);
        if !message.contains(&b'{') {
            return message;
        }
        let ip = ip_text(ip);
        // In this order (wforce compatibility): a login that reads `{ja3}` is replaced once more.
        message.replace("{ip}", ip).replace("{login}", login).replace("{ja3}", ja3).into()
    }

    fn insert(&self, now: u64, kind: Kind, key: BString, expire_secs: u32, reason: &[u8], origin: Origin) {
        let entry =
            Entry { key, expiration: now.saturating_add(u64::from(expire_secs)), reason: reason.into() };
        let _in_order = self.changing.lock();
        self.put(kind, &entry, expire_secs, origin);
    }

    /// Adds or replaces, and tells of it; `changing` must be held.
    fn put(&self, kind: Kind, entry: &Entry, expire_secs: u32, origin: Origin) {
        let mut crowded_out = Vec::new();
        if self.tables.write().insert(kind, entry.clone(), self.limit, &mut crowded_out) {
            self.entries.fetch_add(1, Ordering::Release);
        }
        self.entries.fetch_sub(crowded_out.len(), Ordering::Release);
        for (kind, gone) in &crowded_out {
            self.tell(|observer| observer.crowded_out(self.colour, *kind, gone));
        }
        self.tell(|observer| observer.added(self.colour, kind, entry, expire_secs, origin));
    }

    fn remove(&self, kind: Kind, key: &[u8], origin: Origin) -> bool {
        let _in_order = self.changing.lock();
        self.take(kind, BStr::new(key), origin)
    }

    /// Takes off, and tells of it; `changing` must be held.
    fn take(&self, kind: Kind, key: &BStr, origin: Origin) -> bool {
        let existed = self.tables.write().remove(kind, key);
        if existed {
            self.entries.fetch_sub(1, Ordering::Release);
        }
        self.tell(|observer| observer.deleted(self.colour, kind, key, existed, origin));
        existed
    }

    fn tell(&self, what: impl Fn(&dyn ListObserver)) {
        for observer in self.observers.read().iter() {
            what(observer.as_ref());
        }
    }
}

/// Networks are called by their masked address with `/bits`; every other key is what it is.
fn normal_key(kind: Kind, key: &[u8]) -> Option<BString> {
    if kind != Kind::Ip {
        return Some(key.into());
    }
    Netmask::parse(key).ok().filter(|mask| !mask.is_empty()).map(|mask| mask.to_string().into())
}

mod merge;
mod tables;
#[cfg(test)]
mod tests;
