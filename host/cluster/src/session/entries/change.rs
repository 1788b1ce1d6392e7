//! A change of a list entry, and its bytes.
//!
//! ```text
//! change  list: u8, kind: u8, 0 listed or 1 deleted: u8, key, milliseconds, origin: u64, until, longer by, reason
//! ```
//! Texts come after their lengths; numbers are LEB128 unless their width is told.

use bstr::BString;
use capabilities::lists::{Colour, Kind};
use statsdb::CodecError;
use statsdb::codec::{put, put_bytes, split, take, take_bytes};

/// Which entry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id {
    /// Which list.
    pub colour: Colour,
    /// What it matches.
    pub kind: Kind,
    /// Its key.
    pub key: BString,
}

impl Id {
    /// The same as bytes that no other entry has.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [&[self.colour as u8, self.kind as u8], &self.key[..]].concat()
    }
}

/// When an entry was changed, and by whom. The greater one counts; the default one is of before anybody noted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Stamp {
    /// Unix milliseconds.
    pub time_ms: u64,
    /// The node, or [`statsdb::CLASSIC`] for a packet.
    pub origin: u64,
}

/// What became of it. Unix seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// It is listed, and expires then.
    Listed(u64),
    /// It was deleted, which is remembered until then.
    Deleted(u64),
}

impl What {
    /// When it is over.
    pub fn until(self) -> u64 {
        match self {
            Self::Listed(until) | Self::Deleted(until) => until,
        }
    }
}

/// A change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryChange {
    /// Of which entry.
    pub id: Id,
    /// When.
    pub stamp: Stamp,
    /// What.
    pub what: What,
    /// Until when somebody may still have what was there before it, unix seconds; at least [`What::until`].
    pub longest: u64,
    /// Why it is listed.
    pub reason: BString,
}

impl EntryChange {
    /// Appends the change.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let deleted = u8::from(matches!(self.what, What::Deleted(_)));
        bytes.extend_from_slice(&[self.id.colour as u8, self.id.kind as u8, deleted]);
        put_bytes(bytes, &self.id.key);
        put(bytes, self.stamp.time_ms);
        bytes.extend_from_slice(&self.stamp.origin.to_le_bytes());
        put(bytes, self.what.until());
        put(bytes, self.longest.saturating_sub(self.what.until()));
        put_bytes(bytes, &self.reason);
    }

    /// Bytes of the change, about.
    pub(in crate::session) fn size(&self) -> usize {
        self.id.key.len() + self.reason.len() + 32
    }

    fn take(rest: &mut &[u8]) -> Result<Self, CodecError> {
        let head = split(rest, 3)?;
        let colour = [Colour::Black, Colour::White].into_iter().find(|colour| *colour as u8 == head[0]);
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == head[1]);
        let (Some(colour), Some(kind)) = (colour, kind) else { return Err(CodecError::Kind) };
        let deleted = head[2];
        let most = rest.len();
        let key = take_bytes(rest, most)?.into();
        let time_ms = take(rest)?;
        let origin = split(rest, 8)?.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let until = take(rest)?;
        let what = match deleted {
            0 => What::Listed(until),
            1 => What::Deleted(until),
            _ => return Err(CodecError::Kind),
        };
        let longest = until.saturating_add(take(rest)?);
        let most = rest.len();
        let reason = take_bytes(rest, most)?.into();
        Ok(Self { id: Id { colour, kind, key }, stamp: Stamp { time_ms, origin }, what, longest, reason })
    }
}

/// The changes that bytes are.
///
/// # Errors
/// If they are none.
pub(in crate::session) fn decode(mut bytes: &[u8]) -> Result<Vec<EntryChange>, CodecError> {
    let mut changes = Vec::new();
    while !bytes.is_empty() {
        changes.push(EntryChange::take(&mut bytes)?);
    }
    Ok(changes)
}
