//! What travels between siblings: the serialised slots of a key's fields (wforce compatibility).

use bstr::BString;

use crate::countmin::{Plan, Sketch};
use crate::heavies::Heavy;
use crate::hll::{Ranks, Registers};
use crate::layout::Layout;
use crate::record::{Record, Values};
use crate::view::View;
use crate::{CountMinShape, FieldKind};

/// One slot of a field's ring.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Slot {
    /// Unix second in which the slot's window began; 0 if nothing was written.
    pub time: u64,
    /// The serialised counter.
    pub bytes: Vec<u8>,
}

/// One field of a key with all its slots.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FieldState {
    /// The field's name.
    pub name: BString,
    /// Unix second from which the field's windows are counted.
    pub start: u64,
    /// The slots in array order (window number modulo number of windows), not by age.
    pub slots: Vec<Slot>,
}

/// One key with its fields.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyState {
    /// The shard that holds the key.
    pub shard: u32,
    /// The key.
    pub key: BString,
    /// Its fields, sorted by name.
    pub fields: Vec<FieldState>,
}

/// A slot's bytes are no counter of the field's kind; nothing of the key was restored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("field {field}: slot {slot} is no serialised {kind}")]
pub struct RestoreError {
    /// The field's name.
    pub field: BString,
    /// Index of the slot in the message.
    pub slot: usize,
    /// Name of the field's kind.
    pub kind: &'static str,
}

/// A slot's counter.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Counter {
    Int(i32),
    Distinct(Registers),
    Sketch(Sketch),
}

impl Counter {
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Int(value) => *value == 0,
            Self::Distinct(registers) => registers.is_empty(),
            Self::Sketch(sketch) => sketch.is_empty(),
        }
    }

    fn decode(kind: FieldKind, bytes: &[u8]) -> Option<Self> {
        Some(match kind {
            FieldKind::Int => Self::Int(decode_int(bytes)),
            FieldKind::Hll => Self::Distinct(decode_registers(bytes)?),
            FieldKind::CountMin => Self::Sketch(decode_sketch(bytes)?),
        })
    }
}

/// A field as it is to be.
pub(crate) struct RestoredField {
    pub number: u16,
    pub start: u64,
    /// Time and counter of each slot.
    pub slots: Vec<(u64, Counter)>,
}

/// Reads the slots of the fields that the database knows; slots beyond its number of windows are ignored.
pub(crate) fn decode(layout: &Layout, fields: &[FieldState]) -> Result<Vec<RestoredField>, RestoreError> {
    let known = fields.iter().filter_map(|field| Some((field, layout.field(&field.name)?)));
    known
        .map(|(field, (number, kind))| {
            let slots = field.slots.iter().take(layout.windows as usize).enumerate();
            let slots = slots.map(|(slot, Slot { time, bytes })| {
                let bad = || RestoreError { field: field.name.clone(), slot, kind: kind.name() };
                let mut counter = Counter::decode(kind, bytes).ok_or_else(bad)?;
                if let Counter::Sketch(sketch) = &mut counter
                    && sketch.foreign.as_deref() == layout.plan(number)
                {
                    sketch.foreign = None;
                }
                Ok((*time, counter))
            });
            Ok(RestoredField { number, start: field.start, slots: slots.collect::<Result<_, _>>()? })
        })
        .collect()
}

impl View<'_> {
    /// The field as it travels: all slots, whether they still count or not.
    pub fn state(&self) -> FieldState {
        let start = self.field.start.unwrap_or(self.layout.schema.start);
        let mut slots = vec![None; self.layout.windows as usize];
        for (number, at) in self.record.windows(self.kind(), &self.field) {
            // The newest window of a slot comes first.
            slots[(number % self.layout.windows) as usize].get_or_insert_with(|| Slot {
                time: start.saturating_add(u64::from(number) * self.layout.window_secs),
                bytes: self.counter(Some(at)),
            });
        }
        let empty = Slot { time: 0, bytes: self.counter(None) };
        FieldState {
            name: self.layout.schema.fields[usize::from(self.number)].0.clone(),
            start,
            slots: slots.into_iter().map(|slot| slot.unwrap_or_else(|| empty.clone())).collect(),
        }
    }

    /// The counter of the window at `at`, or an empty one, as it travels.
    fn counter(&self, at: Option<usize>) -> Vec<u8> {
        match self.kind() {
            FieldKind::Int => encode_int(at.map_or(0, |at| self.record.int_at(at))),
            FieldKind::Hll => encode_registers(&self.shared_registers(self.record, at)),
            FieldKind::CountMin => {
                let Some(plan) = self.layout.plan(self.number) else { return Vec::new() };
                let handle = at.and_then(|at| self.record.handle_at(self.kind(), at));
                match handle.map(|handle| self.heavies.get(handle)) {
                    Some(Heavy::Sketch(sketch)) => encode_sketch(plan, sketch),
                    _ => encode_sketch(plan, &Sketch::new(plan)),
                }
            }
        }
    }

    fn shared_registers(&self, record: &Record, at: Option<usize>) -> Registers {
        let mut registers = Registers::new(Ranks::Shared, self.layout.wire_bits);
        match at.map(|at| record.values_at(at)) {
            None => {}
            Some(Values::Inline(values)) => {
                for value in values {
                    registers.insert(u64::from_le_bytes(*value));
                }
            }
            Some(Values::Heavy(handle)) => match self.heavies.get(handle) {
                Heavy::Set(values) => values.iter().copied().for_each(|value| _ = registers.insert(value)),
                Heavy::Registers(dense) => return dense.folded(self.layout.wire_bits, Ranks::Shared),
                Heavy::Vacant(_) | Heavy::Sketch(_) => {}
            },
        }
        registers
    }
}

/// Four bytes, big-endian.
fn encode_int(value: i32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

/// Missing bytes are zeros.
fn decode_int(bytes: &[u8]) -> i32 {
    let mut value = [0; 4];
    let len = bytes.len().min(4);
    value[..len].copy_from_slice(&bytes[..len]);
    i32::from_be_bytes(value)
}

/// The register bits in one byte, then a byte per register.
fn encode_registers(registers: &Registers) -> Vec<u8> {
    std::iter::once(registers.bits()).chain(registers.values().iter().copied()).collect()
}

/// The sender's register bits count; what follows the registers is ignored.
fn decode_registers(bytes: &[u8]) -> Option<Registers> {
    let (&bits, rest) = bytes.split_first()?;
    if !(4..=30).contains(&bits) {
        return None;
    }
    Some(Registers::from_wire(bits, rest.get(..1 << bits)?))
}

/// Little-endian: eps, gamma, total, the cells row by row, then a and b of each row.
pub(crate) fn encode_sketch(own: &Plan, sketch: &Sketch) -> Vec<u8> {
    let plan = sketch.foreign.as_deref().unwrap_or(own);
    let mut bytes = Vec::with_capacity(12 + 4 * sketch.cells.len() + 8 * plan.hashes().len());
    bytes.extend_from_slice(&plan.shape().eps.to_le_bytes());
    bytes.extend_from_slice(&plan.shape().gamma.to_le_bytes());
    bytes.extend_from_slice(&sketch.total.to_le_bytes());
    bytes.extend(sketch.cells.iter().flat_map(|cell| cell.to_le_bytes()));
    bytes.extend(plan.hashes().iter().flat_map(|(a, b)| [a.to_le_bytes(), b.to_le_bytes()]).flatten());
    bytes
}

pub(crate) fn decode_sketch(bytes: &[u8]) -> Option<Sketch> {
    let mut numbers = bytes.as_chunks::<4>().0.iter().copied();
    let (eps, gamma) = (f32::from_le_bytes(numbers.next()?), f32::from_le_bytes(numbers.next()?));
    let shape = CountMinShape::new(eps, gamma).ok()?;
    let total = i32::from_le_bytes(numbers.next()?);
    let (width, depth) = (shape.width(), shape.depth());
    if numbers.len() < width * depth + 2 * depth {
        return None;
    }
    let cells = numbers.by_ref().take(width * depth).map(i32::from_le_bytes).collect();
    let rows: Vec<u32> = numbers.take(2 * depth).map(u32::from_le_bytes).collect();
    let hashes = rows.as_chunks::<2>().0.iter().map(|&[a, b]| (a, b)).collect();
    Some(Sketch { foreign: Some(Box::new(Plan::new(shape, hashes))), total, cells })
}

#[cfg(test)]
mod tests;
