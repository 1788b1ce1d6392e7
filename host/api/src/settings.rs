//! What the server is told at its start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alerts::Confirm;
use capabilities::Daemon;
use cluster::Cluster;

use crate::tls::TlsConfig;

/// One address to listen on.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Address and port; port 0 takes any free one.
    pub addr: SocketAddr,
    /// HTTPS; else plain HTTP.
    pub tls: Option<TlsConfig>,
}

/// Where requests are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Threads {
    /// On this many threads of the server's own. A connection stays on one thread for life, which saves what moving
    /// its work between threads would cost.
    Own(usize),
    /// On the tokio runtime that the server is started in.
    Shared,
}

/// How much and how long a client may.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a body; beyond it the answer is 413. wforce: 1 MiB.
    pub body_bytes: usize,
    /// How long a connection may have no request in flight, the time to send a request's header included. wforce: 60 s.
    /// Large answers add a second for each 16 KiB.
    pub idle: Duration,
    /// How long a body may take to arrive; then the answer is 408.
    pub body_patience: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// Bytes of request line and headers together; beyond it the answer is 431. A request target of 64 KiB gets 414.
    pub header_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            idle: Duration::from_mins(1),
            body_patience: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            header_bytes: 128 << 10,
        }
    }
}

/// All settings of the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose commands are served.
    pub daemon: Daemon,
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// Connections beyond it are closed without a response. wforce: 10000.
    pub max_connections: usize,
    /// Where requests are served.
    pub threads: Threads,
    /// What clients may.
    pub limits: Limits,
    /// The siblings that commands change; without them these commands say that they are not available.
    pub cluster: Option<Arc<Cluster>>,
    /// The links of "was this you?"; without them `/confirm` is not there.
    pub confirm: Option<Arc<Confirm>>,
    /// The program's version, for the OpenAPI document.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            daemon: Daemon::Wforce,
            listeners: Vec::new(),
            max_connections: 10_000,
            threads: Threads::Own(4),
            limits: Limits::default(),
            cluster: None,
            confirm: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
