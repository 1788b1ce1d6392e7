#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use capabilities::stats::Db;
use statsdb::{CountMinShape, FieldKind, Schema};
use wire::Key;

use super::*;
use crate::address::Target;
use crate::peer::{PeerConfig, Row};
use crate::testing;

const NOW: u64 = 1_700_000_000;

/// A daemon's part of a cluster at an address of its own.
struct Node {
    cluster: Arc<Cluster>,
    db: Db,
    addr: SocketAddr,
}

impl Node {
    fn start(key: &Key, last: u8) -> Node {
        let caps = testing::capabilities();
        let schema = Schema {
            name: "db".into(),
            window_secs: 3600,
            windows: 2,
            fields: vec![("n".into(), FieldKind::Int)],
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        };
        let db = caps.stats.create(schema).unwrap();
        db.enable_replication();
        let cluster = Cluster::new(&caps);
        cluster.set_sessions(false);
        cluster.context().security.set_key(Some(key.clone()));
        cluster.start(Some((Ipv4Addr::new(127, 77, 1, last), 0).into()), 2).unwrap();
        let addr = cluster.context().listener().unwrap();
        Node { cluster, db, addr }
    }

    fn knows(&self, other: &Node, protocol: &str) {
        let target = Target::parse(format!("{}:{protocol}", other.addr).as_bytes()).unwrap();
        self.cluster.siblings().add(PeerConfig::new(target)).unwrap();
    }

    fn row(&self) -> Row {
        self.cluster.siblings().rows().remove(0)
    }

    fn count(&self, key: &str) -> i32 {
        self.db.get(crate::apply::now(), key.as_bytes(), b"n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.cluster.stop();
    }
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn changes_reach_a_sibling_by_datagram_and_by_connection() {
    let key = Key::generate().unwrap();
    for (protocol, last) in [("udp", 1), ("tcp", 3)] {
        let (one, other) = (Node::start(&key, last), Node::start(&key, last + 1));
        one.knows(&other, protocol);
        other.knows(&one, protocol);
        for _ in 0..100 {
            one.db.add(NOW, b"k", b"n", b"2").unwrap();
        }
        wait_for("the counts arrive", || other.count("k") == 200);
        wait_for("they are counted", || (one.row().sent, other.row().received) == (100, 100));
        assert_eq!((other.row().sent, other.row().received_bad), (0, 0), "nothing goes back");
        let lists = &one.cluster.context().caps.lists;
        lists.black.add_login(crate::apply::now(), b"joe", 60, b"bad");
        let theirs = &other.cluster.context().caps.lists;
        wait_for("the entry arrives", || theirs.black.check_login(crate::apply::now(), b"joe").is_some());
        lists.black.delete_login(b"joe");
        wait_for("the entry goes", || theirs.black.check_login(crate::apply::now(), b"joe").is_none());
    }
}

#[test]
fn a_message_too_long_for_a_datagram_goes_by_connection() {
    let key = Key::generate().unwrap();
    let (one, other) = (Node::start(&key, 5), Node::start(&key, 6));
    one.knows(&other, "udp");
    other.knows(&one, "udp");
    let long = "k".repeat(3000);
    one.db.add(NOW, long.as_bytes(), b"n", b"7").unwrap();
    wait_for("the count arrives", || other.count(&long) == 7);
    one.db.add(NOW, &vec![b'k'; 70_000], b"n", b"7").unwrap();
    wait_for("it is counted", || (one.row().sent, one.row().not_sent) == (1, 1));
}

#[test]
fn a_sibling_that_is_not_there_yet_gets_what_waits_for_it() {
    let key = Key::generate().unwrap();
    let one = Node::start(&key, 7);
    let free = std::net::TcpListener::bind("127.77.1.8:0").unwrap().local_addr().unwrap();
    let target = Target::parse(format!("{free}:tcp").as_bytes()).unwrap();
    one.cluster.siblings().add(PeerConfig::new(target)).unwrap();
    one.db.add(NOW, b"k", b"n", b"1").unwrap();
    let failed = || {
        let label = free.to_string();
        let families = &one.cluster.context().caps.metrics.families;
        families.replication_connects_failed.with_label_values(&[&label]).get()
    };
    wait_for("a connect fails", || failed() > 0);
    let caps = testing::capabilities();
    let late = Cluster::new(&caps);
    late.set_sessions(false);
    late.context().security.set_key(Some(key));
    late.siblings().add(PeerConfig::new(Target::parse(one.addr.to_string().as_bytes()).unwrap())).unwrap();
    late.start(Some(free), 1).unwrap();
    wait_for("the message arrives", || late.siblings().rows()[0].received == 1);
    late.stop();
}

#[test]
fn strangers_wrong_keys_and_rubbish_are_counted_and_harmless() {
    let (key, other_key) = (Key::generate().unwrap(), Key::generate().unwrap());
    let (one, other) = (Node::start(&key, 9), Node::start(&other_key, 10));
    let unknown = || one.cluster.context().caps.metrics.replication_unknown_senders.get();
    other.knows(&one, "udp");
    other.db.add(NOW, b"k", b"n", b"1").unwrap();
    wait_for("the stranger is counted", || unknown() == 1);
    one.knows(&other, "udp");
    other.db.add(NOW, b"k", b"n", b"1").unwrap();
    wait_for("the wrong key is counted", || one.row().received_bad == 1);
    let socket = std::net::UdpSocket::bind((other.addr.ip(), 0)).unwrap();
    for length in [1, 15, 27, 28, 39, 40, 1499, 1500, 9000] {
        socket.send_to(&vec![7; length], one.addr).unwrap();
    }
    wait_for("the rubbish is counted", || one.row().received_bad == 10);
    other.cluster.context().security.set_key(Some(key));
    other.db.add(NOW, b"k", b"n", b"1").unwrap();
    wait_for("a good one is heard", || one.row().received == 1);
    assert_eq!(one.count("k"), 1);
}
