//! What trackalert's queue of reports does at its bounds, and at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::{Launch, until};
use serde_json::json;

/// One policy state, which looks at reports for as long as there is no file `go`.
const STUCK: &str = r#"
setNumLuaStates(1)
setPolicyBudget(300000)
setReport(function(lt)
    while not io.open("go") do os.execute("sleep 0.1") end
    infoLog("looked at " .. lt.login .. ".", {})
end)
"#;

#[test]
fn a_full_queue_says_so_and_loses_nothing_that_it_took() {
    let launch = Launch::trackalert(
        r#"
setNumLuaStates(1)
setReportQueueSize(3)
setPolicyBudget(300000)
setReport(function(lt)
    infoLog("began", {})
    while not io.open("go") do os.execute("sleep 0.1") end
    infoLog("looked at " .. lt.login, {})
end)
"#,
    );
    let go = launch.folder().join("go");
    let mut daemon = launch.start();
    let client = daemon.client();
    let mut taken = 0;
    let refused = until("a refusal", || {
        let response = client.post("/command/report", &json!({"login": format!("user{taken}")}));
        if response.status == 200 {
            taken += 1;
            return None;
        }
        Some(response)
    });
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    let reason = refused.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("too many reports wait to be processed"), "{reason}");
    assert!(client.metric("portcullis_reports_refused_total").unwrap() >= 1.0);
    assert_eq!(client.metric("portcullis_reports_waiting"), Some(f64::from(taken)));
    daemon.log().wait_for("too many reports wait");

    // Told to end, it takes no more and works off what it has.
    daemon.process.signal("TERM");
    daemon.log().wait_for("SIGTERM");
    std::fs::write(go, "").unwrap();
    assert!(daemon.process.wait().success());
    for user in 0..taken {
        assert_eq!(daemon.log().count(&format!("looked at user{user}")), 1, "{:#?}", daemon.log().all());
    }
}

/// Few reports, but large ones: the bound in bytes holds.
#[test]
fn the_queue_is_bounded_in_bytes() {
    let launch = Launch::trackalert(&format!("{STUCK}setReportQueueSize(100000, 1)\n"));
    let go = launch.folder().join("go");
    let daemon = launch.start();
    let client = daemon.client();
    let (mut taken, text) = (0, "x".repeat(60_000));
    let refused = until("a refusal", || {
        let tuple = json!({"login": format!("user{taken}"), "remote": "192.0.2.1", "attrs": {"text": text}});
        let response = client.post("/command/report", &tuple);
        if response.status == 200 {
            taken += 1;
            return None;
        }
        Some(response)
    });
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{}", refused.text());
    assert!((5..50).contains(&taken), "{taken} of 60 kB each in one MiB");
    let waiting = client.metric("portcullis_reports_waiting_bytes").unwrap();
    assert!(waiting > 300_000.0 && waiting <= f64::from(1 << 20), "{waiting}");
    std::fs::write(go, "").unwrap();
    for user in 0..taken {
        daemon.log().wait_for(&format!("looked at user{user}."));
    }
    until("there is room again", || {
        (client.metric("portcullis_reports_waiting_bytes") == Some(0.0)).then_some(())
    });
}

/// What could not be processed in the time that the end has is told.
#[test]
fn what_is_lost_at_the_end_is_told() {
    let mut daemon = Launch::trackalert(STUCK).start();
    let client = daemon.client();
    for user in 0..3 {
        client.report(&json!({"login": format!("user{user}"), "remote": "192.0.2.1"}));
    }
    daemon.process.signal("TERM");
    daemon.log().wait_for("3 reports could not be processed before the end");
    daemon.process.wait();
}

/// A store of its own makes no daemon the only one: that is said at the start.
#[test]
fn once_per_cluster_without_a_shared_store_is_warned_of() {
    let daemon = Launch::trackalert(
        "setBackground(\"scan\", function() end)\n\
         intervalScheduleBackgroundFunc(\"24\", \"scan\", { once_per_cluster = true })\n",
    )
    .start();
    daemon.log().wait_for("\"scan\" is to run once per cluster, but its report store is not shared");
}
