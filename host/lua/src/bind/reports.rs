//! The report store. Questions suspend the policy call; see [`super::wait`].

use std::sync::Arc;

use bstr::{BString, ByteSlice};
use capabilities::Reports;
use capabilities::context::{self, Context, Step};
use capabilities::reports::question::{self, Which};
use capabilities::reports::{ReportsError, Settings, asker, note, note_each};
use reports::{Answer as Found, Confirmation, Field, Query, Report, ReportId};
use serde_json::{Map, Value, json};

use super::wait::{Answer, Wait};
use super::{complain, now};
use crate::convert::Fault;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("setReportStore", set),
    ("reportsFind", |state, args| {
        let which = which(args, 1)?;
        ask(state, args, Ok(question::find(which, args.unsigned(2)?)), Shape::Reports)
    }),
    ("reportsFindOldest", |state, args| {
        let (which, limit) = (which(args, 1)?, args.unsigned(2)?);
        let after = if args.given(3) { Some(position(&args.json(3)?)?) } else { None };
        let fields = if args.given(4) { Some(fields(&args.json(4)?)?) } else { None };
        let shape = Shape::of_fields(fields.as_deref());
        ask(state, args, Ok(question::oldest(which, after, limit, fields)), shape)
    }),
    ("reportsAnyEach", |state, args| ask_each(state, args, question::any_each(each(args, 1)?), Shape::Seen)),
    ("reportsNewestEach", |state, args| {
        ask_each(state, args, question::newest_each(each(args, 1)?), Shape::Newest)
    }),
    ("reportsCountEach", |state, args| {
        ask_each(state, args, question::count_each(each(args, 1)?, &[]), Shape::Count)
    }),
    ("reportsDistinctEach", |state, args| {
        let (each, field) = (each(args, 1)?, field(args, 2)?);
        ask_each(state, args, question::count_each(each, &[field]), Shape::Distinct)
    }),
    ("reportsAny", |state, args| ask(state, args, Ok(question::any(which(args, 1)?)), Shape::Seen)),
    ("reportsSeen", |state, args| {
        let (login, field, value) = (text(args, 1)?, field(args, 2)?, text(args, 3)?);
        let since = fault(question::instant(args.double(4)?))?;
        ask(state, args, question::seen(login, field, value, since), Shape::Seen)
    }),
    ("reportsFirstAndLast", |state, args| {
        ask(state, args, Ok(question::first_and_last(which(args, 1)?)), Shape::Span)
    }),
    ("reportsCount", |state, args| {
        ask(state, args, Ok(question::count(which(args, 1)?, Vec::new())), Shape::Count)
    }),
    ("reportsDistinct", |state, args| {
        let (which, field) = (which(args, 1)?, field(args, 2)?);
        ask(state, args, Ok(question::count(which, vec![field])), Shape::Distinct)
    }),
    ("reportsTop", |state, args| {
        let (which, field) = (which(args, 1)?, field(args, 2)?);
        let rank = fault(question::rank(&text(args, 3)?))?;
        ask(state, args, Ok(question::top(which, field, rank, args.unsigned(4)?)), Shape::Top(rank))
    }),
    ("reportsSignificant", |state, args| {
        let (which, field) = (which(args, 1)?, field(args, 2)?);
        let baseline = fault(question::instant(args.double(3)?))?;
        let query = question::significant(which, field, baseline, args.unsigned(4)?, millis(state));
        ask(state, args, Ok(query), Shape::Significant)
    }),
    ("reportsHistogram", |state, args| {
        let query = question::histogram(which(args, 1)?, args.unsigned(2)?, millis(state));
        ask(state, args, query, Shape::Slots)
    }),
    ("reportsConfirm", |state, args| {
        let (id, word) = (ReportId::from_text(text(args, 1)?), text(args, 2)?);
        let confirmation = Confirmation::from_word(&word)
            .ok_or_else(|| Fault::caught(format!("\"{word}\" is none of none, good, bad and forget")))?;
        Ok(job(state, Task::Confirm(id, confirmation)).ret(args))
    }),
    ("elasticSearch", |state, args| {
        let (index, body) = (text(args, 1)?, args.text(2)?.owned());
        Ok(job(state, Task::Search(index, body)).ret(args))
    }),
];

/// Something that the report store is asked by a script.
pub struct Job {
    reports: Arc<Reports>,
    runtime: tokio::runtime::Handle,
    task: Task,
}

enum Task {
    Query(Box<Query>, Shape),
    Each(Vec<Query>, Shape),
    Search(String, BString),
    Confirm(ReportId, Confirmation),
}

/// Of fields that are wanted, as a number.
fn bit(field: Field) -> u16 {
    1 << field as u16
}

/// How an answer looks to a script.
#[derive(Clone, Copy)]
enum Shape {
    Reports,
    /// With the fields that have their bit set, see [`Shape::of_fields`].
    Parts(u16),
    /// The first of the list; false if there is none, as a nil would be a gap in a list.
    Newest,
    Seen,
    Span,
    Count,
    Distinct,
    Top(reports::Rank),
    Significant,
    Slots,
}

fn set<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let engine = text(args, 1)?;
    let options = if args.given(2) { args.json(2)? } else { Value::Object(Map::new()) };
    // Policy calls may want to wait for it.
    state.host.settings.note_waiting();
    match Settings::read(&engine, options) {
        Ok(store) => {
            // A daemon that runs has its store already.
            if !state.host.settings.is_read_again() {
                state.host.caps.reports.choose(store.clone());
            }
            state.host.settings.change(|values| values.report_store = Some(store));
        }
        Err(error) => complain(state, format!("setReportStore: {error}")),
    }
    Ok(Ret::None)
}

fn fault<T>(result: Result<T, ReportsError>) -> Result<T, Fault> {
    result.map_err(|error| Fault::caught(error.to_string()))
}

fn text(args: &Args<'_>, index: i32) -> Result<String, Fault> {
    Ok(args.text(index)?.to_str_lossy().into_owned())
}

fn field(args: &Args<'_>, index: i32) -> Result<Field, Fault> {
    fault(question::field(&text(args, index)?))
}

fn which(args: &Args<'_>, index: i32) -> Result<Which, Fault> {
    fault(Which::read(args.json(index)?))
}

/// A list of names of fields.
fn fields(list: &Value) -> Result<Vec<Field>, Fault> {
    let refuse = || Fault::caught("a list of names of fields is needed".to_owned());
    match list {
        Value::Array(names) => {
            let name = |name: &Value| fault(question::field(name.as_str().ok_or_else(refuse)?));
            names.iter().map(name).collect()
        }
        // An empty table of Lua's.
        Value::Object(none) if none.is_empty() => Ok(Vec::new()),
        _ => Err(refuse()),
    }
}

/// A list of filters.
fn each(args: &Args<'_>, index: i32) -> Result<Vec<Which>, Fault> {
    match args.json(index)? {
        Value::Array(filters) => filters.into_iter().map(|filter| fault(Which::read(filter))).collect(),
        // An empty table of Lua's.
        Value::Object(none) if none.is_empty() => Ok(Vec::new()),
        _ => Err(Fault::caught("a list of filters is needed".to_owned())),
    }
}

/// Where a report is in a list: its time in unix milliseconds, and its id.
fn position(report: &Value) -> Result<(i64, String), Fault> {
    let (Some(t), Some(id)) = (report["t"].as_f64(), report["id"].as_str()) else {
        return Err(Fault::caught("after which report? A table with its `t` and its `id`".to_owned()));
    };
    Ok((fault(question::instant(t))?, id.to_owned()))
}

/// Unix milliseconds.
fn millis(state: &State) -> i64 {
    i64::try_from(now(state)).unwrap_or_default().saturating_mul(1000)
}

fn job(state: &State, task: Task) -> Wait {
    let runtime = state.host.runtime.clone();
    Wait::Reports(Box::new(Job { reports: state.host.caps.reports.clone(), runtime, task }))
}

fn ask<'a>(
    state: &'a State,
    args: &Args<'a>,
    query: Result<Query, ReportsError>,
    shape: Shape,
) -> Result<Ret<'a>, Fault> {
    Ok(job(state, Task::Query(Box::new(fault(query)?), shape)).ret(args))
}

fn ask_each<'a>(
    state: &'a State,
    args: &Args<'a>,
    queries: Vec<Query>,
    shape: Shape,
) -> Result<Ret<'a>, Fault> {
    Ok(job(state, Task::Each(queries, shape)).ret(args))
}

impl Job {
    pub(super) async fn answer(self) -> Answer {
        let context = context::current();
        let runtime = self.runtime.clone();
        let task = runtime.spawn(self.run(context));
        task.await.unwrap_or_else(|_| Answer::Failed("the daemon is ending".to_owned()))
    }

    pub(super) fn block(self) -> Answer {
        let context = context::current();
        let (done, answer) = std::sync::mpsc::sync_channel(1);
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            // The receiver waits below: there is nobody else to tell.
            let _ = done.send(self.run(context).await);
        });
        answer.recv().unwrap_or_else(|_| Answer::Failed("the daemon is ending".to_owned()))
    }

    async fn run(self, context: Option<Arc<Context>>) -> Answer {
        let asker = asker(context.as_deref());
        let answer = match self.task {
            Task::Query(query, shape) => {
                let answer = self.reports.query_of(asker, &query, None).await;
                if let Some(context) = context {
                    note(&context, &query, answer.as_ref());
                }
                answer.map(|found| Answer::Value(shape.value(found)))
            }
            Task::Each(queries, shape) => {
                let answers = self.reports.query_each_of(asker, &queries, None).await;
                if let Some(context) = context {
                    note_each(&context, &queries, answers.as_ref());
                }
                answers
                    .map(|found| Answer::Value(found.into_iter().map(|found| shape.value(found)).collect()))
            }
            Task::Search(index, body) => {
                self.reports.search(asker, &index, &body, None).await.map(|json| Answer::Text(json.into()))
            }
            Task::Confirm(id, confirmation) => {
                if let Some(context) = context {
                    let arguments = vec![id.as_str().into(), confirmation.word().into()];
                    context.note(|| Step::Change { what: "reportsConfirm".to_owned(), arguments });
                }
                self.reports.confirm(&id, confirmation).await.map(|known| Answer::Value(known.into()))
            }
        };
        answer.unwrap_or_else(|error| Answer::Failed(error.to_string()))
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// A report as a table: the fields of a login tuple, its place, and what was said about it.
fn report(report: &Report) -> Value {
    let mut table = report.to_document();
    for name in ["@timestamp", "type", "geoip", "user_confirmation"] {
        table.remove(name);
    }
    let place = &report.place;
    let (latitude, longitude) = place.location.unwrap_or_default();
    let more = [
        ("country", json!(place.country)),
        ("city", json!(place.city)),
        ("latitude", json!(latitude)),
        ("longitude", json!(longitude)),
        ("asn", json!(report.asn)),
        ("as_org", json!(report.as_org)),
        ("device", json!(report.device())),
        ("confirmation", json!(report.confirmation.word())),
    ];
    table.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(table)
}

/// The same with some fields only: what every report has, and these.
fn part(report: &Report, is_wanted: impl Fn(Field) -> bool) -> Value {
    let mut table = Map::new();
    let mut put = |name: &str, value: Value| table.insert(name.to_owned(), value);
    put("id", report.id.as_str().into());
    put("t", seconds(report.at).into());
    put("login", report.login.as_str().into());
    put("remote", report.remote.to_string().into());
    put("network", report.network().to_string().into());
    put("success", report.success.into());
    put("policy_reject", report.policy_reject.into());
    put("tls", report.tls.into());
    put("confirmation", report.confirmation.word().into());
    for field in Field::ALL.into_iter().filter(|field| is_wanted(*field)) {
        match field {
            Field::Login | Field::Ip | Field::Network => None,
            Field::Country => put("country", report.place.country.as_str().into()),
            Field::City => {
                let (latitude, longitude) = report.place.location.unwrap_or_default();
                put("latitude", latitude.into());
                put("longitude", longitude.into());
                put("city", report.place.city.as_str().into())
            }
            Field::Asn => {
                put("as_org", report.as_org.as_str().into());
                put("asn", report.asn.into())
            }
            Field::Device => put("device", report.device().into()),
            Field::Protocol => put("protocol", report.protocol.as_str().into()),
            Field::FailType => put("fail_type", report.fail_type.as_str().into()),
            Field::Pwhash => put("pwhash", report.pwhash.as_str().into()),
        };
    }
    Value::Object(table)
}

impl Shape {
    /// Of a list of reports of which these fields are wanted.
    fn of_fields(fields: Option<&[Field]>) -> Self {
        let bits = |fields: &[Field]| fields.iter().fold(0, |bits, field| bits | bit(*field));
        fields.map_or(Self::Reports, |fields| Self::Parts(bits(fields)))
    }

    fn value(self, found: Found) -> Value {
        match (self, found) {
            (Shape::Reports, Found::Logins { reports }) => reports.iter().map(report).collect(),
            (Shape::Parts(wanted), Found::Logins { reports }) => {
                reports.iter().map(|report| part(report, |field| wanted & bit(field) != 0)).collect()
            }
            (Shape::Newest, Found::Logins { reports }) => reports.first().map_or(false.into(), report),
            (Shape::Seen, Found::Seen { seen, .. }) => seen.into(),
            (Shape::Span, Found::FirstLast { first: Some(first), last: Some(last) }) => {
                json!({"first": seconds(first), "last": seconds(last)})
            }
            (Shape::Count, Found::Count { totals, .. }) => totals.reports.into(),
            (Shape::Distinct, Found::Count { distinct, .. }) => {
                distinct.first().map_or(0, |(_, count)| *count).into()
            }
            (Shape::Top(rank), Found::Top { groups }) => {
                let row = |group: &reports::Group| json!({"value": group.key, "count": group.ranked(rank)});
                groups.iter().map(row).collect()
            }
            (Shape::Significant, Found::Significant { terms }) => {
                let row = |term: &reports::Significant| json!({"value": term.key, "count": term.now, "baseline": term.baseline, "score": term.score});
                terms.iter().map(row).collect()
            }
            (Shape::Slots, Found::Histogram { bins }) => {
                let row = |bin: &reports::Bin| {
                    let totals = bin.totals;
                    json!({"t": seconds(bin.at), "count": totals.reports, "failures": totals.failures})
                };
                bins.iter().map(row).collect()
            }
            // No report: nil.
            _ => Value::Null,
        }
    }
}
