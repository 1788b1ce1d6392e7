//! The columns of a segment, opened once. Opening one finds it by name and reads its header, which for addresses is as long as
//! there are different ones; a question that needs five of them in twenty segments would do little else. Those of the newest days,
//! which each question asks and all walks go through, stay open between questions; of other days each question opens its own.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tantivy::columnar::{Column, StrColumn};
use tantivy::fastfield::FastFieldReaders;
use tantivy::{DateTime, SegmentReader, TantivyError};

use super::addresses::Addresses;
use super::part::Part;
use super::schema::name;

/// What was opened of a segment, by name; `None`: there is no such column in it.
pub(super) struct Opened {
    columns: FastFieldReaders,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    texts: HashMap<&'static str, Option<StrColumn>>,
    numbers: HashMap<&'static str, Option<Column<u64>>>,
    flags: HashMap<&'static str, Option<Column<bool>>>,
    // These two every segment has.
    address: Option<Addresses>,
    time: Option<Column<DateTime>>,
}

impl Opened {
    /// Of this segment, nothing yet.
    pub(super) fn of(segment: &SegmentReader) -> Self {
        Self { columns: segment.fast_fields().clone(), known: Mutex::default() }
    }

    pub(super) fn text(&self, column: &'static str) -> tantivy::Result<Option<StrColumn>> {
        once(&mut self.known.lock().texts, column, || self.columns.str(column))
    }

    pub(super) fn number(&self, column: &'static str) -> tantivy::Result<Option<Column<u64>>> {
        once(&mut self.known.lock().numbers, column, || self.columns.column_opt::<u64>(column))
    }

    pub(super) fn flag(&self, column: &'static str) -> tantivy::Result<Option<Column<bool>>> {
        once(&mut self.known.lock().flags, column, || self.columns.column_opt::<bool>(column))
    }

    /// The addresses that reports came from.
    pub(super) fn address(&self) -> tantivy::Result<Option<Addresses>> {
        let known = &mut self.known.lock().address;
        if known.is_none() {
            *known = Addresses::open(&self.columns, name::REMOTE)?;
        }
        Ok(known.clone())
    }

    /// When reports came.
    pub(super) fn time(&self) -> tantivy::Result<Option<Column<DateTime>>> {
        let known = &mut self.known.lock().time;
        if known.is_none() {
            *known = self.columns.column_opt::<DateTime>(name::AT)?;
        }
        Ok(known.clone())
    }
}

/// A column that is known, or opened now.
fn once<T: Clone>(
    known: &mut HashMap<&'static str, Option<T>>,
    column: &'static str,
    open: impl FnOnce() -> tantivy::Result<Option<T>>,
) -> tantivy::Result<Option<T>> {
    if let Some(known) = known.get(column) {
        return Ok(known.clone());
    }
    Ok(known.entry(column).or_insert(open()?).clone())
}

/// A column that every segment has.
pub(super) fn needed<T>(column: Option<T>, name: &str) -> tantivy::Result<T> {
    column.ok_or_else(|| TantivyError::SchemaError(format!("there is no column {name}")))
}

/// The columns of a segment, for a question or several at once.
pub(super) struct Columns {
    opened: Arc<Opened>,
    /// Where texts are in the dictionaries of their columns, as far as somebody asked: to find one a block is unpacked.
    ordinals: HashMap<&'static str, HashMap<String, Option<u64>>>,
}

impl std::ops::Deref for Columns {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.opened
    }
}

impl Columns {
    pub(super) fn of(part: &Part<'_>) -> Self {
        Self { opened: part.opened(), ordinals: HashMap::new() }
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
}
