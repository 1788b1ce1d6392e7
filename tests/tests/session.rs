//! Daemons that keep a session with each other: nothing is lost, nothing is counted twice, whatever happens to the way
//! between them and to themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::fmt::Write as _;
use std::net::SocketAddr;

use portcullis_tests::cluster::{
    counts, find_metric, launch, metric, node, report, sibling_ports, stat, wait_for,
};
use portcullis_tests::relay::{Relay, Way, pass_datagrams};
use portcullis_tests::{Daemon, address};
use serde_json::json;

fn state(daemon: &Daemon, sibling: SocketAddr) -> Option<u64> {
    find_metric(daemon, &format!("portcullis_session_state{{sibling=\"{sibling}\"}}"))
}

fn session(daemon: &Daemon, name: &str, sibling: SocketAddr) -> u64 {
    metric(daemon, &format!("portcullis_session_{name}_total{{sibling=\"{sibling}\"}}"))
}

fn wait_for_sessions(of: &[(&Daemon, SocketAddr)]) {
    for (daemon, sibling) in of {
        wait_for("a session is up", || state(daemon, *sibling) == Some(2));
    }
}

/// Nothing waits to be acknowledged, and the first repair is through.
fn wait_for_rest(daemon: &Daemon, sibling: SocketAddr) {
    wait_for("the sibling has everything", || {
        let backlog = format!("portcullis_session_backlog{{sibling=\"{sibling}\"}}");
        session(daemon, "repairs", sibling) > 0 && metric(daemon, &backlog) == 0
    });
}

fn report_many(daemon: &Daemon, ip: &str, times: usize) {
    (0..times).for_each(|_| report(daemon, "joe", ip));
}

#[test]
fn what_was_counted_before_between_and_after_a_kill_is_the_true_sum_on_both() {
    let [one, other, _] = sibling_ports();
    for protocol in ["udp", "tcp"] {
        let sibling = |addr: SocketAddr| vec![format!("{addr}:{protocol}")];
        let a = node(one, &sibling(other), "");
        // Before anybody is there to hear of it.
        report_many(&a, "192.0.2.1", 3);
        let mut b = node(other, &sibling(one), "");
        report_many(&b, "192.0.2.1", 4);
        wait_for_sessions(&[(&a, other), (&b, one)]);
        for daemon in [&a, &b] {
            wait_for("both count 7", || counts(daemon, "192.0.2.1") == 7);
        }
        assert!(a.execute("siblings()").contains("Session"));
        let ignored = format!("portcullis_session_packets_ignored_total{{sibling=\"{other}\"}}");
        assert_eq!(find_metric(&a, &ignored), None, "nobody sends packets beside the session");
        b.process.signal("KILL");
        b.process.wait();
        wait_for("the loss is seen", || state(&a, other) == Some(3));
        assert!(a.execute("siblings()").contains("Session lost"));
        // Although it was up a moment ago, which was told, too.
        a.log().wait_for(&format!("the session with the sibling {other} is up"));
        a.log().wait_for(&format!("the session with the sibling {other} broke"));
        report_many(&a, "192.0.2.1", 5);
        let b = node(other, &sibling(one), "");
        // Also what it had counted itself before it was killed: its sibling knows.
        wait_for("the fresh one knows all", || counts(&b, "192.0.2.1") == 12);
        report_many(&b, "192.0.2.1", 1);
        for daemon in [&a, &b] {
            wait_for("both count 13", || counts(daemon, "192.0.2.1") == 13);
        }
        wait_for_rest(&a, other);
        wait_for_rest(&b, one);
        assert_eq!((counts(&a, "192.0.2.1"), counts(&b, "192.0.2.1")), (13, 13));
        assert_eq!(stat(&b, &json!({"login": "joe"}), "who"), 1);
    }
}

#[test]
fn what_packets_lost_before_a_session_could_be_opened_is_made_good() {
    let [one, other, _] = sibling_ports();
    let beside = |addr: SocketAddr| SocketAddr::new(addr.ip(), address::fresh().port());
    let (to_b, to_a) = (beside(other), beside(one));
    // By TCP there is nothing yet at these ports.
    pass_datagrams(to_b, other, one.ip(), 3);
    pass_datagrams(to_a, one, other.ip(), 3);
    let (a, b) = (node(one, &[to_b.to_string()], ""), node(other, &[to_a.to_string()], ""));
    wait_for("they send packets", || state(&a, to_b) == Some(1) && state(&b, to_a) == Some(1));
    report_many(&a, "192.0.2.1", 30);
    report_many(&b, "192.0.2.1", 40);
    for (daemon, own) in [(&a, 30), (&b, 40)] {
        wait_for("packets arrive", || counts(daemon, "192.0.2.1") > own);
        assert!(counts(daemon, "192.0.2.1") < 70, "some are lost");
    }
    let _ways = [Relay::start(to_b, other, one.ip()), Relay::start(to_a, one, other.ip())];
    wait_for_sessions(&[(&a, to_b), (&b, to_a)]);
    for daemon in [&a, &b] {
        wait_for("nothing is missing, nothing counts twice", || counts(daemon, "192.0.2.1") == 70);
    }
    wait_for_rest(&a, to_b);
    wait_for_rest(&b, to_a);
    assert_eq!((counts(&a, "192.0.2.1"), counts(&b, "192.0.2.1")), (70, 70));
}

/// Three nodes, of which the first two reach each other only through relays.
struct Three {
    nodes: [Daemon; 3],
    /// The first one's way to the second, and back.
    ways: [Relay; 2],
}

impl Three {
    fn start(more: &str) -> Three {
        let addrs = sibling_ports();
        let [a, b, c] = addrs;
        let beside = |addr: SocketAddr| SocketAddr::new(addr.ip(), address::fresh().port());
        let ways = [Relay::start(beside(b), b, a.ip()), Relay::start(beside(a), a, b.ip())];
        let (to_b, to_a) = (ways[0].addr, ways[1].addr);
        let list = |addrs: [SocketAddr; 2]| addrs.map(|addr| format!("{addr}:tcp")).to_vec();
        let nodes =
            [node(a, &list([to_b, c]), more), node(b, &list([to_a, c]), more), node(c, &list([a, b]), more)];
        wait_for_sessions(&[
            (&nodes[0], to_b),
            (&nodes[0], c),
            (&nodes[1], to_a),
            (&nodes[1], c),
            (&nodes[2], a),
            (&nodes[2], b),
        ]);
        Three { nodes, ways }
    }

    fn set(&self, way: Way) {
        self.ways.iter().for_each(|relay| relay.set(way));
    }

    fn all_count(&self, ip: &str, sum: i64) {
        for daemon in &self.nodes {
            wait_for("all count the true sum", || counts(daemon, ip) == sum);
        }
    }
}

#[test]
fn a_partition_heals() {
    let three = Three::start("");
    let [a, b, c] = &three.nodes;
    for (daemon, times) in [(a, 1), (b, 2), (c, 3)] {
        report_many(daemon, "192.0.2.1", times);
    }
    three.all_count("192.0.2.1", 6);
    three.set(Way::Cut);
    wait_for("the cut is seen", || state(a, three.ways[0].addr) == Some(3));
    wait_for("the cut is seen", || state(b, three.ways[1].addr) == Some(3));
    for (daemon, times) in [(a, 4), (b, 5), (c, 6)] {
        report_many(daemon, "192.0.2.1", times);
    }
    wait_for("the one between them hears both", || counts(c, "192.0.2.1") == 21);
    let entry = json!({"login": "mallory", "expire_secs": 600, "reason": "test"});
    assert_eq!(a.client().post("/command/addBLEntry", &entry).status, 200);
    three.set(Way::Open);
    three.all_count("192.0.2.1", 21);
    wait_for("it goes on where it was", || session(a, "resumed", three.ways[0].addr) > 0);
    let denied = || b.client().allow(&json!({"login": "mallory", "remote": "192.0.2.9"}))["status"] == -1;
    wait_for("the entry arrives", denied);
    // A frame that was changed ends a session; the next one begins where it was.
    three.set(Way::Spoiled);
    report_many(a, "192.0.2.1", 1);
    let rejected =
        format!("portcullis_session_rejected_total{{reason=\"key\",sibling=\"{}\"}}", three.ways[0].addr);
    let rejected_here =
        format!("portcullis_session_rejected_total{{reason=\"key\",sibling=\"{}\"}}", three.ways[1].addr);
    wait_for("it is rejected", || {
        find_metric(a, &rejected).is_some() || find_metric(b, &rejected_here).is_some()
    });
    three.set(Way::Open);
    three.all_count("192.0.2.1", 22);
}

#[test]
fn a_reset_and_deleted_entries_hold_after_a_partition() {
    let three = Three::start("");
    let [a, b, c] = &three.nodes;
    for login in ["mallory", "eve"] {
        let entry = json!({"login": login, "expire_secs": 600, "reason": "test"});
        assert_eq!(c.client().post("/command/addBLEntry", &entry).status, 200);
    }
    let denied = |daemon: &Daemon, login: &str| {
        daemon.client().allow(&json!({"login": login, "remote": "192.0.2.9"}))["status"] == -1
    };
    report_many(b, "192.0.2.1", 2);
    for daemon in &three.nodes {
        wait_for("all know the entries", || denied(daemon, "mallory") && denied(daemon, "eve"));
        wait_for("and the login", || stat(daemon, &json!({"login": "joe"}), "who") == 1);
    }
    three.set(Way::Cut);
    wait_for("the cut is seen", || state(a, three.ways[0].addr) == Some(3));
    assert_eq!(a.client().post("/command/delBLEntry", &json!({"login": "mallory"})).status, 200);
    assert_eq!(a.client().post("/command/reset", &json!({"login": "joe"})).status, 200);
    three.set(Way::Open);
    for daemon in &three.nodes {
        wait_for("it is off the list", || !denied(daemon, "mallory"));
        wait_for("it is forgotten", || stat(daemon, &json!({"login": "joe"}), "who") == 0);
        assert!(denied(daemon, "eve"));
    }
}

#[test]
fn what_the_journal_has_no_room_for_is_repaired() {
    let three = Three::start("setSessionJournalBytes(4096)");
    let [a, b, _] = &three.nodes;
    wait_for_rest(a, three.ways[0].addr);
    three.set(Way::Cut);
    wait_for("the cut is seen", || state(a, three.ways[0].addr) == Some(3));
    for number in 0..150 {
        report(a, &format!("user{number}"), &format!("198.51.100.{number}"));
        report(b, &format!("user{number}"), &format!("198.51.100.{number}"));
    }
    wait_for("the journal is full", || metric(a, "portcullis_session_journal_overflowed_total") > 0);
    three.set(Way::Open);
    for number in 0..150 {
        three.all_count(&format!("198.51.100.{number}"), 2);
    }
    assert!(session(a, "gaps", three.ways[0].addr) > 0);
    wait_for("the repair is through", || session(a, "repairs", three.ways[0].addr) > 1);
    assert!(session(a, "repaired_keys", three.ways[0].addr) > 0);
}

#[test]
fn a_repair_tells_the_keys_that_differ_and_no_others() {
    let [one, other, _] = sibling_ports();
    let beside = |addr: SocketAddr| SocketAddr::new(addr.ip(), address::fresh().port());
    let ways = [Relay::start(beside(other), other, one.ip()), Relay::start(beside(one), one, other.ip())];
    let (to_b, to_a) = (ways[0].addr, ways[1].addr);
    let more = "setSessionJournalBytes(1048576)";
    let (a, b) = (node(one, &[format!("{to_b}:tcp")], more), node(other, &[format!("{to_a}:tcp")], more));
    wait_for_sessions(&[(&a, to_b), (&b, to_a)]);
    let count = |from: usize, to: usize| {
        let add = "getStringStatsDB('db1'):twAdd('key'..n, 'i', 1)";
        a.execute(&format!("for n = {from}, {to} do {add} end"));
    };
    let sum = |daemon: &Daemon, key: usize| stat(daemon, &json!({"login": format!("key{key}")}), "i");
    count(1, 1000);
    wait_for("all is there", || [1, 500, 1000].iter().all(|key| sum(&b, *key) == sum(&a, *key)));
    wait_for_rest(&a, to_b);
    wait_for_rest(&b, to_a);
    let repaired = || {
        let all = |daemon: &Daemon| -> u64 {
            let text = daemon.client().get("/metrics").text();
            let lines =
                text.lines().filter(|line| line.starts_with("portcullis_session_repaired_keys_total{"));
            lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
        };
        all(&a) + all(&b)
    };
    let overflowed = || metric(&a, "portcullis_session_journal_overflowed_total");
    let (before, gaps, repairs) = (repaired(), session(&a, "gaps", to_b), session(&a, "repairs", to_b));
    for way in &ways {
        way.set(Way::Cut);
    }
    wait_for("the cut is seen", || state(&a, to_b) == Some(3));
    assert_eq!(overflowed(), 0, "all of the thousand keys came by the journal");
    // More changes of five keys than it has room for, with all that was before.
    while overflowed() < 20_000 {
        a.execute("for n = 0, 999 do getStringStatsDB('db1'):twAdd('key'..(1 + n % 5), 'i', 1) end");
    }
    for way in &ways {
        way.set(Way::Open);
    }
    wait_for("the gap is repaired", || {
        session(&a, "gaps", to_b) > gaps && session(&a, "repairs", to_b) > repairs
    });
    wait_for("all is there", || (1..=5).all(|key| sum(&b, key) == sum(&a, key)));
    let repaired = repaired() - before;
    // Either end may send a key that differs, in the session of either.
    assert!((5..=20).contains(&repaired), "{repaired} keys of a thousand");
    assert_eq!(sum(&b, 777), sum(&a, 777));
}

#[test]
fn a_sibling_that_does_not_read_holds_up_nobody() {
    let three = Three::start("");
    let [a, b, c] = &three.nodes;
    three.set(Way::Held);
    for number in 0..100 {
        report(a, "joe", &format!("198.51.100.{number}"));
    }
    wait_for("the living hear of it", || counts(c, "198.51.100.99") == 1);
    let backlog = format!("portcullis_session_backlog{{sibling=\"{}\"}}", three.ways[0].addr);
    wait_for("what waits is shown", || metric(a, &backlog) > 0);
    assert_eq!(counts(b, "198.51.100.99"), 0);
    three.set(Way::Open);
    for number in 0..100 {
        wait_for("all arrives", || counts(b, &format!("198.51.100.{number}")) == 1);
    }
}

#[test]
fn siblings_come_and_go_at_run_time_and_with_the_configuration() {
    let [one, other, _] = sibling_ports();
    let (a, b) = (node(one, &[], ""), node(other, &[one.to_string()], ""));
    report(&a, "joe", "192.0.2.1");
    let add = json!({"sibling_host": other.ip().to_string(), "sibling_port": other.port(), "sibling_protocol": "udp"});
    assert_eq!(a.client().post("/command/addSibling", &add).status, 200);
    wait_for("the count arrives", || counts(&b, "192.0.2.1") == 1);
    assert_eq!(a.client().post("/command/removeSibling", &add).status, 200);
    wait_for("its session ends", || state(&b, one) != Some(2));
    report(&a, "joe", "192.0.2.1");
    // The file names it from now on.
    let mut text = std::fs::read_to_string(a.config()).unwrap();
    writeln!(text, "addSibling(\"{other}\")").unwrap();
    std::fs::write(a.config(), &text).unwrap();
    a.process.signal("HUP");
    wait_for("the count arrives", || counts(&b, "192.0.2.1") == 2);
    wait_for("it says so", || {
        a.log().all().iter().any(|line| line.ends_with(&format!("sibling {other} udp: added")))
    });
    let without = text.replace(&format!("addSibling(\"{other}\")\n"), "");
    std::fs::write(a.config(), without).unwrap();
    a.process.signal("HUP");
    wait_for("it is gone", || !a.execute("siblings()").contains(&other.to_string()));
    // What is added at the console still counts after that.
    a.execute(&format!("addSibling(\"{other}\")"));
    report(&a, "joe", "192.0.2.1");
    wait_for("the count arrives", || counts(&b, "192.0.2.1") == 3);
}

#[test]
fn what_was_saved_and_what_siblings_know_is_one_sum() {
    let [one, other, _] = sibling_ports();
    let folder = tempfile::tempdir().unwrap();
    let more = format!("setStateDir(\"{}\")\nsetStateInterval(3600)", folder.path().join("state").display());
    let a = node(one, &[other.to_string()], "");
    let mut b = node(other, &[one.to_string()], &more);
    wait_for_sessions(&[(&a, other), (&b, one)]);
    report_many(&a, "192.0.2.1", 2);
    report_many(&b, "192.0.2.1", 3);
    for daemon in [&a, &b] {
        wait_for("both count 5", || counts(daemon, "192.0.2.1") == 5);
    }
    assert!(b.terminate().success());
    wait_for("the loss is seen", || state(&a, other) == Some(3));
    report_many(&a, "192.0.2.1", 4);
    // Alone, it has what it saved; then its sibling adds only what is new.
    let alone = launch(other, &[], &more).start();
    assert_eq!(counts(&alone, "192.0.2.1"), 5);
    drop(alone);
    let b = node(other, &[one.to_string()], &more);
    for daemon in [&a, &b] {
        wait_for("both count 9", || counts(daemon, "192.0.2.1") == 9);
    }
    wait_for_rest(&b, one);
    wait_for_rest(&a, other);
    assert_eq!((counts(&a, "192.0.2.1"), counts(&b, "192.0.2.1")), (9, 9));
}

#[test]
fn siblings_have_the_last_changes_of_a_node_that_ends() {
    let [one, other, _] = sibling_ports();
    let way = Relay::start(SocketAddr::new(other.ip(), address::fresh().port()), other, one.ip());
    let mut a = node(one, &[format!("{}:tcp", way.addr)], "");
    let b = node(other, &[format!("{one}:tcp")], "");
    wait_for_sessions(&[(&a, way.addr), (&b, one)]);
    wait_for_rest(&a, way.addr);
    report_many(&a, "192.0.2.1", 200);
    assert!(a.terminate().success());
    wait_for("all is there", || counts(&b, "192.0.2.1") == 200);
    // One that does not take them is not waited for.
    let mut a = node(one, &[format!("{}:tcp", way.addr)], "");
    wait_for_sessions(&[(&a, way.addr)]);
    wait_for_rest(&a, way.addr);
    way.set(Way::Held);
    let backlog = format!("portcullis_session_backlog{{sibling=\"{}\"}}", way.addr);
    // More than what was on its way through the relay when it was stopped.
    wait_for("much waits", || {
        report(&a, "joe", "192.0.2.1");
        metric(&a, &backlog) > 20
    });
    assert!(a.terminate().success());
    a.log().wait_for("siblings do not have the last changes");
}
