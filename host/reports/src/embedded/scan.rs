//! Going through the rows that meet a condition.

use std::any::Any;
use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet as _, SegmentReader, TERMINATED, Term};

use super::catalog::{Catalog, disk, is_damage};
use super::check::Check;
use super::columns::Columns;
use super::condition::Condition;
use super::day::{Day, folder_name};
use super::ingest::is_row;
use super::part::Part;
use super::row::Rows;
use super::schema::FIELDS;
use super::sketch::Sought;
use crate::{Range, Report, ReportId, StoreError};

/// Rows between two looks at the clock.
const STRIDE: usize = 1 << 13;

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

/// Calls `work` with each segment of a day that may have what is sought. A day that turns out to be damaged is set aside:
/// the question is then answered without it. A fault of the program over a question is that question's alone.
pub(super) fn segments(
    catalog: &Catalog,
    day: &Day,
    sought: &Sought,
    deadline: &Deadline,
    mut work: impl FnMut(&Part<'_>) -> Result<(), Stop>,
) -> Result<(), StoreError> {
    deadline.check()?;
    if day.lacks(sought) {
        return Ok(());
    }
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        let searcher = catalog.searcher(day)?;
        for segment in searcher.segment_readers() {
            if !day.segment_lacks(segment.segment_id(), sought) {
                work(&Part { day, segment })?;
            }
        }
        Ok(())
    }));
    match attempt {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Stop::Store(error))) => Err(error),
        // It was dropped by retention, or set aside and made anew, while we were on the way to it.
        Ok(Err(Stop::Index(_)))
            if catalog.get(day.number).is_none_or(|now| !std::ptr::eq(&raw const *now, day)) =>
        {
            Ok(())
        }
        Ok(Err(Stop::Index(error))) if is_damage(&error) => catalog.set_aside(day.number, &error),
        Ok(Err(Stop::Index(error))) => Err(disk(&day.folder, &error)),
        Err(fault) => failed(catalog, day, &*fault),
    }
}

/// After a panic: damaged files can be its cause, and so can a mistake in a program. The files' checksums tell.
fn failed(catalog: &Catalog, day: &Day, fault: &(dyn Any + Send)) -> Result<(), StoreError> {
    if let Some(damage) = day.damage() {
        return catalog.set_aside(day.number, &damage);
    }
    let text = fault.downcast_ref::<&str>().copied();
    let text =
        text.or_else(|| fault.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given");
    let error = StoreError::Failed(format!("{}: {text}", folder_name(day.number)));
    (catalog.settings.complain)(&format!(
        "A question about reports failed over a mistake in this program, please tell its developers: {error}. The files of \
         that day are sound"
    ));
    Err(error)
}

/// Calls `each` with the rows of a segment that meet the condition, until it breaks.
pub(super) fn rows(
    part: &Part<'_>,
    condition: &Condition,
    deadline: &Deadline,
    mut each: impl FnMut(DocId) -> Result<ControlFlow<()>, Stop>,
) -> Result<(), Stop> {
    if let Some(user) = condition.user() {
        for doc in of_user(part, user, condition, deadline)? {
            if each(doc)?.is_break() {
                return Ok(());
            }
        }
        return Ok(());
    }
    let check = Check::bind(condition, &mut Columns::of(part))?;
    if matches!(check, Check::Never) {
        return Ok(());
    }
    for block in part.blocks(condition.time())? {
        deadline.check()?;
        for doc in block {
            if !part.is_deleted(doc) && check.meets(doc) && each(doc)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The same, block after block in the order of their times, the newest or the oldest first. `each` says which time is the
/// last that is wanted, once it has enough rows; `wanted` is that of what is had already. Blocks beyond it are not read.
pub(super) fn rows_in_order(
    part: &Part<'_>,
    condition: &Condition,
    newest: bool,
    mut wanted: Option<i64>,
    deadline: &Deadline,
    mut each: impl FnMut(DocId) -> Result<Option<i64>, Stop>,
) -> Result<(), Stop> {
    if condition.user().is_some() {
        return rows(part, condition, deadline, |doc| each(doc).map(|_| ControlFlow::Continue(())));
    }
    let check = Check::bind(condition, &mut Columns::of(part))?;
    if matches!(check, Check::Never) {
        return Ok(());
    }
    let mut blocks = part.timed_blocks(condition.time())?;
    if newest {
        blocks.sort_by_key(|block| Reverse(block.last));
    } else {
        blocks.sort_by_key(|block| block.first);
    }
    for block in blocks {
        let beyond = |last: i64| if newest { block.last < last } else { block.first > last };
        if wanted.is_some_and(beyond) {
            return Ok(());
        }
        deadline.check()?;
        for doc in block.rows {
            if !part.is_deleted(doc) && check.meets(doc) {
                wanted = each(doc)?;
            }
        }
    }
    Ok(())
}

/// The rows of a user that meet the condition.
fn of_user(
    part: &Part<'_>,
    user: &str,
    condition: &Condition,
    deadline: &Deadline,
) -> Result<Vec<DocId>, Stop> {
    let docs = users_rows(part, user, deadline)?;
    narrowed(docs, &condition.of_user(user), &mut Columns::of(part), deadline)
}

/// All rows of a user.
pub(super) fn users_rows(
    segment: &SegmentReader,
    user: &str,
    deadline: &Deadline,
) -> Result<Vec<DocId>, Stop> {
    let index = segment.inverted_index(FIELDS.login)?;
    let term = Term::from_field_text(FIELDS.login, user);
    let mut docs = Vec::new();
    let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else { return Ok(docs) };
    let mut seen = 0_usize;
    let mut doc = postings.doc();
    while doc != TERMINATED {
        seen += 1;
        if seen.is_multiple_of(STRIDE) {
            deadline.check()?;
        }
        if !segment.is_deleted(doc) {
            docs.push(doc);
        }
        doc = postings.advance();
    }
    Ok(docs)
}

/// Those of some rows that meet the condition. Its parts are bound to the columns one after the other, as mostly no row is
/// left after the first.
pub(super) fn narrowed(
    mut docs: Vec<DocId>,
    condition: &Condition,
    columns: &mut Columns,
    deadline: &Deadline,
) -> Result<Vec<DocId>, Stop> {
    let parts = match condition {
        Condition::And(all) => all.as_slice(),
        other => std::slice::from_ref(other),
    };
    for part in parts {
        if docs.is_empty() {
            break;
        }
        deadline.check()?;
        match Check::bind(part, columns)? {
            Check::Always => {}
            Check::Never => docs.clear(),
            check => docs.retain(|doc| check.meets(*doc)),
        }
    }
    Ok(docs)
}

/// The rows of a segment that meet the condition.
pub(super) fn matching(
    part: &Part<'_>,
    condition: &Condition,
    deadline: &Deadline,
) -> Result<Vec<DocId>, Stop> {
    let mut docs = Vec::new();
    rows(part, condition, deadline, |doc| {
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
    for some in docs.chunks(STRIDE) {
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
    segments(catalog, day, &Sought::default(), deadline, |segment| {
        let columns = Rows::open(segment, None)?;
        rows(segment, &condition, deadline, |doc| {
            found = is_row(&columns, doc, id)?.or(found.take());
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests;
