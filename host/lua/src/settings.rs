//! What the configuration set up, for the parts of the daemon that serve it.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bstr::BString;
use cluster::{Cluster, Named, PeerConfig, Target};
use parking_lot::Mutex;
use statsdb::CountMinShape;

mod complaint;
mod job;
mod peer;

pub use complaint::{Complaint, Complaints, Place};
pub use job::{Job, ReportQueue};
pub use peer::{PeerError, sink_address};

/// Everything the file set. It is filled while the file runs in the configuration state; some of it can also be changed
/// from the console later.
#[derive(Default)]
pub struct Settings {
    values: Mutex<Values>,
    control: Mutex<Vec<TcpListener>>,
    sealed: AtomicBool,
    again: AtomicBool,
    waits: AtomicBool,
    cluster: OnceLock<Arc<Cluster>>,
    /// Where the file calls each function, the last time.
    places: Mutex<HashMap<&'static str, Place>>,
}

impl Settings {
    /// Looks at the values, or copies some out.
    pub fn read<R>(&self, look: impl FnOnce(&Values) -> R) -> R {
        look(&self.values.lock())
    }

    /// Changes the values.
    pub fn change<R>(&self, change: impl FnOnce(&mut Values) -> R) -> R {
        change(&mut self.values.lock())
    }

    /// The daemon has started: what is read only at the start can no longer be set.
    pub fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    /// Whether [`Settings::seal`] was called.
    pub fn sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// The daemon runs already, and reads its file once more.
    pub fn read_again(&self) {
        self.again.store(true, Ordering::Release);
    }

    /// Whether [`Settings::read_again`] was called.
    pub fn is_read_again(&self) -> bool {
        self.again.load(Ordering::Acquire)
    }

    pub(crate) fn note_place(&self, function: &'static str, place: Option<Place>) {
        if let Some(place) = place {
            self.places.lock().insert(function, place);
        }
    }

    /// Where the file calls the first of these functions that it calls: for what turns out to be wrong only later.
    pub fn place_of(&self, functions: &[&str]) -> Option<Place> {
        let places = self.places.lock();
        functions.iter().find_map(|function| places.get(function).cloned())
    }

    /// Whether the file has something that policy calls may want to wait for: a DNS resolver, a report store, a stats DB that
    /// is kept outside.
    pub fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    pub(crate) fn note_waiting(&self) {
        self.waits.store(true, Ordering::Relaxed);
    }

    pub(crate) fn add_control(&self, listener: TcpListener) {
        self.control.lock().push(listener);
    }

    /// The control sockets that the file bound; the caller serves them.
    pub fn take_control(&self) -> Vec<TcpListener> {
        std::mem::take(&mut self.control.lock())
    }

    /// Where siblings are changed from now on; before the file runs, in a daemon that serves.
    pub fn attach(&self, cluster: Arc<Cluster>) {
        // A second one would be a mistake of the program's; the first one stays.
        let _ = self.cluster.set(cluster);
    }

    /// What [`Settings::attach`] attached.
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.get()
    }
}

/// The values.
#[derive(Debug)]
pub struct Values {
    /// Where the HTTP API is served.
    pub listeners: Vec<Listener>,
    /// The addresses of control sockets; a console client uses the last one.
    pub control: Vec<SocketAddr>,
    /// The key of control socket and siblings.
    pub key: Option<Secret>,
    /// How many Lua states serve calls.
    pub lua_states: i32,
    /// How many threads serve connections.
    pub worker_threads: i32,
    /// How many HTTP connections may be open at once.
    pub max_connections: i32,
    /// How long a policy call may take.
    pub policy_budget: Duration,
    /// Bytes that a Lua state may use beyond what the file itself built up.
    pub policy_memory: usize,
    /// Where stats DBs and lists are kept over a restart.
    pub state_dir: Option<PathBuf>,
    /// Time between two snapshots of them.
    pub state_interval: Duration,
    /// Log allowed logins too.
    pub verbose_allow_log: bool,
    /// The attribute with the JA3 hash.
    pub ja3_attr: BString,
    /// Schedules of background functions, in order.
    pub jobs: Vec<Job>,
    /// The names of background functions, in the order of their registration.
    pub background: Vec<String>,
    /// How many background functions run at once.
    pub scheduler_threads: i32,
    /// How many reports may wait to be looked at.
    pub report_queue: ReportQueue,
    /// Custom endpoints in the order of their registration.
    pub endpoints: Vec<policy::Endpoint>,
    /// Which hooks some worker state set.
    pub hooks: policy::Hooks,
    /// Where every login is recorded, and how many megabytes that may take.
    pub record: Option<(PathBuf, u32)>,
    /// The part of the logins that the shadow is asked about, 0 to 1.
    pub shadow_sample: f64,
    /// Register bits of `hll` fields of DBs made from now on.
    pub hll_bits: u8,
    /// Shape of `countmin` fields of DBs made from now on.
    pub countmin: CountMinShape,
    /// Siblings and start-up sync.
    pub replication: Replication,
    /// Webhooks.
    pub webhooks: WebHooks,
    /// Alerts.
    pub alerts: alerts::Settings,
    /// What was wrong with the file without keeping it from loading.
    pub complaints: Complaints,
    /// Stats DBs whose counts are kept in a server, by name.
    pub remote_stats: Vec<(BString, valkey::StatsOptions)>,
    /// Where the blacklist is kept.
    pub blacklist_redis: Redis,
    /// Where the whitelist is kept.
    pub whitelist_redis: Redis,
}

impl Default for Values {
    /// What holds without any configuration (wforce compatibility).
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            control: Vec::new(),
            key: None,
            lua_states: 6,
            worker_threads: 4,
            max_connections: 10_000,
            policy_budget: Duration::from_secs(1),
            policy_memory: 64 << 20,
            state_dir: None,
            state_interval: Duration::from_mins(1),
            verbose_allow_log: false,
            ja3_attr: "ja3".into(),
            jobs: Vec::new(),
            background: Vec::new(),
            scheduler_threads: 4,
            report_queue: ReportQueue::default(),
            endpoints: Vec::new(),
            hooks: policy::Hooks::default(),
            record: None,
            shadow_sample: 1.0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
            replication: Replication::default(),
            webhooks: WebHooks::default(),
            alerts: alerts::Settings::default(),
            complaints: Complaints::default(),
            remote_stats: Vec::new(),
            blacklist_redis: Redis::default(),
            whitelist_redis: Redis::default(),
        }
    }
}

impl Values {
    /// Whom the file names, where no [`Cluster`] is attached.
    pub fn named(&self) -> Named {
        let Replication { siblings, destinations, sources, .. } = &self.replication;
        Named {
            siblings: siblings.iter().cloned().map(Into::into).collect(),
            destinations: destinations.clone(),
            sources: sources.clone(),
        }
    }
}

/// A key that debug output does not show.
#[derive(Clone)]
pub struct Secret(pub wire::Key);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

/// One address of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub addr: SocketAddr,
    /// TLS; `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// The call that set it up, if Lua knows its line.
    pub place: Option<Place>,
}

/// A listener's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
    /// Options as given.
    pub options: Vec<(BString, BString)>,
}

/// Siblings and the start-up sync.
#[derive(Debug)]
pub struct Replication {
    /// The other servers, where no [`Cluster`] is attached.
    pub siblings: Vec<Sibling>,
    /// The forwarders of other sites that are sent to, likewise.
    pub destinations: Vec<PeerConfig>,
    /// The forwarders of other sites that are heard, likewise.
    pub sources: Vec<PeerConfig>,
    /// Where siblings are heard.
    pub listener: Option<SocketAddr>,
    /// The cipher of what is sent to siblings.
    pub cipher: wire::Cipher,
    /// Milliseconds a TCP connect may take.
    pub connect_timeout_ms: i32,
    /// Messages that may wait for a sibling added from now on.
    pub queue_size: u32,
    /// Threads that apply messages.
    pub threads: i32,
    /// Whether sessions are kept with siblings that speak them.
    pub sessions: bool,
    /// Bytes of changes kept for siblings.
    pub journal_bytes: u32,
    /// Servers to copy stats DBs from, in the order to try.
    pub sync_hosts: Vec<SyncHost>,
    /// Seconds after which this server is ready although no sync host has sent all.
    pub sync_timeout_secs: u32,
    /// Seconds that a sync host must have been running.
    pub min_sync_uptime: u32,
}

impl Default for Replication {
    fn default() -> Self {
        Self {
            siblings: Vec::new(),
            destinations: Vec::new(),
            sources: Vec::new(),
            listener: None,
            cipher: wire::Cipher::Secretbox,
            sync_timeout_secs: 600,
            connect_timeout_ms: 5000,
            queue_size: 5000,
            threads: 2,
            sessions: true,
            journal_bytes: 64 << 20,
            sync_hosts: Vec::new(),
            min_sync_uptime: 0,
        }
    }
}

/// Another server.
#[derive(Clone, Debug)]
pub struct Sibling {
    /// Address, port and protocol.
    pub addr: Target,
    /// Its own key; `None`: the common one.
    pub key: Option<Secret>,
    /// Whether it gets changes of stats DBs.
    pub stats: bool,
    /// Whether it gets changes of lists.
    pub lists: bool,
}

impl From<Sibling> for cluster::PeerConfig {
    fn from(sibling: Sibling) -> Self {
        let Sibling { addr, key, stats, lists } = sibling;
        Self { target: addr, key: key.map(|key| key.0), stats, lists }
    }
}

/// A server to copy stats DBs from.
#[derive(Clone)]
pub struct SyncHost {
    /// Base URL of its API.
    pub url: BString,
    /// Its password.
    pub password: BString,
    /// Where this server hears siblings.
    pub replication: SocketAddr,
    /// Base URL of this server's API.
    pub callback: BString,
}

impl std::fmt::Debug for SyncHost {
    /// Without its password.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SyncHost").field("url", &self.url).finish_non_exhaustive()
    }
}

/// How webhooks are sent.
#[derive(Debug)]
pub struct WebHooks {
    /// Sending threads.
    pub threads: u32,
    /// Connections of each.
    pub connections: u32,
    /// Events that may wait.
    pub queue_size: u32,
    /// Seconds that one may take.
    pub timeout_secs: u64,
    /// Whether certificates must be valid.
    pub verify_peer: bool,
    /// Whether certificates must be for the host.
    pub verify_host: bool,
    /// PEM file of trusted authorities.
    pub authorities: Option<PathBuf>,
    /// PEM files of the client certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Default for WebHooks {
    fn default() -> Self {
        Self {
            threads: 5,
            connections: 10,
            queue_size: 50_000,
            timeout_secs: 2,
            verify_peer: true,
            verify_host: true,
            authorities: None,
            client: None,
        }
    }
}

impl WebHooks {
    /// The settings as the senders take them. wforce's threads times connections are the deliveries of one hook that may be
    /// under way at once; no time limit means five minutes.
    pub fn options(&self) -> capabilities::webhooks::Options {
        let seconds = if self.timeout_secs == 0 { 300 } else { self.timeout_secs };
        capabilities::webhooks::Options {
            concurrency: (self.threads.max(1) as usize)
                .saturating_mul(self.connections.max(1) as usize)
                .min(10_000),
            queue_size: self.queue_size as usize,
            timeout: Duration::from_secs(seconds),
            tls: self.tls(),
        }
    }

    /// TLS of webhooks and of the calls to sync hosts.
    pub fn tls(&self) -> outbound::TlsSettings {
        outbound::TlsSettings {
            authorities: self.authorities.clone(),
            client: self
                .client
                .clone()
                .map(|(certificate, key)| outbound::ClientCertificate { certificate, key }),
            verify_peer: self.verify_peer,
            verify_host: self.verify_host,
        }
    }
}

/// A Redis server for one list.
#[derive(Clone)]
pub struct Redis {
    /// Host and port, if it was given so.
    pub server: Option<(BString, u32)>,
    /// The servers of a URL, which goes before.
    pub target: Option<valkey::Target>,
    /// User name.
    pub username: BString,
    /// Password.
    pub password: BString,
    /// Store what siblings sent, too.
    pub replicated: bool,
    /// Seconds that a connect may take.
    pub connect_timeout_secs: i32,
    /// Seconds and microseconds that a read or write may take.
    pub rw_timeout: (i32, i32),
}

impl Redis {
    /// How the list is kept; `None`: in memory only. Times of 0 or less mean wforce's defaults.
    pub fn options(&self) -> Option<valkey::Options> {
        let target = match (&self.target, &self.server) {
            (Some(target), _) => target.clone(),
            (None, Some((host, port))) => {
                let [user, password] = [&self.username, &self.password].map(ToString::to_string);
                valkey::Target::single(&host.to_string(), u16::try_from(*port).unwrap_or(0), &user, &password)
            }
            (None, None) => return None,
        };
        let positive = |number: i32| u64::try_from(number).unwrap_or(0);
        let connect = match positive(self.connect_timeout_secs) {
            0 => Duration::from_secs(1),
            seconds => Duration::from_secs(seconds),
        };
        let (seconds, micros) = self.rw_timeout;
        let response = match Duration::from_secs(positive(seconds)) + Duration::from_micros(positive(micros))
        {
            Duration::ZERO => Duration::from_millis(100),
            response => response,
        };
        Some(valkey::Options {
            target,
            replicated: self.replicated,
            connect_timeout: connect,
            response_timeout: response,
        })
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Redis")
            .field("server", &self.server)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            server: None,
            target: None,
            username: BString::default(),
            password: BString::default(),
            replicated: false,
            connect_timeout_secs: 1,
            rw_timeout: (0, 100_000),
        }
    }
}
