//! Typed questions answered from the days.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use tantivy::columnar::Column;
use tantivy::{DateTime, DocId, SegmentReader};

use super::catalog::Catalog;
use super::condition::Condition;
use super::day::Day;
use super::row::Rows;
use super::scan::{self, Deadline, Stop};
use super::schema::{self, name};
use super::sketch::Sought;
use super::tally::{Reader, Tallies, Tally, Values};
use crate::{
    Answer, Bin, Field, Filter, Group, Limits, Query, Range, Rank, Report, ReportId, Significant, StoreError,
    Totals,
};

/// One question on its way through the days.
pub(super) struct Asking<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) limits: Limits,
    pub(super) deadline: Deadline,
}

/// The columns that rows are ordered by, opened at the first row that needs them: most segments have none.
struct Order {
    at: Column<DateTime>,
    sequence: Column<u64>,
}

impl Order {
    fn of<'a>(order: &'a mut Option<Self>, segment: &SegmentReader) -> tantivy::Result<&'a Self> {
        let columns = segment.fast_fields();
        Ok(match order {
            Some(there) => there,
            None => {
                order.insert(Self { at: columns.date(name::AT)?, sequence: columns.u64(name::SEQUENCE)? })
            }
        })
    }

    /// Time and number of a row.
    fn row(&self, doc: DocId) -> (i64, i64) {
        let time = self.at.first(doc).map_or(0, DateTime::into_timestamp_millis);
        (time, self.sequence.first(doc).unwrap_or_default() as i64)
    }
}

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// Whether a row of this time and number comes behind the report of this time and id, newest first.
fn comes_after(
    (time, sequence): (i64, i64),
    doc: DocId,
    segment: &SegmentReader,
    at: i64,
    id: &ReportId,
) -> tantivy::Result<bool> {
    if time != at {
        return Ok(time < at);
    }
    match id.parts() {
        Some((_, number, _)) if i64::from(number) != sequence => Ok(sequence < i64::from(number)),
        // Nearly always the report itself.
        _ => Ok(Rows::open(segment)?.report(doc)?.id < *id),
    }
}

impl Asking<'_> {
    pub(super) fn answer(&self, query: &Query) -> Result<Answer, StoreError> {
        query.check(&self.limits)?;
        match query {
            Query::Logins { filter, range, limit, after } => {
                let condition = Condition::of(filter, *range);
                Ok(Answer::Logins {
                    reports: self.ordered(&condition, *range, *limit, true, after.as_ref())?,
                })
            }
            Query::Seen { login, with, range, filter } => {
                let filter = filter.seen(login, with)?;
                let report = self.newest_id(&Condition::of(&filter, *range), *range)?;
                Ok(Answer::Seen { seen: report.is_some(), report })
            }
            Query::FirstLast { filter, range } => self.first_last(&filter.clone().of_user(), *range),
            Query::Count { filter, range, distinct } => self.count(filter, *range, distinct),
            Query::Top { by, rank, filter, range, limit } => self.top(*by, *rank, filter, *range, *limit),
            Query::Significant { field, filter, now, baseline, min_count, limit } => {
                self.significant(*field, filter, [*now, *baseline], *min_count, *limit)
            }
            Query::Histogram { filter, range, interval_ms } => self.histogram(filter, *range, *interval_ms),
        }
    }

    /// Calls `work` with each segment of these days that may have what is sought.
    fn over(
        &self,
        days: impl IntoIterator<Item = Arc<Day>>,
        sought: &Sought,
        mut work: impl FnMut(&SegmentReader) -> Result<(), Stop>,
    ) -> Result<(), StoreError> {
        let mut days = days.into_iter();
        days.try_for_each(|day| scan::segments(self.catalog, &day, sought, &self.deadline, &mut work))
    }

    /// The newest reports, newest first, or the oldest ones, oldest first; days are opened only until there are enough.
    /// `after`: only what comes behind this report, where the newest ones are wanted.
    pub(super) fn ordered(
        &self,
        condition: &Condition,
        range: Range,
        limit: usize,
        newest: bool,
        after: Option<&(i64, ReportId)>,
    ) -> Result<Vec<Report>, StoreError> {
        let mut found = Vec::new();
        let mut days = self.catalog.within(range);
        if newest {
            days.reverse();
        }
        let sought = Sought::of(condition);
        // The greatest keys are kept.
        let sign = if newest { 1 } else { -1 };
        for day in days {
            let wanted = limit - found.len();
            // The least of those kept so far on top.
            let mut kept: BinaryHeap<Reverse<(i64, i64, usize, u32)>> = BinaryHeap::new();
            let mut columns = Vec::new();
            let mut reports = Vec::new();
            let condition = &condition.within(day.range());
            scan::segments(self.catalog, &day, &sought, &self.deadline, |segment| {
                let mut order = None;
                let number = columns.len();
                columns.push(None);
                let mut hit = false;
                scan::rows(segment, condition, &self.deadline, |doc| {
                    let (time, sequence) = Order::of(&mut order, segment)?.row(doc);
                    if let Some((at, id)) = after
                        && !comes_after((time, sequence), doc, segment, *at, id)?
                    {
                        return Ok(GO_ON);
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
                    Ok(GO_ON)
                })?;
                if hit && let Some(place) = columns.get_mut(number) {
                    *place = Some(Rows::open(segment)?);
                }
                Ok(())
            })?;
            for Reverse((_, _, number, doc)) in kept.into_sorted_vec() {
                if let Some(Some(rows)) = columns.get(number) {
                    reports
                        .push(rows.report(doc).map_err(|error| super::catalog::disk(&day.folder, &error))?);
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
    fn newest_id(&self, condition: &Condition, range: Range) -> Result<Option<ReportId>, StoreError> {
        let sought = Sought::of(condition);
        for day in self.catalog.within(range).into_iter().rev() {
            let condition = &condition.within(day.range());
            let mut newest: Option<(i64, i64, String)> = None;
            scan::segments(self.catalog, &day, &sought, &self.deadline, |segment| {
                let mut order = None;
                let mut here: Vec<DocId> = Vec::new();
                let mut best = newest.as_ref().map(|(time, sequence, _)| (*time, *sequence));
                scan::rows(segment, condition, &self.deadline, |doc| {
                    let row = Some(Order::of(&mut order, segment)?.row(doc));
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
                let nodes = segment.fast_fields().str(name::NODE)?;
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

    fn first_last(&self, filter: &Filter, range: Range) -> Result<Answer, StoreError> {
        let condition = Condition::of(filter, range);
        let sought = Sought::of(&condition);
        let ends = |day: Arc<Day>| {
            let mut ends: Option<(i64, i64)> = None;
            self.over([day], &sought, |segment| {
                let mut order = None;
                scan::rows(segment, &condition, &self.deadline, |doc| {
                    let (time, _) = Order::of(&mut order, segment)?.row(doc);
                    let (first, last) = ends.unwrap_or((time, time));
                    ends = Some((first.min(time), last.max(time)));
                    Ok(GO_ON)
                })
            })
            .map(|()| ends)
        };
        let days = self.catalog.within(range);
        let mut first = None;
        for day in &days {
            first = ends(Arc::clone(day))?.map(|(first, _)| first);
            if first.is_some() {
                break;
            }
        }
        let mut last = None;
        for day in days.iter().rev().take_while(|_| first.is_some()) {
            last = ends(Arc::clone(day))?.map(|(_, last)| last);
            if last.is_some() {
                break;
            }
        }
        Ok(Answer::FirstLast { first, last })
    }

    fn count(&self, filter: &Filter, range: Range, distinct: &[Field]) -> Result<Answer, StoreError> {
        let condition = Condition::of(filter, range);
        let mut totals = Totals::default();
        let mut counts: Vec<(Values, u64)> = distinct.iter().map(|_| Default::default()).collect();
        let mut room = self.limits.values;
        let result = self.over(self.catalog.within(range), &Sought::of(&condition), |segment| {
            let success = segment.fast_fields().bool(name::SUCCESS)?;
            let mut readers =
                distinct.iter().map(|field| Reader::open(*field, segment)).collect::<Result<Vec<_>, _>>()?;
            let docs = scan::matching(segment, &condition, &self.deadline)?;
            for (reader, (values, _)) in readers.iter_mut().zip(&mut counts) {
                reader.prepare(&docs, values, &mut room)?;
            }
            scan::each(&docs, &self.deadline, |doc| {
                totals.reports += 1;
                totals.failures += u64::from(success.first(doc) != Some(true));
                for (reader, (values, count)) in readers.iter().zip(&mut counts) {
                    let number = reader.read(doc, values, &mut room)?;
                    *count = (*count).max(number.map_or(0, |number| u64::from(number) + 1));
                }
                Ok(())
            })
        });
        self.named(result)?;
        let distinct = distinct.iter().copied().zip(counts.into_iter().map(|(_, count)| count)).collect();
        Ok(Answer::Count { totals, distinct })
    }

    /// Counts into `tallies`.
    fn tallied(
        &self,
        mut tallies: Tallies,
        other: Option<Field>,
        filter: &Filter,
        range: Range,
    ) -> Result<Tallies, StoreError> {
        let condition = Condition::of(filter, range);
        let by = tallies.by();
        let mut room = self.limits.values;
        let result = self.over(self.catalog.within(range), &Sought::of(&condition), |segment| {
            let success = segment.fast_fields().bool(name::SUCCESS)?;
            let mut group = Reader::open(by, segment)?;
            let mut other = other.map(|field| Reader::open(field, segment)).transpose()?;
            let docs = scan::matching(segment, &condition, &self.deadline)?;
            tallies.prepare(&docs, &mut group, other.as_mut(), &mut room)?;
            scan::each(&docs, &self.deadline, |doc| {
                let success = success.first(doc) == Some(true);
                Ok(tallies.add(doc, success, &group, other.as_ref(), &mut room)?)
            })
        });
        self.named(result)?;
        Ok(tallies)
    }

    /// The error about too many values with the limit in it.
    fn named(&self, result: Result<(), StoreError>) -> Result<(), StoreError> {
        result.map_err(|error| match error {
            StoreError::TooManyValues(_) => StoreError::TooManyValues(self.limits.values),
            other => other,
        })
    }

    fn top(
        &self,
        by: Field,
        rank: Rank,
        filter: &Filter,
        range: Range,
        limit: usize,
    ) -> Result<Answer, StoreError> {
        let other = match rank {
            Rank::Distinct(field) => Some(field),
            _ => None,
        };
        let ranked = |tally: &Tally| match rank {
            Rank::Reports => tally.totals.reports,
            Rank::Failures => tally.totals.failures,
            Rank::Successes => tally.totals.reports - tally.totals.failures,
            Rank::Distinct(_) => tally.distinct,
        };
        let groups = self.tallied(Tallies::new(by), other, filter, range)?.first(limit, ranked);
        let group = |(key, tally): (String, Tally)| Group {
            key,
            totals: tally.totals,
            distinct: other.map(|_| tally.distinct),
        };
        Ok(Answer::Top { groups: groups.into_iter().map(group).collect() })
    }

    fn significant(
        &self,
        field: Field,
        filter: &Filter,
        [now, baseline]: [Range; 2],
        min_count: u64,
        limit: usize,
    ) -> Result<Answer, StoreError> {
        let counted = self.tallied(Tallies::new(field), None, filter, now)?;
        let frequent = counted.frequent(min_count.max(1));
        // Only those that are there now: beside them there may be any number of others.
        let before = self.tallied(counted.of_these(), None, filter, baseline)?.reports();
        let terms = frequent.into_iter().map(|(key, number, count)| {
            (key, count, before.get(number as usize).copied().unwrap_or_default())
        });
        Ok(Answer::Significant { terms: Significant::rank(terms, [now, baseline], limit) })
    }

    fn histogram(&self, filter: &Filter, range: Range, interval: i64) -> Result<Answer, StoreError> {
        let condition = Condition::of(filter, range);
        let mut bins = Bin::empty(range, interval);
        let first = bins.first().map_or(0, |bin| bin.at);
        self.over(self.catalog.within(range), &Sought::of(&condition), |segment| {
            let success = segment.fast_fields().bool(name::SUCCESS)?;
            let at: Column<DateTime> = segment.fast_fields().date(name::AT)?;
            scan::rows(segment, &condition, &self.deadline, |doc| {
                let time = at.first(doc).map_or(0, DateTime::into_timestamp_millis);
                if let Some(bin) = bins.get_mut(((time - first) / interval) as usize) {
                    bin.totals.reports += 1;
                    bin.totals.failures += u64::from(success.first(doc) != Some(true));
                }
                Ok(GO_ON)
            })
        })?;
        Ok(Answer::Histogram { bins })
    }
}
