//! What keeps nodes from sharing something is said in the log.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::Daemon;
use portcullis_tests::cluster::{find_metric, node, sibling_ports, wait_for};
use serde_json::json;

fn entries(daemon: &Daemon) -> usize {
    daemon.client().get("/command/getBL").json()["bl_entries"].as_array().unwrap().len()
}

#[test]
fn stats_dbs_that_differ_are_named_with_what_differs() {
    let dbs = |window: u32, fields: &str| {
        format!(
            "newStringStatsDB('windows', {window}, 5, {{ n = 'int' }})\nnewStringStatsDB('fields', 60, 5, {fields})\n\
             newStringStatsDB('alone', {window}, 5, {{ n = 'int' }})\n\
             getStringStatsDB('windows'):twEnableReplication()\ngetStringStatsDB('fields'):twEnableReplication()"
        )
    };
    let [one, other, _] = sibling_ports();
    let a = node(one, &[format!("{other}:tcp")], &dbs(60, "{ n = 'int', who = 'hll' }"));
    let b = node(other, &[format!("{one}:tcp")], &dbs(600, "{ n = 'int', who = 'int' }"));
    for (daemon, sibling, windows, fields) in [
        (&a, other, "600 s there, of 60 s here", "int there, hll here"),
        (&b, one, "60 s there, of 600 s here", "hll there, int here"),
    ] {
        let head = format!("differs from that of the sibling {sibling}: ");
        daemon.log().wait_for(&format!(
            "the stats DB windows {head}its windows are of {windows}: nothing of it is shared"
        ));
        daemon.log().wait_for(&format!(
            "the stats DB fields {head}the field \"who\" is {fields}: that is not shared"
        ));
        // Not of those that are the same, or that this node shares with nobody.
        assert_eq!(daemon.log().count("differs from that of"), 2, "{:#?}", daemon.log().all());
    }
}

#[test]
fn an_entry_that_is_too_long_for_siblings_is_counted_and_named() {
    let [one, other, _] = sibling_ports();
    let a = node(one, &[format!("{other}:tcp")], "");
    let b = node(other, &[format!("{one}:tcp")], "");
    let state = format!("portcullis_session_state{{sibling=\"{other}\"}}");
    wait_for("a session is up", || find_metric(&a, &state) == Some(2));
    let long = "x".repeat(600_000);
    for login in [long.as_str(), "short"] {
        let entry = json!({"login": login, "expire_secs": 600, "reason": "why"});
        assert_eq!(a.client().post("/command/addBLEntry", &entry).status, 200);
    }
    let counted = "portcullis_session_too_long_total{what=\"entry\"}";
    wait_for("it is counted", || find_metric(&a, counted) > Some(0));
    a.log().wait_for(&format!(
        "siblings are told of 512 KiB of one thing at most, and it is longer: the entry login \"{}...(599900 bytes cut)\" of the \
         blacklist: no sibling is told of it",
        "x".repeat(100)
    ));
    wait_for("the other one is there", || entries(&b) == 1);
    assert_eq!((entries(&a), find_metric(&b, counted)), (2, Some(0)));
}
