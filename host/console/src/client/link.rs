//! One TCP connection after its handshake.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use wire::{Cipher, Conversation, Key, LENGTH_BYTES, Nonce, box_length};

use super::ClientError;
use crate::CipherChoice;

/// For the connection to be made, and for the handshake.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server of the OpenSSL build answers with 12 bytes where the libsodium build has 24. When 12 have come and nothing
/// follows for this long, it is the former.
const SECOND_HALF: Duration = Duration::from_millis(500);

pub(super) struct Link {
    stream: TcpStream,
    conversation: Conversation,
    proven: bool,
}

impl Link {
    pub(super) fn open(addr: SocketAddr, key: &Key, choice: CipherChoice) -> Result<Self, ClientError> {
        match choice {
            CipherChoice::Secretbox => Self::open_with(addr, key, Cipher::Secretbox),
            CipherChoice::ChaCha => Self::open_with(addr, key, Cipher::ChaCha),
            CipherChoice::Auto => match Self::open_with(addr, key, Cipher::Secretbox) {
                Err(ClientError::OtherCipher { other, .. }) => Self::open_with(addr, key, other),
                result => result,
            },
        }
    }

    fn open_with(addr: SocketAddr, key: &Key, cipher: Cipher) -> Result<Self, ClientError> {
        let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)
            .map_err(|error| ClientError::Connect { addr, error })?;
        // Commands are small and waited for.
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let ours = Nonce::generate(cipher)?;
        let theirs = match stream.write_all(ours.as_bytes()).and_then(|()| server_nonce(&mut stream, cipher))
        {
            Ok(nonce) => nonce,
            Err(error) if is_closed(&error) => return Err(ClientError::Refused(addr)),
            Err(error) if is_silent(&error) => return Err(ClientError::NoAnswer(addr)),
            Err(error) => return Err(error.into()),
        };
        let Some(theirs) = theirs else {
            return Err(ClientError::OtherCipher { addr, other: Cipher::ChaCha });
        };
        // A command may take as long as it needs.
        stream.set_read_timeout(None)?;
        Ok(Self { stream, conversation: Conversation::new(key, &ours, &theirs), proven: false })
    }

    /// Whether the server has opened one of our commands and answered it, so that the key is the right one.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether the server has closed the connection in the meantime.
    pub(super) fn is_closed(&self) -> bool {
        let peeked = self.stream.set_nonblocking(true).and_then(|()| match self.stream.peek(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            // Nothing may come unasked: whatever it is, this connection cannot be continued.
            Ok(_) => Ok(true),
            Err(error) => Err(error),
        });
        let blocking = self.stream.set_nonblocking(false);
        peeked.unwrap_or(true) || blocking.is_err()
    }

    pub(super) fn ask(&mut self, line: &[u8]) -> Result<Vec<u8>, ClientError> {
        let frame = self
            .conversation
            .commands
            .seal_frame(line)
            .map_err(|_| ClientError::TooLong { found: line.len() })?;
        let sealed = self.exchange(&frame).map_err(|error| match error.kind() {
            _ if is_closed(&error) => ClientError::Closed,
            ErrorKind::InvalidData => ClientError::BadResponse,
            _ => error.into(),
        })?;
        let response = self.conversation.responses.open_box(&sealed).map_err(|_| ClientError::BadResponse)?;
        self.proven = true;
        Ok(response)
    }

    /// Sends a frame and reads the box of the next one.
    fn exchange(&mut self, frame: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.write_all(frame)?;
        let mut head = [0; LENGTH_BYTES];
        self.stream.read_exact(&mut head)?;
        let length = box_length(head).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        let mut sealed = vec![0; length];
        self.stream.read_exact(&mut sealed)?;
        Ok(sealed)
    }
}

/// The server's first message; `None` when it is the shorter one of the other build.
fn server_nonce(stream: &mut TcpStream, cipher: Cipher) -> io::Result<Option<Nonce>> {
    let short = Cipher::ChaCha.nonce_bytes();
    let mut bytes = [0; 24];
    let wanted = cipher.nonce_bytes();
    let mut found = 0;
    while found < wanted {
        if found == short {
            stream.set_read_timeout(Some(SECOND_HALF))?;
        }
        match stream.read(&mut bytes[found..wanted]) {
            Ok(0) if found == short => return Ok(None),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => found += count,
            Err(error) if found == short && (is_silent(&error) || is_closed(&error)) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Nonce::from_bytes(cipher, &bytes[..wanted])
        .map(Some)
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// The other end closed the connection, politely or not.
fn is_closed(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// Nothing came in time. Which of both kinds it is depends on the system.
fn is_silent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
