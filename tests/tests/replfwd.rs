//! Forwarders between two sites: real processes on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;

use portcullis_tests::cluster::{counts, report, sibling_port, wait_for};
use portcullis_tests::{Daemon, Launch, PATIENCE, address, process, tools};
use serde_json::{Value, json};
use wire::replication::{Message, StatsOp};
use wire::{Cipher, Key, open_packet};

const POLICY: &str = r#"
newStringStatsDB("db1", 3600, 3, { countLogins = "int", i = "int" })
getStringStatsDB("db1"):twEnableReplication()
setReport(function(lt) getStringStatsDB("db1"):twAdd(lt.remote, "countLogins", 1) end)
"#;

fn node(own: SocketAddr, forwarder: &str, more: &str) -> Daemon {
    Daemon::start(&format!("{POLICY}siblingListener(\"{own}\")\naddSibling(\"{forwarder}\")\n{more}\n"))
}

fn forwarder(config: &str) -> Daemon {
    Launch::new(config).program("replfwd").start()
}

fn listed(daemon: &Daemon) -> usize {
    daemon.client().get("/command/getBL").json()["bl_entries"].as_array().unwrap().len()
}

fn block(daemon: &Daemon, ip: &str) {
    let entry = json!({"ip": ip, "expire_secs": 600, "reason": "test"});
    assert_eq!(daemon.client().post("/command/addBLEntry", &entry).status, 200);
}

#[test]
fn two_sites_share_through_their_forwarders() {
    // Each cipher, each protocol, and a key of its own between the sites.
    for (protocol, cipher, to_key) in [("udp", "xsalsa20", ""), ("tcp", "chacha20", "own")] {
        let [a, fa, fb, b] = [
            sibling_port(address::own()),
            sibling_port(address::beside(1)),
            sibling_port(address::beside(2)),
            sibling_port(address::beside(3)),
        ];
        let cipher = format!("setReplicationCipher(\"{cipher}\")\n");
        // The key that the other forwarder opens with; here both have the same.
        let key = if to_key.is_empty() { "" } else { portcullis_tests::daemon::KEY };
        let site = |own: SocketAddr, near: SocketAddr, far: SocketAddr| {
            forwarder(&format!(
                "{cipher}siblingListener(\"{own}\")\naddSibling(\"{near}:{protocol}\")\n\
                 addReplicationForwarderDestWithKey(\"{far}:{protocol}\", \"{key}\", true, true)\n\
                 addReplicationForwarderSrc(\"{}\")\n",
                far.ip()
            ))
        };
        let forwarders = [site(fa, a, fb), site(fb, b, fa)];
        let nodes =
            [node(a, &format!("{fa}:{protocol}"), &cipher), node(b, &format!("{fb}:{protocol}"), &cipher)];
        for node in &nodes {
            report(node, "joe", "192.0.2.1");
        }
        for node in &nodes {
            wait_for("both sites count both logins", || counts(node, "192.0.2.1") == 2);
        }
        block(&nodes[1], "198.51.100.7");
        wait_for("the entry arrives", || listed(&nodes[0]) == 1);
        // Nothing went round in circles: each forwarder had two messages of its site and two of the other at most.
        let rows = forwarders[0].execute("replicationForwarders()");
        let row = |head: &str, rows: &str| -> Vec<String> {
            let mut lines = rows.lines().skip_while(|line| !line.starts_with(head)).skip(1);
            lines.next().unwrap().split_whitespace().map(str::to_owned).collect()
        };
        assert_eq!(row("Destination", &rows)[..4], [&fb.to_string(), protocol, "1", "0"], "{rows}");
        assert_eq!(
            row("Source", &rows)[..6],
            [&format!("{}:4001", fb.ip()), "none", "0", "0", "2", "0"],
            "{rows}"
        );
        let table = forwarders[0].execute("siblings()");
        assert_eq!(row("Address", &table)[..6], [&a.to_string(), protocol, "2", "0", "1", "0"], "{table}");
        let metrics = forwarders[0].client().get("/metrics").text();
        let sent = format!("replfwd_replication_sent_total{{sibling=\"{fb}\",status=\"ok\"}} 1");
        assert!(metrics.contains(&sent), "{metrics}");
        assert_eq!(counts(&nodes[0], "192.0.2.1"), 2);
    }
}

#[test]
fn a_destination_gets_what_it_is_meant_to() {
    let [a, fa, fb, b] = [
        sibling_port(address::own()),
        sibling_port(address::beside(1)),
        sibling_port(address::beside(2)),
        sibling_port(address::beside(3)),
    ];
    let near = forwarder(&format!("siblingListener(\"{fa}\")\naddSibling(\"{a}\")\n"));
    let far = forwarder(&format!("siblingListener(\"{fb}\")\naddSibling(\"{b}\")\n"));
    let nodes = [node(a, &fa.to_string(), ""), node(b, &fb.to_string(), "")];
    let post = |daemon: &Daemon, command: &str, body: &Value| {
        let answer = daemon.client().post(&format!("/command/{command}"), body);
        (answer.status, answer.text())
    };
    let ok = (200, r#"{"status":"ok"}"#.to_owned());
    let destination =
        json!({"sibling_host": fb.ip().to_string(), "sibling_port": fb.port(), "send_wlbl": false});
    let source = json!({"sibling_host": fa.ip().to_string()});
    assert_eq!(post(&near, "addReplicationForwarderDest", &destination), ok);
    assert_eq!(post(&near, "addReplicationForwarderDest", &destination).0, 500);
    assert_eq!(post(&far, "addReplicationForwarderSrc", &source), ok);
    block(&nodes[0], "198.51.100.7");
    report(&nodes[0], "joe", "192.0.2.1");
    wait_for("the login arrives", || counts(&nodes[1], "192.0.2.1") == 1);
    assert_eq!(listed(&nodes[1]), 0, "lists are not for this one");
    let shown = near.client().get("/command/getReplicationForwarderDests").text();
    let expected = format!(
        r#"{{"siblings": [{{"send_sdb": true, "send_wlbl": false, "sibling_host": "{}", "sibling_port": {}, "sibling_protocol": "udp"}}]}}"#,
        fb.ip(),
        fb.port()
    );
    assert_eq!(shown, expected);
    let sources = far.client().get("/command/getReplicationForwarderSrcs").text();
    assert_eq!(
        sources,
        format!(r#"{{"siblings": [{{"sibling_host": "{}", "sibling_protocol": "none"}}]}}"#, fa.ip())
    );
    // Replaced by one that gets lists alone.
    let mut lists = destination.clone();
    (lists["send_sdb"], lists["send_wlbl"]) = (json!(false), json!(true));
    lists["encryption_key"] = json!(portcullis_tests::daemon::KEY);
    assert_eq!(post(&near, "setReplicationForwarderDests", &json!({"siblings": [lists]})), ok);
    assert!(near.client().get("/command/getReplicationForwarderDests").text().contains("encryption_key"));
    report(&nodes[0], "joe", "192.0.2.1");
    block(&nodes[0], "198.51.100.8");
    wait_for("the entry arrives", || listed(&nodes[1]) == 1);
    assert_eq!(counts(&nodes[1], "192.0.2.1"), 1);
    assert_eq!(post(&far, "removeReplicationForwarderSrc", &source), ok);
    assert_eq!(post(&far, "removeReplicationForwarderSrc", &source).0, 500);
    assert_eq!(post(&far, "setReplicationForwarderSrcs", &json!({"siblings": [{}]})).0, 500);
    block(&nodes[0], "198.51.100.9");
    let unknown =
        || far.client().get("/metrics").text().contains("portcullis_replication_unknown_senders_total 1");
    wait_for("nobody else is heard", unknown);
    assert_eq!(listed(&nodes[1]), 1);
    assert_eq!(post(&near, "removeReplicationForwarderDest", &destination), ok);
    let siblings = near.client().get("/command/getSiblings").json();
    assert_eq!(siblings["siblings"][0]["sibling_port"], a.port());
}

#[test]
fn a_site_that_is_away_holds_up_nobody_and_each_has_its_own_key() {
    let [a, own, there, silent] = [
        sibling_port(address::own()),
        sibling_port(address::beside(1)),
        sibling_port(address::beside(2)),
        sibling_port(address::beside(3)),
    ];
    let socket = UdpSocket::bind(there).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // Connections to it are made, and nobody ever reads.
    let _listener = TcpListener::bind(silent).unwrap();
    let closed = sibling_port(address::beside(3));
    let key = Key::from_bytes(&[9; 32]).unwrap();
    let destination = |addr: &str| {
        format!("addReplicationForwarderDestWithKey(\"{addr}\", \"{}\", true, true)\n", key.to_base64())
    };
    let _forwarder = forwarder(&format!(
        "siblingListener(\"{own}\")\naddSibling(\"{a}\")\n{}{}{}",
        destination(&format!("{closed}:tcp")),
        destination(&format!("{silent}:tcp")),
        destination(&there.to_string())
    ));
    let node = node(a, &own.to_string(), "");
    for number in 0..50 {
        report(&node, "joe", &format!("192.0.2.{number}"));
        let mut buffer = [0; 2048];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from.ip(), own.ip());
        let (message, _) = open_packet(&key, Cipher::Secretbox, &mut buffer[..length]).unwrap();
        let message = Message::decode(message).unwrap();
        let expected = format!("192.0.2.{number}/32");
        assert_eq!(StatsOp::decode(message.op).unwrap().key, expected.as_bytes());
    }
}

#[test]
fn the_forwarder_is_a_daemon_like_the_others() {
    let key = process::run_ok(Command::new(tools::program("replfwd")).arg("-k"));
    assert!(key.len() == 47 && key.starts_with('"') && key.ends_with("\"\n"), "{key:?}");
    let config = "addReplicationForwarderDest(\"192.0.2.9\", true, false)\nsetReplicationForwarderSrcs({\"192.0.2.9\", \"2001:db8::9\"})\n\
                  siblingListener(\"127.0.0.1\")\nremoveReplicationForwarderSrc(\"192.0.2.1\")\n";
    let checked = Launch::new(config).program("replfwd").args(&["--check-config"]).run();
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status.code(), Some(0), "{text}");
    for part in ["127.0.0.1:4545", "192.0.2.9:4001 udp", "[2001:db8::9]:4001 none"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let bad = Launch::new("addReplicationForwarderDest(\"192.0.2.9\")\n").program("replfwd").run();
    assert_eq!(bad.status.code(), Some(1));
    let stranger = Launch::new("newCA(\"192.0.2.9\")\n").program("replfwd").run();
    assert_eq!(stranger.status.code(), Some(1));
    let mut daemon = forwarder("");
    assert_eq!(daemon.client().get("/command/ping").text(), r#"{"status":"ok"}"#);
    assert_eq!(daemon.client().get("/command/readyz").status, 200);
    assert_eq!(daemon.client().get("/command/livez").status, 200);
    assert_eq!(daemon.client().post("/command/report", &json!({})).status, 404);
    assert!(daemon.client().get("/openapi.json").text().contains("setReplicationForwarderSrcs"));
    assert!(daemon.execute("showVersion()").starts_with("replfwd "));
    daemon.execute("addReplicationForwarderDest(\"192.0.2.10:5000:none\", true, true)");
    assert!(daemon.execute("replicationForwarders()").contains("192.0.2.10:5000 none"));
    let metrics = daemon.client().get("/metrics").text();
    assert!(metrics.contains("replfwd_commands_total{cmd=\"addReplicationForwarderDest\"} 0"), "{metrics}");
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn a_forwarder_follows_its_file_and_takes_a_question_for_sessions_as_a_wforce_does() {
    let [a, fa, fb, b] = [
        sibling_port(address::own()),
        sibling_port(address::beside(1)),
        sibling_port(address::beside(2)),
        sibling_port(address::beside(3)),
    ];
    let far = forwarder(&format!(
        "siblingListener(\"{fb}\")\naddSibling(\"{b}\")\naddReplicationForwarderSrc(\"{}\")\n",
        fa.ip()
    ));
    // It names another one first.
    let near = forwarder(&format!(
        "siblingListener(\"{fa}\")\naddSibling(\"{a}\")\nsetReplicationForwarderSrcs({{ \"192.0.2.9\" }})\n\
         addReplicationForwarderDest(\"127.0.0.1:9\", true, true)\n"
    ));
    let nodes = [node(a, &fa.to_string(), ""), node(b, &fb.to_string(), "")];
    let text = std::fs::read_to_string(near.config()).unwrap();
    let text = text
        .replace("127.0.0.1:9\", true, true", &format!("{fb}\", true, true"))
        .replace("192.0.2.9", "192.0.2.8");
    std::fs::write(near.config(), text).unwrap();
    near.process.signal("HUP");
    near.log().wait_for("destination 127.0.0.1:9 udp: removed");
    near.log().wait_for(&format!("destination {fb} udp: added"));
    near.log().wait_for("source 192.0.2.8:4001 none: added");
    near.log().wait_for("replfwd.conf: loaded again");
    report(&nodes[0], "joe", "192.0.2.1");
    wait_for("the login arrives", || counts(&nodes[1], "192.0.2.1") == 1);
    // The siblings asked whether it speaks sessions before they sent their packets.
    for forwarder in [&near, &far] {
        assert_eq!(forwarder.log().count("packet of"), 0, "{:#?}", forwarder.log().all());
        assert_eq!(forwarder.log().count("was closed"), 0, "{:#?}", forwarder.log().all());
        assert!(forwarder.execute("siblings()").lines().all(|line| !line.contains("Session")));
    }
}
