//! Siblings on a network that loses packets: the kernel drops them, in a network namespace of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use portcullis_tests::cluster::{counts, find_metric, metric, node, report, sibling_ports, stat, wait_for};
use portcullis_tests::netns::{self, Network};
use portcullis_tests::{Daemon, PATIENCE};
use serde_json::json;

fn state(daemon: &Daemon, sibling: SocketAddr) -> Option<u64> {
    find_metric(daemon, &format!("portcullis_session_state{{sibling=\"{sibling}\"}}"))
}

fn others(of: usize, addrs: &[SocketAddr], protocol: &str) -> Vec<String> {
    let others = addrs.iter().enumerate().filter(|(number, _)| *number != of);
    others.map(|(_, addr)| format!("{addr}:{protocol}")).collect()
}

/// Three daemons that all know each other.
fn three(addrs: &[SocketAddr; 3], more: &str) -> [Daemon; 3] {
    [0, 1, 2].map(|number| node(addrs[number], &others(number, addrs, "udp"), more))
}

fn ips(addrs: &[SocketAddr]) -> Vec<IpAddr> {
    addrs.iter().map(SocketAddr::ip).collect()
}

/// So many of a hundred packets between these nodes and all are lost.
fn lose(network: &Network, percent: u8, these: &[SocketAddr], all: &[SocketAddr]) {
    network.lose(percent, &ips(these), &ips(all));
}

fn report_many(daemon: &Daemon, ip: &str, times: usize) {
    (0..times).for_each(|_| report(daemon, "joe", ip));
}

fn all_count(nodes: &[Daemon], ip: &str, sum: i64) {
    for daemon in nodes {
        wait_for("all count the true sum", || counts(daemon, ip) == sum);
    }
}

/// Nothing waits to be acknowledged: what is counted now stays.
fn wait_for_rest(nodes: &[Daemon], addrs: &[SocketAddr]) {
    for (number, daemon) in nodes.iter().enumerate() {
        for (_, sibling) in addrs.iter().enumerate().filter(|(other, _)| *other != number) {
            let backlog = format!("portcullis_session_backlog{{sibling=\"{sibling}\"}}");
            wait_for("the sibling has everything", || {
                state(daemon, *sibling) == Some(2) && metric(daemon, &backlog) == 0
            });
        }
    }
}

#[test]
fn sessions_count_the_true_sum_whatever_is_lost_and_whoever_is_killed() {
    netns::inside("sessions_count_the_true_sum_whatever_is_lost_and_whoever_is_killed", |network| {
        let addrs = sibling_ports();
        // From the first packet on.
        lose(network, 10, &addrs, &addrs);
        let mut nodes = three(&addrs, "");
        for (daemon, times) in nodes.iter().zip([100, 150, 200]) {
            report_many(daemon, "192.0.2.1", times);
        }
        for number in 0..60 {
            report(&nodes[number % 3], &format!("user{number}"), "198.51.100.1");
        }
        all_count(&nodes, "192.0.2.1", 450);
        all_count(&nodes, "198.51.100.1", 60);
        nodes[1].process.signal("KILL");
        nodes[1].process.wait();
        report_many(&nodes[0], "192.0.2.1", 30);
        nodes[1] = node(addrs[1], &others(1, &addrs, "udp"), "");
        report_many(&nodes[1], "192.0.2.1", 20);
        report_many(&nodes[2], "192.0.2.1", 10);
        all_count(&nodes, "192.0.2.1", 510);
        let before = network.lost();
        assert!(before > 0, "packets were lost");
        wait_for_rest(&nodes, &addrs);
        for daemon in &nodes {
            assert_eq!(
                (counts(daemon, "192.0.2.1"), counts(daemon, "198.51.100.1")),
                (510, 60),
                "none twice"
            );
            assert_eq!(stat(daemon, &json!({"login": "joe"}), "who"), 1);
        }
    });
}

#[test]
fn a_partition_in_which_packets_vanish_heals() {
    netns::inside("a_partition_in_which_packets_vanish_heals", |network| {
        let addrs = sibling_ports();
        let nodes = three(&addrs, "");
        let [a, b, c] = &nodes;
        for (daemon, times) in [(a, 1), (b, 2), (c, 3)] {
            report_many(daemon, "192.0.2.1", times);
        }
        all_count(&nodes, "192.0.2.1", 6);
        wait_for_rest(&nodes, &addrs);
        // No connection ends: nothing comes any more. The first one is alone.
        lose(network, 100, &addrs[..1], &addrs);
        for (daemon, times) in [(a, 10), (b, 20), (c, 30)] {
            report_many(daemon, "192.0.2.1", times);
        }
        wait_for("the others share", || counts(b, "192.0.2.1") == 56 && counts(c, "192.0.2.1") == 56);
        let entry = json!({"login": "mallory", "expire_secs": 600, "reason": "test"});
        assert_eq!(a.client().post("/command/addBLEntry", &entry).status, 200);
        wait_for("the silence is seen", || state(a, addrs[1]) == Some(3) && state(b, addrs[0]) == Some(3));
        assert_eq!(counts(a, "192.0.2.1"), 16);
        lose(network, 0, &addrs, &addrs);
        all_count(&nodes, "192.0.2.1", 66);
        let denied = |daemon: &Daemon| {
            daemon.client().allow(&json!({"login": "mallory", "remote": "192.0.2.9"}))["status"] == -1
        };
        wait_for("the entry arrives", || nodes.iter().all(denied));
    });
}

#[test]
fn what_datagrams_lost_while_tcp_was_shut_is_made_good() {
    netns::inside("what_datagrams_lost_while_tcp_was_shut_is_made_good", |network| {
        let addrs = sibling_ports();
        network.lose_each(20, 100, &ips(&addrs), &ips(&addrs));
        let nodes = three(&addrs, "setSiblingConnectTimeout(1000)");
        for (number, daemon) in nodes.iter().enumerate() {
            for sibling in others(number, &addrs, "") {
                let sibling: SocketAddr = sibling.trim_end_matches(':').parse().unwrap();
                wait_for("it sends packets", || state(daemon, sibling) == Some(1));
            }
        }
        for (daemon, times) in nodes.iter().zip([100, 150, 200]) {
            report_many(daemon, "192.0.2.1", times);
        }
        for (daemon, own) in nodes.iter().zip([100, 150, 200]) {
            wait_for("some arrive", || counts(daemon, "192.0.2.1") > own);
            assert!(counts(daemon, "192.0.2.1") < 450, "and some do not");
        }
        assert!(network.lost() > 0);
        lose(network, 0, &addrs, &addrs);
        all_count(&nodes, "192.0.2.1", 450);
        wait_for_rest(&nodes, &addrs);
        for daemon in &nodes {
            assert_eq!(counts(daemon, "192.0.2.1"), 450, "none twice");
        }
    });
}

#[test]
fn plain_packets_that_are_lost_stay_lost_and_the_others_count_once() {
    netns::inside("plain_packets_that_are_lost_stay_lost_and_the_others_count_once", |network| {
        let [one, other, _] = sibling_ports();
        let plain = "setReliableSessions(false)";
        let a = node(one, &[format!("{other}:udp")], plain);
        let b = node(other, &[format!("{one}:udp")], plain);
        lose(network, 20, &[one, other], &[one, other]);
        // Two packets each.
        report_many(&a, "192.0.2.1", 300);
        let sent = format!("wforce_replication_sent_total{{sibling=\"{other}\",status=\"ok\"}}");
        wait_for("all is sent", || metric(&a, &sent) == 600);
        let received = format!("wforce_replication_rcvd_total{{sibling=\"{}\",status=\"ok\"}}", one.ip());
        let arrived = || find_metric(&b, &received).unwrap_or(0);
        let deadline = Instant::now() + PATIENCE;
        while arrived() + network.lost() != 600 {
            let (arrived, lost) = (arrived(), network.lost());
            assert!(Instant::now() < deadline, "600 packets: {arrived} arrived, {lost} were lost");
        }
        assert!(network.lost() > 0);
        let counted = counts(&b, "192.0.2.1");
        assert!(counted > 0 && counted < 300, "{counted}");
        assert_eq!(counts(&a, "192.0.2.1"), 300);
        // On a network that is whole again what follows arrives.
        lose(network, 0, &[one, other], &[one, other]);
        report_many(&a, "192.0.2.1", 5);
        wait_for("they arrive", || counts(&b, "192.0.2.1") == counted + 5);
    });
}

#[test]
fn a_sibling_whose_packets_vanish_delays_nobody() {
    netns::inside("a_sibling_whose_packets_vanish_delays_nobody", |network| {
        for (protocol, more) in [
            ("tcp", "setReliableSessions(false)"),
            ("udp", "setReliableSessions(false)"),
            ("tcp", ""),
            ("udp", ""),
        ] {
            let [own, gone, _] = sibling_ports();
            lose(network, 100, &[own], &[gone]);
            // Whoever waited for one connect would wait for ten minutes.
            let more = format!("setSiblingConnectTimeout(600000)\n{more}");
            let daemon = node(own, &[format!("{gone}:{protocol}")], &more);
            let since = Instant::now();
            report_many(&daemon, "192.0.2.1", 200);
            let entry = json!({"login": "mallory", "expire_secs": 600, "reason": "test"});
            assert_eq!(daemon.client().post("/command/addBLEntry", &entry).status, 200);
            let denied = daemon.client().allow(&json!({"login": "mallory", "remote": "192.0.2.9"}));
            assert_eq!((denied["status"].as_i64(), counts(&daemon, "192.0.2.1")), (Some(-1), 200));
            assert!(since.elapsed() < 5 * PATIENCE, "{protocol}: {:?}", since.elapsed());
        }
        assert!(network.lost() > 0, "something was sent");
    });
}
