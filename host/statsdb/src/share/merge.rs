//! From parts to a record and its overlay.

use super::origins::Origins;
use super::overlay::Overlay;
use super::{ALL_FIELDS, Amount, NOBODY, Reset};
use crate::countmin::Sketch;
use crate::heavies::{Heavies, Heavy};
use crate::hll::{Ranks, Registers};
use crate::layout::Layout;
use crate::record::{FieldWriter, Record};
use crate::{FieldKind, wire};

/// What may happen for a key that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// As for a write: in a full shard the least recently written key makes room.
    Make,
    /// It is only taken in where there is room for it.
    Spare,
    /// It is not taken in.
    Never,
}

/// What came of a merge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merged {
    /// Something was new.
    Changed,
    /// A reset was new.
    Reset,
    /// All of it was known, or no longer counts.
    Known,
    /// The key is not there, and there is no room for it.
    NoRoom,
}

/// A part whose amount was checked.
pub(crate) struct Incoming {
    pub field: u16,
    pub window: u32,
    pub origin: u64,
    pub version: u64,
    pub amount: Checked,
}

/// A checked amount.
#[derive(Clone)]
pub(crate) enum Checked {
    Int(i32),
    Sketch(Sketch),
    Values(Vec<u64>),
    Registers(Registers),
}

impl Checked {
    /// `None` if the amount is none of a field of this kind.
    pub fn new(layout: &Layout, field: u16, amount: &Amount) -> Option<Self> {
        match (layout.kind(field), amount) {
            (FieldKind::Int, Amount::Int(value)) => Some(Self::Int(*value)),
            (FieldKind::CountMin, Amount::Sketch(bytes)) => {
                let mut sketch = wire::decode_sketch(bytes)?;
                if sketch.foreign.as_deref() == layout.plan(field) {
                    sketch.foreign = None;
                }
                Some(Self::Sketch(sketch))
            }
            (FieldKind::Hll, Amount::Values(values)) => Some(Self::Values(values.clone())),
            (FieldKind::Hll, Amount::Registers { shared, bits, values }) => {
                let ranks = if *shared { Ranks::Shared } else { Ranks::Own };
                Some(Self::Registers(Registers::from_parts(ranks, *bits, values)?))
            }
            _ => None,
        }
    }
}

/// A key's record while parts are merged in.
pub(crate) struct Target<'a> {
    pub layout: &'a Layout,
    pub heavies: &'a mut Heavies,
    pub record: &'a mut Record,
    pub overlay: &'a mut Overlay,
    pub origins: &'a Origins,
    pub own: u64,
    /// The current window.
    pub current: u32,
    /// Whether the record was made for this merge.
    pub fresh: bool,
}

impl Target<'_> {
    /// Takes over a reset if it is newer than what is known.
    pub fn reset(&mut self, field: u16, reset: Reset) -> bool {
        let newer = match field {
            ALL_FIELDS => (0..self.layout.fields()).any(|field| reset > self.overlay.reset_of(field)),
            field => reset > self.overlay.reset_of(field),
        };
        let last = self.layout.current(reset.time_ms / 1000);
        if !newer || !self.layout.alive(last, self.current) {
            return false;
        }
        for number in 0..self.layout.fields() {
            if (field == ALL_FIELDS || field == number) && reset > self.overlay.reset_of(number) {
                self.overlay.erase(number, last);
                erase(self.layout, self.record, self.heavies, number, last);
            }
        }
        self.overlay.note_reset(field, reset);
        true
    }

    /// Takes over a part that was counted when `reset` was the field's newest one.
    pub fn part(&mut self, part: Incoming, reset: Reset) -> bool {
        let Incoming { field, window, origin, version, amount } = part;
        // A window beyond the next round of the ring cannot come from a clock that is right.
        let future = u64::from(window) > u64::from(self.current) + u64::from(self.layout.windows);
        if future || !self.layout.alive(window, self.current) {
            return false;
        }
        let known = self.overlay.reset_of(field);
        if reset < known && window <= self.layout.current(known.time_ms / 1000) {
            return false;
        }
        match amount {
            Checked::Int(value) => self.int((field, window), origin, version, value),
            Checked::Sketch(sketch) => self.sketch((field, window), origin, version, sketch),
            Checked::Values(values) => {
                let Some(at) = self.window(field, window) else { return false };
                let mut changed = false;
                for value in values {
                    changed |= crate::shard::insert(self.layout, self.record, self.heavies, at, value);
                }
                changed
            }
            Checked::Registers(registers) => self.registers((field, window), &registers),
        }
    }

    fn int(&mut self, (field, window): (u16, u32), origin: u64, version: u64, value: i32) -> bool {
        let own = origin == self.own;
        if own && !self.fresh && self.own != NOBODY {
            return false;
        }
        let Some(at) = self.window(field, window) else { return false };
        if own || self.own == NOBODY {
            self.record.add_int(at, value);
            return value != 0;
        }
        let Some(number) = self.number(origin, value == 0) else { return false };
        // Each node has nothing to tell of most windows that others know of: no reason to remember it.
        if value == 0 && self.overlay.ints.get((field, window, number)).is_none() {
            return false;
        }
        let before = self.overlay.ints.get((field, window, number)).copied().unwrap_or(0);
        if !self.overlay.ints.replace((field, window, number), version, value) {
            return false;
        }
        self.record.add_int(at, value.wrapping_sub(before));
        before != value
    }

    fn sketch(&mut self, (field, window): (u16, u32), origin: u64, version: u64, sketch: Sketch) -> bool {
        let own = origin == self.own && self.own != NOBODY;
        if own && !self.fresh {
            return false;
        }
        let Some(at) = self.window(field, window) else { return false };
        if own {
            if let Some(old) = self.record.handle_at(FieldKind::CountMin, at) {
                self.heavies.free(old);
            }
            let handle = self.heavies.add(Heavy::Sketch(sketch));
            self.record.set_sketch(at, handle);
            return true;
        }
        let Some(number) = self.number(origin, sketch.is_empty()) else { return false };
        let known = self.overlay.sketches.get((field, window, number));
        if sketch.is_empty() && known.is_none() || known.is_some_and(|known| **known == sketch) {
            return false;
        }
        self.overlay.sketches.replace((field, window, number), version, Box::new(sketch))
    }

    /// The number of an origin. One that has nothing to say gets none: they are few, and nobody needs them back.
    fn number(&self, origin: u64, nothing: bool) -> Option<u16> {
        let origin = self.named(origin);
        if nothing { self.origins.known(origin) } else { self.origins.number(origin) }
    }

    /// What a snapshot from a time without siblings says nobody in particular counted is told to siblings as the part of an
    /// origin of its own.
    fn named(&self, origin: u64) -> u64 {
        if origin == NOBODY && self.own != NOBODY { self.own ^ 1 << 63 } else { origin }
    }

    fn registers(&mut self, (field, window): (u16, u32), registers: &Registers) -> bool {
        let Some(at) = self.window(field, window) else { return false };
        let handle = self.record.handle_at(FieldKind::Hll, at).unwrap_or_else(|| {
            let handle = self.heavies.add(Heavy::Set(self.record.inline_values(at)));
            self.record.set_heavy(at, handle);
            handle
        });
        self.heavies.merge(handle, registers)
    }

    /// The position of a window, made if it is not there.
    fn window(&mut self, number: u16, window: u32) -> Option<usize> {
        let field = match self.record.field(self.layout, number) {
            Ok(field) => field,
            Err(at) => self.record.add_field(at, number),
        };
        let local = self.layout.relative(&field, window)?;
        let as_of = self.layout.relative(&field, self.current).unwrap_or(local);
        let heavies = &mut *self.heavies;
        let kind = self.layout.kind(number);
        Some(self.record.window_for_write(self.layout, kind, &field, (local, as_of), |old| heavies.free(old)))
    }
}

/// Drops a field's windows up to `last`.
pub(crate) fn erase(layout: &Layout, record: &mut Record, heavies: &mut Heavies, number: u16, last: u32) {
    let Ok(field) = record.field(layout, number) else { return };
    let kind = layout.kind(number);
    let mut writer = FieldWriter::new(number, field.start);
    let mut dropped = Vec::new();
    for (window, at) in record.windows(kind, &field) {
        if layout.absolute(&field, window) > last {
            writer.window(window, record.counter_at(kind, at));
        } else {
            dropped.extend(record.handle_at(kind, at));
        }
    }
    for handle in dropped {
        heavies.free(handle);
    }
    record.replace_field(layout, number, &writer.finish());
}

impl Heavies {
    /// Makes a distinct count the union of itself and `registers`; whether that changed it.
    fn merge(&mut self, handle: u32, registers: &Registers) -> bool {
        let before = match self.get(handle) {
            Heavy::Registers(before) => Some(before.clone()),
            _ => None,
        };
        let mut merged = registers.clone();
        match self.get(handle) {
            Heavy::Registers(own) => {
                merged = own.clone();
                merged.merge(registers);
            }
            Heavy::Set(values) => values.iter().for_each(|value| _ = merged.insert(*value)),
            Heavy::Vacant(_) | Heavy::Sketch(_) => return false,
        }
        let changed = before.as_ref() != Some(&merged);
        self.replace(handle, Heavy::Registers(merged));
        changed
    }
}
