//! Messages on their way out, encrypted once for all siblings that have the common key.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use wire::{Key, MAX_STREAM_PACKET_BYTES, Nonce, seal_packet, stream_head};

use crate::security::Security;

/// The longest message: its packet has a length of two bytes, and the longer nonce and a tag around it.
pub const MAX_MESSAGE_BYTES: usize = MAX_STREAM_PACKET_BYTES - 24 - wire::TAG_BYTES;

/// Bytes before a packet in [`Sealed`]: its length, as a stream has it.
const HEAD: usize = 2;

/// Messages in the order in which they were made, not encrypted.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// When the first one was made.
    since: Instant,
    /// The packets under the common key, once somebody needed them.
    sealed: OnceLock<Option<Arc<Sealed>>>,
}

impl Batch {
    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all messages.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// When the first one was made.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// The message at a place, as `wire::replication::Message` reads it; empty beyond the end.
    pub fn message(&self, place: usize) -> &[u8] {
        let from = place.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let to = self.ends.get(place).copied().unwrap_or(from);
        &self.bytes[from as usize..to as usize]
    }

    /// All messages.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|place| self.message(place))
    }

    /// The packets of all messages under the common key; `None` if there is no key.
    pub(crate) fn sealed(&self, security: &Security) -> Option<Arc<Sealed>> {
        let seal = || {
            let key = security.key()?;
            self.seal(security, &key).map(Arc::new)
        };
        self.sealed.get_or_init(seal).clone()
    }

    /// The packets of all messages under this key; `None` without random bytes for a nonce.
    pub(crate) fn seal(&self, security: &Security, key: &Key) -> Option<Sealed> {
        let mut sealed = Sealed {
            bytes: Vec::with_capacity(self.bytes.len() + 48 * self.len()),
            ends: Vec::with_capacity(self.len()),
        };
        let mut nonce = security.nonces(self.len() as u32)?;
        self.messages().for_each(|message| sealed.push(key, &mut nonce, message));
        Some(sealed)
    }

    /// Those messages that `wanted` wants.
    pub(crate) fn filtered(&self, mut wanted: impl FnMut(&[u8]) -> bool) -> Self {
        let mut some = Builder::default();
        self.messages().filter(|message| wanted(message)).for_each(|message| {
            some.push(|out| out.extend_from_slice(message));
        });
        Self { since: self.since, ..some.finish() }
    }
}

/// Packets, each behind its length as a stream has it.
#[derive(Debug)]
pub(crate) struct Sealed {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Sealed {
    fn push(&mut self, key: &Key, nonce: &mut Nonce, message: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEAD]);
        seal_packet(key, nonce, message, &mut self.bytes);
        // No message is longer than fits.
        if let Ok(head) = stream_head(self.bytes.len() - from - HEAD) {
            self.bytes[from..from + HEAD].copy_from_slice(&head);
        }
        self.ends.push(self.bytes.len() as u32);
    }

    fn from(&self, place: usize) -> usize {
        place.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize)
    }

    fn to(&self, place: usize) -> usize {
        self.ends.get(place).map_or(self.bytes.len(), |end| *end as usize)
    }

    /// The packet at a place.
    pub(crate) fn packet(&self, place: usize) -> &[u8] {
        &self.bytes[self.from(place) + HEAD..self.to(place)]
    }

    /// Packets with their lengths, as a stream has them.
    pub(crate) fn stream(&self, places: Range<usize>) -> &[u8] {
        if places.is_empty() { &[] } else { &self.bytes[self.from(places.start)..self.to(places.end - 1)] }
    }

    /// How many packets, from `first` on, are wholly in the first `bytes` of their stream.
    pub(crate) fn whole(&self, first: usize, bytes: usize) -> usize {
        let base = self.from(first);
        self.ends[first..].partition_point(|end| *end as usize <= base + bytes)
    }

    /// How many packets there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Puts a batch together.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    since: Option<Instant>,
}

impl Builder {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a message; false, and it is left out, when it is too long for anybody.
    pub(crate) fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        let from = self.bytes.len();
        encode(&mut self.bytes);
        if self.bytes.len() - from > MAX_MESSAGE_BYTES {
            self.bytes.truncate(from);
            return false;
        }
        self.since.get_or_insert_with(Instant::now);
        self.ends.push(self.bytes.len() as u32);
        true
    }

    pub(crate) fn finish(self) -> Batch {
        let since = self.since.unwrap_or_else(Instant::now);
        Batch { bytes: self.bytes, ends: self.ends, since, sealed: OnceLock::new() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use wire::{Cipher, open_packet};

    use super::*;

    fn batch(messages: &[&[u8]]) -> Batch {
        let mut builder = Builder::default();
        for message in messages {
            assert!(builder.push(|out| out.extend_from_slice(message)));
        }
        builder.finish()
    }

    #[test]
    fn packets_open_to_the_messages_and_are_made_once() {
        let security = Security::default();
        let key = Key::generate().unwrap();
        let batch = batch(&[b"one", b"", b"three"]);
        assert!(Batch::sealed(&batch.filtered(|_| true), &security).is_none(), "there is no key yet");
        security.set_key(Some(key.clone()));
        security.set_cipher(Cipher::ChaCha);
        let sealed = batch.sealed(&security).unwrap();
        assert!(Arc::ptr_eq(&sealed, &batch.sealed(&security).unwrap()));
        for (place, message) in batch.messages().enumerate() {
            let mut packet = sealed.packet(place).to_vec();
            assert_eq!(open_packet(&key, Cipher::Secretbox, &mut packet), Ok((message, Cipher::ChaCha)));
        }
        assert_eq!(batch.message(7), b"");
    }

    #[test]
    fn a_stream_is_cut_at_packets() {
        let security = Security::default();
        let key = Key::generate().unwrap();
        let sealed = batch(&[b"one", b"two", b"three"]).seal(&security, &key).unwrap();
        let overhead = HEAD + wire::packet_overhead(Cipher::Secretbox);
        let stream = sealed.stream(1..3);
        assert_eq!(stream.len(), 2 * overhead + 8);
        assert_eq!(stream[..2], ((overhead - HEAD + 3) as u16).to_be_bytes());
        assert_eq!(sealed.whole(1, overhead + 2), 0);
        assert_eq!(sealed.whole(1, overhead + 3), 1);
        assert_eq!(sealed.whole(1, stream.len()), 2);
        assert!(sealed.stream(2..2).is_empty());
    }

    #[test]
    fn too_long_a_message_is_left_out() {
        let mut builder = Builder::default();
        assert!(builder.push(|out| out.resize(MAX_MESSAGE_BYTES, 1)));
        assert!(!builder.push(|out| out.resize(out.len() + MAX_MESSAGE_BYTES + 1, 2)));
        assert!(builder.push(|out| out.push(3)));
        let batch = builder.finish();
        assert_eq!((batch.len(), batch.bytes(), batch.message(1)), (2, MAX_MESSAGE_BYTES + 1, &[3][..]));
        assert_eq!(batch.filtered(|message| message.len() == 1).len(), 1);
    }
}
