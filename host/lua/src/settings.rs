//! What the configuration set up, for the parts of the daemon that serve it.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bstr::BString;
use capabilities::geoip::Legacy;
use capabilities::{Access, Dns, StatsRegistry};
use cluster::Cluster;
use parking_lot::Mutex;
use statsdb::CountMinShape;

mod complaint;
mod deferred;
mod job;
mod peer;
mod redis;
mod replication;
mod webhooks;

pub use complaint::{Complaint, Complaints, Place};
use deferred::Deferred;
pub(crate) use deferred::{Effect, Made};
pub use deferred::{Effects, TooMuch};
pub use job::{Job, ReportQueue};
pub use peer::{PeerError, sink_address};
pub use redis::Redis;
pub use replication::{Replication, Sibling, SyncHost};
pub use webhooks::WebHooks;

/// Everything the file set. It is filled while the file runs in the configuration state; some of it can also be changed
/// from the console later.
#[derive(Default)]
pub struct Settings {
    values: Mutex<Values>,
    control: Mutex<Vec<TcpListener>>,
    sealed: AtomicBool,
    again: AtomicBool,
    keeps_back: AtomicBool,
    deferred: Mutex<Deferred>,
    waits: AtomicBool,
    cluster: OnceLock<Arc<Cluster>>,
    access: Access,
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

    /// The daemon has started: what is read only at the start can no longer be set, and a worker state that is built from now on
    /// is one more of a file whose body has done what it does.
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
        self.keeps_back.store(true, Ordering::Release);
    }

    /// Whether what the file changes beside its settings is kept back: while it is read again, until [`Settings::settle`].
    pub(crate) fn keeps_back(&self) -> bool {
        self.keeps_back.load(Ordering::Relaxed)
    }

    pub(crate) fn keep_back(&self, bytes: usize, effect: Effect) -> Result<(), TooMuch> {
        self.deferred.lock().push(bytes, effect)
    }

    /// Notes what goes again if the file is not used.
    pub(crate) fn note_made(&self, made: Made) {
        self.deferred.lock().made(made);
    }

    pub(crate) fn made_db(&self, db: &capabilities::stats::Db) -> bool {
        self.deferred.lock().made_db(db)
    }

    pub(crate) fn made_resolver(&self, resolver: &Arc<capabilities::dns::Resolver>) -> bool {
        self.deferred.lock().made_resolver(resolver)
    }

    /// The whole file that was read again is good: the changes that were kept back, which the caller makes. From now on its
    /// functions act at once.
    ///
    /// # Errors
    /// There were too many: the file is not good.
    pub fn settle(&self) -> Result<Effects, TooMuch> {
        let effects = self.deferred.lock().take()?;
        self.keeps_back.store(false, Ordering::Release);
        Ok(effects)
    }

    /// The file that was read again is not used: what it made goes. Nothing happens after [`Settings::settle`].
    pub fn forget_made(&self, stats: &StatsRegistry, dns: &Dns) {
        self.deferred.lock().forget(stats, dns);
    }

    /// Whether [`Settings::read_again`] was called.
    pub fn is_read_again(&self) -> bool {
        self.again.load(Ordering::Acquire)
    }

    /// Who may talk to the API by a file that is read once more. The daemon takes it over when the whole file has turned out
    /// to be good; at a start the file changes what holds itself.
    pub fn access(&self) -> &Access {
        &self.access
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
    /// The report store.
    pub report_store: Option<capabilities::reports::Settings>,
    /// Names of policies that may ask the report store, as far as the configuration says so.
    pub asks_reports: Vec<String>,
    /// Kinds of GeoIP databases that the file wants to look up by wforce's old functions.
    pub legacy_geoip: Vec<Legacy>,
    /// What was wrong with the file without keeping it from loading.
    pub complaints: Complaints,
    /// Stats DBs whose counts are kept in a server, by name.
    pub remote_stats: Vec<(BString, valkey::StatsOptions)>,
    /// Where the blacklist is kept.
    pub blacklist_redis: Redis,
    /// Where the whitelist is kept.
    pub whitelist_redis: Redis,
    /// By a file that is read again: the server itself does not look at the blacklist, at the whitelist.
    pub disabled_lists: [bool; 2],
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
            report_store: None,
            asks_reports: Vec::new(),
            legacy_geoip: Vec::new(),
            complaints: Complaints::default(),
            remote_stats: Vec::new(),
            blacklist_redis: Redis::default(),
            whitelist_redis: Redis::default(),
            disabled_lists: [false; 2],
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
