//! Encrypted frames on a connection.
//!
//! Each end chooses a random nonce and sends it first; both directions then begin at a mixture of the two and count
//! on by one a frame. A recorded frame or connection therefore opens nowhere else: the acceptor's part of the nonce is new
//! each time.

use wire::{Cipher, Direction, Key, Nonce};

use super::MAX_TEXT;

/// Bytes of the nonce that each end sends first.
pub const NONCE_BYTES: usize = 24;
/// Frames after which a direction must not be used any more: its nonces would repeat.
const MAX_FRAMES: u64 = u32::MAX as u64;
/// Bytes before a box.
const LENGTH_BYTES: usize = 4;

/// Why a connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The frame would be too long, or too short for a box.
    #[error("a frame of {0} bytes")]
    Length(usize),
    /// The frame does not open.
    #[error("a frame does not open: another key, or it was changed, lost, repeated or moved on the way")]
    Rejected,
    /// Too many frames for one connection.
    #[error("the connection has served its time")]
    WornOut,
    /// The operating system gave no random bytes.
    #[error("no random bytes")]
    NoRandom,
}

/// A new random nonce to open a connection with.
///
/// # Errors
/// If the operating system gives no random bytes.
pub fn opening() -> Result<[u8; NONCE_BYTES], ChannelError> {
    let nonce = Nonce::generate(Cipher::Secretbox).map_err(|_| ChannelError::NoRandom)?;
    nonce.as_bytes().try_into().map_err(|_| ChannelError::NoRandom)
}

/// Both directions of a connection after the nonces were exchanged.
pub struct Channel {
    send: Direction,
    receive: Direction,
    sent: u64,
    opened: u64,
    buffer: Vec<u8>,
}

impl Channel {
    /// The dialer's end.
    pub fn dialed(key: &Key, own: &[u8; NONCE_BYTES], theirs: &[u8; NONCE_BYTES]) -> Self {
        let (to_acceptor, to_dialer) = directions(key, own, theirs);
        Self { send: to_acceptor, receive: to_dialer, sent: 0, opened: 0, buffer: Vec::new() }
    }

    /// The acceptor's end.
    pub fn accepted(key: &Key, own: &[u8; NONCE_BYTES], theirs: &[u8; NONCE_BYTES]) -> Self {
        let (to_acceptor, to_dialer) = directions(key, theirs, own);
        Self { send: to_dialer, receive: to_acceptor, sent: 0, opened: 0, buffer: Vec::new() }
    }

    /// A frame around a text.
    ///
    /// # Errors
    /// If the text is too long or the connection too old.
    pub fn seal(&mut self, text: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if text.len() > MAX_TEXT {
            return Err(ChannelError::Length(text.len()));
        }
        if self.sent >= MAX_FRAMES {
            return Err(ChannelError::WornOut);
        }
        self.sent += 1;
        let sealed = self.send.seal(text);
        Ok([&(sealed.len() as u32).to_be_bytes()[..], &sealed].concat())
    }

    /// Takes in bytes as they arrive.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Frames that came whole.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// Whether no frame is half here.
    pub fn is_between_frames(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The text of the next complete frame.
    ///
    /// # Errors
    /// If what arrived is no frame of this connection; nothing after it can be read.
    pub fn next_text(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        let Some((head, rest)) = self.buffer.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if !(wire::TAG_BYTES..=MAX_TEXT + wire::TAG_BYTES).contains(&length) {
            return Err(ChannelError::Length(length));
        }
        let Some(sealed) = rest.get(..length) else { return Ok(None) };
        let text = self.receive.open_box(sealed).map_err(|_| ChannelError::Rejected)?;
        self.buffer.drain(..LENGTH_BYTES + length);
        self.opened += 1;
        Ok(Some(text))
    }
}

fn directions(key: &Key, dialer: &[u8; NONCE_BYTES], acceptor: &[u8; NONCE_BYTES]) -> (Direction, Direction) {
    (Direction::new(key, mixed(acceptor, dialer, 0)), Direction::new(key, mixed(acceptor, dialer, 1)))
}

/// The first nonce of a direction. Its first four bytes count, so they begin at 0 and the rest decides.
fn mixed(acceptor: &[u8; NONCE_BYTES], dialer: &[u8; NONCE_BYTES], direction: u8) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce[4..13].copy_from_slice(&acceptor[..9]);
    nonce[13..23].copy_from_slice(&dialer[..10]);
    nonce[23] = direction;
    nonce
}
