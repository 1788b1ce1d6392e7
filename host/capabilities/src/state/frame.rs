//! A snapshot file is a sequence of frames, each with a checksum:
//!
//! ```text
//! frame   length of payload: u32, XXH3 of payload: u64, payload
//! ```
//! Numbers are little-endian. The first byte of a payload tells its kind.

use std::io::{self, Read, Write};

use xxhash_rust::xxh3::xxh3_64;

use super::restore::Damage;

/// The first frame: the format's name and version, then when the snapshot was begun, unix seconds: u64.
pub(super) const HEAD: u8 = b'H';
/// A stats DB's outline; blocks of its keys follow.
pub(super) const DB: u8 = b'D';
/// A block of keys.
pub(super) const KEYS: u8 = b'K';
/// List entries: for each its list and kind: u8 each, its expiry, key and reason.
pub(super) const ENTRIES: u8 = b'L';
/// The last frame: how many keys and list entries there were.
pub(super) const END: u8 = b'E';

/// The format's name and version.
pub(super) const FORMAT: &[u8] = b"portcullis state 1\n";

/// Longest payload: one key with all its windows full of the largest distinct counts stays below.
const MAX_BYTES: usize = 1 << 30;

/// Writes a frame.
pub(super) fn write(file: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    let len = u32::try_from(payload.len()).ok().filter(|len| *len as usize <= MAX_BYTES);
    let len =
        len.ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "a key too large for a snapshot"))?;
    file.write_all(&len.to_le_bytes())?;
    file.write_all(&xxh3_64(payload).to_le_bytes())?;
    file.write_all(payload)
}

/// Reads a frame into `payload`; false at the end of the file.
pub(super) fn read(file: &mut impl Read, payload: &mut Vec<u8>) -> Result<bool, Damage> {
    let mut head = [0; 12];
    let mut filled = 0;
    while filled < head.len() {
        match file.read(&mut head[filled..])? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(Damage::Short),
            some => filled += some,
        }
    }
    let (len, sum) = head.split_at(4);
    let len = len.iter().rev().fold(0usize, |len, byte| len << 8 | usize::from(*byte));
    if len > MAX_BYTES {
        return Err(Damage::Checksum);
    }
    payload.clear();
    if file.by_ref().take(len as u64).read_to_end(payload)? < len {
        return Err(Damage::Short);
    }
    if xxh3_64(payload).to_le_bytes() != sum {
        return Err(Damage::Checksum);
    }
    Ok(true)
}
