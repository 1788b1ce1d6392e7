//! trackalert with a report store: what it keeps, what policies are told, what outlives its death.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

#[path = "../../host/wasm/tests/support/guest.rs"]
mod guest;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use portcullis_tests::osmem::Osmem;
use portcullis_tests::{Client, Daemon, Launch, PATIENCE, until};
use serde_json::{Value, json};

/// Endpoints that hand questions through.
const QUESTIONS: &str = r#"
addACL("127.0.0.0/8")
setPolicyBudget(60000)
local function text(value) return value == nil and "nil" or tostring(value) end
setReport(function(lt) infoLog("looked at", { login = lt.login, id = lt.report_id }) end)
setCustomEndpoint("count", function(args)
    local found, why = reportsCount(args.attrs)
    return true, { count = text(found), why = text(why) }
end)
setCustomEndpoint("find", function(args)
    local found, why = reportsFind({ login = args.attrs.login }, 100)
    if not found then return false, { why = text(why) } end
    local last = found[1] or {}
    return true, { number = text(#found), id = text(last.id), country = text(last.country), device = text(last.device),
        confirmation = text(last.confirmation) }
end)
setCustomEndpoint("seen", function(args)
    return true, { seen = text(reportsSeen(args.attrs.login, args.attrs.field, args.attrs.value, 0)) }
end)
setCustomEndpoint("confirm", function(args)
    return true, { known = text(reportsConfirm(args.attrs.id, args.attrs.as)) }
end)
setCustomEndpoint("search", function(args)
    local found, why = elasticSearch("wforce-reports-*", args.attrs.body)
    return true, { found = text(found), why = text(why) }
end)
"#;

fn embedded(folder: &Path, options: &str) -> String {
    format!(
        "setReportStore(\"embedded\", {{ path = \"{}\", query_timeout_ms = 60000{options} }})\n{QUESTIONS}",
        folder.display()
    )
}

fn ask(client: &Client, endpoint: &str, attrs: &Value) -> Value {
    let answer = client.post(&format!("/command/{endpoint}"), &json!({"attrs": attrs}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["r_attrs"].clone()
}

/// Waits until so many reports of a login are found.
fn counted(client: &Client, login: &str, number: u64) {
    let found = || ask(client, "count", &json!({"login": login}));
    let wanted = number.to_string();
    until("the reports are there", || (found()["count"] == wanted).then_some(()));
}

fn report(client: &Client, login: &str, remote: &str) {
    client.report(&json!({"login": login, "remote": remote, "success": true, "protocol": "imap",
        "device_attrs": {"imapc.family": "Thunderbird"}}));
}

#[test]
fn policies_ask_and_users_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Launch::trackalert(&embedded(folder.path(), "")).start();
    let client = daemon.client();
    report(&client, "anna", "192.0.2.1");
    report(&client, "anna", "192.0.2.2");
    report(&client, "bert", "2001:db8::1");
    counted(&client, "anna", 2);
    let last = ask(&client, "find", &json!({"login": "anna"}));
    assert_eq!((&last["number"], &last["device"]), (&json!("2"), &json!("imapc.family=Thunderbird")));
    let id = last["id"].as_str().unwrap().to_owned();
    // The report hook was told the same id.
    daemon.log().wait_for(&id);
    let seen = json!({"login": "anna", "field": "ip", "value": "192.0.2.2"});
    assert_eq!(ask(&client, "seen", &seen)["seen"], "true");
    assert_eq!(ask(&client, "confirm", &json!({"id": id, "as": "bad"}))["known"], "true");
    assert_eq!(ask(&client, "seen", &seen)["seen"], "false");
    let body = json!({"size": 0, "query": {"term": {"login": "anna"}}, "aggs": {"ip": {"terms": {"field": "remote"}}}});
    let found = ask(&client, "search", &json!({"body": body.to_string()}));
    let found: Value = serde_json::from_str(found["found"].as_str().unwrap()).unwrap();
    assert_eq!(found["hits"]["total"]["value"], 2);
    assert_eq!(found["aggregations"]["ip"]["buckets"].as_array().unwrap().len(), 2);
    // A question that makes no sense is the policy's error, and nobody else's.
    let wrong = client.post("/command/count", &json!({"attrs": {"user": "anna"}}));
    assert_eq!(wrong.status, 500, "{}", wrong.text());
    assert_eq!(client.metric("portcullis_report_store_taken_total{result=\"stored\"}"), Some(3.0));
    until("the numbers are sampled", || {
        client.metric("portcullis_report_store_reports{engine=\"embedded\"}").filter(|count| *count >= 3.0)
    });
    assert!(daemon.terminate().success());

    let daemon = Launch::trackalert(&embedded(folder.path(), "")).start();
    let last = ask(&daemon.client(), "find", &json!({"login": "anna"}));
    assert_eq!((&last["number"], &last["confirmation"]), (&json!("2"), &json!("bad")));
}

/// Killed in the middle of ingest, again and again: everything that was acknowledged is there, once.
#[test]
fn what_was_acknowledged_outlives_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Launch::trackalert(&embedded(folder.path(), "")).start();
    let mut daemon = start();
    let mut expected: Vec<(String, u64, u64)> = Vec::new();
    for round in 0..3_u64 {
        // Each sender counts what was acknowledged; the last report of each may or may not have been taken.
        let acknowledged = AtomicU64::new(0);
        let logins: Vec<String> = (0..4).map(|sender| format!("r{round}s{sender}")).collect();
        let counts: Vec<(String, u64, u64)> = thread::scope(|scope| {
            let senders: Vec<_> = logins
                .iter()
                .map(|login| {
                    let (client, acknowledged) = (daemon.client(), &acknowledged);
                    scope.spawn(move || send_until_dead(&client, login, acknowledged))
                })
                .collect();
            until("enough is acknowledged", || {
                (acknowledged.load(Ordering::Relaxed) > 200 * (round + 1)).then_some(())
            });
            daemon.process.signal("KILL");
            daemon.process.wait();
            logins
                .iter()
                .zip(senders)
                .map(|(login, sender)| {
                    let (sent, told) = sender.join().unwrap();
                    (login.clone(), sent, told)
                })
                .collect()
        });
        expected.extend(counts);
        daemon = start();
        let client = daemon.client();
        for (login, sent, told) in &expected {
            let count = ask(&client, "count", &json!({"login": login}))["count"].as_str().unwrap().to_owned();
            let count: u64 = count.parse().unwrap();
            assert!(
                (*told..=*sent).contains(&count),
                "{login}: {told} acknowledged, {sent} sent, {count} kept"
            );
        }
    }
}

/// How many reports were sent, and how many acknowledged, until the daemon was dead.
fn send_until_dead(client: &Client, login: &str, acknowledged: &AtomicU64) -> (u64, u64) {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let body = json!({"login": login, "remote": "192.0.2.1", "success": true}).to_string();
    let request = format!(
        "POST /command/report HTTP/1.1\r\nHost: x\r\nAuthorization: Basic d2ZvcmNlOnN1cGVyc2VjcmV0\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (mut sent, mut told) = (0, 0);
    let Ok(mut stream) = std::net::TcpStream::connect(client.address) else { return (0, 0) };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        sent += 1;
        if stream.write_all(request.as_bytes()).is_err() {
            return (sent, told);
        }
        let (mut status, mut length) = (String::new(), 0);
        if reader.read_line(&mut status).unwrap_or(0) == 0 {
            return (sent, told);
        }
        assert!(status.contains(" 200 "), "{status}");
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return (sent, told);
            }
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        if reader.read_exact(&mut vec![0; length]).is_err() {
            return (sent, told);
        }
        told += 1;
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_is_too_old_is_refused_and_counted_but_the_policy_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Launch::trackalert(&embedded(folder.path(), ", retention_days = 2")).start();
    let client = daemon.client();
    client.report(&json!({"login": "ancient", "remote": "192.0.2.1", "t": 1_000_000_000.0}));
    daemon.log().wait_for("older than 2 days");
    daemon.log().wait_for(r#"login="ancient""#);
    assert_eq!(client.metric("portcullis_report_store_taken_total{result=\"refused\"}"), Some(1.0));
    assert_eq!(ask(&client, "count", &json!({}))["count"], "0");
}

#[test]
fn a_store_in_use_or_options_that_make_no_sense_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let _daemon = Launch::trackalert(&embedded(folder.path(), "")).start();
    let output = Launch::trackalert(&embedded(folder.path(), "")).run();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("another process uses this report store"));
    let config = "setReportStore(\"embedded\", { path = \"x\", days = 3 })";
    let output = Launch::trackalert(config).args(&["--check-config"]).run();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && told.contains("trackalert.conf:1") && told.contains("\"days\""),
        "{told}"
    );
}

const GEOIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/capabilities/testdata");

/// What is known of an address when it comes in is stored with the report.
#[test]
fn reports_get_place_and_network_owner() {
    let found = |store: &str| {
        let daemon = Launch::trackalert(&format!("{store}\n{QUESTIONS}")).start();
        let client = daemon.client();
        client.report(&json!({"login": "anna", "remote": "1.128.0.7", "success": true}));
        client.report(&json!({"login": "bert", "remote": "81.2.69.142", "success": true}));
        counted(&client, "anna", 1);
        counted(&client, "bert", 1);
        let geoip = |login: &str| {
            let found = client.get(&format!("/reports.json?login={login}")).json();
            found["reports"][0]["geoip"].clone()
        };
        (geoip("anna"), geoip("bert"))
    };
    let folder = tempfile::tempdir().unwrap();
    let store = |name: &str, options: &str| {
        format!(
            "setReportStore(\"embedded\", {{ path = \"{}/{name}\", query_timeout_ms = 60000{options} }})",
            folder.path().display()
        )
    };
    let owners = format!("\"{GEOIP}/GeoLite2-ASN-Test.mmdb\"");
    let places = format!("\"{GEOIP}/GeoIP2-City-Test.mmdb\"");
    // By the names that are looked for.
    let usual = format!("newGeoIP2DB(\"ASN\", {owners})\nnewGeoIP2DB(\"City\", {places})\n");
    let (anna, bert) = found(&format!("{usual}{}", store("usual", "")));
    assert_eq!((&anna["asn"], &anna["as_org"]), (&json!(1221), &json!("Telstra Pty Ltd")));
    assert_eq!((&bert["country_code2"], &bert["city_name"]), (&json!("GB"), &json!("London")));
    // By names of the operator's own; others are not looked at then.
    let own = format!("newGeoIP2DB(\"who\", {owners})\nnewGeoIP2DB(\"where\", {places})\n");
    let (anna, bert) = found(&format!("{own}{}", store("own", ", asn_db = \"who\", place_db = \"where\"")));
    assert_eq!((&anna["asn"], &bert["country_code2"]), (&json!(1221), &json!("GB")));
    let (anna, bert) =
        found(&format!("{usual}{}", store("none", ", asn_db = \"who\", place_db = \"where\"")));
    assert_eq!((&anna["asn"], &bert["country_code2"]), (&Value::Null, &Value::Null));
}

/// Nothing is taken that there is no room for.
#[test]
fn when_the_servers_are_away_and_the_queue_is_full_senders_are_told() {
    let daemon = Launch::trackalert(
        "setReportStore(\"elasticsearch\", { hosts = \"http://127.0.0.1:9\", queue = 2 })\naddACL(\"127.0.0.0/8\")\n",
    )
    .start();
    let client = daemon.client();
    let refused = until("the queue is full", || {
        let response = client.post("/command/report", &json!({"login": "ada", "remote": "192.0.2.1"}));
        (response.status != 200).then_some(response)
    });
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()), "{refused:?}");
    assert!(refused.text().contains("too many reports wait"), "{}", refused.text());
    assert!(client.metric("portcullis_report_store_taken_total{result=\"full\"}").unwrap() >= 1.0);
}

/// Two trackalerts and a wforce that share a store; the server is a stand-in for OpenSearch.
#[test]
fn daemons_share_a_store() {
    let server = Osmem::start();
    let store = format!(
        "setReportStore(\"elasticsearch\", {{ hosts = \"{}\", query_timeout_ms = 60000 }})\n",
        server.url()
    );
    let jobs = r#"
setBackground("once", function() infoLog("it ran", {}) end)
intervalScheduleBackgroundFunc("00:00:01", "once", { once_per_cluster = true })
"#;
    let track = || Launch::trackalert(&format!("{store}{QUESTIONS}{jobs}")).start();
    let (one, two) = (track(), track());
    report(&one.client(), "joe", "192.0.2.1");
    report(&two.client(), "joe", "192.0.2.9");
    // What one was told, the other knows.
    counted(&one.client(), "joe", 2);
    counted(&two.client(), "joe", 2);

    // wforce's policies ask the same store; here a component does.
    let config = format!(
        "{store}loadPolicy(\"p\", \"p.wasm\", {{ deadline_ms = 60000 }})\nsetPolicyBudget(60000)\nsetAllow(\"p\")\n"
    );
    let wforce = Launch::new(&config).file("p.wasm", guest::asks_seen()).start();
    let allow = |login: &str| {
        wforce.client().allow(&json!({"login": login, "remote": "192.0.2.1"}))["status"].clone()
    };
    assert_eq!(allow("joe"), 11);
    assert_eq!(allow("jane"), 10);

    // The job runs; the leases say where: what one daemon runs the other leaves out.
    let ran = |daemon: &Daemon| {
        daemon.client().metric("portcullis_job_runs_total{job=\"once\",result=\"done\"}").unwrap_or(0.0)
    };
    until("the job runs", || (ran(&one) + ran(&two) >= 3.0).then_some(()));
    let left_out = |daemon: &Daemon| {
        let sample = "portcullis_job_skipped_total{job=\"once\",reason=\"elsewhere\"}";
        daemon.client().metric(sample).unwrap_or(0.0)
    };
    until("the other one leaves it out", || (left_out(&one) + left_out(&two) >= 1.0).then_some(()));

    // The server goes away: questions fail with the reason, reports wait, the daemons serve on.
    drop(server);
    let told = ask(&one.client(), "count", &json!({"login": "joe"}));
    assert!(told["count"] == "nil" && told["why"].as_str().unwrap().contains("unavailable"), "{told}");
    report(&one.client(), "joe", "192.0.2.1");
    until("it is seen to be away", || {
        one.client()
            .metric("portcullis_report_store_ready{engine=\"elasticsearch\"}")
            .filter(|ready| *ready == 0.0)
    });
}
