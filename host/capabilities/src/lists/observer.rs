//! Who hears of changes.

use std::sync::Arc;
use std::time::Duration;

use bstr::{BStr, ByteVec};
use login::clip;

use super::{Colour, Entry, Kind};
use crate::log::{Level, Log};

/// Where a change came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The API, the console or a policy of this daemon.
    Local,
    /// A sibling.
    Replicated,
    /// Persistent storage, at the start.
    Loaded,
}

/// Hears of every change, on the thread that made it; so an observer must not wait for anything. Changes of one list
/// arrive in their order, and the list must not be changed from inside a call.
pub trait ListObserver: Send + Sync {
    /// An entry was added or replaced, `expire_secs` from now.
    fn added(&self, colour: Colour, kind: Kind, entry: &Entry, expire_secs: u32, origin: Origin);
    /// Somebody asked to delete this key; `existed` tells whether it was there.
    fn deleted(&self, colour: Colour, kind: Kind, key: &BStr, existed: bool, origin: Origin);
    /// An entry's time was over.
    fn expired(&self, colour: Colour, kind: Kind, entry: &Entry);
    /// The list is full, and an entry had to make room for the one that is added next.
    fn crowded_out(&self, colour: Colour, kind: Kind, entry: &Entry);
}

/// Time between two lines that tell of the same full list.
const FULL_EVERY: Duration = Duration::from_secs(10);

/// Writes the `addBLEntry`, `deleteBLEntry`, `addWLEntry` and `deleteWLEntry` lines, one for each change.
pub struct LogObserver {
    log: Arc<Log>,
}

impl LogObserver {
    /// Lines go to this log.
    pub fn new(log: Arc<Log>) -> Self {
        Self { log }
    }

    fn delete_line(&self, colour: Colour, kind: Kind, key: &[u8]) {
        let mut line = head("delete", colour, kind);
        line.push_str(clip::value(key));
        self.log.log(Level::Notice, line);
    }
}

/// `addBLEntry ip_login_bl: ip_login=`.
fn head(verb: &str, colour: Colour, kind: Kind) -> Vec<u8> {
    let (entry, list) = match colour {
        Colour::Black => ("BLEntry", "bl"),
        Colour::White => ("WLEntry", "wl"),
    };
    let kind = kind.type_name();
    format!("{verb}{entry} {kind}_{list}: {kind}=").into_bytes()
}

impl ListObserver for LogObserver {
    fn added(&self, colour: Colour, kind: Kind, entry: &Entry, expire_secs: u32, origin: Origin) {
        if origin == Origin::Loaded {
            return;
        }
        let mut line = head("add", colour, kind);
        line.push_str(clip::value(&entry.key));
        line.push_str(format!(" expire_secs={expire_secs} reason=\""));
        line.push_str(clip::value(&entry.reason));
        line.push_str("\"");
        self.log.log(Level::Notice, line);
    }

    fn deleted(&self, colour: Colour, kind: Kind, key: &BStr, _existed: bool, _origin: Origin) {
        self.delete_line(colour, kind, key);
    }

    fn expired(&self, colour: Colour, kind: Kind, entry: &Entry) {
        self.delete_line(colour, kind, &entry.key);
    }

    fn crowded_out(&self, colour: Colour, kind: Kind, entry: &Entry) {
        self.delete_line(colour, kind, &entry.key);
        let list = match colour {
            Colour::Black => "blacklist",
            Colour::White => "whitelist",
        };
        let text = format!(
            "the {list} is full of entries of kind {}: those that would expire first make room",
            kind.type_name()
        );
        self.log.limited(&text, FULL_EVERY, Level::Warning, &text);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::lists::Lists;
    use crate::log::Options;
    use crate::log::screen::Screen;

    #[test]
    fn changes_are_logged_once_each() {
        let screen = Screen::default();
        let options = Options { syslog: None, stdout: Some(Level::Notice), ..Options::new("wforce") };
        let log = Log::start_with(options, Box::new(screen.clone())).unwrap();
        let lists = Lists::default();
        lists.observe(Arc::new(LogObserver::new(Arc::clone(&log))));
        let ip = "192.0.2.1".parse().unwrap();
        lists.black.add_ip(1000, ip, 60, b"too \"many\"");
        lists.black.add_ip_login(1000, ip, b"joe", 5, b"r");
        lists.white.add_ip_ja3(1000, ip, b"abc", u32::MAX, b"");
        lists.black.add_key(1000, Kind::Login, b"joe", 1, b"r", Origin::Loaded);
        lists.black.add_key(1000, Kind::Ja3, b"abc", 9, b"r", Origin::Replicated);
        lists.white.delete_login(b"nobody");
        lists.purge(1005);
        let entry = Entry { key: "joe".into(), expiration: 1, reason: "r".into() };
        let observer = LogObserver::new(Arc::clone(&log));
        (0..3).for_each(|_| observer.crowded_out(Colour::Black, Kind::Login, &entry));
        assert!(log.flush(Duration::from_mins(1)));
        assert_eq!(
            screen.text(),
            "addBLEntry ip_bl: ip=192.0.2.1/32 expire_secs=60 reason=\"too \"many\"\"\n\
             addBLEntry ip_login_bl: ip_login=192.0.2.1:joe expire_secs=5 reason=\"r\"\n\
             addWLEntry ip_ja3_wl: ip_ja3=192.0.2.1:abc expire_secs=4294967295 reason=\"\"\n\
             addBLEntry ja3_bl: ja3=abc expire_secs=9 reason=\"r\"\n\
             deleteWLEntry login_wl: login=nobody\n\
             deleteBLEntry login_bl: login=joe\n\
             deleteBLEntry ip_login_bl: ip_login=192.0.2.1:joe\n\
             deleteBLEntry login_bl: login=joe\n\
             the blacklist is full of entries of kind login: those that would expire first make room\n\
             deleteBLEntry login_bl: login=joe\n\
             deleteBLEntry login_bl: login=joe\n"
        );
    }
}
