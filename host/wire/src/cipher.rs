//! The two ciphers of wforce's two builds, with one layout: tag first, then ciphertext.

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{self, AeadInPlace, KeyInit as _};
use crypto_secretbox::XSalsa20Poly1305;

use crate::{Key, Nonce};

/// Bytes a box is longer than its text; they come first in it.
pub const TAG_BYTES: usize = 16;

/// Which build of wforce is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// XSalsa20-Poly1305, known as secretbox: the libsodium build (Debian and RPM packages).
    Secretbox,
    /// ChaCha20-Poly1305 (IETF, no additional data): the OpenSSL build (upstream's Docker images).
    ChaCha,
}

impl Cipher {
    /// Both, for whoever has to try.
    pub const ALL: [Self; 2] = [Self::Secretbox, Self::ChaCha];

    /// Bytes in a nonce: 24 or 12.
    pub fn nonce_bytes(self) -> usize {
        match self {
            Self::Secretbox => 24,
            Self::ChaCha => 12,
        }
    }
}

/// Why a box was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The box is shorter than a tag.
    #[error("a box of {found} bytes is shorter than its tag")]
    TooShort {
        /// Bytes in the box.
        found: usize,
    },
    /// The tag is wrong: another key or nonce, or bytes were changed on the way.
    #[error("a box does not open with this key")]
    Rejected,
}

/// Encrypts `text` with the nonce's cipher and counts the nonce on. The box is [`TAG_BYTES`] longer than the text.
#[must_use]
pub fn seal(key: &Key, nonce: &mut Nonce, text: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(TAG_BYTES + text.len());
    seal_append(key, nonce, text, &mut sealed);
    sealed
}

/// The same, appended to `out`.
#[inline]
pub(crate) fn seal_append(key: &Key, nonce: &mut Nonce, text: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + TAG_BYTES, 0);
    out.extend_from_slice(text);
    let (tag, body) = out[from..].split_at_mut(TAG_BYTES);
    let bytes = nonce.as_bytes();
    let made = match nonce.cipher() {
        Cipher::Secretbox => encrypt(&XSalsa20Poly1305::new(key.as_bytes().into()), bytes, body),
        Cipher::ChaCha => encrypt(&ChaCha20Poly1305::new(key.as_bytes().into()), bytes, body),
    };
    #[expect(
        clippy::expect_used,
        reason = "the ciphers refuse only texts beyond 256 GiB, which no caller can hold"
    )]
    tag.copy_from_slice(&made.expect("a text below 256 GiB"));
    nonce.increment();
}

/// Decrypts a box with the nonce's cipher. The nonce is counted on when the box was good.
///
/// The tag is compared in constant time, also that of an empty text, which wforce does not look at.
///
/// # Errors
/// [`OpenError`] when the box is too short or its tag is wrong; the nonce is then as before.
pub fn open(key: &Key, nonce: &mut Nonce, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut text = sealed.to_vec();
    open_in_place(key, nonce, &mut text)?;
    text.drain(..TAG_BYTES);
    nonce.increment();
    Ok(text)
}

/// Decrypts a box where it lies: its text is behind its tag then.
///
/// # Errors
/// [`OpenError`]; the box is then as before.
#[inline]
pub(crate) fn open_in_place(key: &Key, nonce: &Nonce, sealed: &mut [u8]) -> Result<(), OpenError> {
    let found = sealed.len();
    let Some((tag, text)) = sealed.split_at_mut_checked(TAG_BYTES) else {
        return Err(OpenError::TooShort { found });
    };
    let bytes = nonce.as_bytes();
    // Both look at the tag first, and touch the text only when it is right.
    match nonce.cipher() {
        Cipher::Secretbox => decrypt(&XSalsa20Poly1305::new(key.as_bytes().into()), bytes, text, tag),
        Cipher::ChaCha => decrypt(&ChaCha20Poly1305::new(key.as_bytes().into()), bytes, text, tag),
    }
    .map_err(|_| OpenError::Rejected)
}

fn encrypt<A: AeadInPlace>(cipher: &A, nonce: &[u8], text: &mut [u8]) -> Result<aead::Tag<A>, aead::Error> {
    cipher.encrypt_in_place_detached(aead::Nonce::<A>::from_slice(nonce), b"", text)
}

fn decrypt<A: AeadInPlace>(cipher: &A, nonce: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), aead::Error> {
    cipher.decrypt_in_place_detached(
        aead::Nonce::<A>::from_slice(nonce),
        b"",
        text,
        aead::Tag::<A>::from_slice(tag),
    )
}

/// Whether this key encrypts and decrypts with both ciphers on this machine: what `testCrypto` answers.
pub fn test_crypto(key: &Key) -> bool {
    let text = b"any text will do";
    Cipher::ALL.into_iter().all(|cipher| {
        let Ok(start) = Nonce::generate(cipher) else { return false };
        let sealed = seal(key, &mut start.clone(), text);
        open(key, &mut start.clone(), &sealed).is_ok_and(|opened| opened == text)
    })
}

#[cfg(test)]
pub(crate) mod tests;
