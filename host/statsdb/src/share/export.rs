//! From a record and its overlay to parts.

use super::overlay::Overlay;
use super::{Amount, CLASSIC, KeyShare, NOBODY, Part, Scope, is_classic};
use crate::FieldKind;
use crate::countmin::Sketch;
use crate::heavies::{Heavies, Heavy};
use crate::hll::Ranks;
use crate::layout::Layout;
use crate::record::{Field, Record, Values};
use crate::wire::encode_sketch;

/// A key's record with everything that is needed to read it.
pub(crate) struct Source<'a> {
    pub layout: &'a Layout,
    pub heavies: &'a Heavies,
    pub record: &'a Record,
    pub overlay: Option<&'a Overlay>,
    /// The shard's count of changes, which serves as the version of the own part: whatever is read under the shard's
    /// lock is the newest there is as of this count.
    pub version: u64,
    /// The own origin.
    pub own: u64,
}

impl Source<'_> {
    /// Everything about the key that still counts in window `current`.
    pub fn share(&self, current: u32, scope: Scope, ids: &[u64]) -> KeyShare {
        let mut share = KeyShare { key: self.record.key().into(), ..KeyShare::default() };
        for (number, field) in self.record.fields(self.layout) {
            let kind = self.layout.kind(number);
            for (window, at) in self.record.windows(kind, &field) {
                let window = self.layout.absolute(&field, window);
                if self.layout.alive(window, current) {
                    share.parts.extend(self.own_part(number, window, at));
                }
            }
        }
        if let Some(overlay) = self.overlay {
            share.resets.extend_from_slice(overlay.resets());
            let id = |number: u16| ids.get(usize::from(number)).copied().unwrap_or(CLASSIC);
            let wanted = |window, origin| {
                self.layout.alive(window, current) && (scope == Scope::Everything || !is_classic(id(origin)))
            };
            let ints = overlay.ints.iter().filter(|cell| wanted(cell.window(), cell.origin()));
            share.parts.extend(ints.map(|cell| Part {
                field: cell.field(),
                window: cell.window(),
                origin: id(cell.origin()),
                version: cell.version,
                amount: Amount::Int(cell.amount),
            }));
            let sketches = overlay.sketches.iter().filter(|cell| wanted(cell.window(), cell.origin()));
            share.parts.extend(sketches.filter_map(|cell| {
                Some(Part {
                    field: cell.field(),
                    window: cell.window(),
                    origin: id(cell.origin()),
                    version: cell.version,
                    amount: Amount::Sketch(encode_sketch(self.layout.plan(cell.field())?, &cell.amount)),
                })
            }));
        }
        share
    }

    /// What this node counted in one window.
    pub fn cell(&self, number: u16, window: u32) -> Option<Part> {
        let (field, at) = self.find(number, window)?;
        self.own_part(number, self.layout.absolute(&field, self.record.window_at(at)), at)
    }

    /// The window of a field, by its absolute number.
    pub fn find(&self, number: u16, window: u32) -> Option<(Field, usize)> {
        let field = self.record.field(self.layout, number).ok()?;
        let local = self.layout.relative(&field, window)?;
        let mut windows = self.record.windows(self.layout.kind(number), &field);
        let (_, at) = windows.find(|(other, _)| *other == local)?;
        Some((field, at))
    }

    /// The part of the window at `at` that no overlay explains.
    fn own_part(&self, field: u16, window: u32, at: usize) -> Option<Part> {
        let part = |origin, version, amount| Some(Part { field, window, origin, version, amount });
        match self.layout.kind(field) {
            FieldKind::Int => {
                let others = self.overlay.map_or(0, |overlay| overlay.sum(field, window));
                part(self.own, self.version, Amount::Int(self.record.int_at(at).wrapping_sub(others)))
            }
            FieldKind::CountMin => {
                let plan = self.layout.plan(field)?;
                let sketch = match self.record.handle_at(FieldKind::CountMin, at) {
                    Some(handle) => self.heavies.sketch(handle)?,
                    None => &Sketch::new(plan),
                };
                part(self.own, self.version, Amount::Sketch(encode_sketch(plan, sketch)))
            }
            FieldKind::Hll => part(NOBODY, 0, self.distinct(at)?),
        }
    }

    fn distinct(&self, at: usize) -> Option<Amount> {
        let values = match self.record.values_at(at) {
            Values::Inline(values) => values.iter().map(|value| u64::from_le_bytes(*value)).collect(),
            Values::Heavy(handle) => match self.heavies.get(handle) {
                Heavy::Set(values) => values.clone(),
                Heavy::Registers(registers) => {
                    return Some(Amount::Registers {
                        shared: registers.ranks == Ranks::Shared,
                        bits: registers.bits(),
                        values: registers.values().to_vec(),
                    });
                }
                Heavy::Vacant(_) | Heavy::Sketch(_) => return None,
            },
        };
        Some(Amount::Values(values))
    }

    /// Whether a distinct count holds a value, or cannot be told from one that does.
    pub fn holds(&self, number: u16, window: u32, value: u64) -> bool {
        let Some((_, at)) = self.find(number, window) else { return false };
        match self.record.values_at(at) {
            Values::Inline(values) => values.contains(&value.to_le_bytes()),
            Values::Heavy(handle) => match self.heavies.get(handle) {
                Heavy::Set(values) => values.contains(&value),
                Heavy::Registers(registers) => registers.covers(value),
                Heavy::Vacant(_) | Heavy::Sketch(_) => false,
            },
        }
    }
}
