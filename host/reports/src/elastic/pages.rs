//! The newest or the oldest reports, page by page.
//!
//! They are ordered by time, and those of one millisecond by their id. The servers can sort by that only where documents
//! have it as a field; those of others, such as Logstash's, have none but `_id`, which servers do not sort by. So a list is
//! cut where a millisecond ends, and the millisecond in which it has to be cut is read in full.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::answer::Asking;
use super::read;
use crate::{Filter, Range, Report, ReportId, StoreError};

/// Reports in one answer of the server.
const PAGE: usize = 5_000;
/// The servers allow no more.
const LARGEST: usize = 10_000;

impl Asking<'_> {
    /// So many of the newest or of the oldest reports; `behind`: only what comes after this one.
    pub(super) async fn listed(
        &self,
        filter: &Filter,
        mut range: Range,
        (first, limit): (First, usize),
        behind: Option<&(i64, ReportId)>,
    ) -> Result<Vec<Report>, StoreError> {
        let mut found: Vec<Report> = Vec::new();
        if let Some((at, id)) = behind {
            if range.contains(*at) {
                found = self.moment(filter, *at, (first, limit), Some(id)).await?;
            }
            range = first.rest(range, *at);
        }
        while found.len() < limit && range.from < range.to {
            // One more than is wanted tells whether the last one's millisecond is whole.
            let size = (limit - found.len() + 1).min(PAGE);
            let more =
                json!({"size": size, "sort": self.names.sorted(first.order()), "track_total_hits": false});
            let answer = self.search(self.body(filter, range, more)).await?;
            let hits = answer["hits"]["hits"].as_array().map(Vec::as_slice).unwrap_or_default();
            let mut some = read::reports(&answer);
            some.sort_by(|left, right| first.compare(left, right));
            if hits.len() < size {
                found.extend(some);
                break;
            }
            let sorted_by = || hits.last().and_then(|hit| read::number(&hit["sort"][0]));
            let Some(last) = some.last().map(|report| report.at).or_else(sorted_by) else { break };
            if !range.contains(last) {
                let text = format!("it found a report of {last}, which was not asked for");
                return Err(StoreError::Unavailable(text));
            }
            found.extend(some.into_iter().filter(|report| report.at != last));
            if found.len() < limit {
                found.extend(self.moment(filter, last, (first, limit - found.len()), None).await?);
            }
            range = first.rest(range, last);
        }
        found.truncate(limit);
        Ok(found)
    }

    /// So many of the first reports of a millisecond, by their ids; `behind`: only those that come after this one.
    async fn moment(
        &self,
        filter: &Filter,
        at: i64,
        (first, limit): (First, usize),
        behind: Option<&ReportId>,
    ) -> Result<Vec<Report>, StoreError> {
        let range = Range { from: at, to: at.saturating_add(1) };
        let ours = json!({"exists": {"field": self.names.id()}});
        let mut found = Vec::new();
        let mut after = behind.map_or(Value::Null, |id| json!([id]));
        while found.len() < limit {
            let size = (limit - found.len()).min(PAGE);
            let sort = json!([{self.names.id(): {"order": first.order(), "unmapped_type": "keyword"}}]);
            let more = json!({"size": size, "sort": sort, "track_total_hits": false});
            let mut body = self.body(filter, range, more);
            body.insert("query".into(), json!({"bool": {"filter": [self.names.query(filter, range), ours]}}));
            if !after.is_null() {
                body.insert("search_after".into(), after);
            }
            let answer = self.search(body).await?;
            found.extend(read::reports(&answer));
            let hits = answer["hits"]["hits"].as_array().map(Vec::as_slice).unwrap_or_default();
            after = hits.last().map(|hit| hit["sort"].clone()).unwrap_or_default();
            if hits.len() < size || after.is_null() {
                break;
            }
        }
        let query = json!({"bool": {"filter": self.names.query(filter, range), "must_not": ours}});
        let mut body = self.body(filter, range, json!({"size": LARGEST, "track_total_hits": false}));
        body.insert("query".into(), query);
        let answer = self.search(body).await?;
        if answer["hits"]["hits"].as_array().is_some_and(|hits| hits.len() >= LARGEST) {
            return Err(StoreError::TooManyValues(LARGEST));
        }
        let wanted = |report: &Report| behind.is_none_or(|id| first.of(&report.id, id).is_gt());
        found.extend(read::reports(&answer).into_iter().filter(wanted));
        found.sort_by(|left, right| first.compare(left, right));
        found.truncate(limit);
        Ok(found)
    }
}

/// From which end a list is.
#[derive(Clone, Copy)]
pub(super) enum First {
    /// Newest first; of equal times the greater id.
    Newest,
    /// Oldest first; of equal times the lesser id.
    Oldest,
}

impl First {
    fn order(self) -> &'static str {
        match self {
            Self::Newest => "desc",
            Self::Oldest => "asc",
        }
    }

    /// How two stand in the list.
    fn of<T: Ord>(self, left: &T, right: &T) -> Ordering {
        match self {
            Self::Newest => right.cmp(left),
            Self::Oldest => left.cmp(right),
        }
    }

    fn compare(self, left: &Report, right: &Report) -> Ordering {
        self.of(&(left.at, &left.id), &(right.at, &right.id))
    }

    /// What of a range comes behind a millisecond.
    fn rest(self, range: Range, at: i64) -> Range {
        match self {
            Self::Newest => Range { from: range.from, to: range.to.min(at) },
            Self::Oldest => Range { from: range.from.max(at.saturating_add(1)), to: range.to },
        }
    }
}
