//! trackalert as its clients and operators see it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::process::Command;

use portcullis_tests::daemon::PASSWORD;
use portcullis_tests::{Daemon, Launch, Response, process, tools, until};
use serde_json::json;

/// What wforce's own trackalert takes; only the budget is ours, for a busy machine.
const CONFIGURATION: &str = r#"
addACL("127.0.0.0/8")
setPolicyBudget(60000)
setNumSchedulerThreads(2)
setNumReportThreads(4)
addCustomStat("seen")
addCustomWebHook("alert", { url = "http://127.0.0.1:9/", secret = "s" })
function report(lt)
    incCustomStat("seen")
    infoLog("report", { login = lt.login, t = tostring(lt.t), device = lt.device_attrs["os.family"] or "none" })
    if lt.login == "boom" then error("boom") end
end
setReport(report)
function background() infoLog("background function ran", {}) end
setBackground("background", background)
cronScheduleBackgroundFunc("0 0 1 1 *", "background")
intervalScheduleBackgroundFunc("00:00:01", "background")
function custom(args)
    if args.attrs.fail then error('a "quoted" reason') end
    return true, { echo = args.attrs.say or "nothing" }
end
setCustomEndpoint("custom", custom)
"#;

fn start(config: &str) -> Daemon {
    Launch::trackalert(config).start()
}

fn is(response: &Response, status: u16, body: &str) {
    assert_eq!((response.status, response.text().as_str()), (status, body));
}

#[test]
fn a_configuration_of_wforces_trackalert_is_served() {
    let mut daemon = start(CONFIGURATION);
    let client = daemon.client();
    client.report(&json!({"login": "ahu", "remote": "192.0.2.1", "t": 1234.5, "device_id": "Mozilla/5.0", "protocol": "http"}));
    // The time is the client's, and device strings are not read: the wforce before it does that.
    daemon.log().wait_for("report: ");
    let line = daemon.log().wait_for(r#"login="ahu""#);
    assert!(line.contains(r#"t="1234.5""#) && line.contains(r#"device="none""#), "{line}");
    daemon.log().wait_for_count("background function ran", 2);
    is(
        &client.post("/command/custom", &json!({"attrs": {"say": "hello"}})),
        200,
        r#"{"r_attrs": {"echo": "hello"}, "success": true}"#,
    );
    let stats = client.get("/command/stats").json();
    let names: Vec<&String> = stats.as_object().unwrap().keys().collect();
    assert_eq!(names, ["perfstats", "reports", "sys-msec", "uptime", "user-msec"]);
    assert_eq!(stats["reports"], 1);
    assert_eq!(client.get("/command/readyz").status, 200);
    assert_eq!(client.with_credentials(None).get("/command/livez").status, 200);

    assert_eq!(daemon.execute("stats()").trim_end(), "1 reports");
    assert!(daemon.execute("showVersion()").starts_with("trackalert "));
    assert_eq!(
        daemon.execute("showCustomEndpoints()").trim_end_matches('\n'),
        format!("{:<30} \n{:<30} ", "Custom Endpoint", "custom")
    );
    assert_eq!(daemon.execute("return durationToSeconds('5:01')"), "18060");

    assert_eq!(client.metric("trackalert_commands_total{cmd=\"report\"}"), Some(1.0));
    assert_eq!(client.metric("trackalert_commands_total{cmd=\"custom\"}"), Some(1.0));
    assert_eq!(client.metric("trackalert_custom_stats_total{metric=\"seen\"}"), Some(1.0));
    assert_eq!(client.metric("portcullis_reports_waiting"), Some(0.0));
    assert_eq!(client.metric("wforce_commands_total{cmd=\"report\"}"), None);
    assert!(daemon.terminate().success());
}

#[test]
fn the_check_tells_what_would_be_served_or_what_is_wrong() {
    let check = |config: &str| {
        let output = Launch::trackalert(config).args(&["--check-config"]).run();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (fine, told) = check(CONFIGURATION);
    assert!(fine && told.contains("background: cron 0 0 1 1 *"), "{told}");
    for (config, part) in [
        ("cronScheduleBackgroundFunc('* * * *', 'x')", "a cron line has five fields"),
        ("cronScheduleBackgroundFunc('0 0 31 2 *', 'x')", "it would never run"),
        ("intervalScheduleBackgroundFunc('30m', 'x')", "is no interval"),
        ("intervalScheduleBackgroundFunc('0:00', 'x')", "without pause"),
        ("cronScheduleBackgroundFunc('@daily', 'x', { every = 1 })", "there is no option \"every\""),
        ("cronScheduleBackgroundFunc('@daily', 'x', { overlap = 1 })", "\"true\" or \"false\""),
        (
            "\ncronScheduleBackgroundFunc('@daily', 'nobody')",
            "trackalert.conf:2: a schedule names the background function \"nobody\"",
        ),
        ("newStringStatsDB('a', 1, 1, {})", "nil value"),
    ] {
        let (fine, told) = check(config);
        assert!(!fine && told.contains(part), "{config}: {told}");
    }
}

#[test]
fn errors_are_told_in_wforces_words() {
    let daemon = start(CONFIGURATION);
    let client = daemon.client();
    let post = |target: &str, body: &str| client.request("POST", target, &[], body.as_bytes());
    is(
        &post("/command/report", "x\"y"),
        500,
        r#"{"status":"failure", "reason":"expected value, got 'x' (120)"}"#,
    );
    is(&post("/command/report", "null"), 500, r#"{"status":"failure", "reason":""}"#);
    // What is JSON was taken; the log tells what came of it.
    is(&post("/command/report", r#"{"remote":"nonsense"}"#), 200, r#"{"status":"ok"}"#);
    daemon.log().wait_for("report not processed: Unable to convert presentation address 'nonsense'");
    is(&post("/?command=report", r#"{"login":"boom"}"#), 200, r#"{"status":"ok"}"#);
    daemon.log().wait_for("Lua function [report] exception: [string \"chunk\"]:11: boom");
    until("the count of failures", || {
        client
            .metric("portcullis_policy_failures_total{function=\"report\",kind=\"error\"}")
            .filter(|count| *count >= 1.0)
    });

    is(&post("/command/custom", "{"), 500, r#"{"success":"failure", "reason":"unexpected end of input"}"#);
    let failed = post("/command/custom", r#"{"attrs":{"fail":"1"}}"#);
    assert_eq!((failed.status, &failed.json()["success"]), (500, &json!(false)));
    assert!(failed.json()["reason"].as_str().unwrap().contains("a \"quoted\" reason"), "{}", failed.text());
    daemon.log().wait_for("Lua custom function [custom] exception: ");

    for (status, response) in [
        (404, post("/command/allow", "{}")),
        (404, client.get("/command/report")),
        (404, client.get("/?command=getBL")),
        (401, client.with_credentials(None).post("/command/report", &json!({}))),
        (401, client.with_credentials(Some("a:wrong")).get("/command/jobs")),
        (400, post("/command/runBackground", "{}")),
        (400, post("/command/runBackground", "nonsense")),
    ] {
        assert_eq!(response.status, status, "{}", response.text());
    }
    is(
        &post("/command/runBackground", r#"{"name":"nobody"}"#),
        400,
        r#"{"reason": "there is no background function \"nobody\"", "status": "failure"}"#,
    );
}

#[test]
fn wforce_reports_to_it_by_webhook() {
    let track = start(
        r#"
setReport(function(lt)
    infoLog("from wforce", { login = lt.login, remote = lt.remote:tostring(), os = lt.device_attrs["os.family"] or "",
                             country = lt.attrs.country or "", t = tostring(lt.t > 1700000000) })
end)
"#,
    );
    let wforce = Daemon::start(&format!(
        "addWebHook({{\"report\"}}, {{ url = \"http://{}/?command=report\", [\"basic-auth\"] = \"wforce:{PASSWORD}\" }})\n\
         setCanonicalize(function(login) return login:lower() end)\nsetPolicyBudget(60000)\n",
        track.http
    ));
    let login = json!({"login": "AHU", "remote": "2001:db8::1", "success": true, "protocol": "http", "attrs": {"country": "NL"},
        "device_id": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"});
    wforce.client().report(&login);
    let line = track.log().wait_for("from wforce: ");
    for part in
        [r#"login="ahu""#, r#"remote="2001:db8::1""#, r#"os="Windows""#, r#"country="NL""#, r#"t="true""#]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(track.client().metric("trackalert_commands_total{cmd=\"report\"}"), Some(1.0));
    let sample = format!(
        "wforce_webhook_events_total{{id=\"1\",status=\"ok\",url=\"http://{}/?command=report\"}}",
        track.http
    );
    until("the answer", || wforce.client().metric(&sample).filter(|sent| *sent >= 1.0));
}

#[test]
fn the_rest_api_is_as_documented() {
    let daemon = start(CONFIGURATION);
    let output = process::run(
        Command::new(tools::python_tool("schemathesis"))
            .current_dir(daemon.folder())
            .args(["--no-color", "run"])
            .arg(format!("http://{}/openapi.json", daemon.http))
            .args(["--auth", &format!("wforce:{PASSWORD}"), "--max-examples", "25", "--seed", "1", "--no-shrink"])
            .args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"])
            .args(["--checks", "status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"])
            .args(["--suppress-health-check", "all", "--generation-database", "none"]),
    );
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(daemon.client().get("/command/stats").status, 200, "the server is well");
}
