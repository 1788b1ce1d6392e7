//! The siblings of a daemon, changed at any time.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::address::Target;
use crate::context::Context;
use crate::counters::Counters;
use crate::outbox::{Outbox, Refused};
use crate::peer::{Peer, PeerConfig, Row};
use crate::standing::Kind;
use crate::{resolve, send};

/// A sibling with this address and port is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}() cannot add duplicate sibling [{addr}]")]
pub struct Duplicate {
    /// The name of the operation in the message.
    pub operation: &'static str,
    /// The address.
    pub addr: SocketAddr,
}

/// No sibling has this address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no sibling has the address {0}")]
pub struct Unknown(pub SocketAddr);

/// Siblings, or those that a forwarder sends to.
pub struct Table {
    context: Arc<Context>,
    peers: ArcSwap<Vec<Arc<Peer>>>,
    /// Held over a change.
    changing: Mutex<()>,
    outbox: Outbox,
    runtime: OnceLock<Handle>,
}

impl Table {
    pub(crate) fn new(context: &Arc<Context>) -> Arc<Self> {
        Arc::new(Self {
            context: Arc::clone(context),
            peers: ArcSwap::default(),
            changing: Mutex::default(),
            outbox: Outbox::default(),
            runtime: OnceLock::new(),
        })
    }

    /// Adds a sibling.
    ///
    /// # Errors
    /// [`Duplicate`]
    pub fn add(&self, config: PeerConfig) -> Result<(), Duplicate> {
        let _changing = self.changing.lock();
        let addr = config.target.addr;
        let peers = self.peers.load_full();
        if peers.iter().any(|peer| peer.addr() == addr) {
            return Err(Duplicate { operation: "addSibling", addr });
        }
        let peer = self.make(config);
        self.peers.store(Arc::new(peers.iter().cloned().chain([Arc::clone(&peer)]).collect()));
        self.begin(&peer);
        Ok(())
    }

    /// Removes the sibling with the address and port of `target`.
    ///
    /// # Errors
    /// [`Unknown`]
    pub fn remove(&self, target: &Target) -> Result<(), Unknown> {
        let _changing = self.changing.lock();
        let peers = self.peers.load_full();
        let (gone, left): (Vec<_>, Vec<_>) =
            peers.iter().cloned().partition(|peer| peer.addr() == target.addr);
        if gone.is_empty() {
            return Err(Unknown(target.addr));
        }
        self.peers.store(Arc::new(left));
        for peer in &gone {
            Self::end(peer);
        }
        Ok(())
    }

    /// Replaces all siblings; of two with the same address and port the first counts, the others are returned.
    pub fn set(&self, configs: Vec<PeerConfig>) -> Vec<Duplicate> {
        let _changing = self.changing.lock();
        let (mut peers, mut duplicates): (Vec<Arc<Peer>>, Vec<_>) = (Vec::new(), Vec::new());
        for config in configs {
            let addr = config.target.addr;
            if peers.iter().any(|peer| peer.addr() == addr) {
                duplicates.push(Duplicate { operation: "setSiblings", addr });
            } else {
                peers.push(self.make(config));
            }
        }
        let old = self.peers.swap(Arc::new(peers.clone()));
        for peer in old.iter() {
            Self::end(peer);
        }
        for peer in &peers {
            self.begin(peer);
        }
        duplicates
    }

    /// All siblings, in the order in which they were added.
    pub fn peers(&self) -> Arc<Vec<Arc<Peer>>> {
        self.peers.load_full()
    }

    /// The first sibling at this address, whatever its port.
    pub fn at(&self, ip: IpAddr) -> Option<Arc<Peer>> {
        self.peers.load().iter().find(|peer| peer.is_at(ip)).cloned()
    }

    /// The rows of `siblings()`.
    pub fn rows(&self) -> Vec<Row> {
        self.peers.load().iter().map(|peer| peer.row()).collect()
    }

    /// Whether any sibling is, or may be, sent packets.
    #[inline]
    pub fn is_sent_to(&self) -> bool {
        self.peers.load().iter().any(|peer| peer.takes_packets())
    }

    /// Sends the message that `encode` appends to every sibling. Never waits: what finds no room is lost and counted.
    #[inline]
    pub fn send(&self, encode: impl FnOnce(&mut Vec<u8>)) {
        if let Err(refused) = self.outbox.push(encode) {
            self.refused(refused);
        }
    }

    #[cold]
    fn refused(&self, refused: Refused) {
        let text = match refused {
            Refused::TooLong => {
                self.sent_to(|peer| peer.counters.not_sent(1));
                "a change is too long to be sent to siblings, which therefore do not get it"
            }
            Refused::Full => "changes are made faster than they can be handed to siblings: some are lost",
        };
        self.context.complain(text, text);
    }

    fn sent_to(&self, what: impl Fn(&Peer)) {
        self.peers.load().iter().filter(|peer| peer.takes_packets()).for_each(|peer| what(peer));
    }

    /// Begins to send. Must be called inside `runtime`.
    pub(crate) fn start(self: &Arc<Self>, runtime: &Handle) {
        let _changing = self.changing.lock();
        if self.runtime.set(runtime.clone()).is_err() {
            return;
        }
        self.peers.load().iter().for_each(|peer| self.begin(peer));
        let table = Arc::clone(self);
        runtime.spawn(async move {
            loop {
                let (batch, lost) = table.outbox.take().await;
                if lost > 0 {
                    table.sent_to(|peer| peer.counters.send_queue_full(lost));
                }
                table.peers.load().iter().for_each(|peer| peer.offer(&batch));
            }
        });
    }

    fn make(&self, config: PeerConfig) -> Arc<Peer> {
        let families = &self.context.caps.metrics.families;
        let counters = Counters::new(families, config.target.addr);
        let peer = Peer::new(config, self.context.queue_size(), counters);
        self.detect_self(&peer);
        Arc::new(peer)
    }

    fn begin(&self, peer: &Arc<Peer>) {
        let Some(runtime) = self.runtime.get() else { return };
        runtime.spawn(send::run(Arc::clone(&self.context), Arc::clone(peer)));
        if peer.config().target.is_name() {
            runtime.spawn(resolve::run(Arc::clone(&self.context), Arc::clone(peer)));
        }
        match self.context.sessions() {
            Some(sessions) if peer.is_sent_to() => sessions.dial(&self.context, peer),
            _ => peer.standing.set(Kind::Classic),
        }
    }

    fn end(peer: &Arc<Peer>) {
        peer.queue.close();
        peer.look_up.notify_one();
        peer.counters.waiting(0);
    }

    /// Looks again which sibling is this daemon itself: where siblings are heard is known now.
    pub(crate) fn detect_selves(&self) {
        self.peers.load().iter().for_each(|peer| self.detect_self(peer));
    }

    fn detect_self(&self, peer: &Peer) {
        let own = self.context.listener().is_some_and(|listener| is_self(listener, peer.addr()));
        peer.is_self.store(own, Ordering::Relaxed);
    }
}

/// Whether what is sent to `addr` reaches the socket bound to `listener`: the address that packets to it would come from,
/// with the listener's port, is the sibling's own.
fn is_self(listener: SocketAddr, addr: SocketAddr) -> bool {
    if listener.port() != addr.port() {
        return false;
    }
    local_addr(Some(listener), addr).is_some_and(|local| local.to_canonical() == addr.ip().to_canonical())
}

/// The address that packets to `addr` come from. Nothing is sent.
fn local_addr(listener: Option<SocketAddr>, addr: SocketAddr) -> Option<IpAddr> {
    let socket = bound_for(listener, addr).ok()?;
    socket.connect(addr).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

/// A datagram socket for `addr`: from the address siblings know us by, where that is a certain one and a way from there
/// exists; otherwise the system chooses.
pub(crate) fn bound_for(listener: Option<SocketAddr>, addr: SocketAddr) -> std::io::Result<UdpSocket> {
    if let Some(ip) = source(listener, addr)
        && let Ok(socket) = UdpSocket::bind((ip, 0))
        && socket.connect(addr).is_ok()
    {
        return Ok(socket);
    }
    let any: IpAddr = if addr.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(addr)?;
    Ok(socket)
}

/// The address to send from: siblings know a sender by it, and they were told the one that we hear them at.
pub(crate) fn source(listener: Option<SocketAddr>, addr: SocketAddr) -> Option<IpAddr> {
    let ip = listener?.ip();
    (!ip.is_unspecified() && ip.is_ipv4() == addr.is_ipv4()).then_some(ip)
}

#[cfg(test)]
mod tests;
