//! The start-up sync: what it brings, whom it asks, and how long it waits.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use portcullis_tests::cluster::{POLICY, counts, key, report, sibling_port, stat, wait_for};
use portcullis_tests::relay::aside;
use portcullis_tests::{Daemon, Launch, PATIENCE, address};
use serde_json::{Value, json};
use wire::replication::{StatsAction, StatsOp, SyncField, SyncSlot, encode_stats};
use wire::{Cipher, Key, Nonce, seal_packet, stream_head};

/// A stand-in for a server that may be asked: it has been running for so long, and says ok to everything. It never calls back.
struct Host {
    addr: SocketAddr,
    asked: Receiver<(String, Value)>,
}

impl Host {
    fn start(uptime: u64) -> Host {
        let listener = TcpListener::bind(address::fresh()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, asked) = channel();
        aside(move || {
            for stream in listener.incoming() {
                let (mut stream, sender) = (BufReader::new(stream.unwrap()), sender.clone());
                aside(move || {
                    loop {
                        let (mut line, mut length) = (String::new(), 0);
                        if !matches!(stream.read_line(&mut line), Ok(1..)) {
                            return;
                        }
                        loop {
                            let mut header = String::new();
                            stream.read_line(&mut header).unwrap();
                            let header = header.trim_end().to_lowercase();
                            if header.is_empty() {
                                break;
                            }
                            if let Some(value) = header.strip_prefix("content-length: ") {
                                length = value.parse().unwrap();
                            }
                        }
                        let mut body = vec![0; length];
                        stream.read_exact(&mut body).unwrap();
                        let _ = sender.send((line, serde_json::from_slice(&body).unwrap_or(Value::Null)));
                        let text = format!("{{\"status\": \"ok\", \"uptime\": {uptime}}}");
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
                        stream.get_mut().write_all((head + &text).as_bytes()).unwrap();
                    }
                });
            }
        });
        Host { addr, asked }
    }

    /// Waits for the next request: its command and its body.
    fn next(&self) -> (String, Value) {
        let (line, body) = self.asked.recv_timeout(PATIENCE).expect("it is not asked");
        let command = line.split("command=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        (command, body)
    }
}

/// A daemon that asks these hosts, not started yet, and where it hears siblings.
fn asking(hosts: &[SocketAddr], more: &str) -> (Launch, SocketAddr) {
    let own = sibling_port(address::own());
    let launch = Launch::new(&format!("{POLICY}siblingListener(\"{own}\")\n{more}\n"));
    let line = |host: &SocketAddr| {
        format!("addSyncHost(\"http://{host}\", \"supersecret\", \"{own}\", \"http://{}\")\n", launch.http)
    };
    let sync: String = hosts.iter().map(line).collect();
    (launch.file("sync.lua", sync).with_line("dofile(\"sync.lua\")"), own)
}

fn ready(daemon: &Daemon) -> bool {
    daemon.client().get("/command/readyz").status == 200
}

#[test]
fn a_host_that_never_says_that_it_is_done_is_not_waited_for_for_ever() {
    let host = Host::start(1000);
    let (launch, _) = asking(&[host.addr], "setSyncTimeout(2)");
    let daemon = launch.start();
    assert_eq!((host.next().0.as_str(), host.next().0.as_str()), ("stats", "syncDBs"));
    daemon.log().wait_for("sync: not done after 2 s: the daemon is ready with what it has");
    wait_for("it is ready", || ready(&daemon));
}

#[test]
fn the_time_runs_from_the_start_however_slow_hosts_refuse() {
    // Each of them would take some seconds.
    let silent: Vec<TcpListener> = (0..20).map(|_| TcpListener::bind(address::fresh()).unwrap()).collect();
    let hosts: Vec<SocketAddr> = silent.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let (launch, _) = asking(&hosts, "setSyncTimeout(2)");
    let daemon = launch.start();
    daemon.log().wait_for("sync: not done after 2 s: the daemon is ready with what it has");
    wait_for("it is ready", || ready(&daemon));
    assert!(!daemon.log().all().iter().any(|line| line.contains("no server helps")), "it had not asked all");
}

#[test]
fn hosts_are_asked_in_their_order_and_one_that_is_too_young_is_not_taken() {
    let closed = address::fresh();
    let (young, old, beyond) = (Host::start(60), Host::start(61), Host::start(1000));
    let (launch, own) = asking(&[closed, young.addr, old.addr, beyond.addr], "setMinSyncHostUptime(60)");
    let daemon = launch.start();
    assert_eq!(young.next().0, "stats");
    assert_eq!(old.next().0, "stats");
    let (command, body) = old.next();
    assert_eq!(command, "syncDBs");
    let callback = format!("http://{}/?command=syncDone", daemon.http);
    assert_eq!((&body["callback_url"], &body["callback_auth_pw"]), (&json!(callback), &json!("supersecret")));
    let (host, port) = (own.ip().to_string(), own.port());
    assert_eq!((&body["replication_host"], &body["replication_port"]), (&json!(host), &json!(port)));
    daemon.log().wait_for("does not help: it has been running for 60 s only");
    daemon.log().wait_for(&format!("sync: http://{} sends its stats DBs", old.addr));
    assert!(!ready(&daemon), "until it is told that all was sent");
    assert_eq!(daemon.client().get("/?command=syncDone").text(), r#"{"status":"ok"}"#);
    assert!(ready(&daemon));
    assert!(young.asked.try_recv().is_err() && beyond.asked.try_recv().is_err());
}

#[test]
fn all_stats_dbs_arrive_by_packets_and_in_sessions_those_that_are_not_shared() {
    for more in ["setReliableSessions(false)", ""] {
        let more = format!("newStringStatsDB(\"alone\", 3600, 3, {{ n = \"int\", seen = \"hll\" }})\n{more}");
        let (one, other) = (sibling_port(address::own()), sibling_port(address::beside(1)));
        let siblings = |own: SocketAddr, sibling: SocketAddr| {
            format!("siblingListener(\"{own}\")\naddSibling(\"{sibling}\")\n")
        };
        let old = Daemon::start(&format!("{POLICY}{more}\n{}", siblings(one, other)));
        for count in 1..=30 {
            report(&old, &format!("user{count}"), &format!("192.0.2.{count}"));
        }
        old.execute("getStringStatsDB('alone'):twAdd('k', 'n', 5)");
        old.execute("getStringStatsDB('alone'):twAdd('k', 'seen', 'x')");
        wait_for("it has been running for a second", || {
            old.client().get("/command/stats").json()["uptime"].as_i64().unwrap() > 0
        });
        let launch = Launch::new(&format!("{POLICY}{more}\n{}", siblings(other, one)));
        let sync = format!(
            "addSyncHost(\"http://{}\", \"supersecret\", \"{other}\", \"http://{}\")\n",
            old.http, launch.http
        );
        let fresh = launch.file("sync.lua", sync).with_line("dofile(\"sync.lua\")").start();
        wait_for("it says that it is ready", || ready(&fresh));
        let alone = |daemon: &Daemon| {
            daemon.client().post("/command/getDBStats", &json!({"login": "k"})).json()["stats"]["alone"]
                .clone()
        };
        // The packets were sent before the host called back; they may be opened a moment later.
        wait_for("what is not shared is there", || alone(&fresh) == alone(&old));
        assert_eq!(alone(&fresh)["seen"], json!(1));
        wait_for("and what is", || (1..=30).all(|count| counts(&fresh, &format!("192.0.2.{count}")) == 1));
        assert_eq!(stat(&fresh, &json!({"login": "user7"}), "who"), 1);
    }
}

#[test]
fn a_requester_may_have_another_key_of_any_bytes() {
    let (ours, theirs) = (sibling_port(address::own()), sibling_port(address::beside(1)));
    let daemon = Daemon::start(&format!("{POLICY}siblingListener(\"{ours}\")\nsetReliableSessions(false)\n"));
    report(&daemon, "joe", "192.0.2.1");
    let listener = TcpListener::bind(theirs).unwrap();
    let done = Host::start(0);
    // As a wforce sends it: raw bytes in a JSON string.
    let bytes: Vec<u8> = (0..32).map(|number| 0xe0 + number).collect();
    let body = [
        format!(
            "{{\"replication_host\": \"{}\", \"replication_port\": {}, \"callback_url\": \"http://{}/?command=syncDone\", \
             \"callback_auth_pw\": \"x\", \"encryption_key\": \"",
            theirs.ip(),
            theirs.port(),
            done.addr
        )
        .as_bytes(),
        &bytes,
        b"\"}",
    ]
    .concat();
    let answer = daemon.client().request("POST", "/?command=syncDBs", &[], &body);
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"status":"ok"}"#));
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let wanted = Key::from_bytes(&bytes).unwrap();
    let (mut rest, mut found) = (&mut all[..], Vec::new());
    while rest.len() >= 2 {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        let (packet, more) = rest[2..].split_at_mut(length);
        let (message, _) =
            wire::open_packet(&wanted, Cipher::Secretbox, packet).expect("sealed with their key");
        let message = wire::replication::Message::decode(message).unwrap();
        let op = StatsOp::decode(message.op).unwrap();
        assert_eq!(op.action, StatsAction::SyncKey);
        found.push(String::from_utf8(op.key.to_vec()).unwrap());
        rest = more;
    }
    found.sort();
    assert_eq!(found, ["192.0.2.1/32", "joe"]);
    assert_eq!(done.next().0, "syncDone");
}

#[test]
fn a_requester_is_called_back_even_if_nothing_could_be_sent() {
    let (ours, closed) = (sibling_port(address::own()), sibling_port(address::beside(1)));
    let daemon = Daemon::start(&format!("{POLICY}siblingListener(\"{ours}\")\n"));
    let done = Host::start(0);
    let body = json!({
        "replication_host": closed.ip().to_string(),
        "replication_port": closed.port(),
        "callback_url": format!("http://{}/?command=syncDone", done.addr),
        "callback_auth_pw": "x",
    });
    assert_eq!(daemon.client().post("/?command=syncDBs", &body).text(), r#"{"status":"ok"}"#);
    assert_eq!(done.next().0, "syncDone");
    daemon.log().wait_for(&format!("sync: cannot send to {closed}"));
}

#[test]
fn a_synced_key_replaces_what_was_counted() {
    let (ours, theirs) = (sibling_port(address::own()), sibling_port(address::beside(1)));
    let daemon = Daemon::start(&format!(
        "{POLICY}siblingListener(\"{ours}\")\naddSibling(\"{theirs}\")\nsetReliableSessions(false)\n"
    ));
    (0..3).for_each(|_| report(&daemon, "joe", "192.0.2.1"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let start = now - now % 3600;
    let bytes = 40i32.to_be_bytes();
    let slot = |number: u64| {
        if start / 3600 % 3 == number {
            SyncSlot { time: start, bytes: &bytes }
        } else {
            SyncSlot { time: 0, bytes: &[0; 4] }
        }
    };
    let field = SyncField { name: b"countLogins", start: 0, slots: (0..3).map(slot).collect() };
    let mut message = Vec::new();
    let op = StatsOp { fields: vec![field], ..StatsOp::new(b"db1", StatsAction::SyncKey, b"192.0.2.1/32") };
    encode_stats(&op, false, &mut message);
    let mut packet = Vec::new();
    seal_packet(&key(), &mut Nonce::generate(Cipher::Secretbox).unwrap(), &message, &mut packet);
    let mut stream = portcullis_tests::relay::connect_from(theirs.ip(), ours).unwrap();
    stream.write_all(&[&stream_head(packet.len()).unwrap()[..], &packet].concat()).unwrap();
    wait_for("it is replaced, not added", || counts(&daemon, "192.0.2.1") == 40);
    assert_eq!(stat(&daemon, &json!({"login": "joe"}), "who"), 1, "other keys stay");
}
