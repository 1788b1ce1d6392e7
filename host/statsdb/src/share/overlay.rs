//! What other origins counted of one key.

use std::ops::Range;

use super::{Reset, newest_reset};
use crate::countmin::Sketch;
use crate::layout::Layout;

/// One origin's part of a window.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Cell<T> {
    /// Field, window and origin, in this order of weight.
    id: u64,
    pub version: u64,
    pub amount: T,
}

impl<T> Cell<T> {
    pub fn field(&self) -> u16 {
        (self.id >> 48) as u16
    }

    pub fn window(&self) -> u32 {
        (self.id >> 16) as u32
    }

    /// The origin's number.
    pub fn origin(&self) -> u16 {
        self.id as u16
    }
}

/// Cells in order of field, window and origin.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Cells<T>(Vec<Cell<T>>);

impl<T> Default for Cells<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

fn id(field: u16, window: u32, origin: u16) -> u64 {
    u64::from(field) << 48 | u64::from(window) << 16 | u64::from(origin)
}

impl<T> Cells<T> {
    /// The cell of an origin, or where it would have to be.
    fn place(&self, field: u16, window: u32, origin: u16) -> Result<usize, usize> {
        let id = id(field, window, origin);
        self.0.binary_search_by_key(&id, |cell| cell.id)
    }

    /// The amount of an origin.
    pub fn get(&self, at: (u16, u32, u16)) -> Option<&T> {
        self.place(at.0, at.1, at.2).ok().map(|place| &self.0[place].amount)
    }

    /// Puts a newer amount in the place of an older one; whether it is newer.
    pub fn replace(&mut self, at: (u16, u32, u16), version: u64, amount: T) -> bool {
        match self.place(at.0, at.1, at.2) {
            Ok(place) if self.0[place].version < version => {
                self.0[place].version = version;
                self.0[place].amount = amount;
                true
            }
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, Cell { id: id(at.0, at.1, at.2), version, amount });
                true
            }
        }
    }

    /// The amount of an origin, made if it is not there.
    pub fn get_or_insert(&mut self, at: (u16, u32, u16), make: impl FnOnce() -> T) -> &mut T {
        let place = match self.place(at.0, at.1, at.2) {
            Ok(place) => place,
            Err(place) => {
                self.0.insert(place, Cell { id: id(at.0, at.1, at.2), version: 0, amount: make() });
                place
            }
        };
        &mut self.0[place].amount
    }

    /// Takes the cell of an origin out.
    pub fn remove(&mut self, at: (u16, u32, u16)) {
        if let Ok(place) = self.place(at.0, at.1, at.2) {
            self.0.remove(place);
        }
    }

    fn range(&self, from: u64, to: u64) -> Range<usize> {
        self.0.partition_point(|cell| cell.id < from)..self.0.partition_point(|cell| cell.id <= to)
    }

    /// All origins' cells of a window.
    pub fn window(&self, field: u16, window: u32) -> &[Cell<T>] {
        if self.0.is_empty() {
            return &[];
        }
        &self.0[self.range(id(field, window, 0), id(field, window, u16::MAX))]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Cell<T>> {
        self.0.iter()
    }

    /// Drops a field's cells in windows up to `last`.
    fn erase(&mut self, field: u16, last: u32) {
        let range = self.range(id(field, 0, 0), id(field, last, u16::MAX));
        self.0.drain(range);
    }

    fn retain(&mut self, keep: impl Fn(&Cell<T>) -> bool) {
        self.0.retain(keep);
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Cell<T>>()
    }
}

/// What other origins counted of a key, and when its fields were reset.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Overlay {
    pub ints: Cells<i32>,
    /// Boxed: most keys have none, and an int's cell must not pay for a sketch's size.
    pub sketches: Cells<Box<Sketch>>,
    resets: Vec<(u16, Reset)>,
}

impl Overlay {
    /// The reset that holds for a field.
    pub fn reset_of(&self, field: u16) -> Reset {
        newest_reset(&self.resets, field)
    }

    pub fn resets(&self) -> &[(u16, Reset)] {
        &self.resets
    }

    /// Remembers a reset.
    pub fn note_reset(&mut self, field: u16, reset: Reset) {
        match self.resets.iter_mut().find(|(of, _)| *of == field) {
            Some((_, known)) => *known = reset.max(*known),
            None => self.resets.push((field, reset)),
        }
    }

    /// Drops what was counted of a field in windows up to `last`.
    pub fn erase(&mut self, field: u16, last: u32) {
        self.ints.erase(field, last);
        self.sketches.erase(field, last);
    }

    /// Takes back what `classic` counted in sketches as far as `node` counted it, too; what is left is `rest`'s from now on.
    pub fn settle_sketches(&mut self, layout: &Layout, classic: u16, node: u16, rest: u16) {
        let told = self.sketches.iter().filter(|cell| cell.origin() == classic);
        let told: Vec<(u16, u32)> = told.map(|cell| (cell.field(), cell.window())).collect();
        for (field, window) in told {
            let (from, to) = ((field, window, classic), (field, window, rest));
            let (Some(whole), Some(plan)) = (self.sketches.get((field, window, node)), layout.plan(field))
            else {
                continue;
            };
            let Some(left) = self.sketches.get(from).map(|told| told.beyond(whole, plan)) else { continue };
            self.sketches.remove(from);
            match self.sketches.get(to) {
                _ if left.is_empty() => {}
                // Two sketches with other hashes cannot be added.
                Some(kept) if kept.foreign != left.foreign => {
                    self.sketches.get_or_insert(from, || Box::new(left));
                }
                Some(_) => self.sketches.get_or_insert(to, || Box::new(Sketch::new(plan))).absorb(&left),
                None => {
                    self.sketches.get_or_insert(to, || Box::new(left));
                }
            }
        }
    }

    /// Drops what no longer counts. `oldest`: the first window that does; `window_ms`: milliseconds of a window.
    pub fn prune(&mut self, oldest: u32, window_ms: u64) {
        self.ints.retain(|cell| cell.window() >= oldest);
        self.sketches.retain(|cell| cell.window() >= oldest);
        self.resets.retain(|(_, reset)| reset.time_ms / window_ms >= u64::from(oldest));
    }

    /// The sum of all cells of a window of an int field.
    pub fn sum(&self, field: u16, window: u32) -> i32 {
        self.ints.window(field, window).iter().fold(0i32, |sum, cell| sum.wrapping_add(cell.amount))
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.ints.0.len() + self.sketches.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ints.0.is_empty() && self.sketches.0.is_empty() && self.resets.is_empty()
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        let sketches = self.sketches.iter().map(|cell| size_of::<Sketch>() + cell.amount.bytes());
        size_of::<Self>()
            + self.ints.bytes()
            + self.sketches.bytes()
            + self.resets.capacity() * size_of::<(u16, Reset)>()
            + sketches.sum::<usize>()
    }
}
