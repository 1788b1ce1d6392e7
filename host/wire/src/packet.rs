//! Packets of replication: a nonce, then the box of one message. Each has its whole nonce, so a receiver remembers
//! nothing; what was sent twice is received twice.

use crate::cipher::{open_in_place, seal_append};
use crate::{Cipher, Key, Nonce, TAG_BYTES};

/// A datagram of this many bytes or more is dropped by wforce without a word.
pub const MAX_DATAGRAM_BYTES: usize = 1500;

/// The longest packet that fits behind the length of a stream.
pub const MAX_STREAM_PACKET_BYTES: usize = u16::MAX as usize;

/// Why a packet is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Shorter than the shortest: a nonce of 12 bytes and a tag.
    #[error("a packet of {0} bytes is too short to be one")]
    TooShort(usize),
    /// No cipher opens it with this key.
    #[error("a packet does not open with this key: the sender has another one, or it was changed on the way")]
    Rejected,
}

/// How much longer a packet is than its message.
pub fn packet_overhead(cipher: Cipher) -> usize {
    cipher.nonce_bytes() + TAG_BYTES
}

/// Appends the packet of a message, and counts the nonce on.
#[inline]
pub fn seal_packet(key: &Key, nonce: &mut Nonce, message: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(nonce.as_bytes());
    seal_append(key, nonce, message, out);
}

/// Opens a packet where it lies; gives the message and the cipher that opened it. `expected` is tried first, then the
/// other one: a sender's build of wforce is not known beforehand.
///
/// # Errors
/// [`PacketError`]; the bytes are then as before.
#[inline]
pub fn open_packet<'p>(
    key: &Key,
    expected: Cipher,
    packet: &'p mut [u8],
) -> Result<(&'p [u8], Cipher), PacketError> {
    let length = packet.len();
    let shortest = packet_overhead(Cipher::ChaCha);
    if length < shortest {
        return Err(PacketError::TooShort(length));
    }
    let other = match expected {
        Cipher::Secretbox => Cipher::ChaCha,
        Cipher::ChaCha => Cipher::Secretbox,
    };
    for cipher in [expected, other] {
        let Some((nonce, sealed)) = packet.split_at_mut_checked(cipher.nonce_bytes()) else { continue };
        let Ok(nonce) = Nonce::from_bytes(cipher, nonce) else { continue };
        if open_in_place(key, &nonce, sealed).is_ok() {
            return Ok((&packet[packet_overhead(cipher)..], cipher));
        }
    }
    Err(PacketError::Rejected)
}

#[cfg(test)]
mod tests;
