//! Changes that are only made if whoever asks for them still wants them when their turn has come.

use bstr::BStr;

use super::super::{Entry, Kind, Origin};
use super::{List, normal_key};

impl List {
    /// The entry of exactly this key, whether or not its time is over.
    pub fn find(&self, kind: Kind, key: &[u8]) -> Option<Entry> {
        self.tables.read().kinds[kind as usize].get(key).cloned()
    }

    /// Puts an entry in the place of the one with its key, if there is one. `admit` is asked when no other change of this
    /// list can come between the question and the change; it must not touch the list. Whether the change was made.
    pub fn put_if(
        &self,
        now: u64,
        kind: Kind,
        mut entry: Entry,
        origin: Origin,
        admit: impl FnOnce() -> bool,
    ) -> bool {
        let Some(key) = normal_key(kind, &entry.key) else { return false };
        entry.key = key;
        let expire_secs = u32::try_from(entry.expiration.saturating_sub(now)).unwrap_or(u32::MAX);
        let _in_order = self.changing.lock();
        let admitted = admit();
        if admitted {
            self.put(kind, &entry, expire_secs, origin);
        }
        admitted
    }

    /// The same for taking a key off the list.
    pub fn remove_if(&self, kind: Kind, key: &[u8], origin: Origin, admit: impl FnOnce() -> bool) -> bool {
        let Some(key) = normal_key(kind, key) else { return false };
        let _in_order = self.changing.lock();
        let admitted = admit();
        if admitted {
            self.take(kind, BStr::new(&key), origin);
        }
        admitted
    }
}
