//! Going through the rows that meet a condition.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet as _, SegmentReader, TERMINATED, Term};

use super::catalog::{Catalog, disk, is_damage};
use super::check::Check;
use super::condition::Condition;
use super::day::Day;
use super::ingest::is_row;
use super::row::Rows;
use super::schema::FIELDS;
use crate::{Range, Report, ReportId, StoreError};

/// Rows between two looks at the clock.
const STRIDE: u32 = 1 << 13;

/// When to give up.
pub(super) struct Deadline {
    at: Option<Instant>,
    time: Duration,
}

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self { at: Instant::now().checked_add(time), time }
    }

    pub(super) fn never() -> Self {
        Self { at: None, time: Duration::MAX }
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.at.is_some_and(|at| Instant::now() >= at) {
            Err(StoreError::TimeOut(self.time))
        } else {
            Ok(())
        }
    }
}

/// Why going through rows ended early.
pub(super) enum Stop {
    /// What was looked for is found, or the question cannot be answered.
    Store(StoreError),
    /// The index cannot be read.
    Index(tantivy::TantivyError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<tantivy::TantivyError> for Stop {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::Index(error)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Index(error.into())
    }
}

/// Calls `work` with each segment of a day. A day that turns out to be damaged is set aside: the question is then answered
/// without it.
pub(super) fn segments(
    catalog: &Catalog,
    day: &Day,
    deadline: &Deadline,
    mut work: impl FnMut(&SegmentReader) -> Result<(), Stop>,
) -> Result<(), StoreError> {
    deadline.check()?;
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        let searcher = catalog.searcher(day)?;
        for segment in searcher.segment_readers() {
            work(segment)?;
        }
        Ok(())
    }));
    match attempt {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Stop::Store(error))) => Err(error),
        // It was dropped by retention while we were on the way to it.
        Ok(Err(Stop::Index(_))) if catalog.get(day.number).is_none() => Ok(()),
        Ok(Err(Stop::Index(error))) if is_damage(&error) => catalog.set_aside(day.number, &error),
        Ok(Err(Stop::Index(error))) => Err(disk(&day.folder, &error)),
        Err(_) => catalog.set_aside(day.number, &"its files contradict themselves"),
    }
}

/// Calls `each` with the rows of a segment that meet the condition, until it breaks.
pub(super) fn rows(
    segment: &SegmentReader,
    condition: &Condition,
    deadline: &Deadline,
    mut each: impl FnMut(DocId) -> Result<ControlFlow<()>, Stop>,
) -> Result<(), Stop> {
    if let Some(user) = condition.user() {
        let index = segment.inverted_index(FIELDS.login)?;
        let term = Term::from_field_text(FIELDS.login, user);
        let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else { return Ok(()) };
        let check = Check::bind(&condition.of_user(user), segment)?;
        if matches!(check, Check::Never) {
            return Ok(());
        }
        let mut seen = 0_u32;
        let mut doc = postings.doc();
        while doc != TERMINATED {
            seen += 1;
            if seen.is_multiple_of(STRIDE) {
                deadline.check()?;
            }
            if !segment.is_deleted(doc) && check.meets(doc) && each(doc)?.is_break() {
                return Ok(());
            }
            doc = postings.advance();
        }
        return Ok(());
    }
    let check = Check::bind(condition, segment)?;
    if matches!(check, Check::Never) {
        return Ok(());
    }
    for doc in 0..segment.max_doc() {
        if doc.is_multiple_of(STRIDE) {
            deadline.check()?;
        }
        if !segment.is_deleted(doc) && check.meets(doc) && each(doc)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

/// The rows of a segment that meet the condition.
pub(super) fn matching(
    segment: &SegmentReader,
    condition: &Condition,
    deadline: &Deadline,
) -> Result<Vec<DocId>, Stop> {
    let mut docs = Vec::new();
    rows(segment, condition, deadline, |doc| {
        docs.push(doc);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(docs)
}

/// Calls `each` with these rows, and looks at the clock now and then.
pub(super) fn each(
    docs: &[DocId],
    deadline: &Deadline,
    mut each: impl FnMut(DocId) -> Result<(), Stop>,
) -> Result<(), Stop> {
    for some in docs.chunks(STRIDE as usize) {
        deadline.check()?;
        some.iter().try_for_each(|doc| each(*doc))?;
    }
    Ok(())
}

/// The report of this id in its day.
pub(super) fn by_id(
    catalog: &Catalog,
    day: &Day,
    id: &ReportId,
    deadline: &Deadline,
) -> Result<Option<Report>, StoreError> {
    let Some((at, _, _)) = id.parts() else { return Ok(None) };
    let condition = Condition::Time(Range { from: at, to: at + 1 });
    let mut found = None;
    segments(catalog, day, deadline, |segment| {
        let columns = Rows::open(segment)?;
        rows(segment, &condition, deadline, |doc| {
            found = is_row(&columns, doc, id)?.or(found.take());
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    })?;
    Ok(found)
}
