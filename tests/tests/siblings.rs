//! Several daemons that share stats DBs and lists, and a stand-in for a wforce that speaks plain packets.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};

use portcullis_tests::cluster::{POLICY, counts, key, metric, report, sibling_port, stat, wait_for};
use portcullis_tests::relay::connect_from;
use portcullis_tests::{Daemon, Launch, PATIENCE, address, cluster};
use serde_json::json;
use wire::replication::Message;
use wire::{Cipher, Key, Nonce, open_packet, seal_packet, stream_head};

/// A daemon that hears siblings at `own`, has these others and speaks packets with them.
fn node(own: SocketAddr, others: &[String], more: &str) -> Daemon {
    cluster::node(own, others, &format!("setReliableSessions(false)\n{more}"))
}

#[test]
fn three_nodes_share_counts_resets_and_lists() {
    for protocol in ["udp", "tcp"] {
        let addrs = [
            sibling_port(address::own()),
            sibling_port(address::beside(1)),
            sibling_port(address::beside(2)),
        ];
        // Each has all of them, itself included, as one file for all nodes would say it.
        let all: Vec<String> = addrs.iter().map(|addr| format!("{addr}:{protocol}")).collect();
        let nodes: Vec<Daemon> = addrs.iter().map(|addr| node(*addr, &all, "")).collect();
        for node in &nodes {
            report(node, "joe", "192.0.2.1");
        }
        for node in &nodes {
            wait_for("everybody counts 3", || counts(node, "192.0.2.1") == 3);
        }
        let table = nodes[0].execute("siblings()");
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], [&addrs[0].to_string(), protocol, "0", "0", "0", "0", "Self"], "{table}");
        assert_eq!(rows[2][..6], [&addrs[1].to_string(), protocol, "2", "0", "2", "0"], "{table}");
        let entry = json!({"netmask": "198.51.100.0/24", "expire_secs": 600, "reason": "test"});
        assert_eq!(nodes[1].client().post("/command/addBLEntry", &entry).status, 200);
        let denied = || {
            let tuple = json!({"login": "x", "remote": "198.51.100.7"});
            nodes.iter().all(|node| node.client().allow(&tuple)["status"] == -1)
        };
        wait_for("the network is blocked everywhere", denied);
        assert_eq!(nodes[2].client().post("/command/reset", &json!({"login": "joe"})).status, 200);
        for node in &nodes {
            wait_for("the login is forgotten", || stat(node, &json!({"login": "joe"}), "who") == 0);
        }
        for label in [addrs[1].to_string(), addrs[1].ip().to_string()] {
            metric(&nodes[0], &format!("wforce_replication_sent_total{{sibling=\"{label}\",status=\"ok\"}}"));
            metric(
                &nodes[0],
                &format!("wforce_replication_rcvd_total{{sibling=\"{label}\",status=\"error\"}}"),
            );
            metric(&nodes[0], &format!("wforce_repl_send_queue_size{{sibling=\"{label}\"}}"));
        }
    }
}

#[test]
fn siblings_come_and_go_while_the_daemon_runs() {
    let (one, other) = (sibling_port(address::own()), sibling_port(address::beside(1)));
    let (a, b) = (node(one, &[], ""), node(other, &[one.to_string()], ""));
    let add = json!({"sibling_host": other.ip().to_string(), "sibling_port": other.port(), "sibling_protocol": "tcp"});
    let post = |command: &str, body: &serde_json::Value| {
        let answer = a.client().post(&format!("/command/{command}"), body);
        (answer.status, answer.text())
    };
    let ok = (200, r#"{"status":"ok"}"#.to_owned());
    let failure = |reason: &str| (500, format!(r#"{{"reason": "{reason}", "status": "failure"}}"#));
    assert_eq!(post("addSibling", &add), ok);
    assert_eq!(
        post("addSibling", &add),
        failure(&format!("addSibling() cannot add duplicate sibling [{other}]"))
    );
    report(&a, "joe", "192.0.2.1");
    wait_for("the count arrives", || counts(&b, "192.0.2.1") == 1);
    assert_eq!(post("removeSibling", &add), ok);
    assert_eq!(post("removeSibling", &add), failure(""));
    assert!(!a.execute("siblings()").contains(&other.to_string()));
    report(&a, "joe", "192.0.2.1");
    assert_eq!(post("setSiblings", &json!({"siblings": [add, add]})), ok);
    report(&a, "joe", "192.0.2.1");
    wait_for("what was made meanwhile is not sent", || counts(&b, "192.0.2.1") == 2);
    // A list with a mistake changes nothing, and neither does one on the console.
    let listed = a.execute("siblings()");
    let mistaken =
        json!({"sibling_host": "127.0.0.1", "sibling_port": 1, "sibling_protocol": "carrier pigeon"});
    assert_eq!(post("setSiblings", &json!({"siblings": [mistaken]})).0, 500);
    a.execute("setSiblings({'127.0.0.1:x'})");
    assert_eq!(a.execute("siblings()"), listed);
    a.execute(&format!("removeSibling(\"{other}:tcp\")"));
    assert_eq!(a.execute("siblings()").lines().count(), 1);
    a.execute(&format!("setSiblings({{\"{other}:tcp\"}})"));
    report(&a, "joe", "192.0.2.1");
    wait_for("it is sent to again", || counts(&b, "192.0.2.1") == 3);
    a.execute("setSiblings({})");
    assert_eq!(a.execute("siblings()").lines().count(), 1);
    let bad = json!({"sibling_host": "127.0.0.1", "sibling_port": 1, "sibling_protocol": "TCP"});
    assert_eq!(post("addSibling", &bad), failure("Sibling::stringToProtocol(): Unknown protocol TCP"));
}

#[test]
fn ipv6_siblings_share() {
    let port = || address::fresh().port();
    // Both are at the same address here, so each is the other's first and only sibling.
    let (one, other) = (port(), port());
    let addr = |port: u16| SocketAddr::new("::1".parse().unwrap(), port);
    let a = node(addr(one), &[addr(other).to_string()], "");
    let b = node(addr(other), &[format!("[::1]:{one}:tcp")], "");
    report(&a, "joe", "192.0.2.1");
    report(&b, "joe", "192.0.2.1");
    wait_for("both count 2", || (counts(&a, "192.0.2.1"), counts(&b, "192.0.2.1")) == (2, 2));
}

const M1: &str = "080012250a0364623110001a0c3132372e302e302e312f3332220b636f756e744c6f67696e732a01311800";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn packet(cipher: Cipher, key: &Key, message: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    seal_packet(key, &mut Nonce::generate(cipher).unwrap(), message, &mut packet);
    packet
}

#[test]
fn a_classic_sibling_is_understood_and_gets_the_same_bytes() {
    let (ours, theirs) = (sibling_port(address::own()), sibling_port(address::beside(1)));
    let socket = UdpSocket::bind(theirs).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let daemon = node(ours, &[theirs.to_string()], "");
    for (sent, cipher) in [Cipher::Secretbox, Cipher::ChaCha].into_iter().enumerate() {
        socket.send_to(&packet(cipher, &key(), &hex(M1)), ours).unwrap();
        wait_for("the vector counts", || counts(&daemon, "127.0.0.1") == sent as i64 + 1);
    }
    // What it counts itself is sent, byte for byte, and what it was sent is not sent back.
    for (cipher, name) in [(Cipher::Secretbox, "xsalsa20"), (Cipher::ChaCha, "chacha20")] {
        daemon.execute(&format!("setReplicationCipher(\"{name}\")"));
        report(&daemon, "joe", "127.0.0.1");
        let mut buffer = [0; 2048];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from.ip(), ours.ip(), "siblings know it by the address it is heard at");
        let (message, found) = open_packet(&key(), Cipher::ChaCha, &mut buffer[..length]).unwrap();
        assert_eq!((message, found), (&hex(M1)[..], cipher));
        socket.recv_from(&mut buffer).unwrap();
    }
    let row = || {
        daemon
            .execute("siblings()")
            .lines()
            .nth(1)
            .unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(row()[2..6], ["4", "0", "2", "0"]);
    // Rubbish, other keys, things that are no message: counted, and the next good one is heard.
    let other = Key::from_bytes(&[7; 32]).unwrap();
    let bad = [
        vec![1],
        vec![7; 60],
        vec![7; 1499],
        vec![7; 3000],
        packet(Cipher::Secretbox, &other, &hex(M1)),
        packet(Cipher::Secretbox, &key(), b""),
        packet(Cipher::Secretbox, &key(), &hex("0805120018 00".replace(' ', "").as_str())),
        packet(Cipher::Secretbox, &key(), &hex("08e70712001800")),
        packet(Cipher::Secretbox, &key(), &hex(M1)[..30]),
    ];
    for bad in &bad {
        socket.send_to(bad, ours).unwrap();
    }
    wait_for("they are counted", || row()[5] == bad.len().to_string());
    let stranger = UdpSocket::bind((address::beside(2), 0)).unwrap();
    stranger.send_to(&packet(Cipher::Secretbox, &key(), &hex(M1)), ours).unwrap();
    wait_for("the stranger is counted", || {
        metric(&daemon, "portcullis_replication_unknown_senders_total") == 1
    });
    // However many come, the log tells of it now and then.
    for _ in 0..200 {
        stranger.send_to(&packet(Cipher::Secretbox, &key(), &hex(M1)), ours).unwrap();
        socket.send_to(&packet(Cipher::Secretbox, &other, &hex(M1)), ours).unwrap();
    }
    wait_for("they are counted", || {
        metric(&daemon, "portcullis_replication_unknown_senders_total") == 201
            && row()[5] == (bad.len() + 200).to_string()
    });
    let told = |text: &str| daemon.log().all().iter().filter(|line| line.contains(text)).count();
    for text in
        [&format!("from {}, which is no sibling", address::beside(2)), &format!("from the sibling {theirs}")]
    {
        // A line and, some seconds later, how many were left out.
        assert!((1..=20).contains(&told(text)), "{text}: {}", told(text));
    }
    let before = counts(&daemon, "127.0.0.1");
    // A connection: several packets in one piece, one of them bad; then an end that is none.
    let mut stream = connect_from(theirs.ip(), ours).unwrap();
    let mut bytes = Vec::new();
    for packet in
        [packet(Cipher::ChaCha, &key(), &hex(M1)), vec![9; 100], packet(Cipher::Secretbox, &key(), &hex(M1))]
    {
        bytes.extend(stream_head(packet.len()).unwrap());
        bytes.extend(packet);
    }
    stream.write_all(&bytes).unwrap();
    wait_for("both count", || counts(&daemon, "127.0.0.1") == before + 2);
    stream.write_all(&[0, 0]).unwrap();
    assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0, "a length of 0 ends the connection");
    let mut stranger = connect_from(address::beside(2).into(), ours).unwrap();
    assert!(matches!(stranger.read(&mut [0; 10]), Ok(0) | Err(_)));
}

#[test]
fn a_sibling_with_its_own_key_gets_packets_under_that_key() {
    let (ours, theirs) = (sibling_port(address::own()), sibling_port(address::beside(1)));
    let listener = TcpListener::bind(theirs).unwrap();
    let own_key = Key::from_bytes(&[9; 32]).unwrap();
    let more = format!("addSiblingWithKey(\"{theirs}:tcp\", \"{}\")", own_key.to_base64());
    let daemon = node(ours, &[], &more);
    let entry = json!({"login": "joe", "expire_secs": 60, "reason": "bad"});
    let expected = "08021210080010011a036a6f65203c2a036261641800";
    // From the configuration, then by REST.
    for again in [false, true] {
        if again {
            daemon.execute("setSiblings({})");
            let sibling = json!({
                "sibling_host": theirs.ip().to_string(),
                "sibling_port": theirs.port(),
                "sibling_protocol": "tcp",
                "encryption_key": own_key.to_base64(),
            });
            assert_eq!(daemon.client().post("/command/addSibling", &sibling).status, 200);
        }
        assert_eq!(daemon.client().post("/command/addWLEntry", &entry).status, 200);
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = [0; 2];
        stream.read_exact(&mut head).unwrap();
        let mut packet = vec![0; usize::from(u16::from_be_bytes(head))];
        stream.read_exact(&mut packet).unwrap();
        let (message, found) = open_packet(&own_key, Cipher::ChaCha, &mut packet).unwrap();
        assert_eq!(found, Cipher::Secretbox, "the default");
        assert_eq!(message, hex(expected));
        assert!(Message::decode(message).is_ok());
    }
}

#[test]
fn a_dead_sibling_delays_nobody_and_what_is_lost_is_counted() {
    let (ours, dead) = (sibling_port(address::own()), sibling_port(address::beside(1)));
    let daemon = node(ours, &[format!("{dead}:tcp")], "");
    daemon.execute("setMaxSiblingQueueSize(10) setSiblings({})");
    daemon.execute(&format!("addSibling(\"{dead}:tcp\")"));
    for _ in 0..40 {
        report(&daemon, "joe", "192.0.2.1");
    }
    wait_for("a connect fails", || {
        metric(&daemon, &format!("wforce_replication_tcp_connfailed_total{{sibling=\"{dead}\"}}")) > 0
    });
    wait_for("the queue was full", || {
        metric(&daemon, &format!("wforce_replication_send_queue_error_total{{sibling=\"{dead}\"}}")) > 0
    });
    assert_eq!(counts(&daemon, "192.0.2.1"), 40);
}

#[test]
fn a_fresh_daemon_gets_the_stats_of_one_that_runs() {
    let (one, other) = (sibling_port(address::own()), sibling_port(address::beside(1)));
    // The one that speaks sessions, too: then the session brings what the sync does not.
    let old = cluster::node(one, &[other.to_string()], "");
    for count in 1..=50 {
        report(&old, &format!("user{count}"), &format!("192.0.2.{count}"));
    }
    wait_for("it has been running for a second", || {
        old.client().get("/command/stats").json()["uptime"].as_i64().unwrap() > 0
    });
    let fresh = Launch::new(&format!("{POLICY}siblingListener(\"{other}\")\naddSibling(\"{one}\")\n"));
    let sync = format!(
        "addSyncHost(\"http://{}\", \"supersecret\", \"{other}\", \"http://{}\")\n",
        old.http, fresh.http
    );
    let fresh = fresh.file("sync.lua", sync).with_line("dofile(\"sync.lua\")").start();
    wait_for("it says that it is ready", || fresh.client().get("/command/readyz").status == 200);
    assert_eq!(fresh.client().get("/command/ping").text(), r#"{"status":"ok"}"#);
    wait_for("all is there", || (1..=50).all(|count| counts(&fresh, &format!("192.0.2.{count}")) == 1));
    assert_eq!(stat(&fresh, &json!({"login": "user7"}), "who"), 1);
}

#[test]
fn a_daemon_that_waits_for_its_stats_says_so() {
    let silent = TcpListener::bind((address::own(), 0)).unwrap();
    let own = sibling_port(address::own());
    let sync = format!(
        "addSyncHost(\"http://{}\", \"x\", \"{own}\", \"http://127.0.0.1:1\")",
        silent.local_addr().unwrap()
    );
    let daemon = node(own, &[], &sync);
    let ready = daemon.client().get("/command/readyz");
    assert_eq!((ready.status, ready.text().as_str()), (503, ""));
    assert_eq!(ready.header("x-portcullis-waiting"), Some("the stats DBs of another server (addSyncHost)"));
    assert_eq!(daemon.client().get("/command/ping").text(), r#"{"status":"warmup"}"#);
    report(&daemon, "joe", "192.0.2.1");
    assert_eq!(counts(&daemon, "192.0.2.1"), 1, "it works all the same");
    wait_for("nobody helps, so it goes on", || daemon.client().get("/command/readyz").status == 200);
}

#[test]
fn entries_are_dumped_as_json_or_as_wforce_wrote_them() {
    let daemon = Daemon::start(POLICY);
    daemon.execute(r#"getStringStatsDB("db1"):twAdd("k", "i", 1)"#);
    let dump = |compat: bool| {
        let listener = TcpListener::bind((address::own(), 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let body = json!({"dump_host": addr.ip().to_string(), "dump_port": addr.port(), "compat": compat});
        wait_for("no other dump is under way", || {
            daemon.client().post("/command/dumpEntries", &body).text() == r#"{"status":"ok"}"#
        });
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    };
    let parsed: serde_json::Value = serde_json::from_str(&dump(false)).unwrap();
    // Each worker state and the configuration's own ran the line.
    assert_eq!(parsed["db1"]["k"]["i"], json!([7, 0, 0]));
    assert_eq!(dump(true), r#"{"db1": {"k": {"i": [7, 0, 0]}}}"#);
}
