//! What a stranger, or somebody with the key, may send to a control socket after the handshake.
//!
//! The first byte chooses the cipher, the rest is the stream. The handshake is that of the known frames in
//! `seeds/console_frames`, so that these open and mutations of them come close.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{
    Cipher, Conversation, Direction, Key, MAX_BOX_BYTES, MAX_TEXT_BYTES, Nonce, TAG_BYTES, decode_frame,
};

fuzz_target!(|data: &[u8]| {
    let Some((choice, stream)) = data.split_first() else { return };
    let cipher = if choice % 2 == 0 { Cipher::Secretbox } else { Cipher::ChaCha };
    let both = conversation(cipher);
    serve(both.commands, stream);
    round_trip(both.responses, stream);
    let _ = Key::from_base64(stream);
});

fn conversation(cipher: Cipher) -> Conversation {
    let count = cipher.nonce_bytes() as u8;
    let nonce = |first: u8| {
        let bytes: Vec<u8> = (first..first + count).collect();
        Nonce::from_bytes(cipher, &bytes).expect("as many bytes as the cipher wants")
    };
    let key: Vec<u8> = (0..32).collect();
    let key = Key::from_bytes(&key).expect("32 bytes");
    Conversation::new(&key, &nonce(0x10), &nonce(0x80))
}

/// Opens frame after frame as a server does, until one is bad or incomplete.
fn serve(mut commands: Direction, mut stream: &[u8]) {
    while let Ok(Some((sealed, rest))) = decode_frame(stream) {
        assert!((TAG_BYTES..=MAX_BOX_BYTES).contains(&sealed.len()));
        assert_eq!(stream.len(), 2 + sealed.len() + rest.len());
        let before = *commands.nonce();
        match commands.open_box(sealed) {
            Ok(text) => assert_eq!(text.len() + TAG_BYTES, sealed.len()),
            Err(_) => {
                assert_eq!(*commands.nonce(), before, "a bad box does not count");
                return;
            }
        }
        stream = rest;
    }
}

/// Whatever the text is, it comes out as it went in, and not when a byte is changed.
fn round_trip(mut sender: Direction, text: &[u8]) {
    let mut receiver = sender.clone();
    let Ok(mut frame) = sender.seal_frame(text) else {
        assert!(text.len() > MAX_TEXT_BYTES);
        return;
    };
    let (sealed, rest) = decode_frame(&frame).expect("a frame of ours").expect("complete");
    assert!(rest.is_empty());
    assert_eq!(receiver.clone().open_box(sealed).as_deref(), Ok(text));

    let place = 2 + text.iter().fold(0, |sum, byte| sum + usize::from(*byte)) % sealed.len();
    frame[place] ^= 1;
    assert!(receiver.open_box(&frame[2..]).is_err(), "byte {place} was changed");
}
