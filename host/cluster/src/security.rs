//! The common key and cipher, and the nonces of what is sent.

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::sync::Arc;
use wire::{Cipher, Key, Nonce};

/// Messages after which a new random nonce is taken: far fewer than the four bytes that count can tell apart.
const MESSAGES_PER_NONCE: u32 = 1 << 20;

/// What packets are encrypted and opened with. It can change at any time.
pub struct Security {
    now: ArcSwap<Keys>,
    nonce: Mutex<Option<(Nonce, u32)>>,
}

struct Keys {
    key: Option<Arc<Key>>,
    cipher: Cipher,
}

impl Default for Security {
    /// No key, and the cipher of wforce's Debian and RPM packages.
    fn default() -> Self {
        Self {
            now: ArcSwap::from_pointee(Keys { key: None, cipher: Cipher::Secretbox }),
            nonce: Mutex::default(),
        }
    }
}

impl Security {
    /// Sets the common key.
    pub fn set_key(&self, key: Option<Key>) {
        let key = key.map(Arc::new);
        self.now.rcu(|old| Keys { key: key.clone(), cipher: old.cipher });
    }

    /// Sets the cipher of what is sent, and tried first on what is received.
    pub fn set_cipher(&self, cipher: Cipher) {
        self.now.rcu(|old| Keys { key: old.key.clone(), cipher });
    }

    /// The common key.
    pub fn key(&self) -> Option<Arc<Key>> {
        self.now.load().key.clone()
    }

    /// The cipher of what is sent.
    pub fn cipher(&self) -> Cipher {
        self.now.load().cipher
    }

    /// The first of `count` nonces that nothing else is sent with; `None` when the system has no random bytes.
    pub(crate) fn nonces(&self, count: u32) -> Option<Nonce> {
        let cipher = self.cipher();
        let mut held = self.nonce.lock();
        let fits = held.as_ref().is_some_and(|(nonce, left)| nonce.cipher() == cipher && *left >= count);
        if !fits {
            *held = Some((Nonce::generate(cipher).ok()?, MESSAGES_PER_NONCE.max(count)));
        }
        let (nonce, left) = held.as_mut()?;
        let first = *nonce;
        nonce.advance(count);
        *left -= count;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn no_nonce_is_given_twice() {
        let security = Security::default();
        let first = security.nonces(3).unwrap();
        let mut expected = first;
        (0..3).for_each(|_| expected.increment());
        assert_eq!(security.nonces(1).unwrap(), expected);
        let next = security.nonces(MESSAGES_PER_NONCE).unwrap();
        assert_ne!(next.as_bytes()[4..], first.as_bytes()[4..], "a new random one");
        security.set_cipher(Cipher::ChaCha);
        assert_eq!(security.nonces(1).unwrap().cipher(), Cipher::ChaCha);
    }
}
