//! Reports themselves, in the order of their times.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use tantivy::columnar::Column;
use tantivy::{DateTime, DocId};

use super::super::catalog::disk;
use super::super::columns::{Opened, needed};
use super::super::condition::Condition;
use super::super::part::Part;
use super::super::row::Rows;
use super::super::scan;
use super::super::schema::{self, name};
use super::super::sketch::Sought;
use super::{Asking, GO_ON};
use crate::{Field, Range, Report, ReportId, StoreError};

/// The columns that rows are ordered by, opened at the first row that needs them: most segments have none.
pub(super) struct Order {
    at: Column<DateTime>,
    sequence: Column<u64>,
}

impl Order {
    pub(super) fn of<'a>(order: &'a mut Option<Self>, columns: &Opened) -> tantivy::Result<&'a Self> {
        Ok(match order {
            Some(there) => there,
            None => order.insert(Self {
                at: needed(columns.time()?, name::AT)?,
                sequence: needed(columns.number(name::SEQUENCE)?, name::SEQUENCE)?,
            }),
        })
    }

    /// Time and number of a row.
    pub(super) fn row(&self, doc: DocId) -> (i64, i64) {
        let time = self.at.first(doc).map_or(0, DateTime::into_timestamp_millis);
        (time, self.sequence.first(doc).unwrap_or_default() as i64)
    }
}

/// How a row of this time and number stands to the report of this time and id.
fn compared(
    (time, sequence): (i64, i64),
    doc: DocId,
    part: &Part<'_>,
    at: i64,
    id: &ReportId,
) -> tantivy::Result<Ordering> {
    if time != at {
        return Ok(time.cmp(&at));
    }
    match id.parts() {
        Some((_, number, _)) if i64::from(number) != sequence => Ok(sequence.cmp(&i64::from(number))),
        // Nearly always the report itself.
        _ => Ok(Rows::open(part, Some(&[]))?.report(doc)?.id.cmp(id)),
    }
}

/// Which reports of those that meet a condition, and what of them.
pub(in super::super) struct Wanted<'a> {
    /// At most so many.
    pub(in super::super) limit: usize,
    /// The newest, newest first; else the oldest, oldest first.
    pub(in super::super) newest: bool,
    /// Only what comes behind this one.
    pub(in super::super) after: Option<&'a (i64, ReportId)>,
    /// What is wanted of them; `None`: everything.
    pub(in super::super) fields: Option<&'a [Field]>,
}

impl Asking<'_> {
    /// The newest reports, newest first, or the oldest ones, oldest first; days are opened only until there are enough, and
    /// of a day only what was about that time is read.
    pub(in super::super) fn ordered(
        &self,
        condition: &Condition,
        range: Range,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Report>, StoreError> {
        let Wanted { limit, newest, after, fields } = *wanted;
        let mut found = Vec::new();
        let mut days = self.catalog.within(range);
        if newest {
            days.reverse();
        }
        let sought = Sought::of(condition);
        // The greatest keys are kept.
        let sign = if newest { 1 } else { -1 };
        let behind = if newest { Ordering::Less } else { Ordering::Greater };
        for day in days {
            let wanted = limit - found.len();
            // The least of those kept so far on top.
            let mut kept: BinaryHeap<Reverse<(i64, i64, usize, u32)>> = BinaryHeap::new();
            let mut columns = Vec::new();
            let condition = &condition.within(day.range());
            scan::segments(self.catalog, &day, &sought, &self.deadline, |part| {
                let (mut order, opened) = (None, part.opened());
                let number = columns.len();
                columns.push(None);
                let mut hit = false;
                // The time of the least of them, once there are enough.
                let last = |kept: &BinaryHeap<Reverse<(i64, i64, usize, u32)>>| {
                    kept.peek().filter(|_| kept.len() >= wanted).map(|Reverse((time, ..))| time * sign)
                };
                let begin = last(&kept);
                scan::rows_in_order(part, condition, newest, begin, &self.deadline, |doc| {
                    let (time, sequence) = Order::of(&mut order, &opened)?.row(doc);
                    if let Some((at, id)) = after
                        && compared((time, sequence), doc, part, *at, id)? != behind
                    {
                        return Ok(last(&kept));
                    }
                    let key = (time * sign, sequence * sign, number, doc);
                    if kept.len() < wanted {
                        kept.push(Reverse(key));
                        hit = true;
                    } else if kept.peek().is_some_and(|Reverse(least)| *least < key) {
                        kept.pop();
                        kept.push(Reverse(key));
                        hit = true;
                    }
                    Ok(last(&kept))
                })?;
                if hit && let Some(place) = columns.get_mut(number) {
                    *place = Some(Rows::open(part, fields)?);
                }
                Ok(())
            })?;
            let mut docs: Vec<Vec<DocId>> = vec![Vec::new(); columns.len()];
            for Reverse((_, _, number, doc)) in kept {
                if let Some(docs) = docs.get_mut(number) {
                    docs.push(doc);
                }
            }
            let mut reports = Vec::new();
            for (rows, docs) in columns.into_iter().zip(&docs) {
                if let Some(rows) = rows {
                    let some = rows.reports(docs);
                    reports.extend(some.map_err(|error| disk(&day.folder, &error))?);
                }
            }
            reports.sort_by(|left, right| (right.at, &right.id).cmp(&(left.at, &left.id)));
            if !newest {
                reports.reverse();
            }
            found.append(&mut reports);
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// The newest report's id. Only the columns that make an id are read.
    pub(super) fn newest_id(
        &self,
        condition: &Condition,
        range: Range,
    ) -> Result<Option<ReportId>, StoreError> {
        let sought = Sought::of(condition);
        for day in self.catalog.within(range).into_iter().rev() {
            let condition = &condition.within(day.range());
            let mut newest: Option<(i64, i64, String)> = None;
            scan::segments(self.catalog, &day, &sought, &self.deadline, |segment| {
                let (mut order, columns) = (None, segment.opened());
                let mut here: Vec<DocId> = Vec::new();
                let mut best = newest.as_ref().map(|(time, sequence, _)| (*time, *sequence));
                scan::rows(segment, condition, &self.deadline, |doc| {
                    let row = Some(Order::of(&mut order, &columns)?.row(doc));
                    if row > best {
                        here.clear();
                    }
                    if row >= best {
                        best = row;
                        here.push(doc);
                    }
                    Ok(GO_ON)
                })?;
                let Some((time, sequence)) = best.filter(|_| !here.is_empty()) else { return Ok(()) };
                let nodes = segment.opened().text(name::NODE)?;
                for doc in here {
                    let mut node = String::new();
                    if let Some(nodes) = &nodes
                        && let Some(ordinal) = nodes.ords().first(doc)
                    {
                        nodes.ord_to_str(ordinal, &mut node)?;
                    }
                    newest = newest.take().max(Some((time, sequence, node)));
                }
                Ok(())
            })?;
            if let Some((time, sequence, node)) = newest {
                return Ok(Some(schema::id(time, sequence.unsigned_abs(), &node)));
            }
        }
        Ok(None)
    }
}
