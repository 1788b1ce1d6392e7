//! The black- and the whitelist: addresses and networks, logins, JA3 hashes and pairs of them, each entry with an expiry
//! and a reason.

mod kind;
mod list;
mod networks;
mod observer;
mod subject;
mod table;

use std::sync::Arc;

use bstr::BString;
use parking_lot::RwLock;

pub use kind::{Colour, Kind};
pub use list::{EmptyNetmask, Hit, List};
pub use observer::{ListObserver, LogObserver, Origin};
pub use subject::Subject;

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As the API shows it: `1.2.3.4/32`, a login, `1.2.3.4:login`, ...
    pub key: BString,
    /// Unix seconds; from this moment on the entry matches nothing.
    pub expiration: u64,
    /// Why it was added.
    pub reason: BString,
}

impl Entry {
    /// The expiry as the API writes it: UTC, `2026-Nov-22 05:04:39`.
    pub fn expiration_text(&self) -> String {
        expiration_text(self.expiration)
    }
}

/// Unix seconds as the API writes them: UTC, `2026-Nov-22 05:04:39`.
pub fn expiration_text(unix_seconds: u64) -> String {
    let seconds = i64::try_from(unix_seconds).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%b-%d %H:%M:%S").to_string()
}

/// Both lists.
pub struct Lists {
    /// The blacklist.
    pub black: List,
    /// The whitelist.
    pub white: List,
    observers: Arc<RwLock<Vec<Arc<dyn ListObserver>>>>,
}

impl Default for Lists {
    /// Both empty and enabled, nobody watching.
    fn default() -> Self {
        let observers = Arc::new(RwLock::new(Vec::new()));
        Self {
            black: List::new(Colour::Black, Arc::clone(&observers)),
            white: List::new(Colour::White, Arc::clone(&observers)),
            observers,
        }
    }
}

impl Lists {
    /// Tells this observer of every change of either list from now on, in the order of the changes of one list.
    pub fn observe(&self, observer: Arc<dyn ListObserver>) {
        self.observers.write().push(observer);
    }

    /// The list of this colour.
    pub fn list(&self, colour: Colour) -> &List {
        match colour {
            Colour::Black => &self.black,
            Colour::White => &self.white,
        }
    }

    /// Removes what has expired and tells the observers. `now`: unix seconds.
    pub fn purge(&self, now: u64) {
        self.black.purge(now);
        self.white.purge(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_written_in_utc_with_an_english_month() {
        assert_eq!(expiration_text(1_795_323_879), "2026-Nov-22 05:04:39");
        assert_eq!(expiration_text(0), "1970-Jan-01 00:00:00");
        assert_eq!(expiration_text(1_763_787_879 + u64::from(u32::MAX)), "2161-Dec-29 11:32:54");
        assert!(expiration_text(u64::MAX).starts_with("9999-"));
    }
}
