#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use capabilities::Log;
use capabilities::stats::{Db, StatsObserver, StatsRegistry};
use proptest::prelude::*;
use statsdb::{Amount, CountMinShape, FieldKind, Reader, Schema, Secret};
use wire::Key;

use super::*;

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap()
}

pub(super) fn pair(dialer: u8, acceptor: u8) -> (Channel, Channel) {
    let (ours, theirs) = (opening().unwrap(), opening().unwrap());
    (Channel::dialed(&key(dialer), &ours, &theirs), Channel::accepted(&key(acceptor), &theirs, &ours))
}

#[test]
fn frames_arrive_in_order_whole_or_in_pieces() {
    let (mut a, mut b) = pair(1, 1);
    let frames =
        [a.seal(b"one").unwrap(), a.seal(b"").unwrap(), a.seal(&vec![7; MAX_TEXT]).unwrap()].concat();
    for piece in frames.chunks(1000) {
        b.feed(piece);
    }
    let texts: Vec<_> = std::iter::from_fn(|| b.next_text().unwrap()).collect();
    assert_eq!(texts, [&b"one"[..], b"", &vec![7; MAX_TEXT]]);
    let back = b.seal(b"answer").unwrap();
    a.feed(&back);
    assert_eq!(a.next_text().unwrap().unwrap(), b"answer");
    assert_eq!(a.seal(&vec![0; MAX_TEXT + 1]), Err(ChannelError::Length(MAX_TEXT + 1)));
}

#[test]
fn replayed_swapped_changed_and_foreign_frames_do_not_open() {
    let (mut a, mut b) = pair(1, 1);
    let (first, second) = (a.seal(b"one").unwrap(), a.seal(b"two").unwrap());
    b.feed(&first);
    assert!(b.next_text().unwrap().is_some());
    b.feed(&first);
    assert_eq!(b.next_text(), Err(ChannelError::Rejected));
    // A whole connection recorded before means nothing to the next one.
    let (_, mut later) = pair(1, 1);
    later.feed(&first);
    assert_eq!(later.next_text(), Err(ChannelError::Rejected));
    let (mut a, mut b) = pair(1, 1);
    a.seal(b"lost").unwrap();
    b.feed(&a.seal(b"two").unwrap());
    assert_eq!(b.next_text(), Err(ChannelError::Rejected));
    let (mut a, mut b) = pair(1, 2);
    b.feed(&a.seal(b"wrong key").unwrap());
    assert_eq!(b.next_text(), Err(ChannelError::Rejected));
    let (mut a, mut b) = pair(1, 1);
    let mut changed = second;
    changed.truncate(3);
    b.feed(&changed);
    assert_eq!(b.next_text(), Ok(None));
    // What was sent cannot be sent back either.
    let own = a.seal(b"mirror").unwrap();
    a.feed(&own);
    assert_eq!(a.next_text(), Err(ChannelError::Rejected));
    for length in [0u32, 15, MAX_TEXT as u32 + 17, u32::MAX] {
        let (_, mut b) = pair(1, 1);
        b.feed(&length.to_be_bytes());
        assert_eq!(b.next_text(), Err(ChannelError::Length(length as usize)));
    }
}

#[test]
fn an_end_says_why_it_gives_up() {
    let journal = |origin| Arc::new(Journal::new(origin, 1000));
    let accept = |message: &Message| {
        let (mut a, b) = pair(1, 1);
        let mut acceptor = Acceptor::new(journal(100), Arc::default(), b);
        acceptor.receive(&a.seal(&message.encode()).unwrap(), 0, 0)
    };
    assert_eq!(accept(&Message::Ping), Err(SessionError::Unexpected));
    let hello = |version, origin| Message::Hello { version, origin, known: 0 };
    assert_eq!(accept(&hello(VERSION + 1, 200)), Err(SessionError::Version(VERSION + 1)));
    assert_eq!(accept(&hello(VERSION, 100)), Err(SessionError::Oneself));
    assert_eq!(accept(&hello(VERSION, 200)), Ok(()));
    let mut dialer = Dialer::new(journal(100), Secret([1; 16]));
    let (a, _) = pair(1, 1);
    dialer.connected(a, 1000);
    assert!(dialer.produce(0, 1000).unwrap().is_some());
    assert_eq!(dialer.produce(0, 60_000), Err(SessionError::Silent));
}

/// Each end is told what the other one is, before the connection is closed.
#[test]
fn ends_of_two_versions_and_a_node_that_dials_itself_know_what_is_wrong() {
    let journal = |origin| Arc::new(Journal::new(origin, 1000));
    let meet = |(dialing, dialed): (u64, u64), (speaks, hears): (u64, u64)| {
        let (a, b) = pair(1, 1);
        let mut dialer = Dialer::new(journal(dialing), Secret([1; 16])).speaking(speaks);
        let mut acceptor = Acceptor::new(journal(dialed), Arc::default(), b).speaking(hears);
        dialer.connected(a, 0);
        let hello = dialer.produce(0, 0).unwrap().unwrap();
        let accepted = acceptor.receive(&hello, 0, 0);
        let last = acceptor.last_frame();
        let heard = last.as_ref().map(|frame| dialer.receive(frame, 0, 0));
        assert_eq!(acceptor.last_frame(), None, "once");
        (accepted, heard)
    };
    let version = |version| Err(SessionError::Version(version));
    assert_eq!(meet((100, 200), (VERSION + 1, VERSION)), (version(VERSION + 1), Some(version(VERSION))));
    assert_eq!(meet((100, 200), (VERSION, VERSION + 1)), (version(VERSION), Some(version(VERSION + 1))));
    let oneself = || Err(SessionError::Oneself);
    assert_eq!(meet((100, 100), (VERSION, VERSION)), (oneself(), Some(oneself())));
    assert_eq!(meet((100, 200), (VERSION, VERSION)), (Ok(()), None));
    // Nobody who does not know the key is told anything.
    let (mut a, b) = pair(1, 2);
    let mut acceptor = Acceptor::new(journal(100), Arc::default(), b);
    let hello = Message::Hello { version: VERSION + 1, origin: 200, known: 0 }.encode();
    assert!(acceptor.receive(&a.seal(&hello).unwrap(), 0, 0).is_err());
    assert_eq!(acceptor.last_frame(), None);
}

/// A later version may have more to say there.
#[test]
fn the_version_of_a_hello_is_read_whatever_follows_it() {
    let mut text = Message::Hello { version: VERSION + 1, origin: 200, known: 0 }.encode();
    text.extend_from_slice(b"and more");
    assert!(matches!(Message::decode(&text), Ok(Message::Hello { version, .. }) if version == VERSION + 1));
    let mut text = Message::Hello { version: VERSION, origin: 200, known: 0 }.encode();
    text.push(0);
    assert!(Message::decode(&text).is_err());
}

/// A node with one database.
pub(super) fn counting(origin: u64) -> (StatsRegistry, Db, Arc<Journal>) {
    let stats = StatsRegistry::new(Log::discard()).unwrap();
    let schema = Schema {
        name: "db".into(),
        window_secs: 600,
        windows: 2,
        fields: vec![("n".into(), FieldKind::Int)],
        shards: 1,
        start: 0,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    };
    let db = stats.create(schema).unwrap();
    db.enable_replication();
    let journal = Arc::new(Journal::new(origin, 64 << 20));
    journal.add_db(&db);
    (stats, db, journal)
}

/// A session that begins with a comparison, until there is nothing more to say.
fn compare(dialing: &Arc<Journal>, accepting: &Arc<Journal>) {
    let (a, b) = pair(1, 1);
    let mut dialer = Dialer::new(Arc::clone(dialing), Secret([1; 16]));
    let mut acceptor = Acceptor::new(Arc::clone(accepting), Arc::default(), b);
    dialer.connected(a, 1000);
    let mut quiet = false;
    while !quiet {
        quiet = true;
        while let Some(frame) = dialer.produce(1000, 1000).unwrap() {
            acceptor.receive(&frame, 1000, 1000).unwrap();
            quiet = false;
        }
        while let Some(frame) = acceptor.produce(1000).unwrap() {
            dialer.receive(&frame, 1000, 1000).unwrap();
            quiet = false;
        }
    }
    assert!(!dialer.status().needs_repair);
}

#[test]
fn what_is_too_long_for_a_frame_is_counted_and_named() {
    let ((_, _, told), (_, _, heard)) = (counting(100), counting(200));
    let large = |journal: &Arc<Journal>| {
        let stats = StatsRegistry::new(Log::discard()).unwrap();
        let schema = Schema {
            name: "large".into(),
            window_secs: 600,
            windows: 4,
            fields: vec![("who".into(), FieldKind::Hll)],
            shards: 1,
            start: 0,
            hll_bits: 18,
            countmin: CountMinShape::default(),
        };
        let db = stats.create(schema).unwrap();
        db.enable_replication();
        journal.add_db(&db);
        db
    };
    let (counter, other) = (large(&told), large(&heard));
    // Two windows of 256 KiB, and what goes with them.
    for window in 0..2 {
        (0..300_u32).for_each(|value| {
            counter.local().add(600 * window, b"k", b"who", &value.to_le_bytes()).unwrap();
        });
    }
    compare(&told, &heard);
    let left_out = told.left_out();
    assert_eq!((left_out.entries, left_out.keys), (0, 1));
    let last = left_out.last.unwrap();
    assert_eq!(last, "the key \"k\" of the stats DB large: siblings are told of its newest windows only");
    assert_eq!(told.left_out().last, None, "once");
    assert!(other.local().get(1000, b"k", b"who") > 250, "of what fits");
    assert_eq!(heard.left_out(), LeftOut::default());
}

/// The journals have heard of nothing here: only a comparison tells.
#[test]
fn a_comparison_tells_of_counts_that_are_nothing_again_whoever_dials() {
    for counter_dials in [true, false] {
        let ((_, counter, told), (_, other, heard)) = (counting(100), counting(200));
        let meet = || if counter_dials { compare(&told, &heard) } else { compare(&heard, &told) };
        counter.add(1000, b"k", b"n", b"5").unwrap();
        meet();
        assert_eq!(other.local().get(1000, b"k", b"n"), 5);
        counter.add(1000, b"k", b"n", b"-5").unwrap();
        meet();
        assert_eq!(other.local().get(1000, b"k", b"n"), 0, "counter_dials: {counter_dials}");
    }
}

/// What is told while others go on counting: in the end the last word on each key is its sum.
#[test]
fn nothing_that_is_counted_meanwhile_is_left_out() {
    const KEYS: u32 = 5;
    const ADDS: u32 = 60_000;
    let (stats, db, journal) = counting(100);
    stats.observe(&(Arc::clone(&journal) as Arc<dyn StatsObserver>));
    let mut told = [0; KEYS as usize];
    std::thread::scope(|scope| {
        let writer = std::thread::Builder::new().name("writer".into());
        let write =
            || (0..ADDS).for_each(|add| db.add(1000, &(add % KEYS).to_le_bytes(), b"n", b"1").unwrap());
        let writer = writer.spawn_scoped(scope, write).unwrap();
        let mut position = 0;
        while !writer.is_finished() || position < journal.end() {
            let taken = journal.take(position, 1000).unwrap();
            position = taken.position;
            for (_, block) in &taken.blocks {
                for share in Reader::new(block).unwrap().map(Result::unwrap) {
                    let key = u32::from_le_bytes(share.key.as_slice().try_into().unwrap());
                    let Amount::Int(sum) = share.parts[0].amount else { panic!("an int") };
                    told[key as usize] = sum;
                }
            }
        }
    });
    assert_eq!(told, [(ADDS / KEYS) as i32; KEYS as usize]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn whatever_a_text_is_it_is_refused_or_understood(text in proptest::collection::vec(any::<u8>(), 0..60), kind in 0u8..11) {
        let mut text = text;
        if let Some(first) = text.first_mut() {
            *first = kind;
        }
        if let Ok(message) = Message::decode(&text) {
            let again = message.encode();
            prop_assert_eq!(Message::decode(&again).unwrap(), message);
        }
    }
}
