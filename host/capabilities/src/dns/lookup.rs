//! Look-ups over the servers of one resolver.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::Semaphore;

/// Answers kept for each server.
const CACHED: u64 = 4096;
/// Refusals are kept this long at most: a name that appears should not stay unknown for a day.
const LONGEST_REFUSAL: Duration = Duration::from_mins(5);

/// One resolver for each server, so that it is known which one did not answer.
pub(super) struct Servers {
    resolvers: Vec<TokioResolver>,
    first: AtomicUsize,
    timeout: Duration,
    gate: Semaphore,
}

/// What to ask for.
#[derive(Clone, Copy)]
pub(super) enum Question {
    /// IPv4 addresses, then IPv6 addresses.
    Addresses,
    /// IPv4 addresses.
    Listings,
    /// Names with trailing dots.
    Names,
}

/// What one server said.
enum Answer {
    /// Records, or that there are none.
    Records(Vec<RData>),
    /// Nothing in time.
    Silence,
}

impl Servers {
    pub(super) fn new(servers: &[SocketAddr], timeout: Duration, contexts: usize) -> Option<Self> {
        let resolvers: Result<Vec<_>, _> = servers.iter().map(|server| one(*server, timeout)).collect();
        Some(Self {
            resolvers: resolvers.ok()?,
            first: AtomicUsize::new(0),
            timeout,
            gate: Semaphore::new(contexts.min(Semaphore::MAX_PERMITS)),
        })
    }

    /// Asks, and asks up to `retries` other servers as long as nobody answers. Empty if there is nothing, or silence.
    pub(super) async fn ask(&self, question: Question, name: &Name, retries: usize) -> Vec<String> {
        let Ok(Ok(_turn)) = tokio::time::timeout(self.timeout, self.gate.acquire()).await else {
            return Vec::new();
        };
        for _ in 0..=retries.min(self.resolvers.len().saturating_sub(1)) {
            let first = self.first.load(Ordering::Relaxed);
            let Some(server) = self.resolvers.get(first % self.resolvers.len().max(1)) else { break };
            let answer = match question {
                Question::Addresses => self.both(server, name).await,
                Question::Listings => self.one(server, name, RecordType::A).await,
                Question::Names => self.one(server, name, RecordType::PTR).await,
            };
            if let Answer::Records(records) = answer {
                return records.iter().filter_map(text).collect();
            }
            // Only one of those that met the silence moves on.
            let next = first.wrapping_add(1);
            let _ = self.first.compare_exchange(first, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        Vec::new()
    }

    async fn both(&self, server: &TokioResolver, name: &Name) -> Answer {
        let (v4, v6) =
            tokio::join!(self.one(server, name, RecordType::A), self.one(server, name, RecordType::AAAA));
        match (v4, v6) {
            (Answer::Records(mut v4), Answer::Records(v6)) => {
                v4.extend(v6);
                Answer::Records(v4)
            }
            // Half an answer that says something is better than another try.
            (Answer::Records(some), Answer::Silence) | (Answer::Silence, Answer::Records(some))
                if !some.is_empty() =>
            {
                Answer::Records(some)
            }
            _ => Answer::Silence,
        }
    }

    async fn one(&self, server: &TokioResolver, name: &Name, kind: RecordType) -> Answer {
        let answer = tokio::time::timeout(self.timeout, server.lookup(name.clone(), kind)).await;
        match answer {
            Ok(Ok(lookup)) => Answer::Records(records(&lookup, kind)),
            // No such name, no such records, refused, server failure: an answer all the same.
            Ok(Err(NetError::Dns(_))) => Answer::Records(Vec::new()),
            Ok(Err(_)) | Err(_) => Answer::Silence,
        }
    }
}

fn one(server: SocketAddr, timeout: Duration) -> Result<TokioResolver, NetError> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.into());
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let mut options = ResolverOpts::default();
    options.timeout = timeout;
    // Whom to ask again, and whether, is decided here.
    options.attempts = 0;
    options.num_concurrent_reqs = 1;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = CACHED;
    options.negative_max_ttl = Some(LONGEST_REFUSAL);
    options.max_active_requests = 1024;
    *builder.options_mut() = options;
    builder.build()
}

fn records(lookup: &Lookup, kind: RecordType) -> Vec<RData> {
    let of_kind = lookup.answers().iter().filter(|record| record.record_type() == kind);
    of_kind.map(|record| record.data.clone()).collect()
}

fn text(record: &RData) -> Option<String> {
    match record {
        RData::A(ip) => Some(ip.to_string()),
        RData::AAAA(ip) => Some(ip.to_string()),
        RData::PTR(name) => {
            let mut name = name.0.clone();
            name.set_fqdn(true);
            Some(name.to_ascii())
        }
        _ => None,
    }
}
