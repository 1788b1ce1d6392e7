//! The two directions of a console connection, each with a nonce of its own.

use crate::{FrameError, Key, Nonce, OpenError, encode_frame, open, seal};

/// One direction of a connection: every message counts its nonce on.
#[derive(Clone, Debug)]
pub struct Direction {
    key: Key,
    nonce: Nonce,
}

impl Direction {
    /// A direction of a secretbox connection whose first nonce is this one.
    pub fn new(key: &Key, nonce: [u8; 24]) -> Self {
        Self { key: key.clone(), nonce: Nonce::secretbox(nonce) }
    }

    /// Encrypts a text.
    pub fn seal(&mut self, text: &[u8]) -> Vec<u8> {
        seal(&self.key, &mut self.nonce, text)
    }

    /// Encrypts a text and puts it in a frame.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] when the text has more than [`crate::MAX_TEXT_BYTES`] bytes. The direction stays
    /// usable: the nonce is then as before.
    pub fn seal_frame(&mut self, text: &[u8]) -> Result<Vec<u8>, FrameError> {
        if text.len() > crate::MAX_TEXT_BYTES {
            return Err(FrameError::TooLong(text.len() + crate::TAG_BYTES));
        }
        encode_frame(&seal(&self.key, &mut self.nonce, text))
    }

    /// Decrypts the box of a received frame.
    ///
    /// # Errors
    /// [`OpenError`] when it does not open; both ends have then lost each other and the connection is of no use.
    pub fn open_box(&mut self, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        open(&self.key, &mut self.nonce, sealed)
    }

    /// The nonce of the next message.
    pub fn nonce(&self) -> &Nonce {
        &self.nonce
    }
}

/// Both directions of a console connection.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// From the client to the server: commands.
    pub commands: Direction,
    /// From the server to the client: responses.
    pub responses: Direction,
}

impl Conversation {
    /// The conversation after the handshake, in which the client sent `client` and the server `server`, of one cipher.
    /// A direction's nonce begins with the first half of what its *receiver* sent (wforce compatibility).
    pub fn new(key: &Key, client: &Nonce, server: &Nonce) -> Self {
        let direction = |front, back| Direction { key: key.clone(), nonce: Nonce::merge_halves(front, back) };
        Self { commands: direction(server, client), responses: direction(client, server) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::cipher::tests::{KEY, hex};
    use crate::{Cipher, MAX_TEXT_BYTES, decode_frame};

    fn conversation(cipher: Cipher) -> Conversation {
        let count = cipher.nonce_bytes() as u8;
        let client: Vec<u8> = (0x10..0x10 + count).collect();
        let server: Vec<u8> = (0x80..0x80 + count).collect();
        Conversation::new(
            &Key::from_base64(KEY).unwrap(),
            &Nonce::from_bytes(cipher, &client).unwrap(),
            &Nonce::from_bytes(cipher, &server).unwrap(),
        )
    }

    #[test]
    fn the_merged_nonces_are_those_of_wforce() {
        let both = conversation(Cipher::Secretbox);
        assert_eq!(both.commands.nonce().as_bytes(), hex("808182838485868788898a8b1c1d1e1f2021222324252627"));
        assert_eq!(
            both.responses.nonce().as_bytes(),
            hex("101112131415161718191a1b8c8d8e8f9091929394959697")
        );
        let both = conversation(Cipher::ChaCha);
        assert_eq!(both.commands.nonce().as_bytes(), hex("808182838485161718191a1b"));
        assert_eq!(both.responses.nonce().as_bytes(), hex("101112131415868788898a8b"));
    }

    #[test]
    fn the_frames_are_those_of_wforce() {
        for (cipher, command, response) in [
            (
                Cipher::Secretbox,
                "001765651e2c4bb6b37220032c5b3da49153b5b22170e70e9e",
                "00365ec4563e53623ae1014f22ea5a98412a41c105a9a3278f2c89b38dd33ec15ff4f103a5e0b2109613bf1fac90d664\
                 241bf4837759d45e",
            ),
            (
                Cipher::ChaCha,
                "001798502204bae458c97976e3f442a6e07eec56d934667715",
                "00363262082bf82c8eb57baf49d3d7b81a4bbc7630fb29d62d3af149b89b4da3225e53cc5a75455a566a548491b8ad0b\
                 dadf120739117636",
            ),
        ] {
            let mut client = conversation(cipher);
            let mut server = conversation(cipher);
            let frame = client.commands.seal_frame(b"stats()").unwrap();
            assert_eq!(frame, hex(command));
            let (sealed, _) = decode_frame(&frame).unwrap().unwrap();
            assert_eq!(server.commands.open_box(sealed).unwrap(), b"stats()");
            let answer = b"0 reports, 0 allow-queries (0 denies)\n";
            let frame = server.responses.seal_frame(answer).unwrap();
            assert_eq!(frame, hex(response));
            let (sealed, _) = decode_frame(&frame).unwrap().unwrap();
            assert_eq!(client.responses.open_box(sealed).unwrap(), answer);
        }
    }

    #[test]
    fn a_text_that_does_not_fit_leaves_the_direction_usable() {
        let mut sender = conversation(Cipher::Secretbox).responses;
        let mut receiver = sender.clone();
        assert_eq!(sender.seal_frame(&vec![b'x'; MAX_TEXT_BYTES + 1]), Err(FrameError::TooLong(65536)));
        let frame = sender.seal_frame(&vec![b'x'; MAX_TEXT_BYTES]).unwrap();
        let (sealed, rest) = decode_frame(&frame).unwrap().unwrap();
        assert!(rest.is_empty());
        assert_eq!(receiver.open_box(sealed).unwrap().len(), MAX_TEXT_BYTES);
    }

    #[test]
    fn a_message_seen_twice_is_refused() {
        let mut client = conversation(Cipher::ChaCha).commands;
        let mut server = client.clone();
        let frame = client.seal_frame(b"clearACL()").unwrap();
        assert!(server.open_box(&frame[2..]).is_ok());
        assert_eq!(server.open_box(&frame[2..]), Err(OpenError::Rejected));
    }
}
