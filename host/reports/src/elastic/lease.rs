//! Leases as documents: whoever writes first has it, as the servers refuse a write that does not follow the state it saw.

use std::sync::atomic::Ordering;
use std::time::Duration;

use outbound::Method;
use serde_json::json;

use super::hosts::Body;
use super::{Inner, escaped};
use crate::{Lease, StoreError};

/// How often it is tried when others write at the same moment.
const ATTEMPTS: usize = 4;
/// How long one request may take.
const TIME: Duration = Duration::from_secs(5);
/// Milliseconds that a lease stays after it ran out: longer than clocks differ, so that nobody who still heeds it misses it.
const STAY: i64 = 5 * 60_000;
/// Leases that are removed at a time; more wait for the next one.
const MOST_EXPIRED: usize = 1000;

impl Inner {
    /// `now`: unix milliseconds. The clocks of those who share leases must not differ by much of a lease's length.
    pub(super) async fn lease(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
        now: i64,
    ) -> Result<Lease, StoreError> {
        self.leased.store(true, Ordering::Relaxed);
        let path = self.lease_path(name);
        let until = now.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
        let body = json!({"name": name, "holder": holder, "until": until});
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let there = self.hosts.send(Method::GET, &path, Body::None, TIME).await?;
            let write = match there.status {
                404 => format!("{path}?op_type=create"),
                200..=299 => {
                    let source = &there.body["_source"];
                    let other = source["holder"].as_str().unwrap_or_default();
                    let left = source["until"].as_i64().unwrap_or_default().saturating_sub(now);
                    if other != holder && left > 0 {
                        let left = Duration::from_millis(left.unsigned_abs());
                        return Ok(Lease::Taken { holder: other.to_owned(), left });
                    }
                    let (number, term) = (&there.body["_seq_no"], &there.body["_primary_term"]);
                    format!("{path}?if_seq_no={number}&if_primary_term={term}")
                }
                _ => return Err(StoreError::Unavailable(there.reason())),
            };
            let written = self.hosts.send(Method::PUT, &write, (&body).into(), TIME).await?;
            match written.status {
                200..=299 => return Ok(Lease::Held),
                // Somebody else wrote meanwhile, or this very write did and its answer was lost: look again.
                409 => last = written.reason(),
                _ => return Err(StoreError::Unavailable(written.reason())),
            }
        }
        Err(StoreError::Unavailable(last))
    }

    pub(super) async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let path = self.lease_path(name);
        let there = self.hosts.send(Method::GET, &path, Body::None, TIME).await?;
        if there.body["_source"]["holder"].as_str() != Some(holder) {
            return Ok(());
        }
        let (number, term) = (&there.body["_seq_no"], &there.body["_primary_term"]);
        let path = format!("{path}?if_seq_no={number}&if_primary_term={term}");
        let gone = self.hosts.send(Method::DELETE, &path, Body::None, TIME).await?;
        // 409, 404: it changed hands meanwhile.
        if gone.good() || matches!(gone.status, 404 | 409) {
            Ok(())
        } else {
            Err(StoreError::Unavailable(gone.reason()))
        }
    }

    /// Removes the documents of leases that ran out a while ago: each run of a cron job has one of its own. One that somebody
    /// takes at this moment stays. `now`: unix milliseconds.
    pub(super) async fn expire_leases(&self, now: i64) -> Result<(), StoreError> {
        let leases = self.settings.leases();
        let oldest = now.saturating_sub(STAY);
        let query =
            json!({"size": MOST_EXPIRED, "_source": false, "query": {"range": {"until": {"lt": oldest}}}});
        let path = format!("/{leases}/_search?ignore_unavailable=true&allow_no_indices=true");
        let found = self.hosts.send(Method::POST, &path, (&query).into(), TIME).await?;
        if found.status == 404 {
            return Ok(());
        }
        if !found.good() {
            return Err(StoreError::Unavailable(found.reason()));
        }
        let hits = found.body["hits"]["hits"].as_array().map(Vec::as_slice).unwrap_or_default();
        for id in hits.iter().filter_map(|hit| hit["_id"].as_str()) {
            let path = format!("/{leases}/_doc/{}", escaped(id));
            let there = self.hosts.send(Method::GET, &path, Body::None, TIME).await?;
            let ran_out = there.body["_source"]["until"].as_i64().is_some_and(|until| until < oldest);
            if !there.good() || !ran_out {
                continue;
            }
            let (number, term) = (&there.body["_seq_no"], &there.body["_primary_term"]);
            let path = format!("{path}?if_seq_no={number}&if_primary_term={term}");
            let gone = self.hosts.send(Method::DELETE, &path, Body::None, TIME).await?;
            if !gone.good() && !matches!(gone.status, 404 | 409) {
                return Err(StoreError::Unavailable(gone.reason()));
            }
        }
        Ok(())
    }

    /// Names of leases may have any characters.
    fn lease_path(&self, name: &str) -> String {
        let hash = xxhash_rust::xxh3::xxh3_128(name.as_bytes());
        format!("/{}/_doc/{hash:032x}", self.settings.leases())
    }
}
