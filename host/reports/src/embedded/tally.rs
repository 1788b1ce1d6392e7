//! Counting by the values of a field, exactly, within bounds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tantivy::DocId;

use super::pairs::Pairs;
use super::reader::{Numbered, Reader};
use super::scan::Stop;
use super::values::Values;
use crate::answer::by_value;
use crate::{Field, StoreError, Totals};

/// What is known about one value.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) totals: Totals,
    pub(super) distinct: u64,
}

/// The same in half the room: there may be millions. More than four thousand million count as so many.
#[derive(Clone, Copy, Default)]
struct Counted {
    reports: u32,
    failures: u32,
    distinct: u32,
}

impl From<Counted> for Tally {
    fn from(counted: Counted) -> Self {
        let Counted { reports, failures, distinct } = counted;
        let totals = Totals { reports: reports.into(), failures: failures.into() };
        Self { totals, distinct: distinct.into() }
    }
}

/// Counts by value, and if wanted the different values of a second field for each.
pub(super) struct Tallies {
    by: Field,
    groups: Values,
    counts: Vec<Counted>,
    others: Values,
    /// Of a group and what tells a value of the second field apart, or the number of such a value: these are two spaces.
    pairs: [Pairs; 2],
}

impl Tallies {
    /// Of this field.
    pub(super) fn new(by: Field) -> Self {
        Self {
            by,
            groups: Values::default(),
            counts: Vec::new(),
            others: Values::default(),
            pairs: Default::default(),
        }
    }

    /// The field.
    pub(super) fn by(&self) -> Field {
        self.by
    }

    /// The same values with nothing counted yet; no others come in.
    pub(super) fn of_these(self) -> Self {
        Self { groups: self.groups.closed(), ..Self::new(self.by) }
    }

    /// The same for those values alone that are among the first by rank; see [`Tallies::first`].
    pub(super) fn of_first(self, limit: usize, ranked: impl Fn(&Tally) -> u64) -> Self {
        let least = self.least(limit, &ranked).max(1);
        let Self { by, groups, counts, .. } = self;
        let tally = |number: u32| counts.get(number as usize).copied().unwrap_or_default().into();
        Self { groups: groups.only(|number| ranked(&tally(number)) >= least), ..Self::new(by) }
    }

    /// Looks up what these rows have; see [`Reader::prepare`].
    pub(super) fn prepare(
        &mut self,
        docs: &[DocId],
        group: &mut Reader,
        other: Option<&mut Reader>,
        room: &mut usize,
    ) -> Result<(), Stop> {
        group.prepare(docs, &mut self.groups, room)?;
        match other {
            Some(other) => other.prepare(docs, &mut self.others, room),
            None => Ok(()),
        }
    }

    /// Counts a row that was prepared.
    pub(super) fn add(
        &mut self,
        doc: DocId,
        success: bool,
        group: &mut Reader,
        other: Option<&mut Reader>,
        room: &mut usize,
    ) -> Result<(), StoreError> {
        let Some(number) = group.read(doc, &mut self.groups, room)? else { return Ok(()) };
        if self.counts.len() <= number as usize {
            self.counts.resize(number as usize + 1, Counted::default());
        }
        let Some(counted) = self.counts.get_mut(number as usize) else { return Ok(()) };
        counted.reports = counted.reports.saturating_add(1);
        counted.failures = counted.failures.saturating_add(u32::from(!success));
        let Some(other) = other else { return Ok(()) };
        let (space, value) = match other.told_apart(doc) {
            Ok(value) => (0, value),
            Err(Numbered) => (1, other.read(doc, &mut self.others, room)?),
        };
        match (self.pairs.get_mut(space), value) {
            (Some(pairs), Some(value)) => pairs.add(number, value, room),
            _ => Ok(()),
        }
    }

    /// All rows were counted.
    pub(super) fn finish(mut self, room: &mut usize) -> Result<Self, StoreError> {
        for pairs in &mut self.pairs {
            pairs.drain(room, |number| {
                if let Some(counted) = self.counts.get_mut(number as usize) {
                    counted.distinct = counted.distinct.saturating_add(1);
                }
            })?;
        }
        Ok(self)
    }

    fn tally(&self, number: u32) -> Tally {
        self.counts.get(number as usize).copied().unwrap_or_default().into()
    }

    /// Reports of each value by its number.
    pub(super) fn reports(&self) -> Vec<u64> {
        self.counts.iter().map(|counted| counted.reports.into()).collect()
    }

    /// Those of at least so many reports, in no order: value, number, reports.
    pub(super) fn frequent(&self, least: u64) -> Vec<(String, u32, u64)> {
        let mut found = Vec::new();
        self.groups.for_each(self.by, |number, text| {
            let reports = self.tally(number).totals.reports;
            if reports >= least {
                found.push((text(), number, reports));
            }
        });
        found
    }

    /// The rank of the last one among the first, 0 if there are fewer than the limit.
    fn least(&self, limit: usize, ranked: impl Fn(&Tally) -> u64) -> u64 {
        let mut ranks = self.ranks(ranked);
        match limit.checked_sub(1) {
            Some(last) if last < ranks.len() => {
                *ranks.select_nth_unstable_by_key(last, |rank| Reverse(*rank)).1
            }
            _ => 0,
        }
    }

    fn ranks(&self, ranked: impl Fn(&Tally) -> u64) -> Vec<u64> {
        self.counts.iter().map(|counted| ranked(&(*counted).into())).filter(|rank| *rank > 0).collect()
    }

    /// The first ones by rank, greatest first; of equals those of the least value. A rank of 0 does not count. Only what
    /// gets into the list, or nearly does, is written as text.
    pub(super) fn first(&self, limit: usize, ranked: impl Fn(&Tally) -> u64) -> Vec<(String, Tally)> {
        let least = self.least(limit, &ranked).max(1);
        let above = self.ranks(&ranked).into_iter().filter(|rank| *rank > least).count();
        let room = limit.saturating_sub(above);
        let mut found = Vec::new();
        let mut equals: BinaryHeap<Named> = BinaryHeap::new();
        self.groups.for_each(self.by, |number, text| {
            let tally = self.tally(number);
            match ranked(&tally) {
                0 => {}
                rank if rank > least => found.push(Named { text: text(), tally }),
                rank if rank == least => {
                    equals.push(Named { text: text(), tally });
                    if equals.len() > room {
                        equals.pop();
                    }
                }
                _ => {}
            }
        });
        found.extend(equals);
        found.sort_by(|left, right| {
            ranked(&right.tally).cmp(&ranked(&left.tally)).then_with(|| left.cmp(right))
        });
        found.into_iter().map(|named| (named.text, named.tally)).collect()
    }
}

/// A value as text; ordered by that.
struct Named {
    text: String,
    tally: Tally,
}

impl Ord for Named {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        by_value(&self.text, &other.text)
    }
}

impl PartialOrd for Named {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Named {}
