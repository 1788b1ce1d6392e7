//! From a packet to what it asks for.

use std::net::IpAddr;
use std::sync::Arc;

use bstr::BString;
use wire::replication::{Message, MessageError};
use wire::{PacketError, open_packet};

use crate::context::Context;
use crate::extension::FRAME;
use crate::peer::Peer;
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
    pub(crate) fn packet(&self, peer: &Arc<Peer>, packet: &mut [u8]) {
        match self.open(peer, packet) {
            Ok(()) => peer.counters.received(),
            Err(bad) => self.refused(peer, &bad),
        }
    }

    #[cold]
    fn refused(&self, peer: &Peer, bad: &Bad) {
        peer.counters.received_bad();
        let addr = peer.addr();
        self.context.complain(&format!("received {addr}"), format!("from the sibling {addr}: {bad}"));
    }

    fn open(&self, peer: &Arc<Peer>, packet: &mut [u8]) -> Result<(), Bad> {
        let security = &self.context.security;
        let key = security.key().ok_or(Bad::NoKey)?;
        let ours = security.cipher();
        let (text, found) = open_packet(&key, peer.expected(ours), packet)?;
        peer.opened_with(ours, found);
        if text.first() == Some(&FRAME) {
            if let Some(extension) = self.context.extension() {
                extension.frame(peer, text);
            }
            return Ok(());
        }
        let message = Message::decode(text)?;
        Ok(self.sink.take(peer, &message)?)
    }
}
