//! Typed questions, asked and answered.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use outbound::Method;
use serde_json::{Map, Value, json};

use super::ask::{GROUPS, Names};
use super::hosts::Body;
use super::pages::First;
use super::{Inner, read};
use crate::answer::by_value;
use crate::{Answer, Field, Filter, Limits, Query, Range, Rank, Significant, StoreError, Totals};

/// One question on its way.
pub(super) struct Asking<'a> {
    inner: &'a Inner,
    pub(super) names: Names,
    limits: Limits,
    began: Instant,
}

impl<'a> Asking<'a> {
    pub(super) fn new(inner: &'a Inner, limits: Limits) -> Self {
        let names = Names { suffix: inner.settings.keyword_suffix.clone() };
        Self { inner, names, limits, began: Instant::now() }
    }

    fn left(&self) -> Result<Duration, StoreError> {
        let left = self.limits.time.saturating_sub(self.began.elapsed());
        if left.is_zero() { Err(StoreError::TimeOut(self.limits.time)) } else { Ok(left) }
    }

    pub(super) async fn search(&self, mut body: Map<String, Value>) -> Result<Value, StoreError> {
        let left = self.left()?;
        body.insert("timeout".into(), format!("{}ms", left.as_millis().max(1)).into());
        let path = format!(
            "/{}/_search?ignore_unavailable=true&allow_no_indices=true",
            self.inner.settings.pattern()
        );
        let body = Body::from(&Value::Object(body));
        let reply = self.inner.hosts.send(Method::POST, &path, body, left).await;
        let reply = reply.map_err(|error| match error {
            StoreError::TimeOut(_) => StoreError::TimeOut(self.limits.time),
            other => other,
        })?;
        if !reply.good() {
            return Err(StoreError::Unavailable(reply.reason()));
        }
        read::whole(&reply.body)?;
        Ok(reply.body)
    }

    pub(super) fn body(&self, filter: &Filter, range: Range, more: Value) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("query".into(), self.names.query(filter, range));
        if let Value::Object(more) = more {
            body.extend(more);
        }
        body
    }

    pub(super) async fn answer(&self, query: &Query) -> Result<Answer, StoreError> {
        query.check(&self.limits)?;
        match query {
            Query::Logins { filter, range, limit, after } => {
                let wanted = (First::Newest, *limit);
                Ok(Answer::Logins { reports: self.listed(filter, *range, wanted, after.as_ref()).await? })
            }
            Query::Oldest { filter, range, limit, after, fields } => {
                let wanted = (First::Oldest, *limit);
                let mut reports = self.listed(filter, *range, wanted, after.as_ref()).await?;
                if let Some(fields) = fields {
                    for report in &mut reports {
                        report.keep_only(fields);
                    }
                }
                Ok(Answer::Logins { reports })
            }
            Query::Seen { login, with, range, filter } => {
                let newest =
                    self.listed(&filter.seen(login, with)?, *range, (First::Newest, 1), None).await?.pop();
                Ok(Answer::Seen { seen: newest.is_some(), report: newest.map(|report| report.id) })
            }
            Query::Any { filter, range } => {
                // In no order and uncounted: the servers end with the first that they find.
                let more = json!({"size": 1, "_source": false, "track_total_hits": false});
                let body = self.search(self.body(&filter.clone().of_user(), *range, more)).await?;
                let seen = body["hits"]["hits"].as_array().is_some_and(|hits| !hits.is_empty());
                Ok(Answer::Seen { seen, report: None })
            }
            Query::FirstLast { filter, range } => {
                let aggs = json!({"size": 0, "aggs": {"first": {"min": {"field": "@timestamp"}},
                    "last": {"max": {"field": "@timestamp"}}}});
                let body = self.search(self.body(&filter.clone().of_user(), *range, aggs)).await?;
                Ok(read::first_last(&body))
            }
            Query::Count { filter, range, distinct } => self.count(filter, *range, distinct).await,
            Query::Top { by, rank, filter, range, limit } => {
                self.top(*by, *rank, self.body(filter, *range, Value::Null), *limit).await
            }
            Query::Significant { field, filter, now, baseline, min_count, limit } => {
                self.significant(*field, filter, [*now, *baseline], *min_count, *limit).await
            }
            Query::Histogram { filter, range, interval_ms } => {
                self.histogram(filter, *range, *interval_ms).await
            }
        }
    }

    async fn count(&self, filter: &Filter, range: Range, distinct: &[Field]) -> Result<Answer, StoreError> {
        let mut aggs = Map::new();
        aggs.insert("failures".into(), Names::failures());
        for (number, field) in distinct.iter().enumerate() {
            aggs.insert(format!("distinct{number}"), self.names.cardinality(*field));
        }
        let more = json!({"size": 0, "track_total_hits": true, "aggs": aggs});
        let body = self.search(self.body(filter, range, more)).await?;
        let found = &body["aggregations"];
        let failures = read::totals(&json!({"failures": found["failures"]})).failures;
        let distinct = distinct
            .iter()
            .enumerate()
            .map(|(number, field)| (*field, read::cardinality(&found[format!("distinct{number}").as_str()])));
        let totals = Totals { reports: read::total(&body), failures };
        Ok(Answer::Count { totals, distinct: distinct.collect() })
    }

    async fn top(
        &self,
        by: Field,
        rank: Rank,
        mut body: Map<String, Value>,
        limit: usize,
    ) -> Result<Answer, StoreError> {
        // Servers order equal ones by their own rules: more are fetched, so that ours can be applied.
        let fetch = (limit * 2 + 100).min(GROUPS).max(limit);
        body.insert("size".into(), 0.into());
        body.insert("aggs".into(), json!({"groups": self.names.groups(by, rank, fetch)}));
        let answer = self.search(body).await?;
        let distinct = matches!(rank, Rank::Distinct(_));
        let mut groups = read::groups(&answer["aggregations"]["groups"], by, distinct);
        groups.retain(|group| group.ranked(rank) > 0);
        groups.sort_by(|left, right| {
            let ranks = Reverse(left.ranked(rank)).cmp(&Reverse(right.ranked(rank)));
            ranks.then_with(|| by_value(&left.key, &right.key))
        });
        groups.truncate(limit);
        Ok(Answer::Top { groups })
    }

    /// Reports by value, of all values with so many reports.
    async fn tallies(
        &self,
        field: Field,
        query: Value,
        least: u64,
    ) -> Result<HashMap<String, u64>, StoreError> {
        let mut body = Map::new();
        body.insert("query".into(), query);
        body.insert("size".into(), 0.into());
        let terms = json!({"field": self.names.field(field), "size": GROUPS, "order": {"_count": "desc"}});
        body.insert("aggs".into(), json!({"groups": {"terms": terms}}));
        let answer = self.search(body).await?;
        let groups = &answer["aggregations"]["groups"];
        let buckets = read::buckets(groups);
        let smallest = buckets.last().map_or(0, |bucket| read::totals(bucket).reports);
        if buckets.len() >= GROUPS && smallest >= least {
            return Err(StoreError::TooManyValues(GROUPS));
        }
        let one = |bucket: &Value| Some((read::key(bucket, field)?, read::totals(bucket).reports));
        Ok(buckets.iter().filter_map(one).filter(|(_, count)| *count >= least).collect())
    }

    async fn significant(
        &self,
        field: Field,
        filter: &Filter,
        [now, baseline]: [Range; 2],
        min_count: u64,
        limit: usize,
    ) -> Result<Answer, StoreError> {
        let counts = self.tallies(field, self.names.query(filter, now), min_count.max(1)).await?;
        if counts.is_empty() {
            return Ok(Answer::Significant { terms: Vec::new() });
        }
        // Only those that matter: beside them there may be any number of others.
        let keys: Vec<&str> = counts.keys().map(String::as_str).collect();
        let those = json!({"terms": {self.names.field(field): keys}});
        let query = json!({"bool": {"filter": [self.names.query(filter, baseline), those]}});
        let before = self.tallies(field, query, 0).await;
        let before = match before {
            // As many as were asked for are not too many.
            Err(StoreError::TooManyValues(_)) => return Err(StoreError::TooManyValues(GROUPS)),
            other => other?,
        };
        let terms = counts.into_iter().map(|(key, count)| {
            let baseline = before.get(&key).copied().unwrap_or_default();
            (key, count, baseline)
        });
        Ok(Answer::Significant { terms: Significant::rank(terms, [now, baseline], limit) })
    }

    async fn histogram(&self, filter: &Filter, range: Range, interval: i64) -> Result<Answer, StoreError> {
        let histogram = json!({"date_histogram": {"field": "@timestamp", "fixed_interval": format!("{interval}ms"),
            "min_doc_count": 1}, "aggs": {"failures": Names::failures()}});
        let more = json!({"size": 0, "aggs": {"bins": histogram}});
        let answer = self.search(self.body(filter, range, more)).await?;
        let bins = read::bins(&answer["aggregations"]["bins"], range, interval);
        Ok(Answer::Histogram { bins })
    }
}
