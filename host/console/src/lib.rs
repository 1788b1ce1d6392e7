//! The control socket, server and client, and the console of a daemon in the foreground.
//!
//! A console speaks lines of Lua to a running daemon over an encrypted TCP connection whose key is the `setKey` of both
//! ends. [`serve`] is the daemon's end; [`Client`] and, around it, [`interactive`] and [`execute`] are the operator's;
//! [`foreground`] is the same line editor without a connection.

#![forbid(unsafe_code)]

mod client;
mod completion;
mod history;
mod response;
mod server;
mod terminal;
#[cfg(test)]
mod testing;

pub use client::{Client, ClientError, ClientOptions, execute, interactive};
pub use response::fit;
pub use server::{BoxFuture, Executor, Notice, ServerConfig, serve};
pub use terminal::foreground;
pub use wire::{Cipher, Key};

/// The port of wforce's control socket.
pub const WFORCE_PORT: u16 = 4004;

/// The port a trackalert client tries first. (A `controlSocket` without a port is 4004 in trackalert too.)
pub const TRACKALERT_PORT: u16 = 4005;

/// Which of wforce's two incompatible builds is expected at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CipherChoice {
    /// Whichever it turns out to be, told from the length of the first message.
    #[default]
    Auto,
    /// The libsodium build only.
    Secretbox,
    /// The OpenSSL build only.
    ChaCha,
}
