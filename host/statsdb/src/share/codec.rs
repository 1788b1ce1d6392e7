//! Shares as bytes: in frames between nodes and in snapshots.
//!
//! ```text
//! block   number of origins, origins: u64 each, shares until the end
//! share   length of key, key, number of resets, resets, number of parts, parts
//! reset   field + 1 or 0 for all fields, milliseconds, index of origin
//! part    field * 4 + kind, window as the difference to the part before, index of origin, version, amount
//! amount  int (0): zigzag; sketch (1): length, bytes; values (2): number, u64 each; registers (3): bits + 128 if
//!         shared: u8, registers
//! ```
//! Numbers are LEB128 unless their width is told; fixed ones are little-endian.

use bstr::BString;

use super::{ALL_FIELDS, Amount, KeyShare, Part, Reset};
use crate::schema::{MAX_FIELDS, MAX_KEY};
use crate::{FieldKind, Schema};

/// Most origins in a block.
const MAX_ORIGINS: usize = 65_536;

/// Bytes are no block of shares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// They end too early.
    #[error("the block ends in the middle")]
    Short,
    /// A number has more than 64 bits, or more than its place takes.
    #[error("a number is too large")]
    Number,
    /// An origin that the block does not name.
    #[error("an unknown origin")]
    Origin,
    /// A key longer than any key is.
    #[error("a key is too long")]
    Key,
    /// No kind of amount, field or register.
    #[error("an unknown kind")]
    Kind,
}

/// What the other side has to know of a schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    /// The database's name.
    pub name: BString,
    /// Seconds in a window.
    pub window_secs: u32,
    /// Number of windows.
    pub windows: u32,
    /// Fields in order of their names.
    pub fields: Vec<(BString, FieldKind)>,
}

impl Outline {
    /// The outline of a schema, whose fields are in order.
    pub fn new(schema: &Schema) -> Self {
        Self {
            name: schema.name.clone(),
            window_secs: schema.window_secs,
            windows: schema.windows,
            fields: schema.fields.clone(),
        }
    }

    /// Appends the outline.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        put_bytes(bytes, &self.name);
        put(bytes, u64::from(self.window_secs));
        put(bytes, u64::from(self.windows));
        put(bytes, self.fields.len() as u64);
        for (name, kind) in &self.fields {
            bytes.push(*kind as u8);
            put_bytes(bytes, name);
        }
    }

    /// Takes an outline from the front.
    ///
    /// # Errors
    /// If there is none.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, CodecError> {
        let name = take_bytes(bytes, MAX_KEY)?.into();
        let window_secs = take_u32(bytes)?;
        let windows = take_u32(bytes)?;
        let count = take(bytes)?;
        if count > MAX_FIELDS as u64 {
            return Err(CodecError::Number);
        }
        let fields = (0..count).map(|_| {
            let kind = match split(bytes, 1)?[0] {
                0 => FieldKind::Int,
                1 => FieldKind::Hll,
                2 => FieldKind::CountMin,
                _ => return Err(CodecError::Kind),
            };
            Ok((BString::from(take_bytes(bytes, MAX_KEY)?), kind))
        });
        Ok(Self { name, window_secs, windows, fields: fields.collect::<Result<_, _>>()? })
    }
}

/// Writes a block.
#[derive(Default)]
pub struct Writer {
    origins: Vec<u64>,
    body: Vec<u8>,
    shares: usize,
    window: u32,
}

impl Writer {
    /// Appends a share.
    pub fn push(&mut self, share: &KeyShare) {
        self.shares += 1;
        put_bytes(&mut self.body, &share.key);
        put(&mut self.body, share.resets.len() as u64);
        for (field, reset) in &share.resets {
            let field = if *field == ALL_FIELDS { 0 } else { u64::from(*field) + 1 };
            put(&mut self.body, field);
            put(&mut self.body, reset.time_ms);
            self.origin(reset.origin);
        }
        put(&mut self.body, share.parts.len() as u64);
        for part in &share.parts {
            self.part(part);
        }
    }

    fn part(&mut self, part: &Part) {
        let kind = match &part.amount {
            Amount::Int(_) => 0,
            Amount::Sketch(_) => 1,
            Amount::Values(_) => 2,
            Amount::Registers { .. } => 3,
        };
        put(&mut self.body, u64::from(part.field) << 2 | kind);
        put(&mut self.body, zigzag(i64::from(part.window) - i64::from(self.window)));
        self.window = part.window;
        self.origin(part.origin);
        put(&mut self.body, part.version);
        match &part.amount {
            Amount::Int(value) => put(&mut self.body, zigzag(i64::from(*value))),
            Amount::Sketch(bytes) => put_bytes(&mut self.body, bytes),
            Amount::Values(values) => {
                put(&mut self.body, values.len() as u64);
                self.body.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Amount::Registers { shared, bits, values } => {
                self.body.push(bits | u8::from(*shared) << 7);
                self.body.extend_from_slice(values);
            }
        }
    }

    fn origin(&mut self, origin: u64) {
        let index = self.origins.iter().position(|other| *other == origin).unwrap_or_else(|| {
            self.origins.push(origin);
            self.origins.len() - 1
        });
        put(&mut self.body, index as u64);
    }

    /// Bytes of the block so far.
    pub fn len(&self) -> usize {
        self.body.len() + 8 * self.origins.len() + 3
    }

    /// Number of shares so far.
    pub fn shares(&self) -> usize {
        self.shares
    }

    /// Whether there are no shares yet.
    pub fn is_empty(&self) -> bool {
        self.shares == 0
    }

    /// The block; the writer begins anew.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut block = Vec::with_capacity(self.len());
        put(&mut block, self.origins.len() as u64);
        block.extend(self.origins.drain(..).flat_map(u64::to_le_bytes));
        block.append(&mut self.body);
        self.shares = 0;
        self.window = 0;
        block
    }
}

/// Reads a block.
pub struct Reader<'a> {
    origins: Vec<u64>,
    rest: &'a [u8],
    window: u32,
}

impl<'a> Reader<'a> {
    /// Reads the block's head.
    ///
    /// # Errors
    /// If it has none.
    pub fn new(mut block: &'a [u8]) -> Result<Self, CodecError> {
        let count = take(&mut block)? as usize;
        if count > MAX_ORIGINS {
            return Err(CodecError::Number);
        }
        let origins = split(&mut block, 8 * count)?.as_chunks::<8>().0;
        let origins = origins.iter().map(|origin| u64::from_le_bytes(*origin)).collect();
        Ok(Self { origins, rest: block, window: 0 })
    }

    fn share(&mut self) -> Result<KeyShare, CodecError> {
        let key = take_bytes(&mut self.rest, MAX_KEY).map_err(|error| match error {
            CodecError::Number => CodecError::Key,
            error => error,
        })?;
        let mut share = KeyShare { key: key.into(), ..KeyShare::default() };
        for _ in 0..take(&mut self.rest)? {
            let field = match take(&mut self.rest)? {
                0 => ALL_FIELDS,
                field => u16::try_from(field - 1).map_err(|_| CodecError::Number)?,
            };
            let reset = Reset { time_ms: take(&mut self.rest)?, origin: self.origin()? };
            share.resets.push((field, reset));
        }
        let count = take(&mut self.rest)?;
        // Each part has five bytes or more.
        share.parts.reserve_exact((count as usize).min(self.rest.len() / 5));
        for _ in 0..count {
            let part = self.part()?;
            share.parts.push(part);
        }
        Ok(share)
    }

    fn part(&mut self) -> Result<Part, CodecError> {
        let rest = &mut self.rest;
        let tag = take(rest)?;
        let field = u16::try_from(tag >> 2).map_err(|_| CodecError::Number)?;
        let step = unzigzag(take(rest)?);
        let window = i64::from(self.window).checked_add(step).ok_or(CodecError::Number)?;
        let window = u32::try_from(window).map_err(|_| CodecError::Number)?;
        self.window = window;
        let origin = self.origin()?;
        let rest = &mut self.rest;
        let version = take(rest)?;
        let amount = match tag & 3 {
            0 => Amount::Int(i32::try_from(unzigzag(take(rest)?)).map_err(|_| CodecError::Number)?),
            1 => {
                let most = rest.len();
                Amount::Sketch(take_bytes(rest, most)?.to_vec())
            }
            2 => {
                let count = take(rest)?;
                let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(8));
                let values = split(rest, bytes.ok_or(CodecError::Short)?)?.as_chunks::<8>().0;
                Amount::Values(values.iter().map(|value| u64::from_le_bytes(*value)).collect())
            }
            _ => {
                let head = split(rest, 1)?[0];
                let (bits, shared) = (head & 127, head > 127);
                if !(4..=30).contains(&bits) {
                    return Err(CodecError::Kind);
                }
                Amount::Registers { shared, bits, values: split(rest, 1 << bits)?.to_vec() }
            }
        };
        Ok(Part { field, window, origin, version, amount })
    }

    fn origin(&mut self) -> Result<u64, CodecError> {
        let index = usize::try_from(take(&mut self.rest)?).map_err(|_| CodecError::Origin)?;
        self.origins.get(index).copied().ok_or(CodecError::Origin)
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<KeyShare, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let share = self.share();
        if share.is_err() {
            // What follows cannot be read.
            self.rest = &[];
        }
        Some(share)
    }
}

/// Appends a number.
pub fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number from the front.
///
/// # Errors
/// If there is none of at most 64 bits.
pub fn take(bytes: &mut &[u8]) -> Result<u64, CodecError> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = split(bytes, 1)?[0];
        if shift == 63 && byte > 1 {
            break;
        }
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Ok(number);
        }
    }
    Err(CodecError::Number)
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32, CodecError> {
    u32::try_from(take(bytes)?).map_err(|_| CodecError::Number)
}

/// Appends bytes after their number.
pub fn put_bytes(bytes: &mut Vec<u8>, some: &[u8]) {
    put(bytes, some.len() as u64);
    bytes.extend_from_slice(some);
}

/// Takes bytes that were put by [`put_bytes`] from the front, at most `most` of them.
///
/// # Errors
/// If there are none, or too many.
pub fn take_bytes<'a>(bytes: &mut &'a [u8], most: usize) -> Result<&'a [u8], CodecError> {
    let len = usize::try_from(take(bytes)?).ok().filter(|len| *len <= most).ok_or(CodecError::Number)?;
    split(bytes, len)
}

/// Takes so many bytes from the front.
///
/// # Errors
/// If there are not as many.
pub fn split<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], CodecError> {
    bytes.split_off(..len).ok_or(CodecError::Short)
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
