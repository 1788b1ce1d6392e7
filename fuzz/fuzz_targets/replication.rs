//! What siblings send: datagrams, streams of packets, the messages in them, frames of a reliable session, and blocks of
//! shares as snapshots and sessions have them.
//!
//! The first byte says what the rest is. Packets are under the key of the seeds, so that mutations of them come close.
#![no_main]

use std::sync::Arc;

use capabilities::{Capabilities, Log, Options};
use cluster::session::{
    Acceptor, Channel, Dialer, Entries, Journal, Message as SessionMessage, NONCE_BYTES, VERSION,
};
use libfuzzer_sys::fuzz_target;
use statsdb::{CountMinShape, FieldKind, Outline, Reader, Schema, Secret};
use wire::replication::{Kind, ListOp, Message, StatsOp};
use wire::{Cipher, Key, Nonce, StreamReader, open_packet, seal_packet, stream_head};

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    match choice % 7 {
        0 => packet(rest),
        1 => stream(rest),
        2 => message(rest),
        3 => session(rest),
        4 => blocks(rest),
        5 => frames(rest),
        _ => machines(rest),
    }
});

fn key() -> Key {
    let bytes: Vec<u8> = (0..32).collect();
    Key::from_bytes(&bytes).expect("32 bytes")
}

/// A datagram; and whatever the text is, it comes out of a packet as it went in, unless a byte is changed.
fn packet(bytes: &[u8]) {
    for expected in [Cipher::Secretbox, Cipher::ChaCha] {
        let mut copy = bytes.to_vec();
        if let Ok((text, _)) = open_packet(&key(), expected, &mut copy) {
            message(text);
        }
    }
    let cipher = if bytes.len() % 2 == 0 { Cipher::Secretbox } else { Cipher::ChaCha };
    let nonce: Vec<u8> = (0..cipher.nonce_bytes() as u8).collect();
    let mut nonce = Nonce::from_bytes(cipher, &nonce).expect("as many bytes as the cipher wants");
    let mut sealed = Vec::new();
    seal_packet(&key(), &mut nonce, bytes, &mut sealed);
    let mut copy = sealed.clone();
    assert_eq!(open_packet(&key(), Cipher::Secretbox, &mut copy), Ok((bytes, cipher)));
    let place = bytes.iter().fold(0, |sum, byte| sum + usize::from(*byte)) % sealed.len();
    sealed[place] ^= 1;
    assert!(open_packet(&key(), cipher, &mut sealed).is_err(), "byte {place} was changed");
}

/// Packets behind their lengths, however they arrive.
fn stream(bytes: &[u8]) {
    let read = |pieces: &[&[u8]]| {
        let (mut reader, mut packets) = (StreamReader::default(), Vec::new());
        for piece in pieces {
            reader.extend(piece);
            loop {
                match reader.next_packet() {
                    Ok(Some(packet)) => packets.push(packet.to_vec()),
                    Ok(None) => break,
                    Err(_) => return (packets, None),
                }
            }
        }
        (packets, Some(reader.pending()))
    };
    let whole = read(&[bytes]);
    let (one, other) = bytes.split_at(bytes.len() / 3);
    assert_eq!(whole, read(&[one, other]));
    let again: Vec<u8> = whole
        .0
        .iter()
        .flat_map(|packet| [&stream_head(packet.len()).expect("it fitted")[..], packet].concat())
        .collect();
    assert_eq!(again[..], bytes[..again.len()]);
}

/// A message that is understood is written again so that it is understood as the same.
fn message(text: &[u8]) {
    let Ok(message) = Message::decode(text) else { return };
    let mut again = Vec::new();
    message.encode(&mut again);
    assert_eq!(Message::decode(&again), Ok(message));
    match message.kind {
        Kind::Stats => {
            if let Ok(op) = StatsOp::decode(message.op) {
                let mut again = Vec::new();
                op.encode(&mut again);
                assert_eq!(StatsOp::decode(&again).as_ref(), Ok(&op));
                assert_eq!(again.len(), op.encoded_bytes());
            }
        }
        Kind::Blacklist | Kind::Whitelist => {
            if let Ok(op) = ListOp::decode(message.op) {
                let mut again = Vec::new();
                op.encode(&mut again);
                assert_eq!(ListOp::decode(&again), Ok(op));
            }
        }
        Kind::None => {}
    }
}

fn session(text: &[u8]) {
    if let Ok(message) = SessionMessage::decode(text) {
        assert_eq!(SessionMessage::decode(&message.encode()).as_ref(), Ok(&message));
    }
    let mut rest = text;
    if let Ok(outline) = Outline::decode(&mut rest) {
        let mut again = Vec::new();
        outline.encode(&mut again);
        assert_eq!(Outline::decode(&mut &again[..]).as_ref(), Ok(&outline));
    }
}

/// Shares of keys, merged into a DB.
fn blocks(block: &[u8]) {
    let Ok(reader) = Reader::new(block) else { return };
    let fields = [("i", FieldKind::Int), ("h", FieldKind::Hll), ("c", FieldKind::CountMin)];
    let schema = Schema {
        name: "db".into(),
        window_secs: 60,
        windows: 3,
        fields: fields.map(|(name, kind)| (name.into(), kind)).to_vec(),
        shards: 1,
        start: 0,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    };
    let db = statsdb::StatsDb::new(schema.clone()).expect("a good schema");
    let how = statsdb::translate(&Outline::new(&schema), &db);
    for share in reader.map_while(Result::ok).take(1000) {
        db.merge(1_000_000, &share, &how, statsdb::Room::Make);
    }
    for key in db.dump().take(10) {
        let _ = db.stats_of(1_000_000, &key.key);
    }
}

/// Frames of a connection.
fn frames(bytes: &[u8]) {
    let mut channel = Channel::accepted(&key(), &[1; NONCE_BYTES], &[2; NONCE_BYTES]);
    channel.feed(bytes);
    while let Ok(Some(text)) = channel.next_text() {
        session(&text);
    }
    let mut dialer = Channel::dialed(&key(), &[2; NONCE_BYTES], &[1; NONCE_BYTES]);
    let mut acceptor = Channel::accepted(&key(), &[1; NONCE_BYTES], &[2; NONCE_BYTES]);
    for text in [bytes, b"again"] {
        let frame = dialer.seal(text).expect("short enough");
        let (one, other) = frame.split_at(frame.len() / 2);
        acceptor.feed(one);
        assert_eq!(acceptor.next_text().expect("a frame of ours"), None);
        acceptor.feed(other);
        assert_eq!(acceptor.next_text().expect("a frame of ours").as_deref(), Some(text));
    }
}

/// When machines are fed, unix seconds and milliseconds of a steady count.
const NOW: u64 = 1_000_000;
const NOW_MS: u64 = 1000;

/// Both ends of a session whose other end has the key and says anything: a hello, then these bytes as messages.
fn machines(bytes: &[u8]) {
    let mut texts = Vec::new();
    let mut rest = bytes;
    while let Some((&length, more)) = rest.split_first() {
        let (text, more) = more.split_at(usize::from(length).min(more.len()));
        texts.push(text);
        rest = more;
    }
    let options = Options { log: Log::discard(), metrics_prefix: "wforce".into(), regexes: None };
    let caps = Capabilities::new(options).expect("no files are needed");
    let schema = Schema {
        name: "db".into(),
        window_secs: 60,
        windows: 3,
        fields: vec![("i".into(), FieldKind::Int), ("h".into(), FieldKind::Hll)],
        shards: 1,
        start: 0,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    };
    let db = caps.stats.create(schema).expect("a good schema");
    db.enable_replication();
    for key in 0..20u8 {
        db.add(NOW, &[key], b"i", b"1").expect("a number");
    }
    let entries = Arc::new(Entries::new(Arc::clone(&caps), 100));
    entries.begin();
    let journal = Arc::new(Journal::new(100, 1 << 16).with_lists(entries));
    journal.add_db(&db);
    let hello = SessionMessage::Hello { version: VERSION, origin: 200, known: 0 }.encode();
    let ends = || {
        let (ours, theirs) = ([1; NONCE_BYTES], [2; NONCE_BYTES]);
        (Channel::dialed(&key(), &ours, &theirs), Channel::accepted(&key(), &theirs, &ours))
    };
    let said = || std::iter::once(&hello[..]).chain(texts.iter().copied());

    let (mut other, channel) = ends();
    let mut acceptor = Acceptor::new(Arc::clone(&journal), Arc::default(), channel);
    for text in said() {
        let frame = other.seal(text).expect("short enough");
        if acceptor.receive(&frame, NOW, NOW_MS).is_err() {
            break;
        }
        while let Ok(Some(frame)) = acceptor.produce(NOW) {
            other.feed(&frame);
            let text = other.next_text().expect("a frame of ours").expect("a whole one");
            SessionMessage::decode(&text).expect("a message of ours");
        }
    }

    let (channel, mut other) = ends();
    let mut dialer = Dialer::new(journal, Secret([7; 16]));
    dialer.connected(channel, NOW_MS);
    for text in said() {
        while let Ok(Some(frame)) = dialer.produce(NOW, NOW_MS) {
            other.feed(&frame);
            let text = other.next_text().expect("a frame of ours").expect("a whole one");
            SessionMessage::decode(&text).expect("a message of ours");
        }
        let frame = other.seal(text).expect("short enough");
        if dialer.receive(&frame, NOW, NOW_MS).is_err() {
            break;
        }
    }
}
