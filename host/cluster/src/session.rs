//! The reliable session between two Portcullis nodes.
//!
//! Pure state machines: bytes in, bytes out, time as an argument. A node *dials* each sibling; on that connection its
//! changes go to the *acceptor*, which acknowledges them. What is sent is never "add one" but "this is what I have counted
//! for this key in this window", which replaces what the acceptor knew: so nothing is counted twice, whatever is sent
//! again, and a key that changes a thousand times before the next frame is sent once.
//!
//! * [`Journal`]: which keys changed here, in order, bounded by bytes; each dialer has a position in it.
//! * [`Entries`]: when entries of lists were changed; the later change counts.
//! * [`Channel`]: frames, encrypted under nonces that both ends took part in, so that neither a frame nor a whole
//!   connection can be replayed.
//! * [`Dialer`] and [`Acceptor`]: hello, changes, acknowledgements, and after a gap the repair: both compare digests of
//!   everything they know and exchange the keys that differ.

mod acceptor;
mod asked;
mod channel;
mod dialer;
mod entries;
mod journal;
mod kept;
mod message;
mod repair;
mod too_long;

pub use acceptor::{Acceptor, Heard};
pub use channel::{Channel, ChannelError, NONCE_BYTES, opening};
pub use dialer::{Dialer, DialerStatus};
pub use entries::{Entries, EntryChange, Id, Stamp, What};
pub use journal::{Journal, JournalStatus};
pub use message::{Message, MessageError};
pub use too_long::LeftOut;

/// The version of the protocol; another one is refused.
pub const VERSION: u64 = 2;

/// Longest text of a frame: the largest part of a key fits (a distinct count of 2^18 registers).
pub const MAX_TEXT: usize = 1 << 20;

/// Text of a frame after which no more is added.
pub const FRAME_BYTES: usize = 48 << 10;

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// A frame was not one, or did not open.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A frame opened, but its text makes no sense.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The other end speaks another version.
    #[error("the sibling speaks version {0} of the session, this node {VERSION}")]
    Version(u64),
    /// A message came where it has no place.
    #[error("an unexpected message")]
    Unexpected,
    /// The sibling is this node itself.
    #[error("the sibling is this node itself")]
    Oneself,
    /// This node has databases now that it did not have before; the session begins anew with them.
    #[error("there are new stats DBs here")]
    Databases,
    /// The other end has not answered for too long.
    #[error("no answer for too long")]
    Silent,
}

#[cfg(test)]
mod liars;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
