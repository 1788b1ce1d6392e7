//! Operations on stats DBs.

use super::{MessageError, malformed, missing};
use crate::protobuf::{Fields, Value, field_bytes, put_bytes, put_head, put_number, varint_bytes};

/// What is done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsAction {
    /// Adds `text`, `number` or both to a field.
    Add,
    /// Subtracts `text` or else `number` from a field.
    Sub,
    /// Empties all fields.
    Reset,
    /// Empties one field.
    ResetField,
    /// Replaces fields by the sender's state of them.
    SyncKey,
    /// Nothing.
    None,
}

impl StatsAction {
    fn number(self) -> u64 {
        match self {
            Self::Add => 0,
            Self::Sub => 1,
            Self::Reset => 2,
            Self::ResetField => 3,
            Self::SyncKey => 4,
            Self::None => 999,
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Add,
            1 => Self::Sub,
            2 => Self::Reset,
            3 => Self::ResetField,
            4 => Self::SyncKey,
            999 => Self::None,
            _ => return None,
        })
    }
}

/// An operation on a stats DB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsOp<'a> {
    /// The DB's name.
    pub db: &'a [u8],
    /// What is done.
    pub action: StatsAction,
    /// The key, as it is stored.
    pub key: &'a [u8],
    /// The field.
    pub field: Option<&'a [u8]>,
    /// A value as text; numbers travel as text, too (wforce compatibility).
    pub text: Option<&'a [u8]>,
    /// A number; one below 0 as its two's complement.
    pub number: Option<u32>,
    /// The state of fields, of [`StatsAction::SyncKey`].
    pub fields: Vec<SyncField<'a>>,
}

/// The state of one field of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncField<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Unix second from which its windows are counted.
    pub start: u64,
    /// Its windows in array order.
    pub slots: Vec<SyncSlot<'a>>,
}

/// One window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncSlot<'a> {
    /// Unix second in which it began; 0: never written.
    pub time: u64,
    /// The serialised counter.
    pub bytes: &'a [u8],
}

const OP: &str = "stats DB operation";
const FIELD: &str = "field of a stats DB operation";
const SLOT: &str = "window of a stats DB operation";

impl<'a> StatsOp<'a> {
    /// An operation without field, value or state.
    pub fn new(db: &'a [u8], action: StatsAction, key: &'a [u8]) -> Self {
        Self { db, action, key, field: None, text: None, number: None, fields: Vec::new() }
    }

    /// Reads an operation.
    ///
    /// # Errors
    /// See [`MessageError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (mut db, mut action, mut key) = (None, None, None);
        let mut op = Self::new(b"", StatsAction::None, b"");
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next().map_err(malformed(OP))? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => db = Some(bytes),
                (2, Value::Number(number)) => action = StatsAction::from_number(number).or(action),
                (3, Value::Bytes(bytes)) => key = Some(bytes),
                (4, Value::Bytes(bytes)) => op.field = Some(bytes),
                (5, Value::Bytes(bytes)) => op.text = Some(bytes),
                // Wider numbers lose their upper bits (as in Protocol Buffers).
                (6, Value::Number(number)) => op.number = Some(number as u32),
                (7, Value::Bytes(bytes)) => op.fields.push(SyncField::decode(bytes)?),
                _ => {}
            }
        }
        op.db = db.ok_or_else(missing(OP, "db_name"))?;
        op.action = action.ok_or_else(missing(OP, "op_type"))?;
        op.key = key.ok_or_else(missing(OP, "key"))?;
        Ok(op)
    }

    /// Appends the operation.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, 1, self.db);
        put_number(out, 2, self.action.number());
        put_bytes(out, 3, self.key);
        if let Some(field) = self.field {
            put_bytes(out, 4, field);
        }
        if let Some(text) = self.text {
            put_bytes(out, 5, text);
        }
        if let Some(number) = self.number {
            put_number(out, 6, number.into());
        }
        for field in &self.fields {
            put_head(out, 7, field.encoded_bytes());
            field.encode(out);
        }
    }

    /// Bytes that [`StatsOp::encode`] appends.
    #[inline]
    pub fn encoded_bytes(&self) -> usize {
        let optional = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| field_bytes(bytes.len()));
        field_bytes(self.db.len())
            + 1
            + varint_bytes(self.action.number())
            + field_bytes(self.key.len())
            + optional(self.field)
            + optional(self.text)
            + self.number.map_or(0, |number| 1 + varint_bytes(number.into()))
            + self.fields.iter().map(|field| field_bytes(field.encoded_bytes())).sum::<usize>()
    }
}

impl<'a> SyncField<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (mut name, mut start, mut slots) = (None, None, Vec::new());
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next().map_err(malformed(FIELD))? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => name = Some(bytes),
                (2, Value::Number(number)) => start = Some(number),
                (3, Value::Bytes(bytes)) => slots.push(SyncSlot::decode(bytes)?),
                _ => {}
            }
        }
        Ok(Self {
            name: name.ok_or_else(missing(FIELD, "field_name"))?,
            start: start.ok_or_else(missing(FIELD, "start_time"))?,
            slots,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, 1, self.name);
        put_number(out, 2, self.start);
        for slot in &self.slots {
            put_head(out, 3, slot.encoded_bytes());
            put_number(out, 1, slot.time);
            put_bytes(out, 2, slot.bytes);
        }
    }

    /// Bytes of the field's state in an operation, without its head.
    pub fn encoded_bytes(&self) -> usize {
        let slots = self.slots.iter().map(|slot| field_bytes(slot.encoded_bytes()));
        field_bytes(self.name.len()) + 1 + varint_bytes(self.start) + slots.sum::<usize>()
    }
}

impl<'a> SyncSlot<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (mut time, mut counter) = (None, None);
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next().map_err(malformed(SLOT))? {
            match (number, value) {
                (1, Value::Number(number)) => time = Some(number),
                (2, Value::Bytes(bytes)) => counter = Some(bytes),
                _ => {}
            }
        }
        Ok(Self {
            time: time.ok_or_else(missing(SLOT, "timestamp"))?,
            bytes: counter.ok_or_else(missing(SLOT, "tw_string"))?,
        })
    }

    fn encoded_bytes(&self) -> usize {
        1 + varint_bytes(self.time) + field_bytes(self.bytes.len())
    }
}
