//! Counting by the values of a field, exactly, within bounds.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};

use tantivy::DocId;
use tantivy::columnar::{Column, StrColumn};

use super::columns::Columns;
use super::fold::Fold;
use super::schema::name;
use super::sketch::network_bits;
use crate::answer::by_value;
use crate::{Field, StoreError, Totals, network_of};

/// A number, or an address as the bits of its column. As bytes it needs no more room in a table than it has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Bits([u8; 16]);

impl Hash for Bits {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.0));
    }
}

/// Different values of one field, each with a number. Values of all segments and days meet here. There may be millions of
/// addresses: they become text only where somebody gets to see it.
#[derive(Default)]
pub(super) struct Values {
    texts: HashMap<Box<str>, u32>,
    bits: HashMap<Bits, u32, Fold>,
    /// New values get no number.
    closed: bool,
}

impl Values {
    /// `None`: it is new, and no new ones are wanted.
    fn of_text(&mut self, text: &str, room: &mut usize) -> Result<Option<u32>, StoreError> {
        if let Some(number) = self.texts.get(text) {
            return Ok(Some(*number));
        }
        if self.closed {
            return Ok(None);
        }
        take(room)?;
        let number = self.texts.len() as u32;
        self.texts.insert(text.into(), number);
        Ok(Some(number))
    }

    fn of_bits(&mut self, bits: u128, room: &mut usize) -> Result<Option<u32>, StoreError> {
        let bits = Bits(bits.to_ne_bytes());
        if let Some(number) = self.bits.get(&bits) {
            return Ok(Some(*number));
        }
        if self.closed {
            return Ok(None);
        }
        take(room)?;
        let number = self.bits.len() as u32;
        self.bits.insert(bits, number);
        Ok(Some(number))
    }

    /// Calls `each` with the number of every value and what writes it.
    fn for_each(&self, field: Field, mut each: impl FnMut(u32, &dyn Fn() -> String)) {
        for (text, number) in &self.texts {
            each(*number, &|| (**text).to_owned());
        }
        for (bits, number) in &self.bits {
            each(*number, &|| written(field, u128::from_ne_bytes(bits.0)));
        }
    }
}

/// A value that is kept as bits, as people see it.
fn written(field: Field, bits: u128) -> String {
    let address = || -> IpAddr { Ipv6Addr::from_bits(bits).to_canonical() };
    match field {
        Field::Ip => address().to_string(),
        Field::Network => network_of(address()).to_string(),
        _ => bits.to_string(),
    }
}

/// Room is counted down from the limit, which the error has to name.
fn take(room: &mut usize) -> Result<(), StoreError> {
    *room = room.checked_sub(1).ok_or(StoreError::TooManyValues(0))?;
    Ok(())
}

/// The column of a field in a segment.
enum Source {
    Text(StrColumn),
    Address(Column<Ipv6Addr>),
    Network(Column<Ipv6Addr>),
    Number(Column<u64>),
    None,
}

/// Reads a field of the rows of a segment as numbers of [`Values`].
pub(super) struct Reader {
    source: Source,
    /// The numbers of texts by ordinal, once they were prepared; [`UNKNOWN`] for those that did not occur.
    ordinals: Vec<u32>,
}

/// No number.
const UNKNOWN: u32 = u32::MAX;

impl Reader {
    pub(super) fn open(field: Field, columns: &mut Columns<'_>) -> tantivy::Result<Self> {
        let mut text = |name: &'static str| {
            Ok::<_, tantivy::TantivyError>(columns.text(name)?.map_or(Source::None, Source::Text))
        };
        let source = match field {
            Field::Login => text(name::LOGIN)?,
            Field::Ip => columns.address()?.map_or(Source::None, Source::Address),
            Field::Network => columns.address()?.map_or(Source::None, Source::Network),
            Field::Country => text(name::COUNTRY)?,
            Field::City => text(name::CITY)?,
            Field::Asn => columns.number(name::ASN)?.map_or(Source::None, Source::Number),
            Field::Device => text(name::DEVICE)?,
            Field::Protocol => text(name::PROTOCOL)?,
            Field::FailType => text(name::FAIL_TYPE)?,
            Field::Pwhash => text(name::PWHASH)?,
        };
        Ok(Self { source, ordinals: Vec::new() })
    }

    /// Looks up the texts of these rows together: one by one each of them would have to be found in the dictionary anew.
    pub(super) fn prepare(
        &mut self,
        docs: &[DocId],
        values: &mut Values,
        room: &mut usize,
    ) -> Result<(), super::scan::Stop> {
        let Source::Text(column) = &self.source else { return Ok(()) };
        let mut occur: Vec<u64> = docs.iter().filter_map(|doc| column.ords().first(*doc)).collect();
        occur.sort_unstable();
        occur.dedup();
        self.ordinals = vec![UNKNOWN; column.num_terms()];
        let mut next = occur.iter();
        let mut full = None;
        column.dictionary().sorted_ords_to_term_cb(&occur, |bytes| {
            let Some(ordinal) = next.next() else { return };
            let Some(place) = self.ordinals.get_mut(*ordinal as usize) else { return };
            match values.of_text(&String::from_utf8_lossy(bytes), room) {
                Ok(number) => *place = number.unwrap_or(UNKNOWN),
                Err(error) => full = Some(error),
            }
        })?;
        full.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The number of the value of a row that was not prepared, for questions about few rows.
    pub(super) fn look_up(
        &self,
        doc: DocId,
        values: &mut Values,
        room: &mut usize,
    ) -> Result<Option<u32>, super::scan::Stop> {
        let Source::Text(column) = &self.source else { return Ok(self.read(doc, values, room)?) };
        let Some(ordinal) = column.ords().first(doc) else { return Ok(None) };
        let mut text = String::new();
        column.ord_to_str(ordinal, &mut text)?;
        Ok(values.of_text(&text, room)?)
    }

    /// The number of the row's value, if it has one. The row must be one of those that were prepared.
    pub(super) fn read(
        &self,
        doc: DocId,
        values: &mut Values,
        room: &mut usize,
    ) -> Result<Option<u32>, StoreError> {
        let bits = match &self.source {
            Source::Text(column) => {
                let ordinal =
                    column.ords().first(doc).and_then(|ordinal| self.ordinals.get(ordinal as usize));
                return Ok(ordinal.copied().filter(|number| *number != UNKNOWN));
            }
            Source::Address(column) => column.first(doc).map(Ipv6Addr::to_bits),
            Source::Network(column) => column.first(doc).map(network_bits),
            Source::Number(column) => column.first(doc).map(u128::from),
            Source::None => None,
        };
        bits.map_or(Ok(None), |bits| values.of_bits(bits, room))
    }
}

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
    pairs: HashSet<(u32, u32), Fold>,
}

impl Tallies {
    /// Of this field.
    pub(super) fn new(by: Field) -> Self {
        Self {
            by,
            groups: Values::default(),
            counts: Vec::new(),
            others: Values::default(),
            pairs: HashSet::default(),
        }
    }

    /// The field.
    pub(super) fn by(&self) -> Field {
        self.by
    }

    /// The same values with nothing counted yet; no others come in.
    pub(super) fn of_these(self) -> Self {
        Self { groups: Values { closed: true, ..self.groups }, ..Self::new(self.by) }
    }

    /// Looks up what these rows have; see [`Reader::prepare`].
    pub(super) fn prepare(
        &mut self,
        docs: &[DocId],
        group: &mut Reader,
        other: Option<&mut Reader>,
        room: &mut usize,
    ) -> Result<(), super::scan::Stop> {
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
        group: &Reader,
        other: Option<&Reader>,
        room: &mut usize,
    ) -> Result<(), StoreError> {
        let Some(number) = group.read(doc, &mut self.groups, room)? else { return Ok(()) };
        if self.counts.len() <= number as usize {
            self.counts.resize(number as usize + 1, Counted::default());
        }
        let other = match other {
            Some(other) => other.read(doc, &mut self.others, room)?,
            None => None,
        };
        let Some(counted) = self.counts.get_mut(number as usize) else { return Ok(()) };
        counted.reports = counted.reports.saturating_add(1);
        counted.failures = counted.failures.saturating_add(u32::from(!success));
        if let Some(other) = other
            && self.pairs.insert((number, other))
        {
            take(room)?;
            counted.distinct = counted.distinct.saturating_add(1);
        }
        Ok(())
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

    /// The first ones by rank, greatest first; of equals those of the least value. A rank of 0 does not count. Only what
    /// gets into the list, or nearly does, is written as text.
    pub(super) fn first(&self, limit: usize, ranked: impl Fn(&Tally) -> u64) -> Vec<(String, Tally)> {
        let mut ranks: Vec<u64> =
            self.counts.iter().map(|counted| ranked(&(*counted).into())).filter(|rank| *rank > 0).collect();
        let least = match limit.checked_sub(1) {
            None => return Vec::new(),
            Some(last) if last < ranks.len() => {
                *ranks.select_nth_unstable_by_key(last, |rank| Reverse(*rank)).1
            }
            Some(_) => 1,
        };
        let room = limit - ranks.iter().take(limit).filter(|rank| **rank > least).count();
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
