#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;
use crate::cipher::tests::{KEY, hex};

const M1: &str = "080012250a0364623110001a0c3132372e302e302e312f3332220b636f756e744c6f67696e732a01311800";

fn key() -> Key {
    Key::from_base64(KEY).unwrap()
}

fn nonce(cipher: Cipher) -> Nonce {
    let bytes: Vec<u8> = (0x40..0x40 + cipher.nonce_bytes() as u8).collect();
    Nonce::from_bytes(cipher, &bytes).unwrap()
}

#[test]
fn datagrams_are_those_of_wforce() {
    for (cipher, sealed) in [
        (
            Cipher::Secretbox,
            "d589136df20eaa4ff3200b6de36c634c4217475c3052df48f749717b64b868c6e0076864437270fbd6f729a996aced20985b0e7880c4\
             ec0568541c",
        ),
        (
            Cipher::ChaCha,
            "95ddbef7e860f32059b771e95cbce567f0546ea478498a6369dff61ab7de5ffa9afc4d286acd6e5ccc2ed9388552541ebcdcfe194838\
             48f73b772f",
        ),
    ] {
        let mut counted = nonce(cipher);
        let mut packet = Vec::new();
        seal_packet(&key(), &mut counted, &hex(M1), &mut packet);
        assert_eq!(packet, [nonce(cipher).as_bytes(), &hex(sealed)].concat());
        assert_eq!(counted.as_bytes()[..5], [0x40, 0x41, 0x42, 0x44, 0x44]);
        for expected in Cipher::ALL {
            let mut packet = packet.clone();
            let (message, found) = open_packet(&key(), expected, &mut packet).unwrap();
            assert_eq!((message, found), (&hex(M1)[..], cipher));
        }
    }
}

#[test]
fn an_empty_message_has_a_packet_of_its_own() {
    for cipher in Cipher::ALL {
        let mut packet = Vec::new();
        seal_packet(&key(), &mut nonce(cipher), b"", &mut packet);
        assert_eq!(packet.len(), packet_overhead(cipher));
        assert_eq!(open_packet(&key(), Cipher::ChaCha, &mut packet).unwrap(), (&b""[..], cipher));
    }
}

#[test]
fn short_and_changed_packets_and_other_keys_are_refused() {
    let mut packet = Vec::new();
    seal_packet(&key(), &mut nonce(Cipher::ChaCha), b"message", &mut packet);
    for length in 0..packet.len() {
        let mut cut = packet[..length].to_vec();
        let expected = if length < 28 { PacketError::TooShort(length) } else { PacketError::Rejected };
        assert_eq!(open_packet(&key(), Cipher::Secretbox, &mut cut), Err(expected));
        assert_eq!(cut, packet[..length], "bytes of a refused packet are as before");
    }
    for place in 0..packet.len() {
        let mut changed = packet.clone();
        changed[place] ^= 1;
        assert_eq!(open_packet(&key(), Cipher::ChaCha, &mut changed), Err(PacketError::Rejected), "{place}");
    }
    let other = Key::from_bytes(&[7; 32]).unwrap();
    assert_eq!(open_packet(&other, Cipher::ChaCha, &mut packet), Err(PacketError::Rejected));
}

proptest! {
    #[test]
    fn what_is_sealed_opens(message: Vec<u8>, before: Vec<u8>, chacha: bool, expect_chacha: bool) {
        let cipher = |chacha| if chacha { Cipher::ChaCha } else { Cipher::Secretbox };
        let mut packet = before.clone();
        seal_packet(&key(), &mut nonce(cipher(chacha)), &message, &mut packet);
        let packet = &mut packet[before.len()..];
        let opened = open_packet(&key(), cipher(expect_chacha), packet);
        prop_assert_eq!(opened, Ok((&message[..], cipher(chacha))));
    }

    #[test]
    fn rubbish_does_not_open(mut packet: Vec<u8>) {
        prop_assert!(open_packet(&key(), Cipher::Secretbox, &mut packet).is_err());
    }
}
