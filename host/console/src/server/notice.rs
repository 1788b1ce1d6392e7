//! What a control socket tells its operators.

use std::net::SocketAddr;

/// Something at a control socket that an operator may want to know. Its display is the log line.
#[derive(Debug, thiserror::Error)]
pub enum Notice {
    /// A console connected, and there is no key.
    #[error(
        "Console connection from {0} refused: no key is set. Run makeKey() in a console in the foreground and add the \
         setKey(...) line it prints to the configuration"
    )]
    NoKey(SocketAddr),
    /// The first message did not come in time, or stopped in the middle.
    #[error("Console connection from {0} closed: no complete handshake")]
    Handshake(SocketAddr),
    /// A frame did not open.
    #[error(
        "Console connection from {0} closed: a command could not be decrypted, so the client's setKey is not ours"
    )]
    BadBox(SocketAddr),
    /// All places are taken by consoles that have proved to know the key.
    #[error("Console connection from {peer} refused: {limit} consoles are connected already")]
    Full {
        /// Who came too late.
        peer: SocketAddr,
        /// How many there may be.
        limit: usize,
    },
    /// A console that never sent a command made room for a new one.
    #[error("Console connection from {0} closed: it sent no command, and others were waiting for its place")]
    Displaced(SocketAddr),
    /// No random bytes for the handshake.
    #[error("Console connection from {0} closed: {1}")]
    NoRandom(SocketAddr, wire::NoRandom),
    /// The command's execution panicked. The daemon goes on, the console does not.
    #[error("A console command panicked: its connection is closed")]
    Panicked,
    /// A connection could not be accepted.
    #[error("Console connections cannot be accepted: {0}")]
    Accept(std::io::Error),
}

impl Notice {
    /// A name for this kind of notice, without the peer: the key for a rate limit.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoKey(_) => "console-no-key",
            Self::Handshake(_) => "console-handshake",
            Self::BadBox(_) => "console-bad-box",
            Self::Full { .. } => "console-full",
            Self::Displaced(_) => "console-displaced",
            Self::NoRandom(..) => "console-no-random",
            Self::Panicked => "console-panicked",
            Self::Accept(_) => "console-accept",
        }
    }
}
