//! From a packet to what it asks for.

use std::net::IpAddr;
use std::sync::Arc;

use bstr::BString;
use wire::replication::{Message, MessageError};
use wire::{PacketError, open_packet};

use crate::apply::is_sync;
use crate::context::Context;
use crate::peer::Peer;
use crate::standing::Kind;
use crate::table::Table;

/// A message that is well-formed asks for something that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Its operation cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It has the type that stands for nothing.
    #[error("the message has no type")]
    NoType,
    /// A value or a window is not what its field holds.
    #[error("stats DB {db}: {why}")]
    Value {
        /// The DB.
        db: BString,
        /// What is wrong.
        why: String,
    },
    /// An address or network that is none.
    #[error("'{0}' is no address or network to list")]
    Address(BString),
}

/// Why a packet was of no use.
#[derive(Debug, thiserror::Error)]
enum Bad {
    #[error("setKey(\"...\") is missing in the configuration")]
    NoKey,
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// What is done with the messages of siblings.
pub trait Sink: Send + Sync {
    /// Takes a message. Must not wait.
    ///
    /// # Errors
    /// The message is of no use; it is counted and logged.
    fn take(&self, peer: &Arc<Peer>, message: &Message<'_>) -> Result<(), Unusable>;
}

/// What is done with a packet.
enum Gate {
    Apply,
    Ignore,
    Hold,
}

/// All that receives: whom from, and what for.
pub(crate) struct Receiver {
    pub(crate) context: Arc<Context>,
    /// Who may send, in this order.
    pub(crate) senders: Vec<Arc<Table>>,
    pub(crate) sink: Arc<dyn Sink>,
}

impl Receiver {
    /// The sibling at this address; an unknown one is counted and logged.
    pub(crate) fn sender(&self, ip: IpAddr) -> Option<Arc<Peer>> {
        let found = self.senders.iter().find_map(|table| table.at(ip));
        if found.is_none() {
            self.context.caps.metrics.replication_unknown_senders.inc();
            let text = format!("a packet or connection from {ip}, which is no sibling, was refused");
            self.context.complain(&format!("unknown sibling {ip}"), text);
        }
        found
    }

    /// Datagrams that wait to be opened.
    pub(crate) fn set_waiting(&self, datagrams: usize) {
        self.context.caps.metrics.replication_receive_queue_size.set(datagrams as i64);
    }

    /// Opens a packet and does what it asks for. It is counted, whatever comes of it.
    pub(crate) fn packet(self: &Arc<Self>, peer: &Arc<Peer>, packet: &mut [u8]) {
        match self.open(peer, packet) {
            Ok(()) => peer.counters.received(),
            Err(bad) => self.refused(peer, &bad),
        }
    }

    /// A sibling at this address speaks sessions: whoever is there can be asked at once whether it does.
    pub(crate) fn kick(&self, ip: IpAddr) {
        let peers = self.senders.iter().flat_map(|table| table.peers().to_vec());
        for peer in peers.filter(|peer| peer.is_at(ip) && peer.standing.kind() != Kind::Session) {
            peer.standing.kick.notify_one();
        }
    }

    /// What is done with the packets of a sibling. Those of one that has a session would be counted twice.
    fn gate(&self, peer: &Arc<Peer>) -> Gate {
        let kind = peer.standing.kind();
        if kind == Kind::Classic {
            return Gate::Apply;
        }
        // Several siblings at one address: which of them sent it cannot be told.
        let ip = peer.addr().ip();
        let peers = self.senders.iter().flat_map(|table| table.peers().to_vec());
        let kinds: Vec<Kind> = peers.filter(|peer| peer.is_at(ip)).map(|peer| peer.standing.kind()).collect();
        if kinds.contains(&Kind::Classic) {
            Gate::Apply
        } else if kinds.iter().all(|kind| *kind == Kind::Session) {
            Gate::Ignore
        } else {
            Gate::Hold
        }
    }

    fn take(self: &Arc<Self>, peer: &Arc<Peer>, text: &[u8]) -> Result<(), Bad> {
        let message = Message::decode(text)?;
        match self.gate(peer) {
            Gate::Apply => Ok(self.sink.take(peer, &message)?),
            Gate::Ignore => {
                // A sync also brings databases that are not shared otherwise.
                if is_sync(&self.context.caps, &message) {
                    return Ok(self.sink.take(peer, &message)?);
                }
                let addr = peer.addr().to_string();
                self.context.caps.metrics.sessions.packets_ignored.with_label_values(&[&addr]).inc();
                Ok(())
            }
            Gate::Hold => {
                self.hold(peer, text);
                Ok(())
            }
        }
    }

    /// Keeps a message until it is known whether a session brings the same.
    fn hold(self: &Arc<Self>, peer: &Arc<Peer>, text: &[u8]) {
        let mut held = peer.standing.held.lock();
        if held.messages.len() >= self.context.queue_size() {
            return peer.counters.receive_queue_full(1);
        }
        held.messages.push(text.to_vec());
        if std::mem::replace(&mut held.attended, true) {
            return;
        }
        drop(held);
        let (receiver, peer) = (Arc::clone(self), Arc::clone(peer));
        tokio::spawn(async move {
            tokio::select! {
                _ = peer.standing.settled() => {}
                () = peer.queue.closed() => {}
            }
            let messages = {
                let mut held = peer.standing.held.lock();
                held.attended = false;
                std::mem::take(&mut held.messages)
            };
            for text in messages.iter().filter(|_| !peer.is_removed()) {
                if let Err(bad) = receiver.take(&peer, text) {
                    receiver.refused(&peer, &bad);
                }
            }
        });
    }

    #[cold]
    fn refused(&self, peer: &Peer, bad: &Bad) {
        peer.counters.received_bad();
        let addr = peer.addr();
        self.context.complain(&format!("received {addr}"), format!("from the sibling {addr}: {bad}"));
    }

    fn open(self: &Arc<Self>, peer: &Arc<Peer>, packet: &mut [u8]) -> Result<(), Bad> {
        let security = &self.context.security;
        let key = security.key().ok_or(Bad::NoKey)?;
        let ours = security.cipher();
        let (text, found) = open_packet(&key, peer.expected(ours), packet)?;
        peer.opened_with(ours, found);
        self.take(peer, text)
    }
}
