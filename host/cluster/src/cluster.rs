//! The siblings of a daemon, as the rest of it has them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use capabilities::Capabilities;
use capabilities::lists::ListObserver;
use capabilities::stats::StatsObserver;
use outbound::Client;
use parking_lot::Mutex;
use tokio::runtime::{Handle, Runtime};

use crate::apply::Applier;
use crate::context::Context;
use crate::dump;
use crate::forward::Forwarder;
use crate::listen::Sockets;
use crate::observe::Teller;
use crate::peer::PeerConfig;
use crate::receive::{Receiver, Sink};
use crate::sessions::Sessions;
use crate::sync::{self, Wish};
use crate::table::Table;

/// How long a dump may take.
const DUMP: Duration = Duration::from_mins(10);

/// How long the last changes may take to reach siblings at the end of the daemon.
const LAST_CHANGES: Duration = Duration::from_secs(2);

/// The siblings cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Threads could not be started.
    #[error("cannot start the threads of the siblings: {0}")]
    Threads(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen for siblings on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Cluster").field("siblings", &self.siblings.rows()).finish_non_exhaustive()
    }
}

/// Siblings, with everything that is sent to them and heard from them. Nothing is, until it is started.
pub struct Cluster {
    context: Arc<Context>,
    siblings: Arc<Table>,
    /// Whether it only passes on what it hears; then there are the two tables that follow.
    forwards: bool,
    destinations: Arc<Table>,
    sources: Arc<Table>,
    runtime: Mutex<Option<Runtime>>,
    client: OnceLock<Client>,
    dumping: Arc<AtomicBool>,
    /// What the configuration named when it was last read.
    configured: Mutex<Named>,
}

/// Whom a configuration names.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Siblings.
    pub siblings: Vec<PeerConfig>,
    /// Forwarders of other sites that are sent to.
    pub destinations: Vec<PeerConfig>,
    /// Forwarders of other sites that are heard.
    pub sources: Vec<PeerConfig>,
}

/// What came of reading a configuration again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `sibling`, `destination` or `source`.
    pub what: &'static str,
    /// Its address, as it is shown.
    pub address: String,
    /// Whether it was added; otherwise it was removed.
    pub added: bool,
}

/// The turn to do what is done once at a time; given back however it ends, also by a panic.
struct Turn(Arc<AtomicBool>);

impl Turn {
    fn take(taken: &Arc<AtomicBool>) -> Option<Turn> {
        (!taken.swap(true, Ordering::AcqRel)).then(|| Turn(Arc::clone(taken)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Cluster {
    /// Changes of these stats DBs and lists will be told to siblings.
    pub fn new(caps: &Arc<Capabilities>) -> Arc<Self> {
        let cluster = Self::silent(caps, false);
        // There is no other yet.
        let _ = cluster.context.sessions.set(Arc::new(Sessions::new()));
        let teller = Arc::new(Teller(Arc::clone(&cluster.siblings)));
        let hears_stats: Arc<dyn StatsObserver> = teller.clone();
        caps.stats.observe(&hears_stats);
        let hears_lists: Arc<dyn ListObserver> = teller;
        caps.lists.observe(hears_lists);
        cluster
    }

    /// Siblings and other forwarders between which messages are passed on; nothing is applied here.
    pub fn forwarding(caps: &Arc<Capabilities>) -> Arc<Self> {
        Self::silent(caps, true)
    }

    fn silent(caps: &Arc<Capabilities>, forwards: bool) -> Arc<Self> {
        let context = Context::new(Arc::clone(caps));
        let [siblings, destinations, sources] = [(); 3].map(|()| Table::new(&context));
        Arc::new(Self {
            context,
            siblings,
            forwards,
            destinations,
            sources,
            runtime: Mutex::default(),
            client: OnceLock::new(),
            dumping: Arc::default(),
            configured: Mutex::default(),
        })
    }

    /// Key, cipher, limits.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The siblings.
    pub fn siblings(&self) -> &Arc<Table> {
        &self.siblings
    }

    /// Whether a session is kept with siblings that speak it; yes, unless this says no. Only before the start.
    pub fn set_sessions(&self, on: bool) {
        if let Some(sessions) = self.context.sessions.get() {
            sessions.set_on(on);
        }
    }

    /// How many bytes of changes are kept for siblings in sessions. Only before the start.
    pub fn set_journal_bytes(&self, bytes: usize) {
        if let Some(sessions) = self.context.sessions.get() {
            sessions.set_journal_bytes(bytes);
        }
    }

    /// Tells apart who counted what from now on; once, when all stats DBs are made and before anything is restored into them.
    pub fn prepare(&self) {
        let configs = |table: &Table| table.peers().iter().map(|peer| peer.config().clone()).collect();
        *self.configured.lock() = Named {
            siblings: configs(&self.siblings),
            destinations: configs(&self.destinations),
            sources: configs(&self.sources),
        };
        if let Some(sessions) = self.context.sessions() {
            sessions.prepare(&self.context, &self.siblings);
        }
    }

    /// The configuration was read again and names these. Those that it did not name before are added, those that it
    /// names no longer are removed; the others go on, also those that were added at run time. Returns what was changed.
    pub fn reconfigure(&self, named: Named) -> Vec<Change> {
        let mut configured = self.configured.lock();
        let mut changes = Vec::new();
        for (what, table, before, now) in [
            ("sibling", &self.siblings, &configured.siblings, &named.siblings),
            ("destination", &self.destinations, &configured.destinations, &named.destinations),
            ("source", &self.sources, &configured.sources, &named.sources),
        ] {
            let change =
                |config: &PeerConfig, added| Change { what, address: config.target.to_string(), added };
            // Those first that go: one that is named differently now has the same address.
            let gone = before.iter().filter(|config| !now.contains(config));
            let gone = gone.filter(|config| table.remove(&config.target).is_ok());
            changes.extend(gone.map(|config| change(config, false)));
            let new = now.iter().filter(|config| !before.contains(config));
            let new = new.filter(|config| table.add((*config).clone()).is_ok());
            changes.extend(new.map(|config| change(config, true)));
        }
        *configured = named;
        changes
    }

    /// Forwarders of other sites that are sent to; only a forwarder has any.
    pub fn destinations(&self) -> &Arc<Table> {
        &self.destinations
    }

    /// Forwarders of other sites that are heard; only a forwarder has any.
    pub fn sources(&self) -> &Arc<Table> {
        &self.sources
    }

    /// Begins to send and, if there is an address to listen on, to hear siblings and apply or pass on what they send, on
    /// `threads` threads of its own.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(&self, listener: Option<SocketAddr>, threads: usize) -> Result<(), StartError> {
        let sink: Arc<dyn Sink> = if self.forwards {
            let (siblings, destinations) = (Arc::clone(&self.siblings), Arc::clone(&self.destinations));
            Arc::new(Forwarder { siblings, destinations })
        } else {
            Arc::new(Applier::new(Arc::clone(&self.context.caps)))
        };
        let threads = threads.clamp(1, 64);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("siblings")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let sockets = match listener {
            Some(addr) => Some(Sockets::bind(addr).map_err(|source| StartError::Listen { addr, source })?),
            None => None,
        };
        if let Some(sockets) = sockets {
            let addr = sockets.addr;
            self.context.set_listener(addr);
            for table in [&self.siblings, &self.destinations, &self.sources] {
                table.detect_selves();
            }
            let senders = vec![Arc::clone(&self.siblings), Arc::clone(&self.sources)];
            let receiver = Arc::new(Receiver { context: Arc::clone(&self.context), senders, sink });
            sockets
                .serve(runtime.handle(), &receiver, threads)
                .map_err(|source| StartError::Listen { addr, source })?;
            self.context.caps.log.notice(format!("siblings are heard on {addr}"));
        }
        if let Some(sessions) = self.context.sessions() {
            if sessions.parts().is_none() {
                sessions.prepare(&self.context, &self.siblings);
            }
            sessions.start(&self.context).map_err(StartError::Threads)?;
        }
        // Those that are only heard, too: it is settled by that how they speak.
        for table in [&self.siblings, &self.destinations, &self.sources] {
            table.start(runtime.handle());
        }
        *self.runtime.lock() = Some(runtime);
        Ok(())
    }

    /// Calls other daemons with this client, once it is set.
    pub fn set_client(&self, client: Client) {
        // A second one would be a mistake of the program's; the first one stays.
        let _ = self.client.set(client);
    }

    /// What [`Cluster::set_client`] set.
    pub fn client(&self) -> Option<&Client> {
        self.client.get()
    }

    /// Sends all stats DBs to another daemon, in the background. False: there is no client to call back with.
    pub fn grant(&self, wish: Wish) -> bool {
        let (Some(handle), Some(client)) = (self.handle(), self.client.get()) else { return false };
        handle.spawn(sync::grant(Arc::clone(&self.context), client.clone(), wish));
        true
    }

    /// Writes all stats DBs to a listener at `addr`, in the background. False: one dump is under way already.
    pub fn dump(self: &Arc<Self>, addr: SocketAddr, form: dump::Form) -> bool {
        let Some(handle) = self.handle() else { return false };
        let Some(turn) = Turn::take(&self.dumping) else { return false };
        let cluster = Arc::clone(self);
        handle.spawn(async move {
            let _turn = turn;
            let context = &cluster.context;
            let dumping = async {
                let mut stream = tokio::net::TcpStream::connect(addr).await?;
                dump::dump(&context.caps, form, &mut stream).await
            };
            // Whoever asked for it and does not read it must not keep others from having one.
            let dumped = tokio::time::timeout(DUMP, dumping).await;
            if let Err(error) = dumped.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                context.caps.log.error(format!("dumpEntries: cannot send the entries to {addr}: {error}"));
            }
        });
        true
    }

    /// Where siblings are served, once they are.
    pub fn handle(&self) -> Option<Handle> {
        self.runtime.lock().as_ref().map(|runtime| runtime.handle().clone())
    }

    /// Waits, but not for long, until siblings in sessions have what was changed here.
    pub async fn finish(&self) {
        let Some(sessions) = self.context.sessions() else { return };
        let done = async {
            while !sessions.are_caught_up() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(LAST_CHANGES, done).await.is_err() {
            self.context.caps.log.warn("siblings do not have the last changes");
        }
    }

    /// Ends everything at once.
    pub fn stop(&self) {
        if let Some(sessions) = self.context.sessions.get() {
            sessions.stop();
        }
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
