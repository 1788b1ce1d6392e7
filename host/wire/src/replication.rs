//! What siblings tell each other: Protocol Buffers messages, written byte for byte as wforce writes them.
//!
//! A message is a [`Message`] around one operation, a [`StatsOp`] or a [`ListOp`]. Reading borrows from the bytes read.

mod list;
mod stats;

pub use list::{ListAction, ListOp};
pub use stats::{StatsAction, StatsOp, SyncField, SyncSlot};

use crate::protobuf::{self, Fields, Value};
pub use protobuf::Malformed;

/// Why bytes are no message or no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not even Protocol Buffers.
    #[error("the {of} is malformed: {why}")]
    Malformed {
        /// What was read.
        of: &'static str,
        /// What is wrong.
        why: Malformed,
    },
    /// A required field is not there, or has a value that nobody knows.
    #[error("the {of} has no usable {field}")]
    Missing {
        /// What was read.
        of: &'static str,
        /// The field.
        field: &'static str,
    },
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`StatsOp`].
    Stats,
    /// A [`ListOp`] on the blacklist.
    Blacklist,
    /// A [`ListOp`] on the whitelist.
    Whitelist,
    /// Nothing.
    None,
}

impl Kind {
    fn number(self) -> u64 {
        match self {
            Self::Stats => 0,
            Self::Blacklist => 1,
            Self::Whitelist => 2,
            Self::None => 999,
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Stats,
            1 => Self::Blacklist,
            2 => Self::Whitelist,
            999 => Self::None,
            _ => return None,
        })
    }
}

/// A message: the operation is still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is about.
    pub kind: Kind,
    /// The operation.
    pub op: &'a [u8],
    /// Whether a forwarder has had it already.
    pub forwarded: bool,
}

const MESSAGE: &str = "replication message";

impl<'a> Message<'a> {
    /// Reads a message. Fields nobody knows are skipped; of one that comes twice the last counts.
    ///
    /// # Errors
    /// See [`MessageError`].
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (mut kind, mut op, mut forwarded) = (None, None, false);
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next().map_err(malformed(MESSAGE))? {
            match (number, value) {
                (1, Value::Number(number)) => kind = Kind::from_number(number).or(kind),
                (2, Value::Bytes(bytes)) => op = Some(bytes),
                (3, Value::Number(number)) => forwarded = number != 0,
                _ => {}
            }
        }
        Ok(Self {
            kind: kind.ok_or_else(missing(MESSAGE, "type"))?,
            op: op.ok_or_else(missing(MESSAGE, "operation"))?,
            forwarded,
        })
    }

    /// Appends the message.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        head(out, self.kind, self.op.len());
        out.extend_from_slice(self.op);
        tail(out, self.forwarded);
    }
}

#[inline]
fn head(out: &mut Vec<u8>, kind: Kind, op_bytes: usize) {
    protobuf::put_number(out, 1, kind.number());
    protobuf::put_head(out, 2, op_bytes);
}

#[inline]
fn tail(out: &mut Vec<u8>, forwarded: bool) {
    protobuf::put_number(out, 3, forwarded.into());
}

/// Appends a message around an operation on stats DBs, without a copy of it.
#[inline]
pub fn encode_stats(op: &StatsOp<'_>, forwarded: bool, out: &mut Vec<u8>) {
    head(out, Kind::Stats, op.encoded_bytes());
    op.encode(out);
    tail(out, forwarded);
}

/// Appends a message around an operation on a list, [`Kind::Blacklist`] or [`Kind::Whitelist`].
#[inline]
pub fn encode_list(kind: Kind, op: &ListOp<'_>, forwarded: bool, out: &mut Vec<u8>) {
    head(out, kind, op.encoded_bytes());
    op.encode(out);
    tail(out, forwarded);
}

fn malformed(of: &'static str) -> impl Fn(Malformed) -> MessageError {
    move |why| MessageError::Malformed { of, why }
}

fn missing(of: &'static str, field: &'static str) -> impl Fn() -> MessageError {
    move || MessageError::Missing { of, field }
}

#[cfg(test)]
mod tests;
