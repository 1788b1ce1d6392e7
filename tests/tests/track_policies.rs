//! trackalert's shipped policies, as components and in Lua: both tell of the same in the same three months of logins.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::process::Command;

use portcullis_tests::osmem::Osmem;
use portcullis_tests::track::{CHINA, DAY, HOUR, LONDON, Past, SWEDEN, Twin, set, told, told_with};
use portcullis_tests::{Launch, process, tools};
use serde_json::json;

/// With the settings that the test needs: a wide window, because reports of the past are made one by one.
const POLICIES: [(&str, &str); 6] = [
    ("new-login-alert", "scan = { window = 900, lag = 0 }"),
    ("impossible-travel-alert", "scan = { window = 900, lag = 0 }"),
    ("compromised-account", "scan = { window = 900, lag = 0 }"),
    ("dormant-account", "scan = { window = 900, lag = 0 }"),
    ("slow-scan", ""),
    ("credential-stuffing", ""),
];

fn three_months(past: &mut Past) {
    // Somebody whose account is suddenly used from China, an hour after the last login at home.
    for day in 1..40 {
        past.report(f64::from(day) * DAY, "ada", LONDON, true);
    }
    past.report(HOUR, "ada", LONDON, true);
    past.report(30.0, "ada", CHINA, true);
    // Somebody who logs in at home.
    for day in 0..40 {
        past.report(f64::from(day) * DAY + 40.0, "dan", LONDON, true);
    }
    // One whose password was guessed from many networks.
    for number in 0..25 {
        past.report(2.0 * HOUR + f64::from(number), "bob", &format!("198.18.{number}.1"), false);
    }
    past.report(30.0, "bob", SWEDEN, true);
    // One that was not used for three months.
    past.report(90.0 * DAY, "cyd", LONDON, true);
    past.report(30.0, "cyd", LONDON, true);
    // A slow scan.
    for number in 0..25 {
        past.report(f64::from(number) * 5.0 * HOUR + 30.0, &format!("slow{number}"), "203.0.113.5", false);
    }
    // A list of passwords, one of which was right.
    for number in 0..45 {
        past.report(
            5.0 * HOUR - f64::from(number) * 60.0,
            &format!("list{}", number * 7 % 45),
            "203.0.113.9",
            false,
        );
    }
    past.report(4.0 * HOUR, "eve", "203.0.113.9", true);
}

fn expected() -> BTreeSet<(String, String)> {
    set(&[
        ("new-country", "ada"),
        ("impossible-travel", "ada"),
        ("compromised-account", "bob"),
        ("dormant-account", "cyd"),
        ("slow-scan", "203.0.113.5"),
        ("slow-scan", "203.0.113.9"),
        ("credential-stuffing", "203.0.113.9"),
        ("stuffed-account", "eve"),
    ])
}

fn is_told(twin: Twin) {
    assert_eq!(told(twin, &POLICIES, three_months), expected());
}

#[test]
fn in_lua() {
    is_told(Twin::Lua);
}

#[test]
fn as_components() {
    is_told(Twin::Component);
}

/// Over the other engine; the server is a stand-in for OpenSearch.
#[test]
fn over_elasticsearch() {
    let server = Osmem::start();
    let store = format!(
        "setReportStore(\"elasticsearch\", {{ hosts = \"{}\", retention_days = 400, query_timeout_ms = 60000 }})",
        server.url()
    );
    assert_eq!(told_with(&store, Twin::Lua, &POLICIES, three_months), expected());
}

/// What each policy's folder says is needed of the configuration, and when the policy then runs.
#[test]
fn the_shipped_configurations_load_and_schedule() {
    for (policy, schedule) in [
        ("new-login-alert", "every 00:01:00"),
        ("impossible-travel-alert", "every 00:01:00"),
        ("compromised-account", "every 00:01:00"),
        ("dormant-account", "every 00:01:00"),
        ("slow-scan", "cron 15 */6 * * *"),
        ("credential-stuffing", "cron 5 * * * *"),
    ] {
        let shipped = tools::workspace().join("policies/track").join(policy).join("policy.conf");
        let config = |more: &str| {
            format!(
                "setReportStore(\"embedded\", {{ path = \"reports\" }})\n{more}policy_folder = \"{}\"\ndofile(\"{}\")\n",
                tools::shipped_components().display(),
                shipped.display()
            )
        };
        let needed =
            format!("policy \"{policy}\" may ask the report store, but there is none (setReportStore)");
        let check = |config: &str| {
            let output = Launch::trackalert(config).args(&["--check-config"]).run();
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{policy}: {told}");
            told
        };
        // Nobody would be told: that is said.
        let told = check(&config(""));
        let warning = format!("policy \"{policy}\" may raise alerts, but there is no channel");
        assert!(told.contains(&warning) && !told.contains(&needed), "{told}");
        // Nor would anything be found without a store.
        let told = check(&config("").replace("setReportStore(", "--"));
        assert!(told.lines().any(|line| line.starts_with("warning ") && line.contains(&needed)), "{told}");
        let webhook = config("addAlertWebhook(\"hook\", { url = \"http://127.0.0.1:9/\" })\n");
        let told = check(&webhook);
        assert!(!told.contains("warning"), "{told}");
        assert!(
            told.lines()
                .any(|line| line.starts_with("job ") && line.contains(&format!("{policy}: {schedule} ("))),
            "{told}"
        );

        let daemon = Launch::trackalert(&webhook).start();
        let jobs = daemon.client().get("/command/jobs").json();
        let job = &jobs["jobs"][0];
        assert_eq!((&job["name"], &job["schedule"]), (&json!(policy), &json!(schedule)), "{jobs}");
        assert_eq!(job["once_per_cluster"], true, "{jobs}");
        assert!(job["next"].is_f64() || job["next"].is_i64(), "{jobs}");
    }
}

/// A component whose every question will fail: the start says so, and the tool.
#[test]
fn a_component_without_the_store_that_it_asks_is_told() {
    let daemon = Launch::trackalert(&Twin::Component.lines("slow-scan", "")).start();
    let told = "policy \"slow-scan\" may ask the report store, but there is none (setReportStore)";
    daemon.log().wait_for(told);
    let config = daemon.config().display().to_string();
    let output = process::run(Command::new(tools::portcullis()).args([
        "check",
        "--daemon",
        "trackalert",
        config.as_str(),
    ]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success()
            && text.lines().any(|line| line.starts_with("warning ") && line.contains(told)),
        "{text}"
    );
}
