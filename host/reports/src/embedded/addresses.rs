//! The addresses of a segment as small numbers.
//!
//! tantivy keeps a column of addresses as numbers below 2^32, in the order of the addresses, and what they stand for beside
//! it. To get from such a code to its address takes a search, so rows are compared and counted by their codes.

use std::net::Ipv6Addr;
use std::ops::Range;
use std::sync::Arc;

use tantivy::columnar::column_values::{CompactHit, CompactSpaceU64Accessor};
use tantivy::columnar::{Column, ColumnType};
use tantivy::fastfield::FastFieldReaders;
use tantivy::{DocId, TantivyError};

/// A column of addresses.
#[derive(Clone)]
pub(super) struct Addresses {
    codes: Column<u64>,
    space: Arc<CompactSpaceU64Accessor>,
}

impl Addresses {
    /// `None`: there is no such column.
    pub(super) fn open(columns: &FastFieldReaders, column: &str) -> tantivy::Result<Option<Self>> {
        let Some((codes, _)) = columns.u64_lenient_for_type(Some(&[ColumnType::IpAddr]), column)? else {
            return Ok(None);
        };
        let space = codes.values.clone().downcast_arc::<CompactSpaceU64Accessor>();
        let space = space.map_err(|_| {
            TantivyError::InternalError(format!("the column {column} is not kept as tantivy keeps addresses"))
        })?;
        Ok(Some(Self { codes, space }))
    }

    /// The code of a row's address: within the segment, each address has one.
    pub(super) fn code(&self, doc: DocId) -> Option<u32> {
        self.codes.first(doc).map(|code| code as u32)
    }

    /// What a code stands for.
    pub(super) fn address_of(&self, code: u32) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.space.compact_to_u128(code))
    }

    /// The address of a row.
    pub(super) fn first(&self, doc: DocId) -> Option<Ipv6Addr> {
        self.code(doc).map(|code| self.address_of(code))
    }

    /// The codes of the addresses between these, both included.
    pub(super) fn between(&self, first: Ipv6Addr, last: Ipv6Addr) -> Range<u32> {
        let from = match self.space.u128_to_next_compact(first.to_bits()) {
            CompactHit::Exact(code) | CompactHit::Next(code) => code,
            CompactHit::AfterLast => u32::MAX,
        };
        let to = match self.space.u128_to_next_compact(last.to_bits()) {
            CompactHit::Exact(code) => code.saturating_add(1),
            CompactHit::Next(code) => code,
            CompactHit::AfterLast => u32::MAX,
        };
        from..to
    }
}
