//! Operations on the black- and the whitelist.

use super::{MessageError, malformed, missing};
use crate::protobuf::{Fields, Value, field_bytes, put_bytes, put_number, varint_bytes};

/// What is done to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListAction {
    /// It is added, or replaced.
    Add,
    /// It is deleted.
    Delete,
    /// Nothing.
    None,
}

impl ListAction {
    fn number(self) -> u64 {
        match self {
            Self::Add => 0,
            Self::Delete => 1,
            Self::None => 999,
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Add,
            1 => Self::Delete,
            999 => Self::None,
            _ => return None,
        })
    }
}

/// An operation on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListOp<'a> {
    /// What is done.
    pub action: ListAction,
    /// The kind of entry: address 0, login 1, address and login 2, JA3 hash 3, address and JA3 hash 4. Others are of no
    /// use to anybody, but are no error (wforce compatibility).
    pub kind: u32,
    /// The entry's key, as `getBL` shows it.
    pub key: &'a [u8],
    /// Seconds from now until it expires. wforce writes it always.
    pub ttl: u32,
    /// Why it was added. wforce writes it always.
    pub reason: &'a [u8],
}

const OP: &str = "list operation";

impl<'a> ListOp<'a> {
    /// Reads an operation. Without a `ttl` it is 0, without a `reason` that is empty.
    ///
    /// # Errors
    /// See [`MessageError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (mut action, mut kind, mut key, mut ttl, mut reason) = (None, None, None, 0, &[][..]);
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next().map_err(malformed(OP))? {
            match (number, value) {
                (1, Value::Number(number)) => action = ListAction::from_number(number).or(action),
                (2, Value::Number(number)) => kind = Some(number as u32),
                (3, Value::Bytes(bytes)) => key = Some(bytes),
                (4, Value::Number(number)) => ttl = number as u32,
                (5, Value::Bytes(bytes)) => reason = bytes,
                _ => {}
            }
        }
        Ok(Self {
            action: action.ok_or_else(missing(OP, "op_type"))?,
            kind: kind.ok_or_else(missing(OP, "type"))?,
            key: key.ok_or_else(missing(OP, "key"))?,
            ttl,
            reason,
        })
    }

    /// Appends the operation.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_number(out, 1, self.action.number());
        put_number(out, 2, self.kind.into());
        put_bytes(out, 3, self.key);
        put_number(out, 4, self.ttl.into());
        put_bytes(out, 5, self.reason);
    }

    /// Bytes that [`ListOp::encode`] appends.
    pub fn encoded_bytes(&self) -> usize {
        let numbers = [self.action.number(), self.kind.into(), self.ttl.into()];
        numbers.into_iter().map(|number| 1 + varint_bytes(number)).sum::<usize>()
            + field_bytes(self.key.len())
            + field_bytes(self.reason.len())
    }
}
