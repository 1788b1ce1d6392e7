//! The long memory: reports in the order of their times, with all questions but Elasticsearch's own.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::state::{State, with};
use crate::bindings::imports::portcullis::policy::reports::{
    Confirmation, Field, Filter, Measure, Outlier, Position, Ranked, Report, Slot, Span,
};
use crate::bindings::imports::portcullis::policy::types::Error;

/// Results of one question.
const MOST: u32 = 10_000;
/// Questions that are asked together.
const MOST_TOGETHER: usize = 1_000;
/// Reports of a value that is no chance.
const NO_CHANCE: f64 = 5.0;

/// What is kept, and where a login's reports are in it.
#[derive(Default)]
pub(crate) struct Store {
    /// By time, those of one time by id.
    reports: Vec<Report>,
    of_login: BTreeMap<String, Vec<usize>>,
    sorted: bool,
}

impl Store {
    pub fn add(&mut self, mut report: Report) {
        // Those that are alike are two all the same.
        report.id = format!("{}-{:07}", report.id, self.reports.len());
        self.sorted = self.reports.last().is_none_or(|last| order(last, report.t, &report.id).is_lt())
            && (self.sorted || self.reports.is_empty());
        self.of_login.entry(report.login.clone()).or_default().push(self.reports.len());
        self.reports.push(report);
    }

    fn sort(&mut self) {
        if self.sorted {
            return;
        }
        self.reports.sort_by(|one, other| order(one, other.t, &other.id));
        self.of_login.clear();
        for (place, report) in self.reports.iter().enumerate() {
            self.of_login.entry(report.login.clone()).or_default().push(place);
        }
        self.sorted = true;
    }

    /// Those that fit, oldest first.
    fn which<'a>(&'a self, filter: &'a Filter<'_>) -> Vec<&'a Report> {
        let until = filter.until.unwrap_or(f64::INFINITY);
        let fits = |report: &&'a Report| matches(report, filter);
        let in_time = |list: &[usize]| {
            let from = list.partition_point(|place| self.reports[*place].t < filter.since);
            let to = list.partition_point(|place| self.reports[*place].t < until);
            from..to.max(from)
        };
        if let Some(login) = filter.login {
            let Some(list) = self.of_login.get(login) else { return Vec::new() };
            return list[in_time(list)].iter().map(|place| &self.reports[*place]).filter(fits).collect();
        }
        let from = self.reports.partition_point(|report| report.t < filter.since);
        let to = self.reports.partition_point(|report| report.t < until).max(from);
        self.reports[from..to].iter().filter(fits).collect()
    }
}

/// How a report stands to one of this time and id.
fn order(report: &Report, t: f64, id: &str) -> Ordering {
    report.t.total_cmp(&t).then_with(|| report.id.as_str().cmp(id))
}

fn counts(confirmation: Confirmation) -> bool {
    matches!(confirmation, Confirmation::None | Confirmation::Good)
}

fn matches(report: &Report, filter: &Filter<'_>) -> bool {
    fn is<T: PartialEq>(wanted: Option<T>, value: T) -> bool {
        wanted.is_none_or(|wanted| wanted == value)
    }
    is(filter.country, report.country.as_str())
        && is(filter.city, report.city.as_str())
        && is(filter.asn, report.asn)
        && is(filter.device, report.device.as_str())
        && is(filter.protocol, report.protocol.as_str())
        && is(filter.pwhash, report.pwhash.as_str())
        && is(filter.success, report.success)
        && is(filter.policy_reject, report.policy_reject)
        && filter.network.as_ref().is_none_or(|network| report.remote.is_in(network))
        && filter.confirmations.is_none_or(|some| some.contains(&report.confirmation))
        // Attributes are not kept here.
        && filter.attributes.is_empty()
}

/// The value of a field as text; empty if there is none.
fn value(report: &Report, field: Field) -> String {
    match field {
        Field::Login => report.login.clone(),
        Field::Address => report.remote.to_string(),
        Field::Network => report.remote.network(24, 64),
        Field::Country => report.country.clone(),
        Field::City => report.city.clone(),
        Field::Asn if report.asn == 0 => String::new(),
        Field::Asn => report.asn.to_string(),
        Field::Device => report.device.clone(),
        Field::Protocol => report.protocol.clone(),
        Field::FailType => report.fail_type.clone(),
        Field::Pwhash => report.pwhash.clone(),
    }
}

fn ask<T>(
    question: &'static str,
    filter: &Filter<'_>,
    answer: impl FnOnce(Vec<&Report>) -> T,
) -> Result<T, Error> {
    with(|state: &mut State| {
        *state.asked.entry(question).or_default() += 1;
        state.now += state.answer_takes;
        let store = state.reports.as_mut().ok_or_else(|| Error::Unavailable("no report store".to_owned()))?;
        store.sort();
        Ok(answer(store.which(filter)))
    })
}

fn limited(limit: u32) -> Result<usize, Error> {
    if limit > MOST {
        return Err(Error::Limit(format!("{MOST} results")));
    }
    Ok(limit as usize)
}

/// Leaves what these fields say, and what every report has.
fn keep_only(report: &mut Report, fields: &[Field]) {
    let is_wanted = |field: Field| fields.contains(&field);
    for (field, text) in [
        (Field::Country, &mut report.country),
        (Field::City, &mut report.city),
        (Field::Device, &mut report.device),
        (Field::Protocol, &mut report.protocol),
        (Field::FailType, &mut report.fail_type),
        (Field::Pwhash, &mut report.pwhash),
    ] {
        if !is_wanted(field) {
            text.clear();
        }
    }
    if !is_wanted(Field::City) {
        (report.latitude, report.longitude) = (0.0, 0.0);
    }
    if !is_wanted(Field::Asn) {
        report.asn = 0;
    }
}

pub fn find(filter: Filter<'_>, limit: u32) -> Result<Vec<Report>, Error> {
    let limit = limited(limit)?;
    ask("find", &filter, |found| found.into_iter().rev().take(limit).cloned().collect())
}

pub fn find_oldest(
    filter: Filter<'_>,
    after: Option<Position<'_>>,
    limit: u32,
    fields: Option<&[Field]>,
) -> Result<Vec<Report>, Error> {
    let limit = limited(limit)?;
    let only = |report: &Report| {
        let mut report = report.clone();
        if let Some(fields) = fields {
            keep_only(&mut report, fields);
        }
        report
    };
    ask("find-oldest", &filter, |found| {
        let behind =
            |report: &&Report| after.as_ref().is_none_or(|after| order(report, after.t, after.id).is_gt());
        found.into_iter().filter(behind).take(limit).map(only).collect()
    })
}

pub fn any(filter: Filter<'_>) -> Result<bool, Error> {
    let all = filter.confirmations.is_some();
    ask("any", &filter, |found| found.iter().any(|report| all || counts(report.confirmation)))
}

/// Questions together: each counts as one of its kind, but they wait for one answer.
fn each<T>(filters: &[Filter<'_>], answer: impl Fn(Filter<'_>) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    if filters.len() > MOST_TOGETHER {
        return Err(Error::Invalid(format!("at most {MOST_TOGETHER} questions can be asked at once")));
    }
    let takes = with(|state: &mut State| core::mem::take(&mut state.answer_takes));
    let answers = filters.iter().map(|filter| answer(filter.clone())).collect();
    with(|state: &mut State| {
        state.answer_takes = takes;
        state.now += takes;
    });
    answers
}

pub fn any_each(filters: &[Filter<'_>]) -> Result<Vec<bool>, Error> {
    each(filters, any)
}

pub fn newest_each(filters: &[Filter<'_>]) -> Result<Vec<Option<Report>>, Error> {
    each(filters, |filter| Ok(find(filter, 1)?.pop()))
}

pub fn count_each(filters: &[Filter<'_>]) -> Result<Vec<f64>, Error> {
    each(filters, count)
}

pub fn distinct_each(filters: &[Filter<'_>], field: Field) -> Result<Vec<f64>, Error> {
    each(filters, |filter| distinct(filter, field))
}

pub fn seen(login: &str, field: Field, wanted: &str, since: f64) -> Result<bool, Error> {
    let mut filter = crate::reports::since(since);
    filter.login = Some(login);
    filter.success = Some(true);
    ask("seen", &filter, |found| {
        found.iter().any(|report| counts(report.confirmation) && value(report, field) == wanted)
    })
}

pub fn first_and_last(filter: Filter<'_>) -> Result<Option<Span>, Error> {
    let any = filter.confirmations.is_some();
    ask("first-and-last", &filter, |found| {
        let mut found = found.into_iter().filter(|report| any || counts(report.confirmation));
        let first = found.next()?.t;
        Some(Span { first, last: found.next_back().map_or(first, |report| report.t) })
    })
}

pub fn count(filter: Filter<'_>) -> Result<f64, Error> {
    ask("count", &filter, |found| found.len() as f64)
}

pub fn distinct(filter: Filter<'_>, field: Field) -> Result<f64, Error> {
    ask("distinct", &filter, |found| {
        let values: BTreeSet<String> = found.iter().map(|report| value(report, field)).collect();
        values.iter().filter(|value| !value.is_empty()).count() as f64
    })
}

pub fn top(filter: Filter<'_>, field: Field, by: Measure, limit: u32) -> Result<Vec<Ranked>, Error> {
    let limit = limited(limit)?;
    ask("top", &filter, |found| {
        let mut numbers: BTreeMap<String, (f64, BTreeSet<String>)> = BTreeMap::new();
        for report in found {
            let key = value(report, field);
            if key.is_empty() {
                continue;
            }
            let (number, values) = numbers.entry(key).or_default();
            match by {
                Measure::Reports => *number += 1.0,
                Measure::Failures => *number += if report.success { 0.0 } else { 1.0 },
                Measure::Successes => *number += if report.success { 1.0 } else { 0.0 },
                Measure::Distinct(other) => {
                    let other = value(report, other);
                    if !other.is_empty() && values.insert(other) {
                        *number += 1.0;
                    }
                }
            }
        }
        let mut ranked: Vec<Ranked> = numbers
            .into_iter()
            .filter(|(_, (count, _))| *count > 0.0)
            .map(|(value, (count, _))| Ranked { value, count })
            .collect();
        // Stable: of equals the lesser value stays first.
        ranked.sort_by(|one, other| other.count.total_cmp(&one.count));
        ranked.truncate(limit);
        ranked
    })
}

pub fn significant(
    filter: Filter<'_>,
    field: Field,
    baseline_since: f64,
    limit: u32,
) -> Result<Vec<Outlier>, Error> {
    let now = with(|state| state.now);
    let span = (filter.until.unwrap_or(now) - filter.since).max(0.001);
    let before = (filter.since - baseline_since).max(0.001);
    let mut earlier = filter.clone();
    (earlier.since, earlier.until) = (baseline_since, Some(filter.since));
    let values = top(filter, field, Measure::Reports, MOST)?;
    let baseline: BTreeMap<String, f64> = top(earlier, field, Measure::Reports, MOST)?
        .into_iter()
        .map(|ranked| (ranked.value, ranked.count))
        .collect();
    let mut outliers: Vec<Outlier> = values
        .into_iter()
        .filter(|ranked| ranked.count >= NO_CHANCE)
        .map(|Ranked { value, count }| {
            let baseline = baseline.get(&value).copied().unwrap_or(0.0);
            let score = (count / span) / ((baseline + 1.0) / before);
            Outlier { value, count, baseline, score }
        })
        .filter(|outlier| outlier.score > 1.0)
        .collect();
    outliers.sort_by(|one, other| other.score.total_cmp(&one.score));
    outliers.truncate(limited(limit)?);
    Ok(outliers)
}

pub fn histogram(filter: Filter<'_>, seconds: u32) -> Result<Vec<Slot>, Error> {
    let length = f64::from(seconds.max(1));
    let until = filter.until.unwrap_or_else(|| with(|state| state.now));
    let first = (filter.since / length) as u64;
    let last = (until / length) as u64;
    if last.saturating_sub(first) > u64::from(MOST) {
        return Err(Error::Limit(format!("{MOST} results")));
    }
    ask("histogram", &filter, |found| {
        let mut slots: Vec<Slot> = (first..=last)
            .map(|number| Slot { t: number as f64 * length, count: 0.0, failures: 0.0 })
            .collect();
        for report in found {
            let place = ((report.t / length) as u64).saturating_sub(first) as usize;
            if let Some(slot) = slots.get_mut(place) {
                slot.count += 1.0;
                slot.failures += if report.success { 0.0 } else { 1.0 };
            }
        }
        slots
    })
}

pub fn confirm(id: &str, confirmation: Confirmation) -> Result<bool, Error> {
    with(|state| {
        let store = state.reports.as_mut().ok_or_else(|| Error::Unavailable("no report store".to_owned()))?;
        let found = store.reports.iter_mut().find(|report| report.id == id);
        Ok(found.map(|report| report.confirmation = confirmation).is_some())
    })
}

pub fn current() -> Option<String> {
    None
}

pub fn search(_: &str, _: &str) -> Result<String, Error> {
    Err(Error::Unavailable("the host in memory does not speak Elasticsearch's language".to_owned()))
}
