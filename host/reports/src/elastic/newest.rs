//! The newest reports, page by page.
//!
//! They are ordered by time, and those of one millisecond by their id. The servers can sort by that only where documents
//! have it as a field; those of others, such as Logstash's, have none but `_id`, which servers do not sort by. So a list is
//! cut where a millisecond ends, and the millisecond in which it has to be cut is read in full.

use serde_json::{Value, json};

use super::answer::Asking;
use super::read;
use crate::{Filter, Range, Report, ReportId, StoreError};

/// Reports in one answer of the server.
const PAGE: usize = 5_000;
/// The servers allow no more.
const LARGEST: usize = 10_000;

impl Asking<'_> {
    /// So many of the newest reports; `behind`: only what comes after this one.
    pub(super) async fn newest(
        &self,
        filter: &Filter,
        mut range: Range,
        limit: usize,
        behind: Option<&(i64, ReportId)>,
    ) -> Result<Vec<Report>, StoreError> {
        let mut found: Vec<Report> = Vec::new();
        if let Some((at, id)) = behind {
            if range.contains(*at) {
                found = self.moment(filter, *at, limit, Some(id)).await?;
            }
            range.to = range.to.min(*at);
        }
        while found.len() < limit && range.from < range.to {
            // One more than is wanted tells whether the last one's millisecond is whole.
            let size = (limit - found.len() + 1).min(PAGE);
            let more = json!({"size": size, "sort": self.names.newest(), "track_total_hits": false});
            let answer = self.search(self.body(filter, range, more)).await?;
            let hits = answer["hits"]["hits"].as_array().map(Vec::as_slice).unwrap_or_default();
            let mut some = read::reports(&answer);
            some.sort_by(newer);
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
            found.extend(some.into_iter().filter(|report| report.at > last));
            if found.len() < limit {
                found.extend(self.moment(filter, last, limit - found.len(), None).await?);
            }
            range.to = last;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// So many of the reports of a millisecond, with the greatest ids; `below`: only those with lesser ones.
    async fn moment(
        &self,
        filter: &Filter,
        at: i64,
        limit: usize,
        below: Option<&ReportId>,
    ) -> Result<Vec<Report>, StoreError> {
        let range = Range { from: at, to: at.saturating_add(1) };
        let ours = json!({"exists": {"field": self.names.id()}});
        let mut found = Vec::new();
        let mut after = below.map_or(Value::Null, |id| json!([id]));
        while found.len() < limit {
            let size = (limit - found.len()).min(PAGE);
            let sort = json!([{self.names.id(): {"order": "desc", "unmapped_type": "keyword"}}]);
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
        let lesser = |report: &Report| below.is_none_or(|below| report.id < *below);
        found.extend(read::reports(&answer).into_iter().filter(lesser));
        found.sort_by(newer);
        found.truncate(limit);
        Ok(found)
    }
}

/// The order of a list: newest first, of equal times the greater id.
fn newer(left: &Report, right: &Report) -> std::cmp::Ordering {
    (right.at, &right.id).cmp(&(left.at, &left.id))
}
