//! Nonces: random once, then counted up in their first four bytes.

use crate::{Cipher, NoRandom};

/// The longest nonce, that of [`Cipher::Secretbox`].
const STORE: usize = 24;

/// A nonce of 24 bytes for [`Cipher::Secretbox`] or 12 bytes for [`Cipher::ChaCha`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    cipher: Cipher,
    bytes: [u8; STORE],
}

/// The bytes are too few or too many for a nonce of that cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a nonce has {expected} bytes, not {found}")]
pub struct NonceError {
    /// How many bytes there were.
    pub found: usize,
    /// How many the cipher has.
    pub expected: usize,
}

impl Nonce {
    /// The nonce made of these bytes.
    ///
    /// # Errors
    /// [`NonceError`] when there are not exactly [`Cipher::nonce_bytes`] of them.
    pub fn from_bytes(cipher: Cipher, given: &[u8]) -> Result<Self, NonceError> {
        if given.len() != cipher.nonce_bytes() {
            return Err(NonceError { found: given.len(), expected: cipher.nonce_bytes() });
        }
        let mut bytes = [0; STORE];
        bytes[..given.len()].copy_from_slice(given);
        Ok(Self { cipher, bytes })
    }

    /// The nonce of these bytes for [`Cipher::Secretbox`].
    pub fn secretbox(bytes: [u8; STORE]) -> Self {
        Self { cipher: Cipher::Secretbox, bytes }
    }

    /// A new random nonce.
    ///
    /// # Errors
    /// [`NoRandom`] when the operating system has no random bytes to give.
    pub fn generate(cipher: Cipher) -> Result<Self, NoRandom> {
        let mut bytes = [0; STORE];
        getrandom::fill(&mut bytes[..cipher.nonce_bytes()])?;
        Ok(Self { cipher, bytes })
    }

    /// The cipher this nonce is for.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// The bytes as they are sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.cipher.nonce_bytes()]
    }

    /// Counts on by one: the **first four bytes** are a big-endian number that wraps, and nothing is carried into the
    /// rest (wforce compatibility).
    pub fn increment(&mut self) {
        self.advance(1);
    }

    /// Counts on by `count`.
    pub fn advance(&mut self, count: u32) {
        let [a, b, c, d, ..] = self.bytes;
        let next = u32::from_be_bytes([a, b, c, d]).wrapping_add(count);
        self.bytes[..4].copy_from_slice(&next.to_be_bytes());
    }

    /// The first half of `front` followed by the second half of `back`. Both are of the same cipher; `front` decides.
    #[must_use]
    pub fn merge_halves(front: &Self, back: &Self) -> Self {
        let mut merged = *front;
        let all = front.cipher.nonce_bytes();
        merged.bytes[all / 2..all].copy_from_slice(&back.bytes[all / 2..all]);
        merged
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn starting_with(first: [u8; 4]) -> Nonce {
        let mut bytes = [0xff; 24];
        bytes[..4].copy_from_slice(&first);
        Nonce::from_bytes(Cipher::Secretbox, &bytes).unwrap()
    }

    #[test]
    fn the_first_four_bytes_count_and_nothing_is_carried() {
        for (before, after) in [
            ([0, 0, 0, 0xff], [0, 0, 1, 0]),
            ([0xff; 4], [0; 4]),
            ([0x40, 0x41, 0x42, 0x43], [0x40, 0x41, 0x42, 0x44]),
        ] {
            let mut nonce = starting_with(before);
            nonce.increment();
            assert_eq!(nonce, starting_with(after));
        }
    }

    #[test]
    fn a_nonce_has_the_length_of_its_cipher() {
        assert_eq!(Nonce::from_bytes(Cipher::ChaCha, &[0; 24]), Err(NonceError { found: 24, expected: 12 }));
        assert_eq!(Nonce::from_bytes(Cipher::Secretbox, &[]), Err(NonceError { found: 0, expected: 24 }));
        assert_eq!(Nonce::generate(Cipher::ChaCha).unwrap().as_bytes().len(), 12);
        assert_ne!(Nonce::generate(Cipher::Secretbox).unwrap(), Nonce::generate(Cipher::Secretbox).unwrap());
    }
}
