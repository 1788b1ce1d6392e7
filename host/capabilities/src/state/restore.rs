//! Reading a snapshot.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use statsdb::{CodecError, Merged, Outline, Reader, Room, StatsDb, Translation, codec, translate};

use super::frame::{self, DB, END, ENTRIES, FORMAT, HEAD, KEYS};
use crate::lists::{Colour, Kind, Lists, Origin};
use crate::stats::StatsRegistry;

/// Why a snapshot is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It ends too early: the daemon or the machine ended while it was written, or the disk was full.
    #[error("it is incomplete")]
    Short,
    /// Something stands behind its end: two snapshots in one file would count twice.
    #[error("there is something behind its end")]
    Behind,
    /// A checksum is wrong.
    #[error("its checksum is wrong")]
    Checksum,
    /// It is none, or of another version of this program.
    #[error("it is no snapshot that this version can read")]
    Format,
    /// What is in it makes no sense, though the checksum is right.
    #[error("its content makes no sense: {0}")]
    Content(#[from] CodecError),
}

/// What was restored.
#[derive(Debug, Default)]
pub struct Restored {
    /// The snapshot; `None` if there was none of use.
    pub from: Option<PathBuf>,
    /// When it was begun, unix seconds.
    pub time: u64,
    /// Keys that still count.
    pub keys: u64,
    /// List entries that have not expired.
    pub entries: u64,
    /// Names of stats DBs in the snapshot that the configuration no longer makes.
    pub unknown: Vec<String>,
    /// How many snapshots were damaged.
    pub damaged: u32,
}

/// Reads a snapshot. Nothing is taken over from one that is damaged: the whole file is checked first.
pub(super) fn read(path: &Path, stats: &StatsRegistry, lists: &Lists, now: u64) -> Result<Restored, Damage> {
    let mut file = BufReader::with_capacity(1 << 18, File::open(path)?);
    let time = check(&mut file)?;
    file.rewind()?;
    let mut restored = Restored { time, ..Restored::default() };
    let dbs = stats.all();
    let mut current: Option<(&StatsDb, Translation)> = None;
    let mut payload = Vec::new();
    while frame::read(&mut file, &mut payload)? {
        let Some((&kind, mut body)) = payload.split_first() else { continue };
        match kind {
            DB => {
                let outline = Outline::decode(&mut body)?;
                let db = dbs.iter().map(crate::stats::Db::local).find(|db| *db.name() == outline.name);
                if db.is_none() {
                    restored.unknown.push(outline.name.to_string());
                }
                current = db.map(|db| (db, translate(&outline, db)));
            }
            KEYS => {
                let Some((db, translation)) = &current else { continue };
                for share in Reader::new(body)? {
                    if matches!(
                        db.merge(now, &share?, translation, Room::Make),
                        Merged::Changed | Merged::Reset
                    ) {
                        restored.keys += 1;
                    }
                }
            }
            ENTRIES => restored.entries += entries(body, lists, now)?,
            _ => {}
        }
    }
    Ok(restored)
}

/// Reads the whole file for its checksums and its end; returns when it was begun.
fn check(file: &mut impl Read) -> Result<u64, Damage> {
    let mut payload = Vec::new();
    if !frame::read(file, &mut payload)? {
        return Err(Damage::Short);
    }
    let time = payload.strip_prefix(&[HEAD]).and_then(|head| head.strip_prefix(FORMAT));
    let time = time.and_then(|time| time.try_into().ok()).map(u64::from_le_bytes).ok_or(Damage::Format)?;
    let mut ended = false;
    while frame::read(file, &mut payload)? {
        if ended {
            return Err(Damage::Behind);
        }
        ended = payload.first() == Some(&END);
    }
    if ended { Ok(time) } else { Err(Damage::Short) }
}

fn entries(mut body: &[u8], lists: &Lists, now: u64) -> Result<u64, Damage> {
    let mut count = 0;
    while !body.is_empty() {
        let head = codec::split(&mut body, 2)?;
        let colour = [Colour::Black, Colour::White].into_iter().find(|colour| *colour as u8 == head[0]);
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == head[1]);
        let (Some(colour), Some(kind)) = (colour, kind) else { return Err(CodecError::Kind.into()) };
        let expiration = codec::take(&mut body)?;
        let most = body.len();
        let key = codec::take_bytes(&mut body, most)?;
        let reason = codec::take_bytes(&mut body, most)?;
        if expiration > now {
            let secs = u32::try_from(expiration - now).unwrap_or(u32::MAX);
            if lists.list(colour).add_key(now, kind, key, secs, reason, Origin::Loaded) {
                count += 1;
            }
        }
    }
    Ok(count)
}
