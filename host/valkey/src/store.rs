//! One list kept in a server: loaded at the start, then followed change by change.

mod load;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bstr::{BStr, BString};
use capabilities::Capabilities;
use capabilities::lists::{Colour, Entry, Kind, ListObserver, Origin};
use capabilities::log::Level;
use parking_lot::Mutex;
use redis::RedisError;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::away::Away;
use crate::entry;
use crate::link::{Limits, LinkError};
use crate::nodes::{Host, Nodes};
use crate::pending::{Change, Pending};
use crate::target::Target;

/// Pauses between two attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest of them while other nodes of a cluster are there, whose changes wait meanwhile.
const PARTLY_PAUSE: Duration = Duration::from_secs(1);
/// Lines that tell the same come at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// How a list is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where.
    pub target: Target,
    /// Whether entries that siblings sent are stored, too.
    pub replicated: bool,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub response_timeout: Duration,
}

/// A list's copy in a server.
pub struct ListStore {
    colour: Colour,
    options: Options,
    capabilities: Arc<Capabilities>,
    pending: Mutex<Pending>,
    arrived: Notify,
    /// Changes that wait or are under way.
    backlog: watch::Sender<usize>,
    loaded: watch::Sender<bool>,
    /// The nodes that were loaded from, while not all were.
    loaded_from: Mutex<BTreeSet<String>>,
    /// Why it cannot be reached.
    away: Away,
}

/// Why writing or loading ended.
enum Broken {
    Link(LinkError),
    Server(RedisError),
    /// Some nodes of a cluster.
    Partly(String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Broken::Link(error) => error.fmt(out),
            Broken::Server(error) => error.fmt(out),
            Broken::Partly(why) => why.fmt(out),
        }
    }
}

impl ListStore {
    /// Follows the list of this colour from now on, and loads it as soon as the server answers.
    pub fn start(
        capabilities: &Arc<Capabilities>,
        colour: Colour,
        options: Options,
        runtime: &Handle,
    ) -> Arc<Self> {
        // The redis crate takes the process's TLS provider; it may be there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = Arc::new(Self {
            colour,
            options,
            capabilities: capabilities.clone(),
            pending: Mutex::default(),
            arrived: Notify::new(),
            backlog: watch::Sender::new(0),
            loaded: watch::Sender::new(false),
            loaded_from: Mutex::default(),
            away: Away::default(),
        });
        capabilities.lists.observe(Arc::new(Follower(store.clone())));
        runtime.spawn(store.clone().run());
        store
    }

    /// Waits until the list is loaded, but not longer than this. Whether it is.
    pub async fn loaded(&self, at_most: Duration) -> bool {
        let mut loaded = self.loaded.subscribe();
        matches!(tokio::time::timeout(at_most, loaded.wait_for(|loaded| *loaded)).await, Ok(Ok(_)))
    }

    /// Waits until everything is written, but not longer than this. How much is not.
    pub async fn drain(&self, at_most: Duration) -> usize {
        let mut backlog = self.backlog.subscribe();
        // Out of time: the rest is what is returned.
        let _ = tokio::time::timeout(at_most, backlog.wait_for(|left| *left == 0)).await;
        *self.backlog.borrow()
    }

    /// `bl` or `wl`, the label in metrics.
    fn label(&self) -> &'static str {
        if self.colour == Colour::Black { "bl" } else { "wl" }
    }

    fn limits(&self) -> Limits {
        Limits { connect: self.options.connect_timeout, response: self.options.response_timeout }
    }

    fn push(&self, key: BString, change: Change) {
        if !self.pending.lock().push(key, change) {
            self.lost(1, "too many changes wait for it");
        }
        self.count();
        self.arrived.notify_one();
    }

    fn count(&self) {
        self.count_with(0);
    }

    fn count_with(&self, under_way: usize) {
        let left = self.pending.lock().len() + under_way;
        self.capabilities.metrics.families.redis_waiting.with_label_values(&[self.label()]).set(left as i64);
        self.backlog.send_replace(left);
    }

    fn lost(&self, changes: u64, why: &str) {
        let families = &self.capabilities.metrics.families;
        families.redis_lost.with_label_values(&[self.label()]).inc_by(changes);
        let text = format!("Redis {}: a change of the {} is lost: {why}", self.options.target, self.list());
        self.capabilities.log.limited(&text, LOG_EVERY, Level::Err, &text);
    }

    fn list(&self) -> &'static str {
        if self.colour == Colour::Black { "blacklist" } else { "whitelist" }
    }

    async fn run(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        // The nodes that the cluster had last.
        let mut known = Vec::new();
        loop {
            let error = match self.serve(&mut pause, &mut known).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            let reason = error.to_string();
            if self.away.is_news(&reason) {
                let text = format!(
                    "Redis {}: {reason}; changes of the {} are kept and sent when it is back",
                    self.options.target,
                    self.list()
                );
                self.capabilities.log.error(text);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One connection, or one to each node of a cluster, until one breaks.
    async fn serve(
        &self,
        pause: &mut Duration,
        known: &mut Vec<Host>,
    ) -> Result<std::convert::Infallible, Broken> {
        let opened = Nodes::open(&self.options.target, self.limits(), known).await;
        let failed = match &opened {
            Ok(nodes) => nodes.all().iter().filter(|node| node.connection.is_err()).count(),
            Err(_) => 1,
        };
        let families = &self.capabilities.metrics.families;
        families.redis_connects_failed.with_label_values(&[self.label()]).inc_by(failed as u64);
        let mut nodes = opened.map_err(Broken::Link)?;
        if !*self.loaded.borrow() {
            self.load(&mut nodes).await?;
        }
        // There may be something to be loaded from a node that is away, also if nothing has to be written to it.
        let again = Instant::now() + LONGEST_PAUSE;
        loop {
            let trouble = nodes.trouble();
            if let Some(why) = &trouble
                && Instant::now() >= again
            {
                return Err(Broken::Partly(why.clone()));
            }
            let waiting = self.pending.lock().len();
            if waiting == 0 {
                self.count();
                match trouble {
                    None => self.arrived.notified().await,
                    // Out of time: looked at above.
                    Some(_) => drop(tokio::time::timeout_at(again, self.arrived.notified()).await),
                }
                continue;
            }
            let written = self.write_all(&mut nodes, waiting).await;
            if written.is_err() && nodes.some_are_there() {
                *pause = (*pause).min(PARTLY_PAUSE);
            }
            written?;
            *pause = FIRST_PAUSE;
            if nodes.trouble().is_none() && self.away.is_back() {
                self.capabilities.log.notice(format!("Redis {} is back", self.options.target));
            }
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Tells the store of changes.
struct Follower(Arc<ListStore>);

impl Follower {
    fn follows(&self, colour: Colour, origin: Origin) -> bool {
        let origin = match origin {
            Origin::Local => true,
            Origin::Replicated => self.0.options.replicated,
            Origin::Loaded => false,
        };
        colour == self.0.colour && origin
    }
}

impl ListObserver for Follower {
    fn added(&self, colour: Colour, kind: Kind, entry: &Entry, _expire_secs: u32, origin: Origin) {
        if self.follows(colour, origin) {
            let value = entry::value(entry.expiration, &entry.reason);
            self.0.push(entry::key(colour, kind, &entry.key), Change::Set(value, entry.expiration));
        }
    }

    fn deleted(&self, colour: Colour, kind: Kind, key: &BStr, _existed: bool, origin: Origin) {
        if self.follows(colour, origin) {
            self.0.push(entry::key(colour, kind, key), Change::Delete);
        }
    }

    /// The server forgets it by itself.
    fn expired(&self, _colour: Colour, _kind: Kind, _entry: &Entry) {}

    /// A server has room for more than this daemon.
    fn crowded_out(&self, _colour: Colour, _kind: Kind, _entry: &Entry) {}
}
