//! Taking over what a sibling knows about a key.

use super::Shard;
use crate::FieldKind;
use crate::heavies::{Heavies, Heavy};
use crate::layout::Layout;
use crate::record::{FieldWriter, Record, distinct_counter, int_counter, sketch_counter};
use crate::wire::{Counter, RestoredField};

/// A window on its way into a record.
struct Window {
    number: u32,
    counter: Vec<u8>,
    /// The heavy counter that `counter` refers to.
    handle: Option<u32>,
}

impl Shard {
    /// Puts fields of a key in the given state, as the most recent write. Slots beyond those given stay. In a database
    /// that is shared with other nodes all of it counts as the part of classic siblings.
    pub fn restore(
        &mut self,
        layout: &Layout,
        (hash, key): (u64, &[u8]),
        now: u64,
        fields: Vec<RestoredField>,
        shared: bool,
    ) {
        let handle = self.entry_for_write(layout, hash, key);
        let record = &mut self.entries[handle].record;
        let before = record.bytes();
        let numbers: Vec<u16> = fields.iter().map(|field| field.number).collect();
        for field in fields {
            restore_field(layout, record, &mut self.heavies, now, field);
        }
        let after = record.bytes();
        self.record_bytes = self.record_bytes - before + after;
        if shared || self.overlays.get(handle).is_some() {
            self.all_is_classic(layout, handle, &numbers);
        }
        self.trim_for(layout, handle);
    }
}

fn restore_field(
    layout: &Layout,
    record: &mut Record,
    heavies: &mut Heavies,
    now: u64,
    restored: RestoredField,
) {
    let RestoredField { number, start, slots } = restored;
    let kind = layout.kind(number);
    let mut windows = keep(layout, record, heavies, now, (number, start, slots.len() as u32));
    for (index, (time, counter)) in (0u32..).zip(slots) {
        if time == 0 && counter.is_empty() {
            continue;
        }
        if let Some(number) = place(layout, index, time, start, now) {
            let handle = heavy(counter, heavies);
            let counter = match handle {
                Ok(value) => int_counter(value),
                Err(handle) if kind == FieldKind::Hll => distinct_counter(handle),
                Err(handle) => sketch_counter(handle),
            };
            windows.push(Window { number, counter, handle: handle.err().flatten() });
        }
    }
    // What was given comes after what was kept, so it wins where both claim the same window.
    windows.reverse();
    windows.sort_by_key(|window| std::cmp::Reverse(window.number));
    let mut writer = FieldWriter::new(number, (start != layout.schema.start).then_some(start));
    let mut last = None;
    for Window { number, counter, handle } in windows {
        if last == Some(number) {
            free(heavies, handle);
        } else {
            writer.window(number, &counter);
        }
        last = Some(number);
    }
    record.replace_field(layout, number, &writer.finish());
}

fn free(heavies: &mut Heavies, handle: Option<u32>) {
    if let Some(handle) = handle {
        heavies.free(handle);
    }
}

/// What the record has in slots from `given` on, counted anew from `start`. Drops the counters of the other slots.
fn keep(
    layout: &Layout,
    record: &Record,
    heavies: &mut Heavies,
    now: u64,
    (number, start, given): (u16, u64, u32),
) -> Vec<Window> {
    let Ok(field) = record.field(layout, number) else { return Vec::new() };
    let kind = layout.kind(number);
    let old_start = field.start.unwrap_or(layout.schema.start);
    let mut kept = Vec::new();
    for (number, at) in record.windows(kind, &field) {
        let index = number % layout.windows;
        let time = old_start.saturating_add(u64::from(number) * layout.window_secs);
        let handle = record.handle_at(kind, at);
        let placed = if index < given { None } else { place(layout, index, time, start, now) };
        match placed {
            Some(number) => {
                kept.push(Window { number, counter: record.counter_at(kind, at).to_vec(), handle });
            }
            None => free(heavies, handle),
        }
    }
    kept
}

/// The value of an int, or else the handle of what was stored outside of the record.
fn heavy(counter: Counter, heavies: &mut Heavies) -> Result<i32, Option<u32>> {
    let empty = counter.is_empty();
    Err(match counter {
        Counter::Int(value) => return Ok(value),
        _ if empty => None,
        Counter::Distinct(registers) => Some(heavies.add(Heavy::Registers(registers))),
        Counter::Sketch(sketch) => Some(heavies.add(Heavy::Sketch(sketch))),
    })
}

/// The number of the window that a slot holds: by its time if that fits the slot, else the last window that this
/// slot could hold by now. `None` if its time is over.
fn place(layout: &Layout, index: u32, time: u64, start: u64, now: u64) -> Option<u32> {
    let windows = layout.windows;
    if time != 0 && time >= start {
        let number = layout.window(time, start);
        if number % windows == index {
            return Some(number);
        }
    }
    let span = layout.window_secs * u64::from(windows);
    if time != 0 && now.saturating_sub(time) >= span {
        return None;
    }
    let current = layout.window(now, start);
    let age = (current % windows + windows - index) % windows;
    Some(current.checked_sub(age).unwrap_or(index))
}
