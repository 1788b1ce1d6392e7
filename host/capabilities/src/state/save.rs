//! Writing a snapshot.

use std::io::{self, Write};

use statsdb::{Outline, codec};

use super::frame::{DB, END, ENTRIES, FORMAT, HEAD, KEYS, write as frame};
use crate::lists::{Colour, Kind, Lists};
use crate::stats::StatsRegistry;

/// Bytes of keys or entries in a frame, about: what is written at once. Writing more takes hundreds of microseconds.
const BLOCK: usize = 1 << 14;

/// What was saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    /// Keys of all stats DBs.
    pub keys: u64,
    /// Entries of both lists.
    pub entries: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes everything. Locks are short, and `pause` is called between short pieces of work; what changes meanwhile is in it
/// or not.
pub(super) fn write(
    file: &mut impl Write,
    stats: &StatsRegistry,
    lists: &Lists,
    now: u64,
    pause: &dyn Fn(),
) -> io::Result<Saved> {
    let mut saved = Saved::default();
    frame(file, &[&[HEAD], FORMAT, &now.to_le_bytes()].concat())?;
    for db in stats.all() {
        let db = db.local();
        let mut payload = vec![DB];
        Outline::new(db.schema()).encode(&mut payload);
        frame(file, &payload)?;
        let mut blocks = db.blocks(now, BLOCK, pause);
        for block in blocks.by_ref() {
            payload.clear();
            payload.push(KEYS);
            payload.extend_from_slice(&block);
            frame(file, &payload)?;
            pause();
        }
        saved.keys += blocks.keys();
    }
    for colour in [Colour::Black, Colour::White] {
        for kind in Kind::ALL {
            let mut payload = vec![ENTRIES];
            for entry in lists.list(colour).entries(kind) {
                payload.extend_from_slice(&[colour as u8, kind as u8]);
                codec::put(&mut payload, entry.expiration);
                codec::put_bytes(&mut payload, &entry.key);
                codec::put_bytes(&mut payload, &entry.reason);
                saved.entries += 1;
                if payload.len() >= BLOCK {
                    frame(file, &payload)?;
                    pause();
                    payload.truncate(1);
                }
            }
            if payload.len() > 1 {
                frame(file, &payload)?;
            }
        }
    }
    let mut payload = vec![END];
    codec::put(&mut payload, saved.keys);
    codec::put(&mut payload, saved.entries);
    frame(file, &payload)?;
    Ok(saved)
}
