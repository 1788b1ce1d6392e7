//! Sessions beside siblings that speak wforce's packets, and in spite of those that say anything.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_tests::cluster::{
    counts, find_metric, key, metric, node, report, sibling_port, sibling_ports, stat, wait_for,
};
use portcullis_tests::relay::{Relay, aside, connect_from};
use portcullis_tests::{Daemon, PATIENCE, address};
use serde_json::json;
use wire::{Cipher, Key, Nonce, open_packet, seal_packet};

const M1: &str = "080012250a0364623110001a0c3132372e302e302e312f3332220b636f756e744c6f67696e732a01311800";
/// What a session begins with; two zero bytes are an empty packet to a wforce.
const OPENING: &[u8] = b"\0\0portcullis 1\n";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn state(daemon: &Daemon, sibling: SocketAddr) -> Option<u64> {
    find_metric(daemon, &format!("portcullis_session_state{{sibling=\"{sibling}\"}}"))
}

fn rejected(daemon: &Daemon, reason: &str, sibling: SocketAddr) -> u64 {
    let line = format!("portcullis_session_rejected_total{{reason=\"{reason}\",sibling=\"{sibling}\"}}");
    find_metric(daemon, &line).unwrap_or(0)
}

/// A stand-in for a wforce: datagrams, and connections that it closes when they announce an empty packet.
struct Classic {
    socket: UdpSocket,
    asked: Arc<AtomicUsize>,
}

impl Classic {
    fn start(addr: SocketAddr) -> Classic {
        let (socket, listener) = (UdpSocket::bind(addr).unwrap(), TcpListener::bind(addr).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let asked: Arc<AtomicUsize> = Arc::default();
        let count = Arc::clone(&asked);
        aside(move || {
            for stream in listener.incoming() {
                let mut head = [0; 2];
                if stream.unwrap().read_exact(&mut head).is_ok() {
                    assert_eq!(head, [0; 2], "nothing but a question, which closes the connection");
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Classic { socket, asked }
    }

    fn send(&self, to: SocketAddr, message: &[u8]) {
        let mut packet = Vec::new();
        seal_packet(&key(), &mut Nonce::generate(Cipher::Secretbox).unwrap(), message, &mut packet);
        self.socket.send_to(&packet, to).unwrap();
    }

    fn receive(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2048];
        let (length, from) = self.socket.recv_from(&mut buffer).unwrap();
        let (message, found) = open_packet(&key(), Cipher::ChaCha, &mut buffer[..length]).unwrap();
        assert_eq!(found, Cipher::Secretbox, "what nothing is configured for is wforce's default");
        (message.to_vec(), from)
    }
}

#[test]
fn a_wforce_in_the_same_cluster_is_sent_packets_and_counted_once() {
    let [one, other, theirs] = sibling_ports();
    let classic = Classic::start(theirs);
    let a = node(one, &[other.to_string(), theirs.to_string()], "");
    let b = node(other, &[one.to_string(), theirs.to_string()], "");
    for (daemon, sibling, expected) in [(&a, other, 2), (&b, one, 2), (&a, theirs, 1), (&b, theirs, 1)] {
        wait_for("all know whom they speak to", || state(daemon, sibling) == Some(expected));
    }
    // It tells both, as a wforce does, and neither passes it on to the other.
    for to in [one, other] {
        classic.send(to, &hex(M1));
    }
    for daemon in [&a, &b] {
        wait_for("it is counted", || counts(daemon, "127.0.0.1") == 1);
    }
    // What a node counts goes to the wforce as packets and to the other node by the session.
    report(&a, "joe", "127.0.0.1");
    let (message, from) = classic.receive();
    assert_eq!((message, from.ip()), (hex(M1), one.ip()));
    classic.receive();
    for daemon in [&a, &b] {
        wait_for("both count 2", || counts(daemon, "127.0.0.1") == 2);
    }
    // A new session compares everything: the same packet at both is not two.
    let row = json!({"sibling_host": other.ip().to_string(), "sibling_port": other.port(), "sibling_protocol": "udp"});
    assert_eq!(a.client().post("/command/removeSibling", &row).status, 200);
    report(&b, "joe", "127.0.0.1");
    assert_eq!(a.client().post("/command/addSibling", &row).status, 200);
    for daemon in [&a, &b] {
        wait_for("both count 3", || counts(daemon, "127.0.0.1") == 3);
    }
    let repairs = format!("portcullis_session_repairs_total{{sibling=\"{other}\"}}");
    wait_for("the repair is through", || metric(&a, &repairs) > 1);
    assert_eq!((counts(&a, "127.0.0.1"), counts(&b, "127.0.0.1")), (3, 3));
    let asked = classic.asked.load(Ordering::SeqCst);
    assert!((2..=4).contains(&asked), "it is asked now and then only: {asked}");
    assert_eq!(a.execute("siblings()").lines().filter(|line| line.contains("Session")).count(), 1);
}

#[test]
fn a_node_without_sessions_is_sent_packets() {
    let [one, other, _] = sibling_ports();
    let a = node(one, &[other.to_string()], "");
    let b = node(other, &[format!("{one}:tcp")], "setReliableSessions(false)");
    wait_for("it is known to speak packets", || state(&a, other) == Some(1));
    for daemon in [&a, &b] {
        report(daemon, "joe", "192.0.2.1");
    }
    for daemon in [&a, &b] {
        wait_for("both count 2", || counts(daemon, "192.0.2.1") == 2);
    }
    let entry = json!({"login": "mallory", "expire_secs": 600, "reason": "test"});
    assert_eq!(a.client().post("/command/addBLEntry", &entry).status, 200);
    let denied = || b.client().allow(&json!({"login": "mallory", "remote": "192.0.2.9"}))["status"] == -1;
    wait_for("the entry arrives", denied);
}

#[test]
fn packets_of_a_sibling_that_has_a_session_are_not_counted_twice() {
    let [one, other, _] = sibling_ports();
    let (a, b) = (node(one, &[other.to_string()], ""), node(other, &[one.to_string()], ""));
    wait_for("a session is up", || state(&a, other) == Some(2));
    report(&b, "joe", "127.0.0.1");
    wait_for("the count arrives", || counts(&a, "127.0.0.1") == 1);
    // As a node sends them that has not found out yet.
    let socket = UdpSocket::bind((other.ip(), 0)).unwrap();
    let mut packet = Vec::new();
    seal_packet(&key(), &mut Nonce::generate(Cipher::Secretbox).unwrap(), &hex(M1), &mut packet);
    socket.send_to(&packet, one).unwrap();
    wait_for("it is ignored", || {
        find_metric(&a, &format!("portcullis_session_packets_ignored_total{{sibling=\"{other}\"}}"))
            == Some(1)
    });
    assert_eq!(counts(&a, "127.0.0.1"), 1);
}

#[test]
fn a_node_that_dials_itself_says_so() {
    let [one, other, _] = sibling_ports();
    // Comes from the sibling's address, and leads to the node.
    let way = Relay::start(other, one, other.ip());
    let a = node(one, &[format!("{}:tcp", way.addr)], "");
    a.log().wait_for("cannot be opened (the sibling is this node itself)");
    wait_for("both ends count it", || rejected(&a, "oneself", other) > 1);
    assert_eq!(a.log().count("another key"), 0, "{:?}", a.log().all());
}

#[test]
fn another_key_and_a_recorded_session_get_nowhere() {
    let [one, other, _] = sibling_ports();
    let way = Relay::start(SocketAddr::new(other.ip(), address::fresh().port()), other, one.ip());
    let b = node(other, &[one.to_string()], "");
    let a = node(one, &[format!("{}:tcp", way.addr)], "");
    wait_for("a session is up", || state(&a, way.addr) == Some(2));
    report(&a, "joe", "192.0.2.1");
    wait_for("the count arrives", || counts(&b, "192.0.2.1") == 1);
    // The whole connection once more: its nonce is of no use a second time.
    let recorded = way.recorded();
    assert!(recorded.starts_with(OPENING));
    let mut stream = connect_from(one.ip(), other).unwrap();
    stream.write_all(&recorded).unwrap();
    wait_for("it is rejected", || rejected(&b, "key", one) == 1);
    let mut rest = Vec::new();
    // Whether it ends or is reset, it is over.
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(counts(&b, "192.0.2.1"), 1);
    // A sibling with another key.
    let wrong = Key::from_bytes(&[9; 32]).unwrap().to_base64();
    a.execute("setSiblings({})");
    a.execute(&format!("addSiblingWithKey(\"{other}:tcp\", \"{wrong}\")"));
    wait_for("it is rejected", || rejected(&b, "key", one) > 1);
    wait_for("and takes to packets", || state(&a, other) == Some(1));
    a.log().wait_for("has it another key, or another version of Portcullis?");
    report(&a, "joe", "192.0.2.1");
    let lines = b.log().all();
    let told = lines.iter().filter(|line| line.contains("does not open")).count();
    assert!((1..=6).contains(&told), "logged at a limited rate: {lines:#?}");
    assert_eq!(counts(&b, "192.0.2.1"), 1);
}

#[test]
fn nonsense_on_a_connection_is_counted_and_harms_nobody() {
    let [one, other, stranger] = sibling_ports();
    let (a, b) = (node(one, &[other.to_string()], ""), node(other, &[one.to_string()], ""));
    wait_for("a session is up", || state(&a, other) == Some(2));
    let open = |after: &[u8]| {
        let mut stream = connect_from(other.ip(), one).unwrap();
        stream.write_all(&[OPENING, &[7; 24], after].concat()).unwrap();
        let mut answer = Vec::new();
        // Whether it ends or is reset, it is over.
        let _ = stream.read_to_end(&mut answer);
        answer
    };
    // Lengths that no frame has, and a frame of noise.
    for length in [0u32, 15, 1 << 21, u32::MAX] {
        let answer = open(&length.to_be_bytes());
        assert!(answer.is_empty() || answer.starts_with(b"portcullis 1\n"));
    }
    open(&[&100u32.to_be_bytes()[..], &[9; 100]].concat());
    wait_for("they are counted", || (rejected(&a, "length", other), rejected(&a, "key", other)) == (4, 1));
    // Cut off in the opening, which is still a packet then, in the nonce, in a frame.
    for bytes in
        [&OPENING[..1], &OPENING[..7], &[OPENING, &[1; 9]].concat(), &[OPENING, &[1; 24], &[0, 0]].concat()]
    {
        connect_from(other.ip(), one).unwrap().write_all(bytes).unwrap();
    }
    wait_for("they are counted", || rejected(&a, "truncated", other) == 2);
    // Almost an opening is an empty packet: the end of the connection.
    let mut stream = connect_from(other.ip(), one).unwrap();
    stream.write_all(b"\0\0portcullis 2\n").unwrap();
    assert!(matches!(stream.read(&mut [0; 10]), Ok(0) | Err(_)));
    // Somebody who is no sibling.
    let before = metric(&a, "portcullis_replication_unknown_senders_total");
    let mut stream = connect_from(stranger.ip(), one).unwrap();
    // It may be closed already.
    let _ = stream.write_all(OPENING);
    assert!(matches!(stream.read(&mut [0; 10]), Ok(0) | Err(_)));
    assert_eq!(metric(&a, "portcullis_replication_unknown_senders_total"), before + 1);
    report(&b, "joe", "192.0.2.1");
    wait_for("the session is as it was", || counts(&a, "192.0.2.1") == 1);
    assert_eq!(metric(&a, &format!("portcullis_session_opened_total{{sibling=\"{other}\"}}")), 1);
    assert_eq!(stat(&a, &json!({"login": "joe"}), "who"), 1);
}

#[test]
fn a_sibling_that_is_not_there_is_looked_for_and_delays_nobody() {
    let (ours, dead) = (sibling_port(address::own()), sibling_port(address::beside(1)));
    let a = node(ours, &[dead.to_string()], "");
    for _ in 0..50 {
        report(&a, "joe", "192.0.2.1");
    }
    wait_for("it is out of reach", || state(&a, dead) == Some(1));
    assert_eq!(counts(&a, "192.0.2.1"), 50);
    wait_for("nothing is kept for one that never was there", || {
        metric(&a, "portcullis_session_journal_bytes") == 0
    });
    let b = node(dead, &[ours.to_string()], "");
    wait_for("it gets what was counted without it", || counts(&b, "192.0.2.1") == 50);
}

#[test]
fn a_wforce_that_takes_the_place_of_a_node_is_sent_packets() {
    let [one, other, _] = sibling_ports();
    let a = node(one, &[other.to_string()], "");
    let mut b = node(other, &[one.to_string()], "");
    wait_for("a session is up", || state(&a, other) == Some(2));
    report(&b, "joe", "127.0.0.1");
    wait_for("the count arrives", || counts(&a, "127.0.0.1") == 1);
    b.process.signal("KILL");
    b.process.wait();
    let classic = Classic::start(other);
    // For some seconds it may be a node that is not ready yet.
    a.log().wait_for(&format!("the sibling {other} speaks no sessions any more: it is sent packets again"));
    wait_for("it is known to speak packets", || state(&a, other) == Some(1));
    report(&a, "joe", "127.0.0.1");
    assert_eq!(classic.receive().0, hex(M1));
    classic.send(one, &hex(M1));
    wait_for("it is heard", || counts(&a, "127.0.0.1") == 3);
}

#[test]
fn a_node_that_cannot_be_dialed_gets_changes_late_and_the_log_says_so() {
    let [one, other, _] = sibling_ports();
    // Nobody listens at the port under which the first one knows the second.
    let closed = SocketAddr::new(other.ip(), address::fresh().port());
    let a = node(one, &[closed.to_string()], "");
    let b = node(other, &[one.to_string()], "");
    wait_for("a session is up", || state(&b, one) == Some(2));
    a.log()
        .wait_for(&format!("the sibling {closed} opens sessions to this node, but none can be opened to it"));
    report(&b, "joe", "192.0.2.1");
    wait_for("one way at once", || counts(&a, "192.0.2.1") == 1);
    report(&a, "joe", "192.0.2.1");
    // The other way when the session is compared the next time: a new one is, from its beginning.
    let row =
        json!({"sibling_host": one.ip().to_string(), "sibling_port": one.port(), "sibling_protocol": "udp"});
    assert_eq!(b.client().post("/command/removeSibling", &row).status, 200);
    assert_eq!(b.client().post("/command/addSibling", &row).status, 200);
    wait_for("the change arrives", || counts(&b, "192.0.2.1") == 2);
    assert_eq!(counts(&a, "192.0.2.1"), 2);
}
