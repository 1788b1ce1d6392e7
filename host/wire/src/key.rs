//! The shared secret of siblings and consoles, as `setKey` takes it and `makeKey` prints it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use crate::NoRandom;

/// Bytes in a key, for both ciphers.
pub const KEY_BYTES: usize = 32;

/// A shared secret. It compares in constant time and never shows itself in debug output.
#[derive(Clone)]
pub struct Key([u8; KEY_BYTES]);

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not standard base64 with padding.
    #[error("the key is not base64: makeKey() prints a good one")]
    NotBase64,
    /// The text is base64, of too few or too many bytes.
    #[error("the key has {found} bytes, {KEY_BYTES} are needed: makeKey() prints a good one")]
    Length {
        /// How many bytes the text decoded to.
        found: usize,
    },
}

impl Key {
    /// The key in `text`: standard base64 of 32 bytes. ASCII whitespace anywhere in it is skipped, as wforce does.
    ///
    /// # Errors
    /// [`KeyError`] when the text is not base64 or of another length. wforce accepts such keys and then reads past
    /// them (libsodium build) or fails at every packet (OpenSSL build).
    pub fn from_base64(text: &[u8]) -> Result<Self, KeyError> {
        let dense: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(dense).map_err(|_| KeyError::NotBase64)?;
        Self::from_bytes(&bytes)
    }

    /// The key made of exactly these bytes.
    ///
    /// # Errors
    /// [`KeyError::Length`] when there are not 32 of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self).map_err(|_| KeyError::Length { found: bytes.len() })
    }

    /// A new random key.
    ///
    /// # Errors
    /// [`NoRandom`] when the operating system has no random bytes to give.
    pub fn generate() -> Result<Self, NoRandom> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The key as standard base64 (44 characters).
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The configuration line that sets this key, `setKey("<base64>")`, without a newline.
    pub fn make_key_line(&self) -> String {
        format!("setKey(\"{}\")", self.to_base64())
    }

    /// The secret itself, for the ciphers and for the start-up sync, which sends it raw.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(secret)")
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Key {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn base64_with_whitespace_is_a_key() {
        let key = Key::from_base64(b" AAECAwQFBgcICQoLDA0O\r\nDxAREhMUFRYXGBkaGxwdHh8=\t\n").unwrap();
        assert_eq!(key.as_bytes()[..], (0..32).collect::<Vec<u8>>());
        assert_eq!(key.to_base64(), TEXT);
    }

    #[test]
    fn make_key_line_is_a_line_for_the_configuration() {
        let key = Key::from_base64(TEXT.as_bytes()).unwrap();
        assert_eq!(key.make_key_line(), format!("setKey(\"{TEXT}\")"));
    }

    #[test]
    fn a_short_or_long_key_says_how_many_bytes_were_found() {
        assert_eq!(Key::from_base64(b"AAEC").unwrap_err(), KeyError::Length { found: 3 });
        assert_eq!(Key::from_base64(b"").unwrap_err(), KeyError::Length { found: 0 });
        let long = STANDARD.encode([7; 33]);
        let error = Key::from_base64(long.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the key has 33 bytes, 32 are needed: makeKey() prints a good one");
    }

    #[test]
    fn rubbish_is_not_a_key() {
        for text in [
            &b"!!"[..],
            b"####",
            b"AAE",
            b"AA=C",
            b"\xff\xfe\0",
            b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        ] {
            assert_eq!(Key::from_base64(text).unwrap_err(), KeyError::NotBase64, "{text:?}");
        }
    }

    #[test]
    fn debug_output_keeps_the_secret() {
        let key = Key::from_base64(TEXT.as_bytes()).unwrap();
        assert_eq!(format!("{key:?}"), "Key(secret)");
    }

    #[test]
    fn generated_keys_differ_and_survive_their_text() {
        let key = Key::generate().unwrap();
        assert_ne!(key, Key::generate().unwrap());
        assert_eq!(key, Key::from_base64(key.to_base64().as_bytes()).unwrap());
    }
}
