//! Counting by the values of a field, exactly, within bounds.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader};

use super::fold::Fold;
use super::schema::name;
use super::sketch::network_bits;
use crate::{Field, StoreError, Totals, network_of};

/// Different values, each with a number. Values of all segments and days meet here.
#[derive(Default)]
pub(super) struct Values {
    numbers: HashMap<Box<str>, u32>,
}

impl Values {
    fn number(&mut self, text: &str, room: &mut usize) -> Result<u32, StoreError> {
        if let Some(number) = self.numbers.get(text) {
            return Ok(*number);
        }
        take(room)?;
        let number = self.numbers.len() as u32;
        self.numbers.insert(text.into(), number);
        Ok(number)
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
    /// What the values of this segment are in `Values`.
    known: HashMap<u128, u32, Fold>,
    /// The same for texts, by ordinal; [`UNKNOWN`] for those that did not occur.
    ordinals: Vec<u32>,
    text: String,
}

/// No number.
const UNKNOWN: u32 = u32::MAX;

impl Reader {
    pub(super) fn open(field: Field, segment: &SegmentReader) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let text = |name: &str| {
            Ok::<_, tantivy::TantivyError>(columns.str(name)?.map_or(Source::None, Source::Text))
        };
        let source = match field {
            Field::Login => text(name::LOGIN)?,
            Field::Ip => Source::Address(columns.ip_addr(name::REMOTE)?),
            Field::Network => Source::Network(columns.ip_addr(name::REMOTE)?),
            Field::Country => text(name::COUNTRY)?,
            Field::City => text(name::CITY)?,
            Field::Asn => columns.column_opt::<u64>(name::ASN)?.map_or(Source::None, Source::Number),
            Field::Device => text(name::DEVICE)?,
            Field::Protocol => text(name::PROTOCOL)?,
            Field::FailType => text(name::FAIL_TYPE)?,
            Field::Pwhash => text(name::PWHASH)?,
        };
        let ordinals = match &source {
            Source::Text(column) => vec![UNKNOWN; column.num_terms()],
            _ => Vec::new(),
        };
        Ok(Self { source, known: HashMap::default(), ordinals, text: String::new() })
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
        let mut next = occur.iter();
        let mut full = None;
        column.dictionary().sorted_ords_to_term_cb(&occur, |bytes| {
            let Some(ordinal) = next.next() else { return };
            let Some(place) = self.ordinals.get_mut(*ordinal as usize) else { return };
            match values.number(&String::from_utf8_lossy(bytes), room) {
                Ok(number) => *place = number,
                Err(error) => full = Some(error),
            }
        })?;
        full.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The number of the row's value, if it has one. The row must be one of those that were prepared.
    pub(super) fn read(
        &mut self,
        doc: DocId,
        values: &mut Values,
        room: &mut usize,
    ) -> Result<Option<u32>, super::scan::Stop> {
        let local = match &self.source {
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
        let Some(local) = local else { return Ok(None) };
        if let Some(number) = self.known.get(&local) {
            return Ok(Some(*number));
        }
        self.text.clear();
        match &self.source {
            Source::Address(_) => self.text = address(local).to_string(),
            Source::Network(_) => self.text = network_of(address(local)).to_string(),
            Source::Number(_) => self.text = local.to_string(),
            Source::Text(_) | Source::None => {}
        }
        let number = values.number(&self.text, room)?;
        self.known.insert(local, number);
        Ok(Some(number))
    }
}

fn address(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).to_canonical()
}

/// What is known about one value.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) totals: Totals,
    pub(super) distinct: u64,
}

/// Counts by value, and if wanted the different values of a second field for each.
#[derive(Default)]
pub(super) struct Tallies {
    groups: Values,
    counts: Vec<Tally>,
    others: Values,
    pairs: HashSet<(u32, u32), Fold>,
}

impl Tallies {
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
        group: &mut Reader,
        other: Option<&mut Reader>,
        room: &mut usize,
    ) -> Result<(), super::scan::Stop> {
        let Some(number) = group.read(doc, &mut self.groups, room)? else { return Ok(()) };
        if self.counts.len() <= number as usize {
            self.counts.resize(number as usize + 1, Tally::default());
        }
        let other = match other {
            Some(other) => other.read(doc, &mut self.others, room)?,
            None => None,
        };
        let Some(tally) = self.counts.get_mut(number as usize) else { return Ok(()) };
        tally.totals.reports += 1;
        tally.totals.failures += u64::from(!success);
        if let Some(other) = other
            && self.pairs.insert((number, other))
        {
            take(room)?;
            tally.distinct += 1;
        }
        Ok(())
    }

    /// All values with their counts, in no order.
    pub(super) fn into_groups(self) -> impl Iterator<Item = (String, Tally)> {
        let counts = self.counts;
        self.groups.numbers.into_iter().map(move |(text, number)| {
            (text.into_string(), counts.get(number as usize).copied().unwrap_or_default())
        })
    }
}
