//! Reports to the servers, many at a time.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use outbound::Method;
use serde_json::{Map, Value, json};

use super::hosts::{Body, Reply};
use super::{Inner, day_name};
use crate::{Report, StoreError};

/// Bytes of one request; servers advise 5 to 15 MB.
const BYTES: usize = 5 << 20;
/// Before the first repetition.
const PAUSE: Duration = Duration::from_millis(100);
/// Before a later one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A report as two lines of a bulk request.
struct Lines(String);

/// What became of the reports of one request.
#[derive(Default)]
pub(super) struct Outcome {
    /// Places of those that have to be sent again.
    pub(super) again: Vec<usize>,
    pub(super) refused: usize,
    reason: String,
}

impl Inner {
    /// Brings reports; returns when the servers have acknowledged them. Reports that are there already count as brought,
    /// so that it does no harm to bring some twice.
    pub(super) async fn bring(&self, reports: &[Report]) -> Result<(), StoreError> {
        let mut lines: Vec<Lines> = reports.iter().map(|report| self.lines(report)).collect();
        let (mut refused, mut reason) = (0, String::new());
        let deadline = Instant::now() + self.settings.patience;
        let mut pause = PAUSE;
        let mut most = usize::MAX;
        while !lines.is_empty() {
            let count = fitting(&lines).min(most);
            let body: String = lines.iter().take(count).map(|lines| lines.0.as_str()).collect();
            let reply = self
                .hosts
                .send(Method::POST, "/_bulk", Body::Lines(body.into()), self.settings.timeout)
                .await;
            let outcome = match reply {
                Ok(reply) if reply.good() => outcome(&reply, count),
                Ok(reply) if reply.status == 413 && count > 1 => {
                    most = count / 2;
                    continue;
                }
                Ok(reply) if reply.status == 429 => everything(count, reply.reason()),
                Ok(reply) => {
                    return Err(StoreError::Unavailable(format!(
                        "the bulk request was refused: {}",
                        reply.reason()
                    )));
                }
                Err(error) => everything(count, error.to_string()),
            };
            refused += outcome.refused;
            if reason.is_empty() {
                reason.clone_from(&outcome.reason);
            }
            let mut at = 0;
            lines.retain(|_| {
                let keep = at >= count || outcome.again.binary_search(&at).is_ok();
                at += 1;
                keep
            });
            if outcome.again.is_empty() {
                pause = PAUSE;
                continue;
            }
            // The servers cannot keep up, or are away: this side waits, and with it all who bring reports.
            if Instant::now() + pause >= deadline {
                return Err(StoreError::Unavailable(outcome.reason));
            }
            self.hosts.repeated();
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if refused == 0 { Ok(()) } else { Err(StoreError::Refused { count: refused, reason }) }
    }

    fn lines(&self, report: &Report) -> Lines {
        let action =
            json!({"create": {"_index": day_name(&self.settings.index, report.at), "_id": report.id}});
        let mut text = String::with_capacity(1024);
        // Writing into a String does not fail.
        let _ = writeln!(text, "{action}\n{}", Value::Object(document(report)));
        Lines(text)
    }
}

/// The document: empty texts are left out, so that they are no values to count; names of attributes that the servers
/// would refuse are, too.
fn document(report: &Report) -> Map<String, Value> {
    let mut document = report.to_document();
    document.retain(|_, value| value.as_str() != Some(""));
    for name in ["attrs", "device_attrs"] {
        if let Some(attrs) = document.get_mut(name).and_then(Value::as_object_mut) {
            attrs.retain(|key, _| key.split('.').all(|part| !part.trim().is_empty()));
        }
    }
    document
}

/// How many of them one request takes.
fn fitting(lines: &[Lines]) -> usize {
    let mut bytes = 0;
    let count = lines.iter().take_while(|lines| {
        bytes += lines.0.len();
        bytes <= BYTES
    });
    count.count().max(1)
}

fn everything(count: usize, reason: String) -> Outcome {
    Outcome { again: (0..count).collect(), refused: 0, reason }
}

/// Reads what became of each report.
pub(super) fn outcome(reply: &Reply, count: usize) -> Outcome {
    let items = reply.body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.len() != count {
        return everything(count, "the answer to a bulk request is not one".into());
    }
    let mut outcome = Outcome::default();
    for (at, item) in items.iter().enumerate() {
        let item = &item["create"];
        match item["status"].as_u64().unwrap_or_default() {
            // 409: it is there already, brought by a request whose answer was lost.
            200..=299 | 409 => {}
            429 | 500..=599 => {
                outcome.again.push(at);
                outcome.reason = why(item);
            }
            _ => {
                outcome.refused += 1;
                outcome.reason = why(item);
            }
        }
    }
    outcome
}

fn why(item: &Value) -> String {
    let error = &item["error"];
    let cause = error["caused_by"]["reason"].as_str().unwrap_or_default();
    let reason = error["reason"].as_str().unwrap_or("no reason given");
    let text = if cause.is_empty() { reason.to_owned() } else { format!("{reason}: {cause}") };
    format!("{} {text}", item["status"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: Value) -> Reply {
        Reply { status: 200, bytes: body.to_string().into(), body }
    }

    #[test]
    fn each_report_has_its_own_fate() {
        // The form of the public documentation of both products.
        let body = json!({"took": 30, "errors": true, "items": [
            {"create": {"_index": "i", "_id": "1", "status": 201, "result": "created"}},
            {"create": {"_index": "i", "_id": "2", "status": 409, "error": {"type": "version_conflict_engine_exception",
                "reason": "[2]: version conflict, document already exists (current version [1])"}}},
            {"create": {"_index": "i", "_id": "3", "status": 429, "error": {"type": "es_rejected_execution_exception",
                "reason": "rejected execution of coordinating operation"}}},
            {"create": {"_index": "i", "_id": "4", "status": 400, "error": {"type": "mapper_parsing_exception",
                "reason": "failed to parse field [remote]", "caused_by": {"type": "illegal_argument_exception",
                "reason": "'x' is not an IP string literal."}}}},
        ]});
        let found = outcome(&reply(body.clone()), 4);
        assert_eq!((found.again, found.refused), (vec![2], 1));
        assert!(found.reason.contains("IP string literal"));
        assert_eq!(outcome(&reply(body), 5).again.len(), 5);
    }

    #[test]
    fn requests_are_bounded() {
        let some = |bytes: usize| Lines("x".repeat(bytes));
        assert_eq!(fitting(&[some(BYTES * 2), some(1)]), 1);
        assert_eq!(fitting(&[some(BYTES / 2), some(BYTES / 2), some(1)]), 2);
    }
}
