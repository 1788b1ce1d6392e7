//! What Portcullis nodes say to each other beyond wforce's packets.
//!
//! A *frame* is a packet whose message begins with a zero byte, which no Protocol Buffers message does. Frames travel the
//! ways of packets: in datagrams and on connections, encrypted and with their sender's identity checked alike. They are
//! only sent to siblings that are known to understand them; a wforce would count each as a failure. How that is found out
//! without disturbing a wforce: a hello is padded to [`HELLO_BYTES`], and wforce drops datagrams of 1500 bytes and more
//! without looking into them.

use std::sync::Arc;

use crate::batch::Batch;
use crate::peer::Peer;

/// The first byte of every frame.
pub const FRAME: u8 = 0;

/// Bytes that a frame must have, at least, to be ignored by a wforce that gets it as a datagram.
pub const HELLO_BYTES: usize = 1500;

/// A way of sending that is better than packets, to siblings that have it.
pub trait Extension: Send + Sync {
    /// Whether this sibling's messages go this way from now on: then the batch is taken over, and what does not fit is
    /// accounted for there. If false it goes out as packets. Called in the order of the batches, and must not wait.
    fn offer(&self, peer: &Arc<Peer>, batch: &Arc<Batch>) -> bool;

    /// A frame came from this sibling; its first byte is [`FRAME`].
    fn frame(&self, peer: &Arc<Peer>, frame: &[u8]);

    /// A sibling was added, or has another address.
    fn added(&self, peer: &Arc<Peer>);

    /// A sibling was removed.
    fn removed(&self, peer: &Arc<Peer>);
}
