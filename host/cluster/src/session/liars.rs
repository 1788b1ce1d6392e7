//! Nodes that know the key and do not keep to the rules.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use statsdb::{Outline, Secret};

use super::asked::{BURST, BURST_MS};
use super::repair::{Comparison, Subject};
use super::tests::{counting, pair};
use super::*;

/// A dialer that says what it likes, and the node that it says it to, which has counted something.
struct Liar {
    channel: Channel,
    acceptor: Acceptor,
}

impl Liar {
    /// After the hellos and the one database.
    fn new(heard: &Arc<Heard>) -> Self {
        let (_, db, journal) = counting(100);
        for key in 0..100u8 {
            db.add(1000, &[key], b"n", b"1").unwrap();
        }
        let (channel, end) = pair(1, 1);
        let mut liar = Self { channel, acceptor: Acceptor::new(journal, Arc::clone(heard), end) };
        liar.say(&Message::Hello { version: VERSION, origin: 200, known: u64::MAX }, 0).unwrap();
        assert!(matches!(liar.answers()[..], [Message::Hello { .. }]));
        liar.say(&Message::Db { db: 0, outline: Outline::new(db.local().schema()) }, 0).unwrap();
        liar
    }

    fn say(&mut self, message: &Message, now_ms: u64) -> Result<(), SessionError> {
        let frame = self.channel.seal(&message.encode()).unwrap();
        self.acceptor.receive(&frame, 1000, now_ms)
    }

    fn answers(&mut self) -> Vec<Message> {
        while let Some(frame) = self.acceptor.produce(1000).unwrap() {
            self.channel.feed(&frame);
        }
        std::iter::from_fn(|| self.channel.next_text().unwrap())
            .map(|text| Message::decode(&text).unwrap())
            .collect()
    }
}

/// Compares as often as it may at once, at this time.
fn compare_often(liar: &mut Liar, now_ms: u64) {
    for _ in 0..BURST {
        assert_eq!(liar.say(&sums(0, 16), now_ms), Ok(()));
        assert_eq!(liar.say(&Message::Repaired { db: 0 }, now_ms), Ok(()));
        assert!(matches!(liar.answers()[..], [Message::Lines { last: true, .. }, Message::Repaired { .. }]));
    }
}

fn sums(first: u32, count: usize) -> Message {
    Message::Sums { db: 0, secret: Secret([3; 16]), now: 1000, bits: 4, first, sums: vec![1; count] }
}

#[test]
fn no_comparison_begins_while_another_goes_on() {
    let mut liar = Liar::new(&Arc::default());
    assert_eq!(liar.say(&sums(0, 8), 1), Ok(()));
    assert_eq!(liar.say(&sums(0, 8), 2), Err(SessionError::Unexpected));
    // Nor while one waits for its time.
    let mut liar = Liar::new(&Arc::default());
    compare_often(&mut liar, 1);
    assert_eq!(liar.say(&sums(0, 8), 2), Ok(()));
    assert_eq!(liar.say(&sums(0, 8), 3), Err(SessionError::Unexpected));
    let mut liar = Liar::new(&Arc::default());
    assert_eq!(liar.say(&sums(8, 8), 1), Err(SessionError::Unexpected), "it has no beginning");
}

/// As a dialer asks that lost something while it compared.
#[test]
fn who_asks_again_and_again_is_answered_a_little_later() {
    let mut liar = Liar::new(&Arc::default());
    compare_often(&mut liar, 1);
    liar.say(&sums(0, 8), 2).unwrap();
    assert_eq!((liar.answers(), liar.acceptor.wait_ms(2)), (Vec::new(), Some(BURST_MS - 1)));
    liar.say(&sums(8, 8), 3).unwrap();
    liar.say(&Message::Ping, BURST_MS).unwrap();
    assert!(matches!(liar.answers()[..], [Message::Ack { .. }]));
    liar.acceptor.receive(&[], 1000, BURST_MS + 1).unwrap();
    let answers = liar.answers();
    let [Message::Lines { leaves, lines, last: true, .. }] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((leaves.len(), lines.len()), (16, 100));
    assert_eq!(liar.acceptor.wait_ms(BURST_MS + 1), None);
    // More sums than there are leaves.
    let mut liar = Liar::new(&Arc::default());
    compare_often(&mut liar, 1);
    liar.say(&sums(0, 8), 2).unwrap();
    assert_eq!(liar.say(&sums(8, 9), 2), Err(SessionError::Unexpected));
}

#[test]
fn leaves_are_told_once_and_in_order() {
    let (_, db, _) = counting(100);
    for key in 0..100u8 {
        db.add(1000, &[key], b"n", b"1").unwrap();
    }
    let begun = || Comparison::new(0, &Subject::Db(db.local()), 1000, Secret([1; 16]));
    let asked = || {
        let mut comparison = begun();
        assert!(matches!(comparison.message(), Some(Message::Sums { first: 0, .. })));
        comparison
    };
    let refused = Err(SessionError::Unexpected);
    assert_eq!(begun().compare(&[0], &[], false), refused, "nothing was asked yet");
    let mut comparison = asked();
    assert_eq!(comparison.compare(&[0, 3], &[(1, 1)], false), Ok(()));
    assert_eq!(comparison.compare(&[4], &[], false), Ok(()));
    assert_eq!(comparison.compare(&[4], &[], false), refused);
    assert_eq!(asked().compare(&[5, 5], &[], false), refused);
    assert_eq!(asked().compare(&[5, 4], &[], false), refused);
    assert_eq!(asked().compare(&[16], &[], true), refused);
    assert_eq!(asked().compare(&[], &[], false), refused, "it says nothing");
    assert_eq!(asked().compare(&[1], &[(1, 1)], false), refused, "a line of another leaf");
    let mut comparison = asked();
    assert_eq!(comparison.compare(&[], &[], true), Ok(()));
    assert_eq!(comparison.compare(&[5], &[], true), refused);
}

#[test]
fn numbers_at_their_end_are_only_numbers() {
    let heard = Arc::default();
    for _ in 0..2 {
        let mut liar = Liar::new(&heard);
        let blocks = vec![(0, vec![0])];
        let shares = Message::Shares { position: u64::MAX, repair: false, blocks, entries: Vec::new() };
        let low =
            Message::Shares { position: 0, repair: false, blocks: vec![(0, vec![0])], entries: Vec::new() };
        for message in [&shares, &low, &shares, &low, &shares] {
            liar.say(message, u64::MAX).unwrap();
        }
        let Message::Sums { db, secret, bits, first, sums, .. } = sums(0, 16) else { panic!("sums") };
        liar.say(&Message::Sums { db, secret, now: u64::MAX, bits, first, sums }, u64::MAX).unwrap();
        assert!(!liar.answers().is_empty());
    }
}
