//! What the servers answer, read.

use std::net::IpAddr;

use serde_json::Value;

use crate::{Answer, Bin, Field, Group, Range, Report, ReportId, StoreError, Totals};

/// A search's answer that is whole.
pub(super) fn whole(body: &Value) -> Result<(), StoreError> {
    if body["timed_out"].as_bool() == Some(true) {
        return Err(StoreError::Unavailable("the search took longer than allowed on the server".into()));
    }
    match body["_shards"]["failed"].as_u64() {
        Some(failed) if failed > 0 => {
            let why =
                body["_shards"]["failures"][0]["reason"]["reason"].as_str().unwrap_or("no reason given");
            Err(StoreError::Unavailable(format!("{failed} shards did not answer: {why}")))
        }
        _ => Ok(()),
    }
}

/// Hits of a search as reports; those that are none are left out.
pub(super) fn reports(body: &Value) -> Vec<Report> {
    let hits = body["hits"]["hits"].as_array().map(Vec::as_slice).unwrap_or_default();
    hits.iter().filter_map(report).collect()
}

fn report(hit: &Value) -> Option<Report> {
    let source = hit["_source"].as_object()?;
    let id = source.get("id").or_else(|| hit.get("_id"))?.as_str()?;
    Report::from_document(ReportId::from_text(id), source)
}

/// How many documents a search found.
pub(super) fn total(body: &Value) -> u64 {
    let total = &body["hits"]["total"];
    total["value"].as_u64().or_else(|| total.as_u64()).unwrap_or_default()
}

/// Numbers of aggregations; they may come as `3.0`.
pub(super) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|number| number.round() as i64))
}

fn count(value: &Value) -> u64 {
    number(value).and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
}

/// Reports and failures of a bucket.
pub(super) fn totals(bucket: &Value) -> Totals {
    Totals { reports: count(&bucket["doc_count"]), failures: count(&bucket["failures"]["doc_count"]) }
}

/// The value of a cardinality.
pub(super) fn cardinality(aggregation: &Value) -> u64 {
    count(&aggregation["value"])
}

/// Buckets of an aggregation.
pub(super) fn buckets(aggregation: &Value) -> &[Value] {
    aggregation["buckets"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A bucket's key in the form that the field's values have everywhere; `None` for the empty text.
pub(super) fn key(bucket: &Value, field: Field) -> Option<String> {
    let key = match &bucket["key"] {
        Value::String(text) => text.clone(),
        other => number(other)?.to_string(),
    };
    let key = match field {
        Field::Ip => key.parse::<IpAddr>().map_or(key, |ip| ip.to_canonical().to_string()),
        _ => key,
    };
    (!key.is_empty()).then_some(key)
}

/// The groups of a terms aggregation.
pub(super) fn groups(aggregation: &Value, field: Field, distinct: bool) -> Vec<Group> {
    let group = |bucket: &Value| {
        Some(Group {
            key: key(bucket, field)?,
            totals: totals(bucket),
            distinct: distinct.then(|| cardinality(&bucket["distinct"])),
        })
    };
    buckets(aggregation).iter().filter_map(group).collect()
}

/// The ends of a search's reports, by its aggregations `first` and `last`.
pub(super) fn first_last(body: &Value) -> Answer {
    let end = |name: &str| number(&body["aggregations"][name]["value"]);
    // Some servers answer 0 or infinity where there is nothing.
    let some = end("first").zip(end("last")).filter(|(first, last)| first <= last);
    let some = some.filter(|_| total(body) > 0);
    Answer::FirstLast { first: some.map(|(first, _)| first), last: some.map(|(_, last)| last) }
}

/// The intervals of a bounded range; buckets outside of it are left out.
pub(super) fn bins(aggregation: &Value, range: Range, interval: i64) -> Vec<Bin> {
    let mut bins = Bin::empty(range, interval);
    let first = bins.first().map_or(0, |bin| bin.at);
    for bucket in buckets(aggregation) {
        let place = number(&bucket["key"]).and_then(|at| at.checked_sub(first));
        let place = place.filter(|place| *place >= 0).map(|place| place / interval);
        if let Some(bin) = place.and_then(|place| bins.get_mut(usize::try_from(place).ok()?)) {
            bin.totals = totals(bucket);
        }
    }
    bins
}
