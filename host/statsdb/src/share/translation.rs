//! From another schema's fields and windows to those of this database.

use std::collections::BTreeMap;

use super::merge::{Checked, Incoming};
use super::{ALL_FIELDS, KeyShare, Reset};
use crate::StatsDb;
use crate::countmin::Sketch;
use crate::layout::Layout;
use crate::share::codec::Outline;

/// How shares of a schema are to be read here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Translation {
    /// This database's number of each field of theirs.
    fields: Vec<Option<u16>>,
    /// Their seconds of a window.
    window_secs: u64,
    /// Whether windows are the same.
    same_windows: bool,
}

/// How shares of a schema are to be read by `db`: fields are the same if name and kind are.
pub fn translate(theirs: &Outline, db: &StatsDb) -> Translation {
    let layout = db.layout();
    let number =
        |name: &[u8], kind| layout.field(name).filter(|(_, own)| *own == kind).map(|(number, _)| number);
    let window_secs = u64::from(theirs.window_secs.max(1));
    Translation {
        fields: theirs.fields.iter().map(|(name, kind)| number(name, *kind)).collect(),
        window_secs,
        same_windows: window_secs == layout.window_secs,
    }
}

impl Translation {
    /// Whether windows are the same on both sides.
    pub fn same_windows(&self) -> bool {
        self.same_windows
    }

    fn field(&self, theirs: u16) -> Option<u16> {
        self.fields.get(usize::from(theirs)).copied().flatten()
    }

    /// The resets of a share.
    pub(crate) fn resets<'a>(&'a self, share: &'a KeyShare) -> impl Iterator<Item = (u16, Reset)> + 'a {
        share.resets.iter().filter_map(|(field, reset)| match *field {
            ALL_FIELDS => Some((ALL_FIELDS, *reset)),
            field => Some((self.field(field)?, *reset)),
        })
    }

    /// The parts of a share that are of use here, each with the reset it knew of. Windows of another length are put into
    /// those that hold their beginning.
    pub(crate) fn parts(&self, layout: &Layout, share: &KeyShare) -> Vec<(Incoming, Reset)> {
        let parts = share.parts.iter().filter_map(|part| {
            let field = self.field(part.field)?;
            let amount = Checked::new(layout, field, &part.amount)?;
            let window = if self.same_windows {
                part.window
            } else {
                layout.current(u64::from(part.window) * self.window_secs)
            };
            let reset = share.reset_of(part.field);
            Some((Incoming { field, window, origin: part.origin, version: part.version, amount }, reset))
        });
        if self.same_windows { parts.collect() } else { coalesce(parts) }
    }
}

/// Adds up what falls into the same window.
fn coalesce(parts: impl Iterator<Item = (Incoming, Reset)>) -> Vec<(Incoming, Reset)> {
    let mut sums: BTreeMap<(u16, u32, u64), (Incoming, Reset)> = BTreeMap::new();
    let mut rest = Vec::new();
    for (part, reset) in parts {
        if matches!(part.amount, Checked::Values(_) | Checked::Registers(_)) {
            // Unions: one after the other.
            rest.push((part, reset));
            continue;
        }
        match sums.entry((part.field, part.window, part.origin)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert((part, reset));
            }
            std::collections::btree_map::Entry::Occupied(mut sum) => {
                let (sum, _) = sum.get_mut();
                sum.version = sum.version.max(part.version);
                match (&mut sum.amount, part.amount) {
                    (Checked::Int(sum), Checked::Int(value)) => *sum = sum.wrapping_add(value),
                    (Checked::Sketch(sum), Checked::Sketch(other)) => add(sum, &other),
                    _ => {}
                }
            }
        }
    }
    rest.extend(sums.into_values());
    rest
}

/// Adds a sketch of the same plan; one of another plan cannot be added and is left out.
fn add(sum: &mut Sketch, other: &Sketch) {
    if sum.foreign == other.foreign && sum.cells.len() == other.cells.len() {
        sum.total = sum.total.wrapping_add(other.total);
        for (cell, more) in sum.cells.iter_mut().zip(&other.cells) {
            *cell = cell.wrapping_add(*more);
        }
    }
}
