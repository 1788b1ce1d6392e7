//! The engine for those who have Elasticsearch or OpenSearch: an index for each day there, the documents of wforce's
//! Logstash pipeline.

mod answer;
mod ask;
mod bulk;
mod hosts;
mod lease;
pub(crate) mod outside;
mod pages;
mod read;
mod settings;
mod setup;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use outbound::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{
    Answer, Answering, Confirmation, Health, Lease, Limits, Query, Report, ReportId, ReportStore, StoreError,
    StoreStats,
};
use answer::Asking;
use hosts::{Body, Hosts};
pub use settings::{Auth, ElasticSettings, is_index_name};
use setup::{Lifecycle, Server};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// Bulk requests at the same time.
const BULKS: usize = 4;
/// Of several questions asked together so many are on their way at the same time.
const TOGETHER: usize = 8;
/// Between two looks at what is too old, where the servers do not look themselves.
const EXPIRE_EVERY: Duration = Duration::from_mins(10);
/// How long one of several daemons has the work of dropping old indexes.
const EXPIRE_LEASE: Duration = Duration::from_mins(15);
/// How long a question about the servers themselves may take.
const HEALTH: Duration = Duration::from_secs(5);
/// Bytes of a search in the servers' own language.
const SEARCH: usize = 1 << 20;

/// Reports in Elasticsearch or OpenSearch.
pub struct ElasticStore {
    inner: Arc<Inner>,
}

struct Inner {
    settings: ElasticSettings,
    hosts: Hosts,
    /// What is known of the servers. Never held while they are asked: of several that find nothing known each asks, so
    /// that none waits for another's time limit.
    known: Mutex<Known>,
    bulks: Semaphore,
    /// Whether this side has taken leases, so that there may be old ones.
    leased: AtomicBool,
    ingested: AtomicU64,
    refused: AtomicU64,
}

#[derive(Default)]
struct Known {
    server: Option<Server>,
    /// Set when template and policy are there.
    lifecycle: Option<Lifecycle>,
}

impl ElasticStore {
    /// Makes the engine. The servers need not be there yet: they are asked when they are needed. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: a URL, a name, a key or a certificate that cannot be used.
    pub fn new(settings: ElasticSettings) -> Result<Self, StoreError> {
        let hosts = usable(&settings)?;
        let inner = Arc::new(Inner {
            settings,
            hosts,
            known: Mutex::default(),
            bulks: Semaphore::new(BULKS),
            leased: AtomicBool::new(false),
            ingested: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        tokio::spawn(keep(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// Whether an engine could be made with these settings.
    ///
    /// # Errors
    /// As for [`ElasticStore::new`].
    pub fn check(settings: &ElasticSettings) -> Result<(), StoreError> {
        usable(settings).map(drop)
    }

    /// Drops indexes that are too old now, where the servers do not do that themselves, and leases that ran out. Says how
    /// many indexes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tidy(&self) -> Result<usize, StoreError> {
        self.inner.expire_leases(now()).await?;
        match self.inner.ready().await? {
            Lifecycle::Policy => Ok(0),
            Lifecycle::Ours => self.inner.expire(now()).await,
        }
    }
}

fn usable(settings: &ElasticSettings) -> Result<Hosts, StoreError> {
    let wrong = |name: &str| {
        StoreError::Unavailable(format!("\"{name}\" cannot be the name of an index, or a pattern of names"))
    };
    if !is_index_name(&settings.index) {
        return Err(wrong(&settings.index));
    }
    if !settings::is_pattern(&settings.pattern()) {
        return Err(wrong(&settings.pattern()));
    }
    Hosts::new(settings)
}

/// Unix milliseconds.
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The index of an instant's day, such as `wforce-reports-2026.11.25`.
fn day_name(index: &str, at: i64) -> String {
    let day = crate::report::instant(at);
    format!("{index}-{}", day.get(..10).unwrap_or(&day).replace('-', "."))
}

/// Drops what is too old for as long as the engine lives.
async fn keep(inner: Weak<Inner>) {
    let mut turns = tokio::time::interval(EXPIRE_EVERY);
    // The first turn comes at once: nothing was written by then.
    turns.tick().await;
    let me = format!("{:016x}", std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), "me"));
    loop {
        turns.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        if inner.leased.load(Ordering::Relaxed)
            && let Err(error) = inner.expire_leases(now()).await
        {
            (inner.settings.complain)(&format!("Leases that ran out cannot be removed: {error}"));
        }
        if inner.known.lock().lifecycle != Some(Lifecycle::Ours) {
            continue;
        }
        let turn = async {
            if inner.lease("retention", &me, EXPIRE_LEASE, now()).await? == Lease::Held {
                inner.expire(now()).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = turn.await {
            (inner.settings.complain)(&format!("Old reports cannot be dropped: {error}"));
        }
    }
}

impl Inner {
    /// What the servers are. They are asked until they have answered once.
    async fn server(&self) -> Result<Server, StoreError> {
        if let Some(server) = &self.known.lock().server {
            return Ok(server.clone());
        }
        let reply = self.hosts.send(Method::GET, "/", Body::None, HEALTH).await?;
        if !reply.good() {
            return Err(StoreError::Unavailable(reply.reason()));
        }
        let server = Server::read(&reply.body)?;
        self.known.lock().server = Some(server.clone());
        Ok(server)
    }

    /// Before the first report: template and policy are installed. It does no harm to do that twice.
    async fn ready(&self) -> Result<Lifecycle, StoreError> {
        if let Some(lifecycle) = self.known.lock().lifecycle {
            return Ok(lifecycle);
        }
        let server = self.server().await?;
        let lifecycle = self.install(&server).await?;
        self.known.lock().lifecycle = Some(lifecycle);
        Ok(lifecycle)
    }

    async fn ingest(&self, reports: &[Report]) -> Result<(), StoreError> {
        let _turn = self.bulks.acquire().await.map_err(|_| StoreError::Closed)?;
        self.ready().await?;
        let result = self.bring(reports).await;
        let refused = match &result {
            Ok(()) => 0,
            Err(StoreError::Refused { count, .. }) => *count,
            Err(_) => return result,
        };
        self.ingested.fetch_add(reports.len().saturating_sub(refused) as u64, Ordering::Relaxed);
        self.refused.fetch_add(refused as u64, Ordering::Relaxed);
        result
    }

    async fn confirm(&self, id: &ReportId, confirmation: Confirmation) -> Result<bool, StoreError> {
        // Our ids tell the day. Those of reports that others wrote have to be looked for.
        let index = match id.parts() {
            Some((at, _, _)) => day_name(&self.settings.index, at),
            None => match self.index_of(id).await? {
                Some(index) => index,
                None => return Ok(false),
            },
        };
        let path = format!("/{index}/_update/{}?refresh=true&retry_on_conflict=3", escaped(id.as_str()));
        let body = json!({"doc": {"user_confirmation": confirmation.word()}});
        let reply = self.hosts.send(Method::POST, &path, (&body).into(), self.settings.timeout).await?;
        match reply.status {
            200..=299 => Ok(true),
            404 => Ok(false),
            _ => Err(StoreError::Unavailable(reply.reason())),
        }
    }

    /// The index that holds a document of this id.
    async fn index_of(&self, id: &ReportId) -> Result<Option<String>, StoreError> {
        let path =
            format!("/{}/_search?ignore_unavailable=true&allow_no_indices=true", self.settings.pattern());
        let body = json!({"size": 1, "_source": false, "query": {"ids": {"values": [id]}}});
        let reply = self.hosts.send(Method::POST, &path, (&body).into(), self.settings.timeout).await?;
        if !reply.good() {
            return Err(StoreError::Unavailable(reply.reason()));
        }
        Ok(reply.body["hits"]["hits"][0]["_index"].as_str().map(str::to_owned))
    }

    async fn query(&self, query: &Query, limits: Limits) -> Result<Answer, StoreError> {
        tokio::time::timeout(limits.time, self.server())
            .await
            .map_err(|_| StoreError::TimeOut(limits.time))??;
        Asking::new(self, limits).answer(query).await
    }

    async fn search(&self, index: &str, body: &[u8], limits: Limits) -> Result<Vec<u8>, StoreError> {
        let pattern = if index.is_empty() { self.settings.pattern() } else { index.to_owned() };
        if !settings::is_pattern(&pattern) {
            return Err(StoreError::Search(format!("\"{index}\" is no index, and no pattern of indexes")));
        }
        if body.len() > SEARCH {
            return Err(StoreError::Search(format!("it is longer than {SEARCH} bytes")));
        }
        let parsed: Value = serde_json::from_slice(body)
            .map_err(|error| StoreError::Search(format!("it is no JSON: {error}")))?;
        if !parsed.is_object() {
            return Err(StoreError::Search("it is no JSON object".into()));
        }
        let path = format!("/{pattern}/_search");
        let reply =
            self.hosts.send(Method::POST, &path, Body::Json(body.to_vec().into()), limits.time).await?;
        if reply.good() {
            return Ok(reply.bytes.to_vec());
        }
        Err(match reply.status {
            400 | 404 => StoreError::Search(reply.reason()),
            _ => StoreError::Unavailable(reply.reason()),
        })
    }
}

/// A document's id in a path.
fn escaped(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    id.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

impl ReportStore for ElasticStore {
    fn ingest(&self, reports: Vec<Report>) -> Answering<'_, ()> {
        Box::pin(async move { self.inner.ingest(&reports).await })
    }

    fn query<'a>(&'a self, query: &'a Query, limits: Limits) -> Answering<'a, Answer> {
        Box::pin(self.inner.query(query, limits))
    }

    fn query_each<'a>(&'a self, queries: &'a [Query], limits: Limits) -> Answering<'a, Vec<Answer>> {
        // Each has the limit of its own; all together have some of it for each hundred.
        let time = limits.time.saturating_mul(1 + queries.len().div_ceil(100) as u32);
        let all = async move {
            Query::check_each(queries, &limits)?;
            let mut answers: Vec<Option<Answer>> = queries.iter().map(|_| None).collect();
            let (mut asked, mut waiting) = (JoinSet::new(), queries.iter().cloned().enumerate());
            loop {
                while asked.len() < TOGETHER
                    && let Some((place, query)) = waiting.next()
                {
                    let inner = Arc::clone(&self.inner);
                    asked.spawn(async move { (place, inner.query(&query, limits).await) });
                }
                let Some(answered) = asked.join_next().await else { break };
                let (place, answer) = answered.map_err(|error| StoreError::Failed(error.to_string()))?;
                if let Some(place) = answers.get_mut(place) {
                    *place = Some(answer?);
                }
            }
            // Each has one by now.
            Ok(answers.into_iter().flatten().collect())
        };
        Box::pin(async move {
            // What is left of them ends with the set of tasks.
            tokio::time::timeout(time, all).await.map_err(|_| StoreError::TimeOut(time))?
        })
    }

    fn search<'a>(&'a self, index: &'a str, body: &'a [u8], limits: Limits) -> Answering<'a, Vec<u8>> {
        Box::pin(self.inner.search(index, body, limits))
    }

    fn confirm<'a>(&'a self, id: &'a ReportId, confirmation: Confirmation) -> Answering<'a, bool> {
        Box::pin(self.inner.confirm(id, confirmation))
    }

    fn lease<'a>(&'a self, name: &'a str, holder: &'a str, ttl: Duration) -> Answering<'a, Lease> {
        Box::pin(self.inner.lease(name, holder, ttl, now()))
    }

    fn release<'a>(&'a self, name: &'a str, holder: &'a str) -> Answering<'a, ()> {
        Box::pin(self.inner.release(name, holder))
    }

    fn health(&self) -> Answering<'_, Health> {
        Box::pin(async move {
            let reply = self.inner.hosts.send(Method::GET, "/", Body::None, HEALTH).await;
            let server = reply.and_then(|reply| {
                if reply.good() {
                    Server::read(&reply.body)
                } else {
                    Err(StoreError::Unavailable(reply.reason()))
                }
            });
            Ok(match server {
                Ok(server) => Health { ready: true, complaints: Vec::new(), engine: server.name() },
                Err(error) => Health {
                    ready: false,
                    complaints: vec![error.to_string()],
                    engine: "elasticsearch".into(),
                },
            })
        })
    }

    fn stats(&self) -> Answering<'_, StoreStats> {
        Box::pin(async move {
            Ok(StoreStats {
                ingested: self.inner.ingested.load(Ordering::Relaxed),
                refused: self.inner.refused.load(Ordering::Relaxed),
                retries: self.inner.hosts.retries(),
                ..StoreStats::default()
            })
        })
    }

    fn flush(&self) -> Answering<'_, ()> {
        Box::pin(async move {
            let path = format!(
                "/{}-*/_refresh?ignore_unavailable=true&allow_no_indices=true",
                self.inner.settings.index
            );
            let reply =
                self.inner.hosts.send(Method::POST, &path, Body::None, self.inner.settings.timeout).await?;
            if reply.good() || reply.status == 404 {
                Ok(())
            } else {
                Err(StoreError::Unavailable(reply.reason()))
            }
        })
    }
}
