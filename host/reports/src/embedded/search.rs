//! Searches in Elasticsearch's language, as far as the embedded store understands it: conditions on fields, the newest or
//! oldest reports, and the aggregations of tantivy, whose form is Elasticsearch's.

mod clause;
mod field;
mod instant;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use serde_json::{Map, Value, json};
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;
use tantivy::aggregation::{AggContextParams, AggregationLimitsGuard, AggregationSegmentCollector};
use tantivy::collector::SegmentCollector as _;
use tantivy::tokenizer::TokenizerManager;

use super::answer::{Asking, Wanted};
use super::condition::Condition;
use super::day::folder_name;
use super::sketch::Sought;
use super::{scan, schema};
use crate::{Range, Report, StoreError};
use clause::Reader;
use field::Kind;

/// Bytes of a search.
const LONGEST: usize = 1 << 20;
/// Memory that aggregations may take.
const MEMORY: u64 = 128 << 20;
/// Buckets in an answer.
const BUCKETS: u32 = 65_000;
/// Groups that each segment counts for a list of terms, so that the sums over all of them are right.
const SEGMENT_GROUPS: u32 = 65_000;
/// Aggregations that only need a field.
const KNOWN: [&str; 12] = [
    "terms",
    "cardinality",
    "date_histogram",
    "histogram",
    "range",
    "min",
    "max",
    "avg",
    "sum",
    "stats",
    "value_count",
    "percentiles",
];

/// A search that was understood.
struct Search {
    condition: Condition,
    range: Range,
    from: usize,
    size: usize,
    newest_first: bool,
    source: bool,
    /// As JSON with our columns, and read.
    aggregations: Option<(Value, Aggregations)>,
}

fn refuse(text: impl Into<String>) -> StoreError {
    StoreError::Search(text.into())
}

impl Search {
    fn read(body: &[u8], now: i64, most: usize) -> Result<Self, StoreError> {
        if body.len() > LONGEST {
            return Err(refuse(format!("it is longer than {LONGEST} bytes")));
        }
        let body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| refuse(format!("it is no JSON object: {error}")))?;
        let mut search = Self {
            condition: Condition::All,
            range: Range::EVER,
            from: 0,
            size: 10,
            newest_first: true,
            source: true,
            aggregations: None,
        };
        let number = |value: &Value, name: &str| {
            let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
            number.ok_or_else(|| refuse(format!("`{name}` must be a whole number")))
        };
        for (name, value) in &body {
            match name.as_str() {
                "query" => search.condition = Reader::new(now).query(value).map_err(refuse)?,
                "from" => search.from = number(value, "from")?,
                "size" => search.size = number(value, "size")?,
                "sort" => search.newest_first = newest_first(value)?,
                "_source" => search.source = value.as_bool().unwrap_or(true),
                "aggs" | "aggregations" => {
                    let mut value = value.clone();
                    prepare(&mut value)?;
                    let read = serde_json::from_value(value.clone())
                        .map_err(|error| refuse(format!("its aggregations are not understood: {error}")))?;
                    search.aggregations = Some((value, read));
                }
                "track_total_hits" | "timeout" | "version" | "stored_fields" | "track_scores" => {}
                other => return Err(refuse(format!("the embedded store does not know `{other}`"))),
            }
        }
        if search.from.saturating_add(search.size) > most {
            return Err(refuse(format!("`from` and `size` ask for more than {most} reports")));
        }
        // Other days need not be read.
        search.range = search.condition.time();
        Ok(search)
    }
}

fn newest_first(sort: &Value) -> Result<bool, StoreError> {
    let first = match sort {
        Value::Array(several) => several.first().unwrap_or(&Value::Null),
        one => one,
    };
    let (field, order) = match first {
        Value::Null => return Ok(true),
        Value::String(field) => (field.as_str(), "asc"),
        Value::Object(object) => match object.iter().next() {
            Some((field, Value::String(order))) => (field.as_str(), order.as_str()),
            Some((field, options)) => (field.as_str(), options["order"].as_str().unwrap_or("asc")),
            None => return Ok(true),
        },
        other => return Err(refuse(format!("`sort` is not understood: {other}"))),
    };
    match field {
        "@timestamp" | "t" => Ok(order != "asc"),
        // All have the same score.
        "_score" | "_doc" => Ok(true),
        other => Err(refuse(format!("reports are sorted by @timestamp only, not by {other}"))),
    }
}

/// Gives fields the names of columns, and refuses what tantivy has no or another notion of.
fn prepare(aggregations: &mut Value) -> Result<(), StoreError> {
    let all = aggregations.as_object_mut().ok_or_else(|| refuse("`aggs` must be an object"))?;
    for (name, aggregation) in all {
        let parts = aggregation
            .as_object_mut()
            .ok_or_else(|| refuse(format!("the aggregation \"{name}\" must be an object")))?;
        parts.remove("meta");
        for (kind, body) in parts.iter_mut() {
            match kind.as_str() {
                "aggs" | "aggregations" => prepare(body)?,
                known if KNOWN.contains(&known) => {
                    let field = body["field"].as_str().unwrap_or_default();
                    let column = Kind::of(field).and_then(Kind::column);
                    let column = column.ok_or_else(|| {
                        refuse(format!("there is no field \"{field}\" to aggregate by (in \"{name}\")"))
                    })?;
                    let metric = matches!(known, "sum" | "stats" | "percentiles" | "histogram" | "range");
                    if column == schema::name::AT && metric {
                        return Err(refuse(format!("`{known}` of times is not known here (in \"{name}\")")));
                    }
                    body["field"] = column.into();
                    let groups = body["size"].as_u64().unwrap_or_default();
                    if known == "terms" && groups > u64::from(BUCKETS) {
                        return Err(refuse(format!("\"{name}\" asks for more than {BUCKETS} groups")));
                    }
                    if known == "terms" && body["segment_size"].is_null() {
                        if let Some(body) = body.as_object_mut() {
                            body.remove("shard_size");
                        }
                        body["segment_size"] = SEGMENT_GROUPS.into();
                    }
                }
                other => {
                    return Err(refuse(format!(
                        "the embedded store does not know the aggregation `{other}`, only {}",
                        KNOWN.join(", ")
                    )));
                }
            }
        }
    }
    Ok(())
}

impl Asking<'_> {
    /// Answers a search. `now`: unix milliseconds.
    pub(super) fn search(&self, body: &[u8], now: i64) -> Result<Vec<u8>, StoreError> {
        let began = Instant::now();
        let search = Search::read(body, now, self.limits.results)?;
        let (total, aggregations) = self.aggregate(&search)?;
        let wanted = search.from + search.size;
        let mut reports = if search.size == 0 {
            Vec::new()
        } else {
            self.ordered(
                &search.condition,
                search.range,
                &Wanted { limit: wanted, newest: search.newest_first, after: None, fields: None },
            )?
        };
        reports.drain(..search.from.min(reports.len()));
        let hits: Vec<Value> = reports.iter().map(|report| hit(report, search.source)).collect();
        let mut answer = json!({
            "took": u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "timed_out": false,
            "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
            "hits": {"total": {"value": total, "relation": "eq"}, "max_score": null, "hits": hits},
        });
        if let Some(aggregations) = aggregations {
            answer["aggregations"] = aggregations;
        }
        serde_json::to_vec(&answer).map_err(|error| refuse(error.to_string()))
    }

    /// How many reports there are, and what the aggregations say of them.
    fn aggregate(&self, search: &Search) -> Result<(u64, Option<Value>), StoreError> {
        let limits = AggregationLimitsGuard::new(Some(MEMORY), Some(BUCKETS));
        let context = AggContextParams::new(limits.clone(), TokenizerManager::default());
        let mut total = 0;
        let mut merged: Option<IntermediateAggregationResults> = None;
        let mut ordinal = 0;
        let sought = Sought::of(&search.condition);
        for day in self.catalog.within(search.range) {
            scan::segments(self.catalog, &day, &sought, &self.deadline, |segment| {
                let mut collector = match &search.aggregations {
                    Some((_, request)) => Some(answerable(|| {
                        AggregationSegmentCollector::from_agg_req_and_reader(
                            request, segment, ordinal, &context,
                        )
                    })?),
                    None => None,
                };
                ordinal += 1;
                scan::rows(segment, &search.condition, &self.deadline, |doc| {
                    total += 1;
                    if let Some(collector) = &mut collector {
                        answerable(|| {
                            collector.collect(doc, 0.0);
                            Ok(())
                        })?;
                    }
                    Ok(std::ops::ControlFlow::Continue(()))
                })?;
                if let Some(collector) = collector {
                    let found = answerable(|| collector.harvest())?;
                    match &mut merged {
                        Some(merged) => answerable(|| merged.merge_fruits(found))?,
                        None => merged = Some(found),
                    }
                }
                Ok(())
            })?;
        }
        let Some((json, request)) = &search.aggregations else { return Ok((total, None)) };
        let merged = merged.unwrap_or_default();
        let result = answerable(|| merged.into_final_result(request.clone(), limits))?;
        let mut result = serde_json::to_value(result).map_err(|error| refuse(error.to_string()))?;
        in_millis(json, &mut result);
        Ok((total, Some(result)))
    }
}

/// Times among metrics, which tantivy has in nanoseconds, become milliseconds as in Elasticsearch.
fn in_millis(request: &Value, result: &mut Value) {
    let (Some(request), Some(result)) = (request.as_object(), result.as_object_mut()) else { return };
    for (agg, parts) in request {
        let Some(found) = result.get_mut(agg) else { continue };
        if let Some(inner) = parts.get("aggs").or_else(|| parts.get("aggregations")) {
            match found.get_mut("buckets") {
                Some(Value::Array(buckets)) => buckets.iter_mut().for_each(|bucket| in_millis(inner, bucket)),
                Some(Value::Object(buckets)) => {
                    buckets.values_mut().for_each(|bucket| in_millis(inner, bucket));
                }
                _ => {}
            }
        }
        let time = ["min", "max", "avg"].iter().any(|kind| parts[kind]["field"] == schema::name::AT);
        if time && let Some(nanos) = found["value"].as_f64() {
            found["value"] = (nanos / 1e6).round().into();
        }
    }
}

/// What an aggregation cannot do is no damage of the index, also where tantivy panics over it: the day must not be set
/// aside for a question that somebody asked.
fn answerable<T>(work: impl FnOnce() -> tantivy::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| refuse(error.to_string())),
        Err(_) => Err(refuse("its aggregations ask for what the embedded store cannot work out")),
    }
}

fn hit(report: &Report, source: bool) -> Value {
    let day = folder_name(super::day::number_of(report.at)).replace('-', ".");
    let mut hit = json!({"_index": format!("wforce-reports-{day}"), "_id": report.id, "_score": null, "sort": [report.at]});
    if source {
        hit["_source"] = Value::Object(report.to_document());
    }
    hit
}
