//! trackalert with an embedded report store when the disk is full, or when there are no file descriptors.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::Command;

use portcullis_tests::{Client, Connection, Daemon, Launch, Response, process, small_disk, tools, until};
use serde_json::{Value, json};

fn launch(folder: &Path) -> Launch {
    Launch::trackalert(&format!(
        r#"setReportStore("embedded", {{ path = "{}", query_timeout_ms = 60000 }})
addACL("127.0.0.0/8")
setPolicyBudget(60000)
setCustomEndpoint("count", function(args)
    local found, why = reportsCount({{}})
    return true, {{ count = tostring(found), why = tostring(why) }}
end)
"#,
        folder.display()
    ))
}

/// Waits until so many reports are found.
fn counted(client: &Client, number: u64) {
    let wanted = number.to_string();
    until(&format!("{wanted} reports are there"), || {
        let answer = client.post("/command/count", &json!({"attrs": {}})).json();
        (answer["r_attrs"]["count"] == wanted).then_some(())
    });
}

fn tuple() -> Value {
    json!({"login": "ada", "remote": "192.0.2.1", "success": true, "device_id": "x".repeat(300)})
}

fn ready(client: &Client, wanted: f64) {
    until("the metric says whether reports are taken", || {
        client
            .metric("portcullis_report_store_ready{engine=\"embedded\"}")
            .filter(|ready| (*ready - wanted).abs() < 0.1)
    });
}

#[test]
fn a_full_disk_costs_nothing_that_was_taken() {
    small_disk::inside("a_full_disk_costs_nothing_that_was_taken", 8, |disk| {
        let folder = disk.path().join("reports");
        let mut daemon = launch(&folder).start();
        let client = daemon.client();
        let mut taken = 0;
        for _ in 0..50 {
            client.report(&tuple());
            taken += 1;
        }
        disk.fill();
        let refused = until("a refusal", || {
            let response = client.post("/command/report", &tuple());
            if response.status == 200 {
                taken += 1;
                return None;
            }
            Some(response)
        });
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert!(refused.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()), "{refused:?}");
        assert!(refused.text().contains("No space left"), "{}", refused.text());
        ready(&client, 0.0);
        daemon.log().wait_for("reports are refused, as the log takes none");
        // It does not want to be taken out of service for it.
        let readyz = || client.get("/command/readyz");
        let trouble = until("readyz tells", || readyz().header("x-portcullis-trouble").map(str::to_owned));
        assert!(readyz().status == 200 && trouble.starts_with("reports: "), "{trouble}");
        assert!(client.metric("portcullis_report_store_taken_total{result=\"unavailable\"}").unwrap() >= 1.0);
        // It serves on, and notices by itself when there is room.
        disk.empty();
        ready(&client, 1.0);
        until("readyz tells", || readyz().header("x-portcullis-trouble").is_none().then_some(()));
        client.report(&tuple());
        counted(&client, taken + 1);
        // Full once more, it is killed: what it took is there.
        disk.fill();
        until("a refusal", || {
            let taken_it = client.post("/command/report", &tuple()).status == 200;
            taken += u64::from(taken_it);
            (!taken_it).then_some(())
        });
        daemon.process.kill();
        disk.empty();
        let daemon = launch(&folder).start();
        counted(&daemon.client(), taken + 1);
    });
}

/// How many files the daemon may have open; its limit is restored by the hard one.
fn limit(daemon: &Daemon, files: &str) {
    process::run_ok(Command::new(tools::system_tool("prlimit")).args([
        "--pid",
        &daemon.process.id().to_string(),
        &format!("--nofile={files}:"),
    ]));
}

#[test]
fn without_file_descriptors_reports_wait_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = launch(folder.path()).start();
    let client = daemon.client();
    client.report(&tuple());
    counted(&client, 1);
    // Connections that are there already go on.
    let mut connection = Connection::open(daemon.http);
    let mut ask = |method: &str, target: &str, body: &str| -> Response {
        connection.send(&client.request_bytes(
            method,
            target,
            &[("Content-Type", "application/json")],
            body.as_bytes(),
        ));
        connection.receive()
    };
    assert_eq!(ask("GET", "/command/livez", "").status, 200);
    limit(&daemon, "1");
    // A day that has no index yet.
    let yesterday =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() - 86_400;
    let mut report = tuple();
    report["t"] = json!(yesterday);
    for _ in 0..30 {
        assert_eq!(ask("POST", "/command/report", &report.to_string()).status, 200);
    }
    let line = |text: &str, name: &str| text.lines().any(|line| line == name);
    until("it says that days are not written", || {
        let text = ask("GET", "/metrics", "").text();
        line(&text, "portcullis_report_store_ready{engine=\"embedded\"} 0").then_some(())
    });
    daemon.log().wait_for("wait in the log, trying again");
    limit(&daemon, "1024");
    counted(&client, 31);
    ready(&client, 1.0);
    assert!(daemon.terminate().success());
    counted(&launch(folder.path()).start().client(), 31);
}
