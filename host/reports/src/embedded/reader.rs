//! A field of the rows of a segment, read as numbers.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use tantivy::DocId;
use tantivy::columnar::{Column, StrColumn};

use super::addresses::Addresses;
use super::columns::Opened;
use super::fold::Fold;
use super::scan::Stop;
use super::schema::name;
use super::sketch::network_bits;
use super::values::{Code, Values};
use crate::{Field, StoreError};

/// The column of a field in a segment.
enum Source {
    Text(StrColumn),
    Address(Addresses, Part),
    Number(Column<u64>),
    None,
}

/// What of an address is the value.
#[derive(Clone, Copy)]
enum Part {
    Whole,
    Network,
}

/// Reads a field of the rows of a segment as numbers of [`Values`].
pub(super) struct Reader {
    source: Source,
    /// The numbers of texts by ordinal, once they were prepared; [`UNKNOWN`] for those that did not occur.
    ordinals: Vec<u32>,
    /// The numbers of the codes of addresses that were read, or of the ordinals of texts that were looked up; the same for those.
    numbers: HashMap<u32, u32, Fold>,
    /// What codes of IPv4 addresses stand for, of those that were told apart.
    narrow: HashMap<u32, u32, Fold>,
}

/// Addresses that are remembered although they are not counted.
const MOST_OTHERS: usize = 1 << 20;
/// No number.
const UNKNOWN: u32 = u32::MAX;

impl Reader {
    pub(super) fn open(field: Field, columns: &Opened) -> tantivy::Result<Self> {
        let text = |name: &'static str| {
            Ok::<_, tantivy::TantivyError>(columns.text(name)?.map_or(Source::None, Source::Text))
        };
        let address = |part| {
            let column = columns.address()?;
            Ok::<_, tantivy::TantivyError>(
                column.map_or(Source::None, |column| Source::Address(column, part)),
            )
        };
        let source = match field {
            Field::Login => text(name::LOGIN)?,
            Field::Ip => address(Part::Whole)?,
            Field::Network => address(Part::Network)?,
            Field::Country => text(name::COUNTRY)?,
            Field::City => text(name::CITY)?,
            Field::Asn => columns.number(name::ASN)?.map_or(Source::None, Source::Number),
            Field::Device => text(name::DEVICE)?,
            Field::Protocol => text(name::PROTOCOL)?,
            Field::FailType => text(name::FAIL_TYPE)?,
            Field::Pwhash => text(name::PWHASH)?,
        };
        Ok(Self { source, ordinals: Vec::new(), numbers: HashMap::default(), narrow: HashMap::default() })
    }

    /// Looks up the texts of these rows together: one by one each of them would have to be found in the dictionary anew.
    pub(super) fn prepare(
        &mut self,
        docs: &[DocId],
        values: &mut Values,
        room: &mut usize,
    ) -> Result<(), Stop> {
        let Source::Text(column) = &self.source else { return Ok(()) };
        let mut occur: Vec<u64> = docs.iter().filter_map(|doc| column.ords().first(*doc)).collect();
        occur.sort_unstable();
        occur.dedup();
        self.ordinals = vec![UNKNOWN; column.num_terms()];
        if let Some(few) = values.few(occur.len()) {
            for (text, number) in few {
                let ordinal = column.dictionary().term_ord(text.as_bytes())?;
                let place = ordinal.and_then(|ordinal| self.ordinals.get_mut(ordinal as usize));
                if let Some(place) = place {
                    *place = *number;
                }
            }
            return Ok(());
        }
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
        &mut self,
        doc: DocId,
        values: &mut Values,
        room: &mut usize,
    ) -> Result<Option<u32>, Stop> {
        let Source::Text(column) = &self.source else { return Ok(self.read(doc, values, room)?) };
        let Some(ordinal) = column.ords().first(doc) else { return Ok(None) };
        // There are no more than 2^32 in a segment.
        let ordinal = ordinal as u32;
        if let Some(number) = self.numbers.get(&ordinal) {
            return Ok(Some(*number));
        }
        let mut text = String::new();
        column.ord_to_str(ordinal.into(), &mut text)?;
        let number = values.of_text(&text, room)?;
        if let Some(number) = number {
            self.numbers.insert(ordinal, number);
        }
        Ok(number)
    }

    /// The number of the row's value, if it has one. The row must be one of those that were prepared.
    pub(super) fn read(
        &mut self,
        doc: DocId,
        values: &mut Values,
        room: &mut usize,
    ) -> Result<Option<u32>, StoreError> {
        match &self.source {
            Source::Text(column) => Ok(self.prepared(column, doc)),
            Source::Address(column, _) => {
                let Some(code) = column.code(doc) else { return Ok(None) };
                let number = if let Some(number) = self.numbers.get(&code) {
                    *number
                } else {
                    let value = self.source.value(code);
                    let number = value.map_or(Ok(None), |value| values.of_code(value, room))?;
                    // Those that are counted are bounded by the question's limit, others are not.
                    if number.is_some() || self.numbers.len() < MOST_OTHERS {
                        self.numbers.insert(code, number.unwrap_or(UNKNOWN));
                    }
                    number.unwrap_or(UNKNOWN)
                };
                Ok(Some(number).filter(|number| *number != UNKNOWN))
            }
            Source::Number(column) => match column.first(doc) {
                Some(number) => values.of_code(Code::of_number(number), room),
                None => Ok(None),
            },
            Source::None => Ok(None),
        }
    }

    /// What tells the row's value from others of the field, cheaper than its number: nothing is remembered of most values. The
    /// row must be one of those that were prepared. `Err`: it has to be numbered with [`Reader::read`].
    pub(super) fn told_apart(&mut self, doc: DocId) -> Result<Option<u32>, Numbered> {
        let value = match &self.source {
            Source::Text(column) => return Ok(self.prepared(column, doc)),
            Source::Address(column, _) => {
                let Some(code) = column.code(doc) else { return Ok(None) };
                if let Some(narrow) = self.narrow.get(&code) {
                    return Ok(Some(*narrow));
                }
                let value = self.source.value(code);
                if let Some(Code::Narrow(narrow)) = value {
                    self.narrow.insert(code, narrow);
                }
                value
            }
            Source::Number(column) => column.first(doc).map(Code::of_number),
            Source::None => None,
        };
        match value {
            Some(Code::Narrow(narrow)) => Ok(Some(narrow)),
            Some(Code::Wide(_)) => Err(Numbered),
            None => Ok(None),
        }
    }

    fn prepared(&self, column: &StrColumn, doc: DocId) -> Option<u32> {
        let ordinal = column.ords().first(doc).and_then(|ordinal| self.ordinals.get(ordinal as usize));
        ordinal.copied().filter(|number| *number != UNKNOWN)
    }
}

/// A value that is told from others by its number only.
pub(super) struct Numbered;

impl Source {
    /// The value of an address' code.
    fn value(&self, code: u32) -> Option<Code> {
        match self {
            Self::Address(column, Part::Whole) => Some(Code::of_address(column.address_of(code))),
            Self::Address(column, Part::Network) => {
                let network = network_bits(column.address_of(code));
                Some(Code::of_address(Ipv6Addr::from_bits(network)))
            }
            _ => None,
        }
    }
}
