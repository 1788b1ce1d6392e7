//! One sibling.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use wire::{Cipher, Key};

use crate::address::{Protocol, Target};
use crate::batch::Batch;
use crate::counters::Counters;
use crate::queue::Queue;
use crate::standing::{Kind, Standing};

/// What is known of a sibling when it is added.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerConfig {
    /// Where it is.
    pub target: Target,
    /// Its own key; `None`: the common one.
    pub key: Option<Key>,
    /// Whether it gets changes of stats DBs. Only a forwarder looks at it (wforce compatibility).
    pub stats: bool,
    /// Whether it gets changes of lists. Likewise.
    pub lists: bool,
}

impl PeerConfig {
    /// A sibling with the common key that gets everything.
    pub fn new(target: Target) -> Self {
        Self { target, key: None, stats: true, lists: true }
    }
}

/// A sibling as it is served.
pub struct Peer {
    config: PeerConfig,
    addr: ArcSwap<SocketAddr>,
    pub(crate) is_self: AtomicBool,
    pub(crate) queue: Queue,
    pub(crate) counters: Counters,
    /// How it is spoken to.
    pub(crate) standing: Standing,
    /// Its address should be looked up again.
    pub(crate) look_up: Notify,
    /// Another cipher than ours opened its last packet.
    other_cipher: AtomicBool,
}

/// One row of `siblings()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `ip:port protocol`
    pub address: String,
    /// Messages sent.
    pub sent: u64,
    /// Messages that could not be sent.
    pub not_sent: u64,
    /// Messages received and understood.
    pub received: u64,
    /// Messages received that were of no use.
    pub received_bad: u64,
    /// Whether it is this daemon itself.
    pub is_self: bool,
    /// Whether a session with it is up.
    pub session: bool,
    /// Whether it had a session, which broke and is not back.
    pub lost: bool,
}

impl Peer {
    pub(crate) fn new(config: PeerConfig, queue_size: usize, counters: Counters) -> Self {
        Self {
            addr: ArcSwap::from_pointee(config.target.addr),
            config,
            is_self: AtomicBool::new(false),
            queue: Queue::new(queue_size),
            counters,
            standing: Standing::default(),
            look_up: Notify::new(),
            other_cipher: AtomicBool::new(false),
        }
    }

    /// What it was added with; its address may be another one by now.
    pub fn config(&self) -> &PeerConfig {
        &self.config
    }

    /// Its address and port.
    pub fn addr(&self) -> SocketAddr {
        **self.addr.load()
    }

    pub(crate) fn set_addr(&self, addr: SocketAddr) {
        self.addr.store(Arc::new(addr));
    }

    /// How it is reached.
    pub fn protocol(&self) -> Protocol {
        self.config.target.protocol
    }

    /// Whether it is this daemon itself.
    pub fn is_self(&self) -> bool {
        self.is_self.load(Ordering::Relaxed)
    }

    /// Whether anything is sent to it.
    pub fn is_sent_to(&self) -> bool {
        !self.is_self() && self.protocol() != Protocol::None
    }

    /// Whether it was removed.
    pub fn is_removed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Whether a packet from this address is its.
    pub(crate) fn is_at(&self, ip: IpAddr) -> bool {
        self.addr().ip().to_canonical() == ip.to_canonical()
    }

    /// Waits until it is known whether it is sent packets; false if it is not.
    pub(crate) async fn speaks_packets(&self) -> bool {
        tokio::select! {
            kind = self.standing.known() => kind == Kind::Classic,
            () = self.queue.closed() => false,
        }
    }

    /// Whether packets are made for it.
    #[inline]
    pub(crate) fn takes_packets(&self) -> bool {
        self.is_sent_to() && matches!(self.standing.kind(), Kind::Unknown | Kind::Classic)
    }

    /// Hands messages over, to be sent as packets. What does not fit is lost and counted.
    pub(crate) fn offer(&self, batch: &Arc<Batch>) {
        if !self.takes_packets() {
            return;
        }
        let lost = batch.len() - self.queue.offer(batch);
        if lost > 0 {
            self.counters.send_queue_full(lost as u64);
        }
        self.counters.waiting(self.queue.len());
    }

    /// The cipher to try first on what it sends.
    pub(crate) fn expected(&self, ours: Cipher) -> Cipher {
        if !self.other_cipher.load(Ordering::Relaxed) {
            return ours;
        }
        match ours {
            Cipher::Secretbox => Cipher::ChaCha,
            Cipher::ChaCha => Cipher::Secretbox,
        }
    }

    pub(crate) fn opened_with(&self, ours: Cipher, found: Cipher) {
        self.other_cipher.store(ours != found, Ordering::Relaxed);
    }

    /// Its row of `siblings()`.
    pub fn row(&self) -> Row {
        let [sent, not_sent, received, received_bad] = self.counters.totals();
        let address = format!("{} {}", self.addr(), self.protocol().name());
        let kind = self.standing.kind();
        let (session, lost) = (kind == Kind::Session, kind == Kind::Lost);
        Row { address, sent, not_sent, received, received_bad, is_self: self.is_self(), session, lost }
    }
}
