//! The parts together: wforce reports, trackalert remembers, a background function asks, an alert blocks.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::daemon::PASSWORD;
use portcullis_tests::osmem::Osmem;
use portcullis_tests::{Daemon, Launch, address, until};
use serde_json::json;

#[test]
fn a_slow_scan_is_found_in_the_past_and_blocked_in_the_present() {
    // wforce must know where trackalert is, and the other way round.
    let at = address::fresh();
    let wforce = Daemon::start(&format!(
        "addWebHook({{\"report\"}}, {{ url = \"http://{at}/command/report\", retries = \"20\", [\"basic-auth\"] = \"wforce:{PASSWORD}\" }})\n\
         setPolicyBudget(60000)\n"
    ));
    let track = Launch::trackalert(&format!(
        r#"
setPolicyBudget(60000)
setReportStore("embedded", {{ path = "store" }})
addAlertBlock{{ url = "http://{wforce}", password = "{PASSWORD}", seconds = 3600 }}
setAlertLimits{{ pause_ms = 10 }}
setReport(function(lt) infoLog("reported " .. lt.login, {{}}) end)
setBackground("slow-scan", function()
    local top, why = reportsTop({{ since = os.time() - 86400, success = false }}, "ip", "login", 10)
    if not top then error(why) end
    for _, entry in ipairs(top) do
        if entry.count >= 5 then
            alert{{ reason = "slow-scan", ip = newCA(entry.value), severity = "critical", block = "ip", channels = {{ "block" }},
                text = entry.count .. " users tried" }}
        end
    end
end)
intervalScheduleBackgroundFunc("00:00:01", "slow-scan", {{ deadline = "0:05" }})
"#,
        wforce = wforce.http
    ))
    .at(at)
    .start();
    let client = wforce.client();
    let try_in = |login: &str, remote: &str, success: bool| {
        client.report(&json!({"login": login, "remote": remote, "pwhash": "1", "success": success}));
    };
    for user in 0..6 {
        try_in(&format!("user{user}"), "192.0.2.66", false);
        try_in(&format!("user{user}"), "192.0.2.10", true);
        track.log().wait_for(&format!("reported user{user}"));
    }
    let blocked = until("the block", || {
        let answer = client.allow(&json!({"login": "another", "remote": "192.0.2.66", "pwhash": "2"}));
        (answer["status"] == -1).then_some(answer)
    });
    assert!(blocked["r_attrs"]["reason"].as_str().unwrap().contains("slow-scan"), "{blocked}");
    assert_eq!(
        client.allow(&json!({"login": "another", "remote": "192.0.2.10", "pwhash": "2"}))["status"],
        0
    );
    let jobs = track.client().get("/command/jobs").json();
    assert_eq!(
        (&jobs["jobs"][0]["failures"], &jobs["jobs"][0]["last"]["result"]),
        (&json!(0), &json!("done")),
        "{jobs}"
    );
}

/// Runs, and runs left to another daemon.
fn counts(daemon: &Daemon) -> (i64, i64) {
    let job = &daemon.client().get("/command/jobs").json()["jobs"][0];
    (job["runs"].as_i64().unwrap(), job["skipped"].as_i64().unwrap())
}

#[test]
fn of_two_daemons_with_one_store_one_runs_the_job_and_the_other_takes_over() {
    let osmem = Osmem::start();
    let config = format!(
        r#"
setReportStore("elasticsearch", {{ hosts = {{ "{}" }} }})
setBackground("scan", function() infoLog("scan ran", {{}}) end)
intervalScheduleBackgroundFunc("00:00:01", "scan", {{ once_per_cluster = true, deadline = 10 }})
"#,
        osmem.url()
    );
    let (mut one, mut other) = (Launch::trackalert(&config).start(), Launch::trackalert(&config).start());
    let sums = || {
        let (one, other) = (counts(&one), counts(&other));
        (one.0 + other.0, one.1 + other.1)
    };
    until("runs here and runs left out there", || {
        Some(sums()).filter(|(runs, skipped)| *runs >= 3 && *skipped >= 3)
    });
    for daemon in [&one, &other] {
        assert_eq!(daemon.client().get("/command/jobs").json()["jobs"][0]["failures"], 0);
    }
    // The one that ran last goes away; the other does not wait for it for ever.
    if counts(&one).0 < counts(&other).0 {
        std::mem::swap(&mut one, &mut other);
    }
    let before = counts(&other).0;
    one.process.kill();
    until("the other's runs", || (counts(&other).0 >= before + 2).then_some(()));
}

/// What trackalert has no room for wforce keeps and sends again: nothing is lost between the two.
#[test]
fn wforce_sends_again_what_trackalert_refused() {
    let launch = Launch::trackalert(
        r#"
setNumLuaStates(1)
setReportQueueSize(1)
setPolicyBudget(300000)
setReport(function(lt)
    while not io.open("go") do os.execute("sleep 0.1") end
    infoLog("looked at " .. lt.login .. ".", {})
end)
"#,
    );
    let go = launch.folder().join("go");
    let track = launch.start();
    let wforce = Daemon::start(&format!(
        "addWebHook({{\"report\"}}, {{ url = \"http://{}/command/report\", retries = \"100\", [\"basic-auth\"] = \"wforce:{PASSWORD}\" }})\n",
        track.http
    ));
    for number in 0..8 {
        wforce
            .client()
            .report(&json!({"login": format!("user{number}"), "remote": "192.0.2.1", "success": true}));
    }
    let refused = || track.client().metric("portcullis_reports_refused_total").filter(|count| *count >= 3.0);
    until("some are refused", refused);
    std::fs::write(go, "").unwrap();
    for number in 0..8 {
        track.log().wait_for(&format!("looked at user{number}."));
    }
    for number in 0..8 {
        assert_eq!(track.log().count(&format!("looked at user{number}.")), 1, "user{number}");
    }
}
