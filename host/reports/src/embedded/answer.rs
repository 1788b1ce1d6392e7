//! Typed questions answered from the days.

mod each;
mod listed;

use std::ops::ControlFlow;
use std::sync::Arc;

use tantivy::DateTime;

use super::catalog::Catalog;
use super::columns::needed;
use super::condition::Condition;
use super::day::Day;
use super::part::Part;
use super::reader::Reader;
use super::scan::{self, Deadline, Stop};
use super::schema::name;
use super::sketch::Sought;
use super::tally::{Tallies, Tally};
use super::values::Values;
use crate::{Answer, Bin, Field, Filter, Group, Limits, Query, Range, Rank, Significant, StoreError, Totals};
use listed::Order;
pub(super) use listed::Wanted;

/// One question on its way through the days.
pub(super) struct Asking<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) limits: Limits,
    pub(super) deadline: Deadline,
}

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

impl Asking<'_> {
    pub(super) fn answer(&self, query: &Query) -> Result<Answer, StoreError> {
        query.check(&self.limits)?;
        match query {
            Query::Logins { filter, range, limit, after } => {
                // What comes behind a report is not later than it.
                let to = after.as_ref().map_or(i64::MAX, |(at, _)| at.saturating_add(1));
                let range = Range { from: range.from, to: range.to.min(to) };
                let condition = Condition::of(filter, range);
                let wanted = Wanted { limit: *limit, newest: true, after: after.as_ref(), fields: None };
                Ok(Answer::Logins { reports: self.ordered(&condition, range, &wanted)? })
            }
            Query::Oldest { filter, range, limit, after, fields } => {
                let from = after.as_ref().map_or(i64::MIN, |(at, _)| *at);
                let range = Range { from: range.from.max(from), to: range.to };
                let condition = Condition::of(filter, range);
                let fields = fields.as_deref();
                let wanted = Wanted { limit: *limit, newest: false, after: after.as_ref(), fields };
                Ok(Answer::Logins { reports: self.ordered(&condition, range, &wanted)? })
            }
            Query::Seen { login, with, range, filter } => {
                let filter = filter.seen(login, with)?;
                let report = self.newest_id(&Condition::of(&filter, *range), *range)?;
                Ok(Answer::Seen { seen: report.is_some(), report })
            }
            Query::Any { filter, range } => {
                let seen = self.any(&Condition::of(&filter.clone().of_user(), *range), *range)?;
                Ok(Answer::Seen { seen, report: None })
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
        mut work: impl FnMut(&Part<'_>) -> Result<(), Stop>,
    ) -> Result<(), StoreError> {
        let mut days = days.into_iter();
        days.try_for_each(|day| scan::segments(self.catalog, &day, sought, &self.deadline, &mut work))
    }

    /// Whether there is a row, newest day first.
    fn any(&self, condition: &Condition, range: Range) -> Result<bool, StoreError> {
        let sought = Sought::of(condition);
        let mut found = false;
        for day in self.catalog.within(range).into_iter().rev() {
            let condition = &condition.within(day.range());
            scan::segments(self.catalog, &day, &sought, &self.deadline, |part| {
                if found {
                    return Ok(());
                }
                scan::rows(part, condition, &self.deadline, |_| {
                    found = true;
                    Ok(ControlFlow::Break(()))
                })
            })?;
            if found {
                break;
            }
        }
        Ok(found)
    }

    fn first_last(&self, filter: &Filter, range: Range) -> Result<Answer, StoreError> {
        let condition = Condition::of(filter, range);
        let sought = Sought::of(&condition);
        let ends = |day: Arc<Day>| {
            let mut ends: Option<(i64, i64)> = None;
            self.over([day], &sought, |segment| {
                let (mut order, columns) = (None, segment.opened());
                scan::rows(segment, &condition, &self.deadline, |doc| {
                    let (time, _) = Order::of(&mut order, &columns)?.row(doc);
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
            let success = needed(segment.opened().flag(name::SUCCESS)?, name::SUCCESS)?;
            let columns = segment.opened();
            let readers = distinct.iter().map(|field| Reader::open(*field, &columns));
            let mut readers = readers.collect::<Result<Vec<_>, _>>()?;
            let docs = scan::matching(segment, &condition, &self.deadline)?;
            for (reader, (values, _)) in readers.iter_mut().zip(&mut counts) {
                reader.prepare(&docs, values, &mut room)?;
            }
            scan::each(&docs, &self.deadline, |doc| {
                totals.reports += 1;
                totals.failures += u64::from(success.first(doc) != Some(true));
                for (reader, (values, count)) in readers.iter_mut().zip(&mut counts) {
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
            let success = needed(segment.opened().flag(name::SUCCESS)?, name::SUCCESS)?;
            let columns = segment.opened();
            let mut group = Reader::open(by, &columns)?;
            let mut other = other.map(|field| Reader::open(field, &columns)).transpose()?;
            let docs = scan::matching(segment, &condition, &self.deadline)?;
            tallies.prepare(&docs, &mut group, other.as_mut(), &mut room)?;
            scan::each(&docs, &self.deadline, |doc| {
                let success = success.first(doc) == Some(true);
                Ok(tallies.add(doc, success, &mut group, other.as_mut(), &mut room)?)
            })
        });
        let finished = result.and_then(|()| tallies.finish(&mut room));
        self.named(finished)
    }

    /// The error about too many values with the limit in it.
    fn named<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
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
        let mut tallies = Tallies::new(by);
        if rank == Rank::Failures && filter.success.is_none() {
            // Most sources never fail: of those that do, and fail most, all reports are counted then.
            let failed = Filter { success: Some(false), ..filter.clone() };
            tallies = self.tallied(tallies, None, &failed, range)?.of_first(limit, ranked);
        }
        let groups = self.tallied(tallies, other, filter, range)?.first(limit, ranked);
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
            let success = needed(segment.opened().flag(name::SUCCESS)?, name::SUCCESS)?;
            let at = needed(segment.opened().time()?, name::AT)?;
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
