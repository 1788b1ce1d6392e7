//! What a forwarder does with the messages of siblings: between the siblings of a site and the forwarders of others.
//!
//! Nothing is applied, and only one mark in a message decides where it goes (wforce compatibility): what no forwarder has
//! had is marked and sent to the other sites; what is marked was sent by another forwarder, loses its mark and goes to
//! the siblings here. So a message makes one hop between sites and cannot go in circles.

use std::sync::Arc;

use wire::replication::{Kind, Message};

use crate::peer::Peer;
use crate::receive::{Sink, Unusable};
use crate::table::Table;

/// Sends on what comes in.
pub(crate) struct Forwarder {
    pub(crate) siblings: Arc<Table>,
    pub(crate) destinations: Arc<Table>,
}

impl Sink for Forwarder {
    /// What is sent on keeps its operation byte for byte: it is not even read, whatever version its sender is of.
    fn take(&self, _: &Arc<Peer>, message: &Message<'_>) -> Result<(), Unusable> {
        if message.kind == Kind::None {
            return Err(Unusable::NoType);
        }
        let to = if message.forwarded { &self.siblings } else { &self.destinations };
        if to.is_sent_to() {
            let turned = Message { forwarded: !message.forwarded, ..*message };
            to.send(|out| turned.encode(out));
        }
        Ok(())
    }
}
