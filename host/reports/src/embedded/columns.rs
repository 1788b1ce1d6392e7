//! The columns of a segment, each opened when a question needs it first. Opening one reads its header and finds it by name,
//! and finding a text in a dictionary unpacks a block of it: many questions at once share both.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use tantivy::columnar::{Column, StrColumn};
use tantivy::{DateTime, SegmentReader};

use super::schema::name;

/// What was opened of a segment, by name; `None`: there is no such column in it.
pub(super) struct Columns<'a> {
    segment: &'a SegmentReader,
    texts: HashMap<&'static str, Option<StrColumn>>,
    /// Where texts are in the dictionaries of their columns, as far as somebody asked.
    ordinals: HashMap<&'static str, HashMap<String, Option<u64>>>,
    numbers: HashMap<&'static str, Option<Column<u64>>>,
    flags: HashMap<&'static str, Option<Column<bool>>>,
    address: Option<Option<Column<Ipv6Addr>>>,
    time: Option<Option<Column<DateTime>>>,
}

impl<'a> Columns<'a> {
    /// Of this segment, none opened yet.
    pub(super) fn of(segment: &'a SegmentReader) -> Self {
        Self {
            segment,
            texts: HashMap::new(),
            ordinals: HashMap::new(),
            numbers: HashMap::new(),
            flags: HashMap::new(),
            address: None,
            time: None,
        }
    }

    pub(super) fn segment(&self) -> &'a SegmentReader {
        self.segment
    }

    pub(super) fn text(&mut self, column: &'static str) -> tantivy::Result<Option<StrColumn>> {
        if let Some(known) = self.texts.get(column) {
            return Ok(known.clone());
        }
        let opened = self.segment.fast_fields().str(column)?;
        Ok(self.texts.entry(column).or_insert(opened).clone())
    }

    /// The ordinal of a text in a column, if a row has it.
    pub(super) fn ordinal(
        &mut self,
        column: &'static str,
        texts: &StrColumn,
        text: &str,
    ) -> tantivy::Result<Option<u64>> {
        let known = self.ordinals.entry(column).or_default();
        if let Some(ordinal) = known.get(text) {
            return Ok(*ordinal);
        }
        let ordinal = texts.dictionary().term_ord(text.as_bytes())?;
        known.insert(text.to_owned(), ordinal);
        Ok(ordinal)
    }

    pub(super) fn number(&mut self, column: &'static str) -> tantivy::Result<Option<Column<u64>>> {
        if let Some(known) = self.numbers.get(column) {
            return Ok(known.clone());
        }
        let opened = self.segment.fast_fields().column_opt::<u64>(column)?;
        Ok(self.numbers.entry(column).or_insert(opened).clone())
    }

    pub(super) fn flag(&mut self, column: &'static str) -> tantivy::Result<Option<Column<bool>>> {
        if let Some(known) = self.flags.get(column) {
            return Ok(known.clone());
        }
        let opened = self.segment.fast_fields().column_opt::<bool>(column)?;
        Ok(self.flags.entry(column).or_insert(opened).clone())
    }

    /// The addresses that reports came from.
    pub(super) fn address(&mut self) -> tantivy::Result<Option<Column<Ipv6Addr>>> {
        if self.address.is_none() {
            self.address = Some(self.segment.fast_fields().column_opt::<Ipv6Addr>(name::REMOTE)?);
        }
        Ok(self.address.clone().flatten())
    }

    /// When reports came.
    pub(super) fn time(&mut self) -> tantivy::Result<Option<Column<DateTime>>> {
        if self.time.is_none() {
            self.time = Some(self.segment.fast_fields().column_opt::<DateTime>(name::AT)?);
        }
        Ok(self.time.clone().flatten())
    }
}
