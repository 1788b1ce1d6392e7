//! The long memory. The call is suspended while the store works; its thread is free.

mod translate;

use std::time::Instant;

use ::reports as store;
use capabilities::context::{self, Step};
use capabilities::reports::question::{self, Which};
use capabilities::reports::{ReportsError, asker, note, note_each};
use store::{Answer, Query, ReportId, StoreError};
use wasmtime::Result;

use crate::bindings::reports::{
    Confirmation, Field, Filter, Host, Measure, Outlier, Position, Ranked, Report, Slot, Span,
};
use crate::bindings::types::Error;
use crate::options::Kind;
use crate::state::{HOST_CALL_BYTES, State};
use translate::{field, rank, report, said, seconds, which};

/// What a component gets of a failure.
fn refused(error: &ReportsError) -> Error {
    match error {
        ReportsError::Question(text) => Error::Invalid(text.clone()),
        ReportsError::Store(StoreError::Query(_) | StoreError::Search(_)) => {
            Error::Invalid(error.to_string())
        }
        ReportsError::Store(StoreError::TooManyValues(_)) => Error::Limit(error.to_string()),
        _ => Error::Unavailable(error.to_string()),
    }
}

impl State {
    /// Runs something on the host's runtime, inside what is left of the call's time.
    async fn aside<T, F>(&mut self, work: F) -> Result<std::result::Result<T, Error>>
    where
        T: Send + 'static,
        F: Future<Output = std::result::Result<T, ReportsError>> + Send + 'static,
    {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let task = self.common.runtime.spawn(work);
        let abort = task.abort_handle();
        let Ok(answer) = tokio::time::timeout(left, task).await else {
            abort.abort();
            return Err(wasmtime::Trap::Interrupt.into());
        };
        Ok(match answer {
            Ok(answer) => answer.map_err(|error| refused(&error)),
            Err(_) => Err(Error::Unavailable("the daemon is ending".to_owned())),
        })
    }

    /// Asks the store, if the policy may.
    async fn ask(
        &mut self,
        query: std::result::Result<Query, ReportsError>,
    ) -> Result<std::result::Result<Answer, Error>> {
        self.host_call()?;
        if let Err(denied) = self.granted(Kind::Reports, "reports") {
            return Ok(Err(denied));
        }
        let query = match query {
            Ok(query) => query,
            Err(error) => return Ok(Err(refused(&error))),
        };
        let (reports, context) = (self.common.capabilities.reports.clone(), context::current());
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.aside(async move {
            let answer = reports.query_of(asker(context.as_deref()), &query, Some(left)).await;
            if let Some(context) = context {
                note(&context, &query, answer.as_ref());
            }
            answer
        })
        .await
    }

    /// Asks the store several questions, if the policy may, and makes of each answer what `one` says.
    async fn ask_each<T>(
        &mut self,
        filters: Vec<Filter>,
        queries: impl FnOnce(Vec<Which>) -> Vec<Query>,
        one: impl Fn(Answer) -> std::result::Result<T, Error>,
    ) -> Result<std::result::Result<Vec<T>, Error>> {
        self.host_call()?;
        if let Err(denied) = self.granted(Kind::Reports, "reports") {
            return Ok(Err(denied));
        }
        let queries = match filters.into_iter().map(which).collect::<std::result::Result<_, _>>() {
            Ok(each) => queries(each),
            Err(error) => return Ok(Err(refused(&error))),
        };
        let (reports, context) = (self.common.capabilities.reports.clone(), context::current());
        let left = self.deadline.saturating_duration_since(Instant::now());
        let answers = self.aside(async move {
            let answers = reports.query_each_of(asker(context.as_deref()), &queries, Some(left)).await;
            if let Some(context) = context {
                note_each(&context, &queries, answers.as_ref());
            }
            answers
        });
        Ok(answers.await?.and_then(|answers| answers.into_iter().map(one).collect()))
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.common.capabilities.clock.now()).unwrap_or_default().saturating_mul(1000)
    }
}

/// An answer of another kind than the question: a store never gives one.
fn strange<T>() -> std::result::Result<T, Error> {
    Err(Error::Unavailable("the report store answered something else".to_owned()))
}

fn is_seen(answer: &Answer) -> std::result::Result<bool, Error> {
    match answer {
        Answer::Seen { seen, .. } => Ok(*seen),
        _ => strange(),
    }
}

fn listed(answer: Answer) -> std::result::Result<Vec<Report>, Error> {
    match answer {
        Answer::Logins { reports } => Ok(reports.into_iter().map(report).collect()),
        _ => strange(),
    }
}

fn counted(answer: &Answer) -> std::result::Result<f64, Error> {
    match answer {
        Answer::Count { totals, .. } => Ok(totals.reports as f64),
        _ => strange(),
    }
}

/// How many different values of the only field there were.
fn different(answer: &Answer) -> std::result::Result<f64, Error> {
    match answer {
        Answer::Count { distinct, .. } => Ok(distinct.first().map_or(0.0, |(_, count)| *count as f64)),
        _ => strange(),
    }
}

impl Host for State {
    async fn find(&mut self, filter: Filter, limit: u32) -> Result<std::result::Result<Vec<Report>, Error>> {
        let query = which(filter).map(|which| question::find(which, limit));
        Ok(self.ask(query).await?.and_then(listed))
    }

    async fn find_oldest(
        &mut self,
        filter: Filter,
        after: Option<Position>,
        limit: u32,
        fields: Option<Vec<Field>>,
    ) -> Result<std::result::Result<Vec<Report>, Error>> {
        let fields = fields.map(|fields| fields.into_iter().map(field).collect());
        let after = after.map(|after| question::instant(after.t).map(|at| (at, after.id))).transpose();
        let query = which(filter).and_then(|which| Ok(question::oldest(which, after?, limit, fields)));
        Ok(self.ask(query).await?.and_then(listed))
    }

    async fn any(&mut self, filter: Filter) -> Result<std::result::Result<bool, Error>> {
        Ok(self.ask(which(filter).map(question::any)).await?.and_then(|answer| is_seen(&answer)))
    }

    async fn any_each(&mut self, filters: Vec<Filter>) -> Result<std::result::Result<Vec<bool>, Error>> {
        self.ask_each(filters, question::any_each, |answer| is_seen(&answer)).await
    }

    async fn newest_each(
        &mut self,
        filters: Vec<Filter>,
    ) -> Result<std::result::Result<Vec<Option<Report>>, Error>> {
        self.ask_each(filters, question::newest_each, |answer| Ok(listed(answer)?.pop())).await
    }

    async fn count_each(&mut self, filters: Vec<Filter>) -> Result<std::result::Result<Vec<f64>, Error>> {
        self.ask_each(filters, |each| question::count_each(each, &[]), |answer| counted(&answer)).await
    }

    async fn distinct_each(
        &mut self,
        filters: Vec<Filter>,
        by: Field,
    ) -> Result<std::result::Result<Vec<f64>, Error>> {
        self.ask_each(filters, |each| question::count_each(each, &[field(by)]), |answer| different(&answer))
            .await
    }

    async fn seen(
        &mut self,
        login: String,
        by: Field,
        value: String,
        since: f64,
    ) -> Result<std::result::Result<bool, Error>> {
        let query = question::instant(since).and_then(|since| question::seen(login, field(by), value, since));
        Ok(self.ask(query).await?.and_then(|answer| is_seen(&answer)))
    }

    async fn first_and_last(&mut self, filter: Filter) -> Result<std::result::Result<Option<Span>, Error>> {
        Ok(self.ask(which(filter).map(question::first_and_last)).await?.and_then(|answer| match answer {
            Answer::FirstLast { first, last } => {
                Ok(first.zip(last).map(|(first, last)| Span { first: seconds(first), last: seconds(last) }))
            }
            _ => strange(),
        }))
    }

    async fn count(&mut self, filter: Filter) -> Result<std::result::Result<f64, Error>> {
        let query = which(filter).map(|which| question::count(which, Vec::new()));
        Ok(self.ask(query).await?.and_then(|answer| counted(&answer)))
    }

    async fn distinct(&mut self, filter: Filter, by: Field) -> Result<std::result::Result<f64, Error>> {
        let query = which(filter).map(|which| question::count(which, vec![field(by)]));
        Ok(self.ask(query).await?.and_then(|answer| different(&answer)))
    }

    async fn top(
        &mut self,
        filter: Filter,
        by: Field,
        measure: Measure,
        limit: u32,
    ) -> Result<std::result::Result<Vec<Ranked>, Error>> {
        let rank = rank(measure);
        let query = which(filter).map(|which| question::top(which, field(by), rank, limit));
        Ok(self.ask(query).await?.and_then(|answer| match answer {
            Answer::Top { groups } => Ok(groups
                .into_iter()
                .map(|group| Ranked { count: group.ranked(rank) as f64, value: group.key })
                .collect()),
            _ => strange(),
        }))
    }

    async fn significant(
        &mut self,
        filter: Filter,
        by: Field,
        baseline_since: f64,
        limit: u32,
    ) -> Result<std::result::Result<Vec<Outlier>, Error>> {
        let now = self.now_ms();
        let query = which(filter).and_then(|which| {
            let baseline = question::instant(baseline_since)?;
            Ok(question::significant(which, field(by), baseline, limit, now))
        });
        Ok(self.ask(query).await?.and_then(|answer| match answer {
            Answer::Significant { terms } => Ok(terms
                .into_iter()
                .map(|term| Outlier {
                    value: term.key,
                    count: term.now as f64,
                    baseline: term.baseline as f64,
                    score: term.score,
                })
                .collect()),
            _ => strange(),
        }))
    }

    async fn histogram(
        &mut self,
        filter: Filter,
        length: u32,
    ) -> Result<std::result::Result<Vec<Slot>, Error>> {
        let now = self.now_ms();
        let query = which(filter).and_then(|which| question::histogram(which, length, now));
        Ok(self.ask(query).await?.and_then(|answer| match answer {
            Answer::Histogram { bins } => Ok(bins
                .into_iter()
                .map(|bin| Slot {
                    t: seconds(bin.at),
                    count: bin.totals.reports as f64,
                    failures: bin.totals.failures as f64,
                })
                .collect()),
            _ => strange(),
        }))
    }

    async fn confirm(
        &mut self,
        id: String,
        confirmation: Confirmation,
    ) -> Result<std::result::Result<bool, Error>> {
        self.host_call()?;
        if let Err(denied) = self.granted(Kind::Reports, "reports") {
            return Ok(Err(denied));
        }
        let (id, confirmation) = (ReportId::from_text(id), said(confirmation));
        context::note(|| Step::Change {
            what: "reportsConfirm".to_owned(),
            arguments: vec![id.as_str().into(), confirmation.word().into()],
        });
        let reports = self.common.capabilities.reports.clone();
        self.aside(async move { reports.confirm(&id, confirmation).await }).await
    }

    fn current(&mut self) -> Result<Option<String>> {
        self.host_call()?;
        Ok(self.login.as_ref().and_then(|login| login.report_id.as_deref()).map(str::to_owned))
    }

    async fn search(&mut self, index: String, query: String) -> Result<std::result::Result<String, Error>> {
        self.host_call()?;
        if let Err(denied) = self.granted(Kind::Reports, "reports") {
            return Ok(Err(denied));
        }
        let reports = self.common.capabilities.reports.clone();
        let left = self.deadline.saturating_duration_since(Instant::now());
        let asker = asker(context::current().as_deref());
        let found = self
            .aside(async move { reports.search(asker, &index, query.as_bytes(), Some(left)).await })
            .await?;
        Ok(found.and_then(|json| {
            if json.len() > HOST_CALL_BYTES {
                return Err(Error::Limit(format!("{HOST_CALL_BYTES} bytes of an answer")));
            }
            Ok(String::from_utf8_lossy(&json).into_owned())
        }))
    }
}
