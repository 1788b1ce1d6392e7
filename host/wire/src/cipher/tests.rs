#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

/// Base64 of the bytes 0 to 31.
pub(crate) const KEY: &[u8] = b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn key() -> Key {
    Key::from_base64(KEY).unwrap()
}

/// 40 41 42 ...
fn nonce(cipher: Cipher) -> Nonce {
    let bytes: Vec<u8> = (0x40..0x40 + cipher.nonce_bytes() as u8).collect();
    Nonce::from_bytes(cipher, &bytes).unwrap()
}

#[test]
fn boxes_are_those_of_wforce_and_the_nonce_counts() {
    for (cipher, boxes) in [
        (
            Cipher::Secretbox,
            [
                "f58a560bb7fbf3a698ade1e74ae24f640272391555",
                "da0c06c68b243bcd5e02e07ad8cd48a1404f72013d",
                "3495fc93f5c69cd738c2fd2c1f036fa0",
            ],
        ),
        (
            Cipher::ChaCha,
            [
                "411c97aac8abca8184d939ae0bf6b830b03110ed1d",
                "07ca862beeeaf8ceef9597c7037f257911fb58f154",
                "d9f981580731d5dcf459b0633de023f4",
            ],
        ),
    ] {
        let (mut sender, mut receiver) = (nonce(cipher), nonce(cipher));
        for (text, expected) in [&b"Hello"[..], b"Hello", b""].into_iter().zip(boxes) {
            let sealed = seal(&key(), &mut sender, text);
            assert_eq!(sealed, hex(expected), "{cipher:?} {text:?}");
            assert_eq!(open(&key(), &mut receiver, &sealed).unwrap(), text);
        }
        assert_eq!(sender.as_bytes()[..6], [0x40, 0x41, 0x42, 0x46, 0x44, 0x45]);
        assert_eq!(receiver, sender);
    }
}

#[test]
fn a_replication_datagram_is_sealed_as_wforce_does() {
    let message =
        hex("080012250a0364623110001a0c3132372e302e302e312f3332220b636f756e744c6f67696e732a01311800");
    for (cipher, expected) in [
        (
            Cipher::Secretbox,
            "d589136df20eaa4ff3200b6de36c634c4217475c3052df48f749717b64b868c6e0076864437270fbd6f729a996aced20\
             985b0e7880c4ec0568541c",
        ),
        (
            Cipher::ChaCha,
            "95ddbef7e860f32059b771e95cbce567f0546ea478498a6369dff61ab7de5ffa9afc4d286acd6e5ccc2ed9388552541e\
             bcdcfe19483848f73b772f",
        ),
    ] {
        assert_eq!(seal(&key(), &mut nonce(cipher), &message), hex(expected));
    }
}

#[test]
fn an_empty_text_has_a_tag_that_is_checked() {
    for cipher in Cipher::ALL {
        assert_eq!(open(&key(), &mut nonce(cipher), &[0; 16]), Err(OpenError::Rejected));
    }
}

#[test]
fn a_box_without_room_for_a_tag_is_refused() {
    for cipher in Cipher::ALL {
        for found in 0..TAG_BYTES {
            let opened = open(&key(), &mut nonce(cipher), &vec![0; found]);
            assert_eq!(opened, Err(OpenError::TooShort { found }));
        }
    }
}

#[test]
fn a_box_opens_with_its_own_key_and_cipher_only() {
    let other = Key::generate().unwrap();
    let sealed = seal(&key(), &mut nonce(Cipher::Secretbox), b"stats()");
    assert_eq!(open(&other, &mut nonce(Cipher::Secretbox), &sealed), Err(OpenError::Rejected));
    assert_eq!(open(&key(), &mut nonce(Cipher::ChaCha), &sealed), Err(OpenError::Rejected));
}

#[test]
fn any_key_passes_the_crypto_test() {
    assert!(test_crypto(&key()));
    assert!(test_crypto(&Key::generate().unwrap()));
}

fn ciphers() -> impl Strategy<Value = Cipher> {
    prop_oneof![Just(Cipher::Secretbox), Just(Cipher::ChaCha)]
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_no_changed_bit_does(
        cipher in ciphers(),
        text in proptest::collection::vec(any::<u8>(), 0..300),
        place in any::<proptest::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let mut sealed = seal(&key(), &mut nonce(cipher), &text);
        prop_assert_eq!(sealed.len(), text.len() + TAG_BYTES);
        prop_assert_eq!(open(&key(), &mut nonce(cipher), &sealed).unwrap(), text);
        let place = place.index(sealed.len());
        sealed[place] ^= 1 << bit;
        let mut receiver = nonce(cipher);
        prop_assert_eq!(open(&key(), &mut receiver, &sealed), Err(OpenError::Rejected));
        prop_assert_eq!(receiver, nonce(cipher));
    }
}
