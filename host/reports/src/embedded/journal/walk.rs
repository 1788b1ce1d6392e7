//! Reading a log, record by record: it may be larger than what memory should hold.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Bytes of a record before its JSON.
pub(super) const HEAD: usize = 24;
/// Bytes of the head that are hashed: length and number.
const HASHED: usize = 16;
/// No record is longer; a greater length is damage.
pub(super) const LONGEST: usize = 1 << 20;
/// Bytes that are read at once, beyond what the longest record takes.
const CHUNK: usize = 1 << 20;

/// A whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Place {
    /// Where its head begins.
    pub(super) at: u64,
    /// Its number.
    pub(in crate::embedded) number: u64,
    /// Bytes of its JSON.
    pub(super) length: u32,
}

/// What of a log could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Lost {
    /// Damaged places between whole records.
    places: u64,
    /// Bytes of all of them.
    bytes: u64,
    /// Where the first of them begins.
    first: u64,
    /// Bytes behind the last whole record.
    pub(in crate::embedded) end: u64,
    /// Whole records that this version does not understand.
    pub(super) foreign: u64,
}

impl Lost {
    /// For the operator, if there is anything to tell.
    pub(super) fn told(&self, path: &Path, aside: Option<&std::io::Result<PathBuf>>) -> Option<String> {
        let mut parts = Vec::new();
        if self.places > 0 {
            parts.push(format!(
                "{} bytes in {} places, from byte {} on, are damaged, and the reports in them are lost",
                self.bytes, self.places, self.first
            ));
        }
        if self.foreign > 0 {
            parts.push(format!("{} records are of a kind that this version does not know", self.foreign));
        }
        if self.end > 0 {
            parts.push(format!(
                "{} bytes at its end are no whole record and were cut off (what was being written when the process or the \
                 machine stopped, which nobody was told is stored)",
                self.end
            ));
        }
        match aside {
            Some(Ok(kept)) => parts.push(format!("the file as it was is kept as {}", kept.display())),
            Some(Err(error)) => parts.push(format!("the file as it was cannot be kept: {error}")),
            None => {}
        }
        (!parts.is_empty()).then(|| format!("The log of reports {}: {}", path.display(), parts.join("; ")))
    }

    /// Only what is still there when the end has been cut off.
    pub(super) fn without_end(self) -> Self {
        Self { end: 0, ..self }
    }

    /// Whether more is lost than what a sudden end explains.
    pub(super) fn is_damage(&self) -> bool {
        self.places > 0 || self.foreign > 0
    }
}

/// Bytes that can be read piece by piece.
pub(super) trait Bytes {
    fn length(&self) -> u64;
    fn read(&self, to: &mut [u8], at: u64) -> std::io::Result<()>;
}

impl Bytes for &[u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, to: &mut [u8], at: u64) -> std::io::Result<()> {
        let place = usize::try_from(at).map_err(std::io::Error::other)?;
        let from = self.get(place..).and_then(|rest| rest.get(..to.len()));
        to.copy_from_slice(from.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// The first bytes of a file.
pub(super) struct Part<'a>(pub(super) &'a File, pub(super) u64);

impl Bytes for Part<'_> {
    fn length(&self) -> u64 {
        self.1
    }

    fn read(&self, to: &mut [u8], at: u64) -> std::io::Result<()> {
        self.0.read_exact_at(to, at)
    }
}

/// What of a log is in memory: always a whole record beyond the place that is looked at.
struct Window<'a> {
    bytes: &'a dyn Bytes,
    buffer: Vec<u8>,
    base: u64,
}

impl Window<'_> {
    fn rest(&mut self, at: u64) -> std::io::Result<&[u8]> {
        let skip = (at - self.base) as usize;
        let have = self.base + self.buffer.len() as u64;
        let wanted = self.bytes.length().min(at + (HEAD + LONGEST) as u64);
        if have < wanted {
            self.buffer.drain(..skip.min(self.buffer.len()));
            self.base = at;
            let kept = self.buffer.len();
            let until = self.bytes.length().min(at + (HEAD + LONGEST + CHUNK) as u64);
            self.buffer.resize((until - at) as usize, 0);
            self.bytes.read(&mut self.buffer[kept..], at + kept as u64)?;
            return Ok(&self.buffer);
        }
        Ok(&self.buffer[skip..])
    }
}

/// Goes through all whole records; `each` says whether it understands one. Behind damage the next one is looked for byte by
/// byte, so that it costs no others, whatever it hit.
pub(super) fn walk(bytes: &dyn Bytes, each: &mut dyn FnMut(Place, &[u8]) -> bool) -> std::io::Result<Lost> {
    let mut window = Window { bytes, buffer: Vec::new(), base: 0 };
    let mut lost = Lost::default();
    let (mut at, mut whole) = (0, 0);
    while at < bytes.length() {
        let Some((number, payload)) = first(window.rest(at)?) else {
            at += 1;
            continue;
        };
        if at > whole {
            if lost.places == 0 {
                lost.first = whole;
            }
            lost.places += 1;
            lost.bytes += at - whole;
        }
        if !each(Place { at, number, length: payload.len() as u32 }, payload) {
            lost.foreign += 1;
        }
        at += (HEAD + payload.len()) as u64;
        whole = at;
    }
    lost.end = bytes.length() - whole;
    Ok(lost)
}

/// Appends a record as it lies in the file.
pub(in crate::embedded) fn frame(to: &mut Vec<u8>, number: u64, payload: &[u8]) {
    let at = to.len();
    to.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    to.extend_from_slice(&number.to_le_bytes());
    let hash = hash(&to[at..], payload);
    to.extend_from_slice(&hash.to_le_bytes());
    to.extend_from_slice(payload);
}

fn hash(head: &[u8], payload: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(head);
    hash.update(payload);
    hash.digest()
}

/// The number and the payload of the record at the beginning of these bytes, if there is a whole one.
pub(super) fn first(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let number = |place: usize| {
        head.get(place..place + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    let (length, sequence, sum) = (number(0), number(8), number(HASHED));
    if length > LONGEST as u64 {
        return None;
    }
    let payload = rest.get(..length as usize)?;
    let whole = hash(&head[..HASHED], payload) == sum || (length > 0 && xxh3_64(payload) == sum);
    whole.then_some((sequence, payload))
}
