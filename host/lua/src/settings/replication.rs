//! What a configuration says about siblings, forwarders and the start-up sync.

use std::net::SocketAddr;

use bstr::BString;
use cluster::{Named, PeerConfig, Target};

use super::{Secret, Values};

/// Siblings and the start-up sync.
#[derive(Debug)]
pub struct Replication {
    /// The other servers, where no [`cluster::Cluster`] is attached.
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

impl Values {
    /// Whom the file names, where no [`cluster::Cluster`] is attached.
    pub fn named(&self) -> Named {
        let Replication { siblings, destinations, sources, .. } = &self.replication;
        Named {
            siblings: siblings.iter().cloned().map(Into::into).collect(),
            destinations: destinations.clone(),
            sources: sources.clone(),
        }
    }
}
