//! Many questions at once. Those about single users are worked on together: each day is opened once for all of them, a user's
//! rows are found once for all questions about that user, and columns and texts once for all users.

use std::sync::Arc;

use tantivy::DocId;

use super::super::catalog::disk;
use super::super::columns::Columns;
use super::super::condition::Condition;
use super::super::day::Day;
use super::super::part::Part;
use super::super::reader::Reader;
use super::super::row::Rows;
use super::super::scan::{self, Deadline, Stop};
use super::super::schema::name;
use super::super::sketch::Sought;
use super::super::values::Values;
use super::Asking;
use super::listed::Order;
use crate::{Answer, Field, Query, Range, Report, StoreError, Totals};

/// A question that the rows of one user answer.
struct Single {
    /// Which of the questions.
    place: usize,
    user: String,
    /// What the rows of this user must meet.
    condition: Condition,
    range: Range,
    sought: Sought,
    found: Found,
}

/// What was found so far.
enum Found {
    Any(bool),
    Newest {
        /// Time and number of the newest in the day that is looked at, and where it is.
        here: Option<(i64, i64, usize, DocId)>,
        report: Option<Box<Report>>,
    },
    Count {
        totals: Totals,
        distinct: Vec<(Field, Values, u64)>,
    },
}

impl Single {
    /// `None`: it is about no single user, or of another kind.
    fn of(place: usize, query: &Query) -> Option<Self> {
        let (filter, range, found) = match query {
            Query::Any { filter, range } => (filter.clone().of_user(), *range, Found::Any(false)),
            Query::Logins { filter, range, limit: 1, after: None } => {
                (filter.clone(), *range, Found::Newest { here: None, report: None })
            }
            Query::Count { filter, range, distinct } => {
                let distinct = distinct.iter().map(|field| (*field, Values::default(), 0)).collect();
                let found = Found::Count { totals: Totals::default(), distinct };
                (filter.clone(), *range, found)
            }
            _ => return None,
        };
        let condition = Condition::of(&filter, range);
        let user = condition.user()?.to_owned();
        let sought = Sought::of(&condition);
        Some(Self { place, condition: condition.of_user(&user), user, range, sought, found })
    }

    /// Whether older days can change the answer no more.
    fn is_done(&self) -> bool {
        match &self.found {
            Found::Any(any) => *any,
            Found::Newest { report, .. } => report.is_some(),
            Found::Count { .. } => false,
        }
    }

    fn may_be_in(&self, day: &Day) -> bool {
        let time = day.range();
        self.range.from < time.to && time.from < self.range.to && !day.lacks(&self.sought)
    }

    /// Takes the rows of a segment that meet its condition; `number`: the segment's; `room`: how many values there may still be.
    fn take(
        &mut self,
        docs: &[DocId],
        (number, order): (usize, &mut Option<Order>),
        columns: &Columns,
        (room, deadline): (&mut usize, &Deadline),
    ) -> Result<(), Stop> {
        match &mut self.found {
            Found::Any(any) => *any |= !docs.is_empty(),
            Found::Newest { here, .. } => {
                for doc in docs {
                    let (time, sequence) = Order::of(order, columns)?.row(*doc);
                    *here = (*here).max(Some((time, sequence, number, *doc)));
                }
            }
            Found::Count { totals, distinct } => {
                let success = columns.flag(name::SUCCESS)?;
                let is_good =
                    |doc: &&DocId| success.as_ref().is_some_and(|success| success.first(**doc) == Some(true));
                totals.reports += docs.len() as u64;
                totals.failures += (docs.len() - docs.iter().filter(is_good).count()) as u64;
                for (field, values, count) in distinct {
                    let mut reader = Reader::open(*field, columns)?;
                    scan::each(docs, deadline, |doc| {
                        let number = reader.look_up(doc, values, room)?;
                        *count = (*count).max(number.map_or(0, |number| u64::from(number) + 1));
                        Ok(())
                    })?;
                }
            }
        }
        Ok(())
    }

    fn answer(self) -> Answer {
        match self.found {
            Found::Any(seen) => Answer::Seen { seen, report: None },
            Found::Newest { report, .. } => {
                Answer::Logins { reports: report.into_iter().map(|report| *report).collect() }
            }
            Found::Count { totals, distinct, .. } => {
                let distinct = distinct.into_iter().map(|(field, _, count)| (field, count)).collect();
                Answer::Count { totals, distinct }
            }
        }
    }
}

impl Asking<'_> {
    /// Answers several questions, in their order.
    pub(in super::super) fn answer_each(&self, queries: &[Query]) -> Result<Vec<Answer>, StoreError> {
        Query::check_each(queries, &self.limits)?;
        let mut answers: Vec<Option<Answer>> = queries.iter().map(|_| None).collect();
        let mut singles = Vec::new();
        for (place, (query, answer)) in queries.iter().zip(&mut answers).enumerate() {
            match Single::of(place, query) {
                Some(single) => singles.push(single),
                None => *answer = Some(self.answer(query)?),
            }
        }
        singles.sort_by(|left, right| left.user.cmp(&right.user));
        self.look_for(&mut singles)?;
        for single in singles {
            if let Some(answer) = answers.get_mut(single.place) {
                *answer = Some(single.answer());
            }
        }
        // Each has one by now.
        Ok(answers.into_iter().flatten().collect())
    }

    /// Goes through the days, newest first.
    fn look_for(&self, singles: &mut [Single]) -> Result<(), StoreError> {
        let Some(all) = singles
            .iter()
            .map(|single| single.range)
            .reduce(|left, right| Range { from: left.from.min(right.from), to: left.to.max(right.to) })
        else {
            return Ok(());
        };
        let mut room = self.limits.values;
        for day in self.catalog.within(all).into_iter().rev() {
            self.deadline.check()?;
            let open = singles.iter_mut().filter(|single| !single.is_done() && single.may_be_in(&day));
            let mut here: Vec<&mut Single> = open.collect();
            if !here.is_empty() {
                let result = self.look_in(&day, &mut here, &mut room);
                self.named(result)?;
            }
        }
        Ok(())
    }

    /// The same in one day; `singles`: by user.
    fn look_in(
        &self,
        day: &Arc<Day>,
        singles: &mut [&mut Single],
        room: &mut usize,
    ) -> Result<(), StoreError> {
        let mut rows: Vec<Option<Rows>> = Vec::new();
        scan::segments(self.catalog, day, &Sought::default(), &self.deadline, |part| {
            let (mut columns, mut order) = (Columns::of(part), None);
            let number = rows.len();
            for of_user in singles.chunk_by_mut(|left, right| left.user == right.user) {
                self.look_for_user(part, of_user, (number, &mut order), (&mut columns, room))?;
            }
            let is_needed = singles.iter().any(|single| single.newest_in(number).is_some());
            rows.push(if is_needed { Some(Rows::open(part, None)?) } else { None });
            Ok(())
        })?;
        for (number, rows) in rows.iter().enumerate() {
            let Some(rows) = rows else { continue };
            let docs: Vec<DocId> = singles.iter().filter_map(|single| single.newest_in(number)).collect();
            let mut reports = rows.reports(&docs).map_err(|error| disk(&day.folder, &error))?.into_iter();
            for single in singles.iter_mut().filter(|single| single.newest_in(number).is_some()) {
                if let Found::Newest { report, .. } = &mut single.found {
                    *report = reports.next().map(Box::new);
                }
            }
        }
        // What was found in a day that turned out to be damaged keeps nobody from looking at older ones.
        for single in singles {
            if let Found::Newest { here, .. } = &mut single.found {
                *here = None;
            }
        }
        Ok(())
    }

    /// The questions about one user, in one segment.
    fn look_for_user(
        &self,
        part: &Part<'_>,
        singles: &mut [&mut Single],
        (number, order): (usize, &mut Option<Order>),
        (columns, room): (&mut Columns, &mut usize),
    ) -> Result<(), Stop> {
        self.deadline.check()?;
        let mut all: Option<Vec<DocId>> = None;
        for single in singles {
            let is_found = matches!(single.found, Found::Any(true));
            if is_found || part.day.segment_lacks(part.segment_id(), &single.sought) {
                continue;
            }
            let docs = match &all {
                Some(docs) => docs.clone(),
                None => all.insert(scan::users_rows(part, &single.user, &self.deadline)?).clone(),
            };
            if docs.is_empty() {
                return Ok(());
            }
            let docs = scan::narrowed(docs, &single.condition, columns, &self.deadline)?;
            single.take(&docs, (number, order), columns, (room, &self.deadline))?;
        }
        Ok(())
    }
}

impl Single {
    /// The row of this segment that is the newest of the day so far.
    fn newest_in(&self, part: usize) -> Option<DocId> {
        match self.found {
            Found::Newest { here: Some((_, _, number, doc)), .. } if number == part => Some(doc),
            _ => None,
        }
    }
}
