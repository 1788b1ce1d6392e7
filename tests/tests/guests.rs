//! What the SDK makes of a policy in Rust, at work in a real `wforce`: every hook, and a policy without the standard library.
//!
//! Needs the components in `target/test-guests`, which `scripts/policies test` builds.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::{Daemon, Launch, tools};
use serde_json::json;

fn with_guest(name: &str, config: &str) -> Daemon {
    let file = tools::test_guest(name);
    Daemon::start(&config.replace("GUEST", &file.display().to_string()))
}

#[test]
fn every_hook_of_a_component_is_called() {
    let daemon = with_guest(
        "all-hooks",
        "newStringStatsDB('all_hooks', 600, 6, { seen = 'int' })\n\
         loadPolicy('all', 'GUEST', {})\n\
         for _, set in ipairs({ setAllow, setReport, setReset, setCanonicalize }) do set('all') end\n\
         setCustomEndpoint('mirror', false, 'all')\nsetCustomEndpoint('nothing', false, 'all')\n\
         setCustomGetEndpoint('size', 'all')\n",
    );
    let client = daemon.client();
    let login = json!({"login": "  Alice ", "remote": "192.0.2.1", "success": false});
    assert_eq!(client.allow(&login)["status"], 0);
    client.report(&login);
    let answer = client.allow(&json!({"login": "ALICE", "remote": "192.0.2.1"}));
    assert_eq!(
        (&answer["status"], &answer["r_attrs"]["seen"]),
        (&json!(7), &json!("1")),
        "one spelling for all"
    );

    let mirror = json!({"attrs": {"a": "1", "b": ["2", "3"]}});
    let mirror = client.post("/command/mirror", &mirror).json();
    assert_eq!(
        (&mirror["success"], &mirror["r_attrs"]),
        (&json!(true), &json!({"a": "1", "b": "2+3"})),
        "{mirror}"
    );
    let refused = client.post("/command/mirror", &json!({"attrs": {"refuse": "yes"}})).json();
    assert_eq!(
        (&refused["success"], &refused["r_attrs"]["refuse"]),
        (&json!(false), &json!("yes")),
        "{refused}"
    );
    let nothing = client.post("/command/nothing", &json!({"attrs": {}}));
    assert_eq!(nothing.status, 500, "{}", nothing.text());
    assert_eq!(client.get("/command/size").text().trim(), "1 keys, says size");

    // Of what is named it knows logins only, and says so.
    client.post("/command/reset", &json!({"ip": "192.0.2.1", "ja3": "abc"}));
    daemon.log().wait_for("asked to forget: ip=\"192.0.2.1\" login=\"\" ja3=\"abc\"");
    assert_eq!(client.allow(&login)["status"], 7);
    assert_eq!(client.post("/command/reset", &json!({"login": "alice"})).json()["status"], "ok");
    assert_eq!(client.allow(&login)["status"], 0);
    let policies = daemon.execute("showPolicies()");
    for hook in ["allow", "report", "reset", "canonicalize", "endpoint", "background"] {
        assert!(policies.contains(hook), "{hook}: {policies}");
    }
}

#[test]
fn a_component_does_trackalerts_jobs() {
    let file = tools::test_guest("all-hooks");
    let daemon = Launch::trackalert(&format!(
        "loadPolicy('all', '{}', {{}})\nsetBackground('sweep', 'all')\n\
         intervalScheduleBackgroundFunc('00:00:01', 'sweep')\n",
        file.display()
    ))
    .start();
    let line = daemon.log().wait_for("a component's job ran");
    assert!(line.contains("job=\"sweep\""), "{line}");
}

#[test]
fn a_policy_needs_no_standard_library() {
    let daemon = with_guest(
        "no-std",
        "newStringStatsDB('small', 600, 6, { wrong = 'hll' })\n\
         loadPolicy('small', 'GUEST', { settings = { db = 'small', limit = 1 }, on_error = 'deny' })\n\
         setAllow('small')\nsetReport('small')\n",
    );
    let client = daemon.client();
    for hash in ["a", "b"] {
        let login = json!({"login": "alice", "remote": "192.0.2.1", "pwhash": hash, "success": false});
        assert_eq!(client.allow(&login)["status"], 0);
        client.report(&login);
    }
    let answer = client.allow(&json!({"login": "alice", "remote": "192.0.2.1"}));
    assert_eq!((&answer["status"], &answer["r_attrs"]["wrong"]), (&json!(-1), &json!("2")));
    assert_eq!(client.allow(&json!({"login": "panic", "remote": "192.0.2.1"}))["status"], -1);
    daemon.log().wait_for("asked to panic");
    assert_eq!(client.allow(&json!({"login": "bob", "remote": "192.0.2.1"}))["status"], 0);
}
