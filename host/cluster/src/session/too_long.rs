//! What is too long for a frame. Siblings are not told of it, and somebody has to know that.

use std::sync::atomic::{AtomicU64, Ordering};

use bstr::BStr;
use capabilities::lists::Colour;
use login::clip::clip;
use parking_lot::Mutex;
use statsdb::{Amount, KeyShare, Part};

use super::MAX_TEXT;
use super::entries::Id;

/// Bytes of one key, or of one entry of a list, that are told.
pub(super) const MOST: usize = MAX_TEXT / 2;
/// Bytes of a name in a message.
const NAMED: usize = 100;

/// How often something was left out since the start. What a comparison finds again counts again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeftOut {
    /// Entries of lists that siblings were not told of.
    pub entries: u64,
    /// Keys of stats DBs that siblings were told of without their oldest windows.
    pub keys: u64,
    /// The last of them in words, if nobody has asked since.
    pub last: Option<String>,
}

#[derive(Default)]
pub(super) struct TooLong {
    entries: AtomicU64,
    keys: AtomicU64,
    last: Mutex<Option<String>>,
}

impl TooLong {
    /// An entry is not told of.
    pub fn entry(&self, id: &Id) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        let list = match id.colour {
            Colour::Black => "blacklist",
            Colour::White => "whitelist",
        };
        let (kind, key) = (id.kind.type_name(), shown(&id.key));
        *self.last.lock() =
            Some(format!("the entry {kind} \"{key}\" of the {list}: no sibling is told of it"));
    }

    /// What a frame takes of a share of this database.
    pub fn fitting(&self, db: &BStr, mut share: KeyShare) -> KeyShare {
        if shorten(&mut share) {
            self.keys.fetch_add(1, Ordering::Relaxed);
            let key = shown(&share.key);
            let text = format!(
                "the key \"{key}\" of the stats DB {db}: siblings are told of its newest windows only"
            );
            *self.last.lock() = Some(text);
        }
        share
    }

    pub fn left_out(&self) -> LeftOut {
        LeftOut {
            entries: self.entries.load(Ordering::Relaxed),
            keys: self.keys.load(Ordering::Relaxed),
            last: self.last.lock().take(),
        }
    }
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(&clip(name, NAMED)).into_owned()
}

/// Leaves out the oldest windows of a key that would not fit in a frame: only distinct counts of very many registers get
/// there. Whether there were any.
fn shorten(share: &mut KeyShare) -> bool {
    let size = |part: &Part| match &part.amount {
        Amount::Int(_) => 32,
        Amount::Sketch(bytes) => 32 + bytes.len(),
        Amount::Values(values) => 32 + 8 * values.len(),
        Amount::Registers { values, .. } => 32 + values.len(),
    };
    if share.parts.iter().map(size).sum::<usize>() <= MOST {
        return false;
    }
    share.parts.sort_by_key(|part| std::cmp::Reverse(part.window));
    let mut room = MOST;
    share.parts.retain(|part| {
        let fits = size(part) <= room;
        room = room.saturating_sub(size(part));
        fits
    });
    true
}
