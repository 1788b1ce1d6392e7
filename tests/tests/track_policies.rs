//! trackalert's shipped policies, as components and in Lua: both tell of the same in the same three months of logins.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_tests::receiver::Receiver;
use portcullis_tests::{Daemon, Launch, tools, until};
use serde_json::{Value, json};

const POLICIES: [&str; 6] = [
    "new-login-alert",
    "impossible-travel-alert",
    "compromised-account",
    "dormant-account",
    "slow-scan",
    "credential-stuffing",
];

/// Networks whose places the databases of the tests know.
const LONDON: &str = "81.2.69.142";
const CHINA: &str = "175.16.199.1";
const SWEDEN: &str = "89.160.20.112";

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

/// Reports with times of their own.
struct Past<'a> {
    daemon: &'a Daemon,
    now: f64,
    count: usize,
}

impl Past<'_> {
    fn report(&mut self, ago: f64, login: &str, remote: &str, success: bool) {
        let tuple = json!({"login": login, "remote": remote, "success": success, "t": self.now - ago, "pwhash": "1",
            "protocol": "imap", "device_attrs": {"imapc.family": "Thunderbird", "os.family": "Linux"}});
        self.daemon.client().report(&tuple);
        self.count += 1;
    }
}

fn three_months(past: &mut Past<'_>) {
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

/// Reason, and login or address, of everything that is told.
fn told(policies: &str, settings: &str) -> BTreeSet<(String, String)> {
    let receiver = Receiver::start("200 OK");
    let city = tools::workspace().join("host/capabilities/testdata/GeoIP2-City-Test.mmdb");
    let daemon = Launch::trackalert(&format!(
        "setReportStore(\"embedded\", {{ path = \"reports\", retention_days = 400 }})\nsetPolicyBudget(60000)\n\
         newGeoIP2DB(\"City\", \"{}\")\naddAlertWebhook(\"hook\", {{ url = \"{}\" }})\n{settings}{policies}",
        city.display(),
        receiver.url(),
    ))
    .start();
    let client = daemon.client();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let mut past = Past { daemon: &daemon, now, count: 0 };
    three_months(&mut past);
    let count = past.count;
    let mut query = "from=0".to_owned();
    let mut seen = 0;
    until("the reports", || {
        // Page after page.
        let page = client.get(&format!("/reports.json?{query}")).json();
        seen += page["reports"].as_array()?.len();
        match page["before"].as_str() {
            Some(before) => query = format!("from=0&before={before}"),
            None if seen >= count => return Some(()),
            None => (query, seen) = ("from=0".to_owned(), 0),
        }
        None
    });
    for policy in POLICIES {
        assert_eq!(client.post("/command/runBackground", &json!({"name": policy})).status, 200, "{policy}");
        let last = until(policy, || {
            let jobs = client.get("/command/jobs").json();
            let job = jobs["jobs"].as_array()?.iter().find(|job| job["name"] == policy)?.clone();
            (job["last"].is_object() && job["running"] == 0).then(|| job["last"].clone())
        });
        assert_eq!(last["result"], "done", "{policy}: {last} {:#?}", daemon.log().all());
    }
    let queued = client.metric("portcullis_alerts_total{result=\"queued\"}").unwrap_or(0.0);
    let mut told = BTreeSet::new();
    for _ in 0..queued as usize {
        let body: Value = serde_json::from_str(&receiver.next().body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let subject = if text("login").is_empty() { text("remote") } else { text("login") };
        told.insert((text("reason"), subject));
    }
    told
}

fn expected() -> BTreeSet<(String, String)> {
    [
        ("new-country", "ada"),
        ("impossible-travel", "ada"),
        ("compromised-account", "bob"),
        ("dormant-account", "cyd"),
        ("slow-scan", "203.0.113.5"),
        ("slow-scan", "203.0.113.9"),
        ("credential-stuffing", "203.0.113.9"),
        ("stuffed-account", "eve"),
    ]
    .into_iter()
    .map(|(reason, subject)| (reason.to_owned(), subject.to_owned()))
    .collect()
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
        let check = |config: &str| {
            let output = Launch::trackalert(config).args(&["--check-config"]).run();
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{policy}: {told}");
            told
        };
        // Nobody would be told: that is said.
        let told = check(&config(""));
        let warning = format!("policy \"{policy}\" may raise alerts, but there is no channel");
        assert!(told.contains(&warning), "{told}");
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

/// The settings that the test needs: a wide window, because reports of the past are made one by one.
fn scan(policy: &str) -> &'static str {
    if matches!(policy, "slow-scan" | "credential-stuffing") {
        ""
    } else {
        "scan = { window = 900, lag = 0 }"
    }
}

#[test]
fn in_lua() {
    let folder = tools::workspace().join("policies/track");
    let mut lines = format!("track_folder = \"{}\"\n", folder.display());
    for policy in POLICIES {
        let line = format!(
            "setBackground(\"{policy}\", assert(loadfile(\"{}/{policy}/policy.lua\"))({{ {} }}).background)\n",
            folder.display(),
            scan(policy)
        );
        lines.push_str(&line);
    }
    assert_eq!(told(&lines, ""), expected());
}

#[test]
fn as_components() {
    let mut lines = String::new();
    for policy in POLICIES {
        // As `make policies` puts them there.
        let wasm =
            tools::wforce().ancestors().nth(2).unwrap().join("policies").join(format!("{policy}.wasm"));
        assert!(wasm.is_file(), "{} is missing: run `make policies` first", wasm.display());
        let line = format!(
            "loadPolicy(\"{policy}\", \"{}\", {{ settings = {{ {} }}, deadline_ms = 60000, host_calls = 1000000,\n\
             capabilities = {{ reports = true, alerts = true }} }})\nsetBackground(\"{policy}\", \"{policy}\")\n",
            wasm.display(),
            scan(policy)
        );
        lines.push_str(&line);
    }
    assert_eq!(told(&lines, ""), expected());
}
