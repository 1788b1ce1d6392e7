//! Listeners, the accept loop, and the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alerts::Confirm;
use arc_swap::ArcSwap;
use bytes::Bytes;
use capabilities::Daemon;
use capabilities::log::Level;
use capabilities::metrics::Counted;
use cluster::Cluster;
use policy::Endpoint;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::backend::Backend;
use crate::command::{Command, Counter, commands};
use crate::connection::Connections;
use crate::openapi::openapi;
use crate::ready::Readiness;
use crate::route::Router;
use crate::serve;
use crate::settings::{Limits, Settings};
use crate::threads::Pool;
use crate::tls::{Tls, TlsError};

/// Connections the kernel keeps for us while we are busy.
const BACKLOG: u32 = 1024;
/// Pause after an accept that failed for lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Log lines of the same kind come at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Why one listener does not listen. The others do.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Its certificate, key or TLS options are unusable.
    #[error("cannot listen on {addr}: {source}")]
    Tls {
        /// The address.
        addr: SocketAddr,
        /// What is wrong.
        source: TlsError,
    },
}

/// What all connections share.
pub(crate) struct Shared<B> {
    pub(crate) daemon: Daemon,
    pub(crate) backend: Arc<B>,
    pub(crate) limits: Limits,
    /// Changes when the configuration is read again.
    pub(crate) callable: ArcSwap<Callable>,
    pub(crate) commands: &'static [Command],
    /// In the order of the commands.
    pub(crate) counters: Vec<Counted>,
    pub(crate) ready: Arc<Readiness>,
    pub(crate) cluster: Option<Arc<Cluster>>,
    version: String,
    pub(crate) confirm: Option<Arc<Confirm>>,
    pub(crate) connections: Arc<Connections>,
}

/// All there is to call, and what tells of it.
pub(crate) struct Callable {
    pub(crate) router: Router,
    pub(crate) endpoints: Vec<Arc<Custom>>,
    pub(crate) openapi: Bytes,
}

/// A custom endpoint and its counter.
pub(crate) struct Custom {
    pub(crate) endpoint: Endpoint,
    pub(crate) counter: Counted,
}

/// The running HTTP server.
pub struct Server<B> {
    shared: Arc<Shared<B>>,
    addrs: Vec<SocketAddr>,
    tls: Vec<Arc<Tls>>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    pool: Arc<Pool>,
}

impl<B: Backend> Server<B> {
    /// Starts to listen. A listener that cannot is left out and its error returned: the caller logs it. The server
    /// starts out not ready ([`Server::set_ready`]).
    ///
    /// Must be called inside a tokio runtime, which accepts connections.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn start(settings: Settings, backend: Arc<B>) -> io::Result<(Self, Vec<ListenerError>)> {
        let Settings { daemon, listeners, max_connections, threads, limits, cluster, confirm, version } =
            settings;
        let shared =
            Arc::new(Shared::new(daemon, backend, max_connections, limits, &version, (cluster, confirm)));
        let pool = Arc::new(Pool::start(threads)?);
        let (stop, stopped) = watch::channel(false);
        let (mut addrs, mut all_tls, mut tasks, mut errors) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for listener in listeners {
            let addr = listener.addr;
            let tls = match listener.tls.map(Tls::load).transpose() {
                Ok(tls) => tls.map(Arc::new),
                Err(source) => {
                    errors.push(ListenerError::Tls { addr, source });
                    continue;
                }
            };
            let bound = bind(addr).and_then(|socket| socket.local_addr().map(|addr| (socket, addr)));
            let (socket, addr) = match bound {
                Ok(bound) => bound,
                Err(source) => {
                    errors.push(ListenerError::Bind { addr, source });
                    continue;
                }
            };
            addrs.push(addr);
            all_tls.extend(tls.clone());
            let accepting = accept(Arc::clone(&shared), socket, tls, Arc::clone(&pool), stopped.clone());
            tasks.push(tokio::spawn(accepting));
        }
        tokio::spawn(sweep(Arc::clone(&shared), stopped));
        let server = Self { shared, addrs, tls: all_tls, stop, tasks, pool };
        Ok((server, errors))
    }

    /// The addresses listened on, with the ports in use.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Whether `readyz` and `ping` say that the daemon is warm. `syncDone` sets it, too.
    pub fn set_ready(&self, ready: bool) {
        if ready {
            self.shared.ready.set();
        } else {
            self.shared.ready.wait("starting");
        }
    }

    /// See [`Server::set_ready`].
    pub fn is_ready(&self) -> bool {
        self.shared.ready.is_ready()
    }

    /// What [`Server::set_ready`] sets, for those that know when the daemon is ready.
    pub fn readiness(&self) -> &Arc<Readiness> {
        &self.shared.ready
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.shared.connections.count()
    }

    /// Connections closed at once because there were too many.
    pub fn refused_connections(&self) -> u64 {
        self.shared.connections.refused()
    }

    /// Reads all certificates and keys again. New connections get the new ones; where reading fails the old ones
    /// stay, and the error is returned for the caller to log.
    pub fn reload_tls(&self) -> Vec<TlsError> {
        self.tls.iter().filter_map(|tls| tls.reload().err()).collect()
    }

    /// Asks the backend for its custom endpoints again. Requests that are under way end on those there were.
    pub fn reload_endpoints(&self) {
        self.endpoints_reloader()();
    }

    /// [`Server::reload_endpoints`], for a thread of its own.
    pub fn endpoints_reloader(&self) -> impl Fn() + Send + Sync + use<B> {
        let shared = self.shared.clone();
        move || shared.callable.store(Arc::new(shared.callable()))
    }

    /// Stops listening, lets the requests in flight finish, and cuts off what is not finished after `patience`.
    /// Returns how many connections had to be cut off.
    pub async fn shutdown(self, patience: Duration) -> usize {
        let Self { shared, stop, tasks, pool, .. } = self;
        // Fails only if no acceptor is left.
        let _ = stop.send(true);
        for task in tasks {
            let _ = task.await;
        }
        shared.connections.drain();
        let mut cut = 0;
        if tokio::time::timeout(patience, shared.connections.all_gone()).await.is_err() {
            cut = shared.connections.abort();
            let _ = tokio::time::timeout(Duration::from_secs(1), shared.connections.all_gone()).await;
        }
        if let Some(pool) = Arc::into_inner(pool) {
            // Joining blocks, if only for a moment.
            let _ = tokio::task::spawn_blocking(move || pool.end()).await;
        }
        cut
    }
}

impl<B: Backend> Shared<B> {
    fn new(
        daemon: Daemon,
        backend: Arc<B>,
        max_connections: usize,
        limits: Limits,
        version: &str,
        (cluster, confirm): (Option<Arc<Cluster>>, Option<Arc<Confirm>>),
    ) -> Self {
        let metrics = &backend.capabilities().metrics;
        let commands = commands(daemon);
        let counters = commands
            .iter()
            .map(|command| match command.counter {
                Counter::Command => metrics.command(command.name),
                Counter::Other => metrics.other_command(command.name),
            })
            .collect();
        let callable = ArcSwap::from_pointee(callable(&*backend, daemon, version));
        Self {
            limits,
            callable,
            daemon,
            commands,
            counters,
            ready: Arc::default(),
            cluster,
            version: version.to_owned(),
            confirm,
            connections: Connections::new(max_connections, limits.idle.as_secs().max(1)),
            backend,
        }
    }

    fn callable(&self) -> Callable {
        callable(&*self.backend, self.daemon, &self.version)
    }
}

fn callable<B: Backend>(backend: &B, daemon: Daemon, version: &str) -> Callable {
    let metrics = &backend.capabilities().metrics;
    let endpoints = backend.endpoints();
    for name in hidden(daemon, &endpoints) {
        let text =
            format!("the custom endpoint \"{name}\" is never called: a built-in command has that name");
        backend.capabilities().log.warn(text);
    }
    let router = Router::new(daemon, &endpoints);
    let openapi = openapi(daemon, version, &endpoints).to_string().into();
    let endpoints = endpoints
        .into_iter()
        .map(|endpoint| {
            let counter = if endpoint.get {
                metrics.command(&format!("{}_Get", endpoint.name))
            } else if daemon == Daemon::Trackalert {
                metrics.command(&endpoint.name)
            } else {
                metrics.other_command(&endpoint.name)
            };
            Arc::new(Custom { endpoint, counter })
        })
        .collect();
    Callable { router, endpoints, openapi }
}

/// Custom endpoints that a built-in command hides.
fn hidden(daemon: Daemon, endpoints: &[Endpoint]) -> impl Iterator<Item = &str> {
    let built_in =
        move |name: &str| commands(daemon).iter().any(|command| command.name.eq_ignore_ascii_case(name));
    endpoints.iter().map(|endpoint| &*endpoint.name).filter(move |name| built_in(name))
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        if addr.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
    // A restart must not wait for connections of the last run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

async fn accept<B: Backend>(
    shared: Arc<Shared<B>>,
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    pool: Arc<Pool>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.changed() => return,
            accepted = listener.accept() => accepted,
        };
        let log = &shared.backend.capabilities().log;
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                log.limited(
                    "accept",
                    LOG_EVERY,
                    Level::Err,
                    format!("cannot accept HTTP connections: {error}"),
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(registration) = shared.connections.admit() else {
            let text = format!("too many HTTP connections: {peer} closed");
            log.limited("too many connections", LOG_EVERY, Level::Warning, text);
            continue;
        };
        // Taken from this runtime's poller, to be registered with the one of the thread that serves it.
        let Ok(stream) = stream.into_std() else { continue };
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        pool.run(Box::new(move || {
            Box::pin(async move {
                if let Ok(stream) = TcpStream::from_std(stream) {
                    serve::connection(shared, stream, peer, tls, registration).await;
                }
            })
        }));
    }
}

/// Once a second, until the server is gone: idle connections end, the gauge is set.
async fn sweep<B: Backend>(shared: Arc<Shared<B>>, mut stop: watch::Receiver<bool>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = seconds.tick() => {}
            // The order to stop is not the end yet: connections are drained first.
            gone = stop.changed() => match gone {
                Ok(()) => continue,
                Err(_) => return,
            },
        }
        shared.connections.sweep();
        let open = shared.connections.count();
        shared.backend.capabilities().metrics.active_http_connections.set(open as i64);
    }
}
