//! Connections that carry a session.
//!
//! The dialer begins with [`OPENING`] and a nonce, and a node that speaks sessions answers with [`ANSWER`] and its own;
//! frames follow. Two zero bytes are the length of an empty packet: a wforce that is asked closes the connection, counts
//! nothing, and goes on.

mod accept;
mod dial;

pub(crate) use accept::serve;
pub(crate) use dial::run as dial;

use crate::session::{ChannelError, NONCE_BYTES, SessionError};

/// What a dialer says first.
pub(crate) const OPENING: &[u8; 15] = b"\0\0portcullis 1\n";
/// What a node that speaks sessions answers.
const ANSWER: &[u8; 13] = b"portcullis 1\n";

/// Bytes read at once.
const READ: usize = 64 << 10;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    /// The other end, or the network.
    #[error(transparent)]
    Connection(#[from] std::io::Error),
    /// What the other end said.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It ended in the middle of something.
    #[error("it was cut off in the middle of a frame")]
    Truncated,
    /// It began something and did not come to its end.
    #[error("a frame, or the hello at the beginning, did not come to its end within {0} s")]
    Slow(u64),
    /// The sibling was removed.
    #[error("the sibling was removed")]
    Removed,
}

impl From<ChannelError> for Ended {
    fn from(error: ChannelError) -> Self {
        Self::Session(error.into())
    }
}

impl Ended {
    /// What may be the reason if a session did not even begin, for the end of a log line.
    fn advice(&self) -> &'static str {
        match self {
            Self::Session(SessionError::Version(_)) => {
                ": it runs another version of Portcullis, and is sent packets until both run the same"
            }
            Self::Session(SessionError::Oneself) => "",
            // Nodes of version 1 say nothing before they close a connection over the version.
            Self::Connection(_) => ": has it another key, or another version of Portcullis?",
            _ => ": has it another key?",
        }
    }

    /// What the sibling did wrong, in one word for the metrics; `None` if nothing.
    fn reason(&self) -> Option<&'static str> {
        let error = match self {
            Self::Session(error) => error,
            Self::Truncated => return Some("truncated"),
            Self::Slow(_) => return Some("slow"),
            Self::Connection(_) | Self::Removed => return None,
        };
        Some(match error {
            SessionError::Channel(ChannelError::Length(_)) => "length",
            SessionError::Channel(ChannelError::Rejected) => "key",
            SessionError::Channel(_) | SessionError::Databases => return None,
            SessionError::Message(_) => "message",
            SessionError::Version(_) => "version",
            SessionError::Unexpected => "unexpected",
            SessionError::Oneself => "oneself",
            SessionError::Silent => "silent",
        })
    }
}

/// What is said first, and the nonce.
fn opening_bytes(first: &[u8], nonce: &[u8; NONCE_BYTES]) -> Vec<u8> {
    [first, nonce].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_is_about_what_happened() {
        let of = |error: SessionError| Ended::from(error).advice();
        assert!(of(SessionError::Version(3)).contains("another version of Portcullis"));
        assert!(of(ChannelError::Rejected.into()).ends_with("another key?"));
        let end = Ended::from(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        assert!(end.advice().contains("another key, or another version"));
    }
}
