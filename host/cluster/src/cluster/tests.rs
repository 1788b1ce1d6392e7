#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::io::{Read as _, Write as _};
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
fn the_longest_datagram_has_1499_bytes() {
    let one = Node::start(&Key::generate().unwrap(), 20);
    let socket = std::net::UdpSocket::bind("127.77.1.21:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let addr = socket.local_addr().unwrap();
    let listener = std::net::TcpListener::bind(addr).unwrap();
    let target = Target::parse(addr.to_string().as_bytes()).unwrap();
    one.cluster.siblings().add(PeerConfig::new(target)).unwrap();
    let next = || {
        let mut buffer = [0; 2000];
        socket.recv(&mut buffer).unwrap()
    };
    let count = |length: usize| one.db.add(NOW, &vec![b'k'; length], b"n", b"7").unwrap();
    count(1400);
    let more = next() - 1400;
    count(1499 - more);
    assert_eq!(next(), 1499);
    count(1500 - more);
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(u16::from_be_bytes(head), 1500);
    wait_for("all three are counted", || (one.row().sent, one.row().not_sent) == (3, 0));
}

#[test]
fn a_message_too_long_for_a_datagram_is_counted_if_there_is_no_other_way() {
    let one = Node::start(&Key::generate().unwrap(), 22);
    let socket = std::net::UdpSocket::bind("127.77.1.23:0").unwrap();
    let target = Target::parse(socket.local_addr().unwrap().to_string().as_bytes()).unwrap();
    one.cluster.siblings().add(PeerConfig::new(target)).unwrap();
    one.db.add(NOW, &vec![b'k'; 3000], b"n", b"7").unwrap();
    wait_for("it is counted", || (one.row().sent, one.row().not_sent) == (0, 1));
    one.db.add(NOW, b"k", b"n", b"7").unwrap();
    wait_for("and holds up nothing", || (one.row().sent, one.row().not_sent) == (1, 1));
}

#[test]
fn a_field_too_long_for_a_message_is_left_out_of_a_sync_and_counted() {
    let key = Key::generate().unwrap();
    let (one, other) = (Node::start(&key, 24), Node::start(&key, 25));
    other.knows(&one, "tcp");
    let schema = Schema {
        name: "large".into(),
        window_secs: 3600,
        windows: 12,
        fields: vec![("c".into(), FieldKind::CountMin), ("n".into(), FieldKind::Int)],
        shards: 1,
        start: 0,
        hll_bits: 6,
        countmin: CountMinShape { eps: 0.01, gamma: 0.01 },
    };
    let dbs = [&one, &other].map(|node| node.cluster.context().caps.stats.create(schema.clone()).unwrap());
    let now = crate::apply::now();
    dbs[0].add(now, b"k", b"c", b"x").unwrap();
    dbs[0].add(now, b"k", b"n", b"7").unwrap();
    let context = one.cluster.context();
    let count = one.cluster.handle().unwrap().block_on(sync::give(context, other.addr, None)).unwrap();
    assert_eq!((count, context.caps.metrics.sync_fields_skipped.get()), (1, 1));
    wait_for("the other field arrives", || dbs[1].get(now, b"k", b"n") == 7);
    assert_eq!(dbs[1].get(now, b"k", b"c"), 0);
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

#[test]
fn a_dump_that_ended_badly_does_not_keep_others_from_having_one() {
    let node = Node::start(&Key::generate().unwrap(), 11);
    let runtime = node.cluster.handle().unwrap();
    let turn = Turn::take(&node.cluster.dumping).unwrap();
    let listener = std::net::TcpListener::bind("127.77.1.12:0").unwrap();
    let addr = listener.local_addr().unwrap();
    assert!(!node.cluster.dump(addr, dump::Form::Json), "one is under way");
    let panics = runtime.spawn(async move {
        let _turn = turn;
        panic!("a mistake in a dump");
    });
    assert!(runtime.block_on(panics).unwrap_err().is_panic());
    assert!(node.cluster.dump(addr, dump::Form::Json));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut listener.accept().unwrap().0, &mut text).unwrap();
    assert_eq!(text, r#"{"db": {}}"#);
}

/// A connection from the address of one node to another.
fn connection(from: &Node, to: &Node) -> std::net::TcpStream {
    let stream = to.cluster.handle().unwrap().block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from.addr.ip(), 0).into()).unwrap();
        socket.connect(to.addr).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

fn is_closed(stream: &mut std::net::TcpStream) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

fn refused(node: &Node, reason: &str) -> u64 {
    node.cluster.context().caps.metrics.replication_refused_total(reason)
}

#[test]
fn half_a_packet_does_not_hold_a_connection_for_ever() {
    let key = Key::generate().unwrap();
    let (one, other) = (Node::start(&key, 13), Node::start(&key, 14));
    one.knows(&other, "udp");
    one.cluster.context().set_frame_patience(Duration::from_millis(200));
    let silent = connection(&other, &one);
    let mut half = connection(&other, &one);
    half.write_all(&[0, 50, 1, 2, 3]).unwrap();
    assert!(is_closed(&mut half));
    // Whoever says a little again and again fares no better.
    let mut dripping = connection(&other, &one);
    dripping.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    for drop in [0, 200].into_iter().chain(std::iter::repeat(7)) {
        // Once it is closed, writing may fail before reading tells.
        let written = dripping.write_all(&[drop]);
        match dripping.read(&mut [0; 64]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && written.is_ok() => {}
            _ => break,
        }
    }
    wait_for("both are counted", || refused(&one, "slow") == 2);
    assert_eq!(one.row().received_bad, 2);
    // A sibling that has nothing to say keeps its connection.
    silent.set_nonblocking(true).unwrap();
    let error = (&silent).read(&mut [0; 64]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn one_address_has_only_so_many_connections() {
    let key = Key::generate().unwrap();
    let (one, other, third) = (Node::start(&key, 15), Node::start(&key, 16), Node::start(&key, 17));
    one.knows(&other, "udp");
    one.knows(&third, "udp");
    let mut open: Vec<_> = (0..64).map(|_| connection(&other, &one)).collect();
    let mut beyond = connection(&other, &one);
    assert!(is_closed(&mut beyond));
    assert_eq!(refused(&one, "address_full"), 1);
    third.knows(&one, "tcp");
    third.db.add(NOW, b"k", b"n", b"1").unwrap();
    wait_for("others are heard all the same", || one.count("k") == 1);
    drop(open.pop());
    wait_for("there is room again", || {
        let stream = connection(&other, &one);
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        (&stream).read(&mut [0; 1]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    });
}

#[test]
fn a_session_that_does_not_say_hello_is_ended() {
    let key = Key::generate().unwrap();
    let caps = testing::capabilities();
    let cluster = Cluster::new(&caps);
    cluster.context().security.set_key(Some(key.clone()));
    cluster.context().set_frame_patience(Duration::from_millis(200));
    let other = Node::start(&key, 19);
    let config = PeerConfig::new(Target::parse(format!("{}:udp", other.addr).as_bytes()).unwrap());
    cluster.siblings().add(config).unwrap();
    cluster.start(Some((Ipv4Addr::new(127, 77, 1, 18), 0).into()), 2).unwrap();
    let addr = cluster.context().listener().unwrap();
    let one = Node { db: other.db.clone(), cluster, addr };
    let mut stream = connection(&other, &one);
    stream.write_all(crate::link::OPENING).unwrap();
    stream.write_all(&[7; crate::session::NONCE_BYTES]).unwrap();
    stream.read_exact(&mut [0; 13 + crate::session::NONCE_BYTES]).unwrap();
    stream.write_all(&[0, 0, 0, 100, 1]).unwrap();
    assert!(is_closed(&mut stream));
    let rejected = &one.cluster.context().caps.metrics.sessions.rejected;
    wait_for("it is counted", || {
        rejected.with_label_values(&[other.addr.to_string().as_str(), "slow"]).get() == 1
    });
}

#[test]
fn a_configuration_that_is_read_again_changes_all_tables() {
    let forwarder = Cluster::forwarding(&testing::capabilities());
    let config = |text: &str| PeerConfig::new(Target::parse(text.as_bytes()).unwrap());
    for (table, address) in [
        (forwarder.siblings(), "192.0.2.1:1"),
        (forwarder.destinations(), "192.0.2.2:2"),
        (forwarder.sources(), "192.0.2.3:3"),
    ] {
        table.add(config(address)).unwrap();
    }
    forwarder.prepare();
    forwarder.destinations().add(config("192.0.2.9:9")).unwrap();
    let only_lists = PeerConfig { stats: false, ..config("192.0.2.2:2") };
    let named = Named {
        siblings: vec![config("192.0.2.1:1")],
        destinations: vec![only_lists.clone(), config("192.0.2.4:4")],
        sources: Vec::new(),
    };
    let changes = forwarder.reconfigure(named.clone());
    let change = |what, address: &str, added| Change { what, address: address.to_owned(), added };
    assert_eq!(
        changes,
        [
            change("destination", "192.0.2.2:2 udp", false),
            change("destination", "192.0.2.2:2 udp", true),
            change("destination", "192.0.2.4:4 udp", true),
            change("source", "192.0.2.3:3 udp", false),
        ]
    );
    let addrs = forwarder.destinations().peers().iter().map(|peer| peer.addr().port()).collect::<Vec<_>>();
    assert_eq!(addrs, [9, 2, 4], "what was added at run time stays");
    assert_eq!(*forwarder.destinations().peers()[1].config(), only_lists);
    assert!(forwarder.reconfigure(named).is_empty());
}
