//! A segment while it is read, and when its rows were.
//!
//! Reports come in nearly in the order of their times, and merging puts segments one behind the other: rows that are near to
//! each other came about the same time. So for each block of rows the first and the last time are kept, and a question
//! about a minute reads the blocks of that minute, not the day.

use std::ops::{Deref, Range as Span};
use std::sync::Arc;

use tantivy::{DateTime, DocId, SegmentReader};

use super::columns::{Opened, needed};
use super::day::Day;
use super::schema::name;
use crate::Range;

/// Rows of a block: a page of reports or two.
const BLOCK: u32 = 1 << 12;

/// The first and the last time of each block of a segment's rows, unix milliseconds. 16 bytes for 4,096 rows.
pub(super) struct Times(Vec<(i64, i64)>);

impl Times {
    pub(super) fn of(segment: &SegmentReader, columns: &Opened) -> tantivy::Result<Self> {
        let at = needed(columns.time()?, name::AT)?;
        let rows = segment.max_doc();
        let block = |number: u32| {
            let first = number * BLOCK;
            let times = (first..rows.min(first.saturating_add(BLOCK)))
                // As where rows are put in order: one without a time is of the beginning of time.
                .map(|doc| at.first(doc).map_or(0, DateTime::into_timestamp_millis));
            times.fold((i64::MAX, i64::MIN), |(least, most), time| (least.min(time), most.max(time)))
        };
        Ok(Self((0..rows.div_ceil(BLOCK)).map(block).collect()))
    }
}

/// Rows that lie together, and the times they lie between.
pub(super) struct Block {
    pub(super) rows: Span<DocId>,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// A segment of a day.
pub(super) struct Part<'a> {
    pub(super) day: &'a Day,
    pub(super) segment: &'a SegmentReader,
}

impl Deref for Part<'_> {
    type Target = SegmentReader;

    fn deref(&self) -> &SegmentReader {
        self.segment
    }
}

impl Part<'_> {
    /// Its columns.
    pub(super) fn opened(&self) -> Arc<Opened> {
        self.day.opened(self.segment)
    }

    /// The blocks that may have rows of this time, in the order of their rows.
    pub(super) fn blocks(&self, time: Range) -> tantivy::Result<Vec<Span<DocId>>> {
        let day = self.day.range();
        if time.from <= day.from && day.to <= time.to {
            // All of them, however their times lie.
            return Ok((0..self.segment.max_doc().div_ceil(BLOCK)).map(|number| self.rows(number)).collect());
        }
        Ok(self.timed_blocks(time)?.into_iter().map(|block| block.rows).collect())
    }

    /// The same, with the times that they lie between.
    pub(super) fn timed_blocks(&self, time: Range) -> tantivy::Result<Vec<Block>> {
        let times: Arc<Times> = self.day.times(self.segment)?;
        let blocks = (0..).zip(&times.0).map(|(number, (first, last))| Block {
            rows: self.rows(number),
            first: *first,
            last: *last,
        });
        Ok(blocks.filter(|block| block.last >= time.from && block.first < time.to).collect())
    }

    fn rows(&self, block: u32) -> Span<DocId> {
        let first = block * BLOCK;
        first..self.segment.max_doc().min(first.saturating_add(BLOCK))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::catalog::Catalog;
    use super::super::day::number_of;
    use super::super::scan::{Deadline, segments};
    use super::super::sketch::Sought;
    use super::*;
    use crate::{EmbeddedSettings, EmbeddedStore, Ids, Report, ReportStore as _};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_part_of_the_day_is_a_part_of_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let settings = EmbeddedSettings { keep_days: 36_500, ..EmbeddedSettings::new(folder.path()) };
        let (ids, noon) = (Ids::seeded(1, 1), 20_000 * 86_400_000 + 43_200_000);
        {
            let store = EmbeddedStore::open(&settings).unwrap();
            let report = |number: i64| {
                let login = login::Login { login: "u".into(), ..login::Login::default() };
                Report::new(&login, noon + number, &ids)
            };
            store.ingest((0..3 * i64::from(BLOCK) + 9).map(report).collect()).await.unwrap();
            store.flush().await.unwrap();
        }
        let catalog = Catalog::open(settings).unwrap();
        let day = catalog.get(number_of(noon)).unwrap();
        let count = |from: i64, to: i64| {
            let mut found = 0;
            segments(&catalog, &day, &Sought::default(), &Deadline::never(), |part| {
                found += part.blocks(Range { from, to })?.iter().map(ExactSizeIterator::len).sum::<usize>();
                Ok(())
            })
            .unwrap();
            found as i64
        };
        let block = i64::from(BLOCK);
        assert_eq!(count(i64::MIN, i64::MAX), 3 * block + 9);
        assert_eq!(count(noon, noon + 1), block);
        assert_eq!(count(noon + block - 1, noon + block + 1), 2 * block);
        assert_eq!(count(noon + 3 * block, i64::MAX), 9);
        assert_eq!(count(noon - 10, noon), 0);
    }
}
