//! What may go wrong for a client, and what to do about it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use wire::Cipher;

/// Why a client got no response. The texts say what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there, or nobody can be reached.
    #[error(
        "cannot connect to {addr}: {error}; is the daemon running, with controlSocket(\"{addr}\") in its configuration?"
    )]
    Connect {
        /// The control socket.
        addr: SocketAddr,
        /// What the operating system says.
        error: io::Error,
    },
    /// The server closed the connection before it answered the first message.
    #[error(
        "{0} closed the connection before the handshake: the server has no setKey() in its configuration, too many \
         consoles are connected, or it is built with the other cipher; its log says which"
    )]
    Refused(SocketAddr),
    /// The first message got no answer within 5 s.
    #[error(
        "{0} accepts connections but does not answer as a control socket: it may be something else, or built with the \
         other cipher"
    )]
    NoAnswer(SocketAddr),
    /// The server's answer is that of the other build.
    #[error("{addr} uses the other cipher, {other:?}: the client has to use it too")]
    OtherCipher {
        /// The control socket.
        addr: SocketAddr,
        /// Its cipher.
        other: Cipher,
    },
    /// The server closed the connection on the first command.
    #[error(
        "the server closed the connection: check that setKey in {} is the server's",
        config.display()
    )]
    WrongKey {
        /// The client's configuration.
        config: PathBuf,
    },
    /// The server closed the connection on a later command.
    #[error(
        "the server closed the connection without a response: it has ended, or the command broke it; see its log"
    )]
    Closed,
    /// The response does not open.
    #[error(
        "the server's response cannot be decrypted: something between here and the server changes the data"
    )]
    BadResponse,
    /// The line does not fit in a frame.
    #[error(
        "the line has {found} bytes, a console takes {}: put it in a file and use dofile()",
        wire::MAX_TEXT_BYTES
    )]
    TooLong {
        /// Bytes in the line.
        found: usize,
    },
    /// No random bytes for the handshake.
    #[error(transparent)]
    NoRandom(#[from] wire::NoRandom),
    /// The connection, the terminal or the output failed otherwise.
    #[error(transparent)]
    Io(#[from] io::Error),
}
