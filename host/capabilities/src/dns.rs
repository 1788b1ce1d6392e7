//! DNS resolvers by name, each with its own servers, limits and cache.

mod lookup;
mod names;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bstr::{BStr, BString};
use hickory_resolver::proto::rr::Name;
use parking_lot::{Mutex, RwLock};

use crate::log::{Level, Log};
use crate::metrics::{DnsMetrics, Metrics};
use lookup::{Question, Servers};

/// How long one server may take (wforce compatibility).
const TIMEOUT: Duration = Duration::from_secs(1);
/// Look-ups of one resolver that may be under way at once, unless the configuration says otherwise. wforce's 12 are
/// 12 threads' worth of contexts; a look-up here is a small task, so there is room for more.
const LOOKUPS: usize = 256;

/// The resolvers of this daemon.
pub struct Dns {
    log: Arc<Log>,
    metrics: Arc<Metrics>,
    resolvers: RwLock<BTreeMap<BString, Arc<Resolver>>>,
    answers: Answers,
}

/// Answers given in place of servers', by name in lower case without its last dot. Never set in a daemon.
type Answers = Arc<OnceLock<BTreeMap<String, Vec<String>>>>;

impl Dns {
    /// No resolvers yet.
    pub fn new(log: Arc<Log>, metrics: &Arc<Metrics>) -> Self {
        Self { log, metrics: Arc::clone(metrics), resolvers: RwLock::default(), answers: Arc::default() }
    }

    /// Makes a resolver, or finds the one that has this name already. Its metrics are at 0 from now on.
    pub fn create(&self, name: &[u8]) -> Arc<Resolver> {
        self.create_or_find(name).0
    }

    /// The same, and whether it was made.
    pub fn create_or_find(&self, name: &[u8]) -> (Arc<Resolver>, bool) {
        let mut resolvers = self.resolvers.write();
        if let Some(found) = resolvers.get(BStr::new(name)) {
            return (Arc::clone(found), false);
        }
        let metrics = self.metrics.resolver(&String::from_utf8_lossy(name));
        let made = Arc::new(Resolver::new(Some(metrics), Arc::clone(&self.answers)));
        resolvers.insert(name.into(), Arc::clone(&made));
        (made, true)
    }

    /// The name is unknown again if this is its resolver: the configuration that made it is not used.
    pub fn forget(&self, name: &[u8], resolver: &Arc<Resolver>) {
        let mut resolvers = self.resolvers.write();
        if resolvers.get(BStr::new(name)).is_some_and(|found| Arc::ptr_eq(found, resolver)) {
            resolvers.remove(BStr::new(name));
        }
    }

    /// The resolver of this name, if there is one.
    pub fn find(&self, name: &[u8]) -> Option<Arc<Resolver>> {
        self.resolvers.read().get(BStr::new(name)).cloned()
    }

    /// The resolver of this name; an unknown name gives, with a warning in the log, a fresh one without servers, which
    /// finds nothing.
    pub fn get(&self, name: &[u8]) -> Arc<Resolver> {
        if let Some(found) = self.resolvers.read().get(BStr::new(name)) {
            return Arc::clone(found);
        }
        let text = format!("getDNSResolver: no resolver named \"{}\"", BStr::new(name));
        self.log.limited("unknown DNS resolver", Duration::from_secs(1), Level::Warning, text);
        Arc::new(Resolver::new(None, Arc::clone(&self.answers)))
    }

    /// All resolvers, by name in ascending byte order.
    pub fn all(&self) -> Vec<(BString, Arc<Resolver>)> {
        let resolvers = self.resolvers.read();
        resolvers.iter().map(|(name, resolver)| (name.clone(), Arc::clone(resolver))).collect()
    }

    /// From now on resolvers ask no server: they know these names and no others. For tests of policies; the first call
    /// counts.
    pub fn answer_from(&self, answers: BTreeMap<String, Vec<String>>) {
        let answers = answers
            .into_iter()
            .map(|(name, found)| (name.trim_end_matches('.').to_ascii_lowercase(), found))
            .collect();
        // Set already: the first ones stay.
        let _ = self.answers.set(answers);
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Settings {
    servers: Vec<SocketAddr>,
    timeout: Duration,
    contexts: usize,
}

/// One resolver. It asks only the servers it was given, never the system's: without servers it finds nothing.
///
/// A look-up asks one server. If nobody answers there within the timeout, a retry asks the next one, and following
/// look-ups start with the server that came next, so that a dead one is not waited for again and again. Answers and
/// refusals are kept for their TTL.
pub struct Resolver {
    settings: Mutex<Settings>,
    /// Made for the settings when first used; dropped when they change.
    servers: Mutex<Option<Arc<Servers>>>,
    metrics: Option<DnsMetrics>,
    answers: Answers,
}

impl Resolver {
    fn new(metrics: Option<DnsMetrics>, answers: Answers) -> Self {
        let settings = Settings { servers: Vec::new(), timeout: TIMEOUT, contexts: LOOKUPS };
        Self { settings: Mutex::new(settings), servers: Mutex::new(None), metrics, answers }
    }

    /// Asks this server, too; adding one twice changes nothing.
    pub fn add_server(&self, ip: IpAddr, port: u16) {
        let server = SocketAddr::new(ip, port);
        self.change(|settings| {
            if !settings.servers.contains(&server) {
                settings.servers.push(server);
            }
        });
    }

    /// The servers, in the order they were added.
    pub fn servers(&self) -> Vec<SocketAddr> {
        self.settings.lock().servers.clone()
    }

    /// How long one server may take to answer; default 1 s.
    pub fn set_timeout(&self, timeout: Duration) {
        self.change(|settings| settings.timeout = timeout);
    }

    /// How many look-ups may be under way at once (at least 1); default 256. One too many waits for the timeout at most.
    pub fn set_contexts(&self, contexts: usize) {
        self.change(|settings| settings.contexts = contexts.max(1));
    }

    fn change(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.lock();
        let before = settings.clone();
        change(&mut settings);
        if *settings != before {
            *self.servers.lock() = None;
        }
    }

    /// The IPv4 and then the IPv6 addresses of a name, as text; empty if there are none or nobody answered. `retries`:
    /// further servers asked when one does not answer.
    pub async fn addrs_by_name(&self, name: &[u8], retries: usize) -> Vec<String> {
        let Some(name) = names::name(name) else { return Vec::new() };
        self.timed(Question::Addresses, &name, retries).await
    }

    /// The names of an address, with their trailing dots; empty if there are none or nobody answered.
    pub async fn names_by_addr(&self, ip: IpAddr, retries: usize) -> Vec<String> {
        let name = names::reverse(ip);
        self.timed(Question::Names, &name, retries).await
    }

    /// What an RBL says of an address: the IPv4 addresses of the reversed address in the zone (RFC 5782), as text; empty if
    /// it is not listed or nobody answered.
    pub async fn rbl(&self, ip: IpAddr, zone: &[u8], retries: usize) -> Vec<String> {
        let Some(name) = names::rbl(ip, zone) else { return Vec::new() };
        self.timed(Question::Listings, &name, retries).await
    }

    /// Counts a look-up and its duration, answered from the cache or not.
    async fn timed(&self, question: Question, name: &Name, retries: usize) -> Vec<String> {
        if let Some(answers) = self.answers.get() {
            let name = name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
            return answers.get(&name).cloned().unwrap_or_default();
        }
        let Some(servers) = self.current() else { return Vec::new() };
        let Some(metrics) = &self.metrics else { return servers.ask(question, name, retries).await };
        metrics.queries.inc();
        let timer = metrics.seconds.start_timer();
        let found = servers.ask(question, name, retries).await;
        timer.observe_duration();
        found
    }

    fn current(&self) -> Option<Arc<Servers>> {
        let settings = self.settings.lock();
        if settings.servers.is_empty() {
            return None;
        }
        let mut servers = self.servers.lock();
        if servers.is_none() {
            *servers = Servers::new(&settings.servers, settings.timeout, settings.contexts).map(Arc::new);
        }
        servers.clone()
    }
}

#[cfg(test)]
mod tests;
