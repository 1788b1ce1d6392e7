//! A field of the rows of a segment, read as numbers.

use std::net::Ipv6Addr;

use tantivy::DocId;
use tantivy::columnar::{Column, StrColumn};

use super::columns::Opened;
use super::scan::Stop;
use super::schema::name;
use super::sketch::network_bits;
use super::values::{Code, Values};
use crate::{Field, StoreError};

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
    pub(super) fn open(field: Field, columns: &Opened) -> tantivy::Result<Self> {
        let text = |name: &'static str| {
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
        &self,
        doc: DocId,
        values: &mut Values,
        room: &mut usize,
    ) -> Result<Option<u32>, Stop> {
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
        match &self.source {
            Source::Text(column) => Ok(self.prepared(column, doc)),
            source => source.code(doc).map_or(Ok(None), |code| values.of_code(code, room)),
        }
    }

    /// What tells the row's value from others of the field, cheaper than its number: nothing is remembered of most values. The
    /// row must be one of those that were prepared. `Err`: it has to be numbered with [`Reader::read`].
    pub(super) fn told_apart(&self, doc: DocId) -> Result<Option<u32>, Numbered> {
        match &self.source {
            Source::Text(column) => Ok(self.prepared(column, doc)),
            source => match source.code(doc) {
                Some(Code::Narrow(narrow)) => Ok(Some(narrow)),
                Some(Code::Wide(_)) => Err(Numbered),
                None => Ok(None),
            },
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
    /// The value of a row, if it is no text.
    fn code(&self, doc: DocId) -> Option<Code> {
        match self {
            Self::Address(column) => column.first(doc).map(Code::of_address),
            Self::Network(column) => {
                let network = |address| Code::of_address(Ipv6Addr::from_bits(network_bits(address)));
                column.first(doc).map(network)
            }
            Self::Number(column) => column.first(doc).map(Code::of_number),
            Self::Text(_) | Self::None => None,
        }
    }
}
