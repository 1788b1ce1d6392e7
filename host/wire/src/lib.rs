//! Keys, ciphers, console frames and replication packets: pure bytes in, bytes out.
//!
//! wforce exists in two builds that cannot talk to each other: with libsodium ([`Cipher::Secretbox`]) and with
//! OpenSSL ([`Cipher::ChaCha`]). Nothing is negotiated; the two differ in the length of their nonces, and a
//! [`Nonce`] therefore knows its cipher. Everything encrypted is a *box*: a tag of [`TAG_BYTES`] bytes **first**, then the
//! ciphertext, for both ciphers.

#![forbid(unsafe_code)]

mod cipher;
mod conversation;
mod frame;
mod key;
mod nonce;
mod packet;
mod protobuf;
pub mod replication;
mod stream;

pub use cipher::{Cipher, OpenError, TAG_BYTES, open, seal, test_crypto};
pub use conversation::{Conversation, Direction};
pub use frame::{
    FrameError, LENGTH_BYTES, MAX_BOX_BYTES, MAX_TEXT_BYTES, Taken, box_length, decode_frame, encode_frame,
};
pub use key::{KEY_BYTES, Key, KeyError};
pub use nonce::{Nonce, NonceError};
pub use packet::{
    MAX_DATAGRAM_BYTES, MAX_STREAM_PACKET_BYTES, PacketError, open_packet, packet_overhead, seal_packet,
};
pub use stream::{EmptyPacket, PacketTooLong, StreamReader, stream_head};

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct NoRandom(#[from] getrandom::Error);
