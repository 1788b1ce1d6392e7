//! Siblings: daemons that share stats DBs and lists.
//!
//! A change on its way: a policy changes a stats DB → `observe` writes the message into the `outbox`, which is all that a
//! request waits for → a task shares what has come together out to the queues of the [`Peer`]s of a [`Table`] → one task
//! for each sibling encrypts (once for all that have the common key, see `batch`) and sends (`send`).
//!
//! The other way: `listen` takes packets from the kernel and knows their sender by its address → `receive` opens them →
//! a [`Sink`] does what they ask for: `apply` in wforce, `forward` in replfwd. Whatever is wrong with a packet is counted
//! for its sender, logged at a limited rate, and nothing else.
//!
//! Between Portcullis nodes there is a better way than packets that may get lost: `sessions` keeps a [`session`] with each
//! sibling that speaks it (`link`), and a [`Peer`]'s `standing` tells which siblings do.
#![forbid(unsafe_code)]

mod address;
mod apply;
mod batch;
mod cluster;
mod context;
mod counters;
pub mod dump;
mod forward;
mod link;
mod listen;
mod observe;
mod outbox;
mod peer;
mod queue;
mod receive;
mod resolve;
mod security;
mod send;
pub mod session;
mod sessions;
mod standing;
pub mod sync;
mod table;
#[cfg(test)]
mod testing;

pub use address::{AddressError, DEFAULT_PORT, Protocol, Target};
pub use apply::Applier;
pub use batch::{Batch, MAX_MESSAGE_BYTES};
pub use cluster::{Change, Cluster, Named, StartError};
pub use context::Context;
pub use peer::{Peer, PeerConfig, Row};
pub use receive::{Sink, Unusable};
pub use security::Security;
pub use table::{Duplicate, Table, Unknown};
