//! trackalert's jobs: when they run, how they went, and who is told.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::process::Command;

use portcullis_tests::daemon::PASSWORD;
use portcullis_tests::{Client, Daemon, Launch, process, tools, until};
use serde_json::{Value, json};

fn job(client: &Client, name: &str) -> Value {
    let jobs = client.get("/command/jobs").json();
    let job = jobs["jobs"].as_array().unwrap().iter().find(|job| job["name"] == name);
    job.unwrap_or_else(|| panic!("no {name} in {jobs}")).clone()
}

/// Waits until the last run of a job came to something.
fn ran(client: &Client, name: &str) -> Value {
    until(name, || Some(job(client, name)).filter(|job| job["last"].is_object()))
}

#[test]
fn jobs_run_and_tell_how_it_went() {
    let daemon = Launch::trackalert(
        r#"
setBackground("tick", function() infoLog("tick", {}) end)
setBackground("bad", function() error("it broke") end)
setBackground("byhand", function() infoLog("by hand", {}) end)
setCustomEndpoint("Jobs", function(args) return true, {} end)
intervalScheduleBackgroundFunc("00:00:01", "tick")
intervalScheduleBackgroundFunc("00:00:01", "bad", { deadline = 10, missed = "run once" })
cronScheduleBackgroundFunc("30 4 * * MON-FRI", "tick", { timezone = "UTC", jitter = 60, overlap = true })
"#,
    )
    .start();
    let client = daemon.client();
    daemon.log().wait_for("the custom endpoint \"Jobs\" is never called");
    daemon.log().wait_for_count("tick", 3);
    let tick = until("a run", || Some(job(&client, "tick")).filter(|job| job["runs"].as_i64() >= Some(2)));
    assert_eq!((&tick["schedule"], &tick["last"]["result"]), (&json!("every 00:00:01"), &json!("done")));
    assert!(
        tick["last"]["seconds"].as_f64().unwrap() < 60.0 && tick["last"]["began"].as_f64().unwrap() > 1.7e9
    );

    let bad = ran(&client, "bad");
    assert_eq!(
        (&bad["last"]["result"], &bad["deadline"], &bad["missed"]),
        (&json!("failed"), &json!(10), &json!("run once"))
    );
    assert!(bad["last"]["error"].as_str().unwrap().contains("it broke"), "{bad}");
    let config = daemon.config().display().to_string();
    daemon.log().wait_for(&format!(
        "Lua background function [bad] exception: [string \"chunk\"]:3: it broke ({config}:3)"
    ));
    assert!(client.metric("portcullis_job_runs_total{job=\"bad\",result=\"failed\"}").unwrap() >= 1.0);
    assert!(client.metric("portcullis_job_last_success_timestamp_seconds{job=\"tick\"}").unwrap() > 1.7e9);
    assert_eq!(client.metric("portcullis_job_last_success_timestamp_seconds{job=\"bad\"}"), Some(0.0));

    // A function without a schedule runs by hand only.
    let idle = job(&client, "byhand");
    assert_eq!(
        (&idle["schedule"], &idle["next"], &idle["runs"]),
        (&json!("by hand"), &Value::Null, &json!(0))
    );
    assert_eq!(daemon.execute("runBackground('byhand')").trim_end(), "byhand started");
    daemon.log().wait_for_count("by hand", 1);
    until("its end", || Some(job(&client, "byhand")).filter(|job| job["running"] == 0));
    let started = client.post("/command/runBackground", &json!({"name": "byhand"}));
    assert_eq!((started.status, started.text().as_str()), (200, r#"{"status":"ok"}"#));
    daemon.log().wait_for_count("by hand", 2);
    assert_eq!(
        daemon.execute("runBackground('nobody')").trim_end(),
        "there is no background function \"nobody\""
    );

    let table = daemon.execute("showJobs()");
    let cron = table
        .lines()
        .find(|line| line.contains("cron 30 4 * * MON-FRI UTC"))
        .unwrap_or_else(|| panic!("{table}"));
    assert!(cron.starts_with("tick ") && cron.contains(":3") && table.contains("it broke"), "{table}");
}

#[test]
fn the_tool_shows_and_starts_jobs() {
    let daemon = Launch::trackalert(
        r#"
loadPolicy("scan", "scan.wasm")
setBackground("tick", function() infoLog("tick", {}) end)
cronScheduleBackgroundFunc("@yearly", "tick", { timezone = "UTC" })
"#,
    )
    .file("scan.wasm", wat::parse_str(COMPONENT).unwrap())
    .start();
    let config = daemon.config();
    let jobs = |arguments: &[&str]| {
        let output = process::run(Command::new(tools::portcullis()).arg("jobs").args(arguments));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let config = config.to_str().unwrap();
    let (code, table, _) = jobs(&[config]);
    assert_eq!(code, Some(0));
    let line = table.lines().nth(1).unwrap();
    assert!(
        line.starts_with("tick  cron @yearly UTC  20")
            && line.ends_with("  0     0       0        -         -     -"),
        "{table}"
    );
    assert_eq!(jobs(&[config, "--run", "tick"]), (Some(0), "tick started\n".to_owned(), String::new()));
    daemon.log().wait_for("tick");
    ran(&daemon.client(), "tick");
    // With an address and a password in place of the configuration.
    let password = daemon.folder().join("password");
    std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let url = format!("http://{}/", daemon.http);
    let (code, json, _) = jobs(&["--url", &url, "--password-file", password.to_str().unwrap(), "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &json["jobs"][0]["runs"], &json["jobs"][0]["last"]["result"]),
        (Some(0), &json!(1), &json!("done"))
    );

    let checked = process::run(Command::new(tools::portcullis()).args(["check", config]));
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.contains("configuration is fine") && checked.contains("jobs       tick cron @yearly"),
        "{checked}"
    );
    let (code, _, told) = jobs(&[config, "--run", "nobody"]);
    assert_eq!((code, told.trim_end()), (Some(2), "portcullis: there is no background function \"nobody\""));
    let (code, _, told) = jobs(&["--url", &url]);
    assert!(code == Some(2) && told.contains("wrong password"), "{told}");
    std::fs::write(&password, "wrong").unwrap();
    let (code, _, told) = jobs(&["--url", &url, "--password-file", password.to_str().unwrap()]);
    assert!(code == Some(2) && told.contains("wrong password") && !told.contains(PASSWORD), "{told}");
    let (code, _, told) = jobs(&["--url", "http://127.0.0.1:1"]);
    assert!(code == Some(2) && told.contains("http://127.0.0.1:1/command/jobs: cannot connect"), "{told}");
    let wforce = Daemon::start("");
    let (code, _, told) = jobs(&["--url", &format!("http://a:{PASSWORD}@{}", wforce.http)]);
    assert!(code == Some(2) && told.contains("is this a trackalert?") && !told.contains(PASSWORD), "{told}");
}

#[test]
fn a_job_does_not_overlap_itself_and_is_stopped_at_its_deadline() {
    let launch = Launch::trackalert(
        r#"
setBackground("slow", function()
    infoLog("slow began", {})
    while not io.open("go") do os.execute("sleep 0.1") end
    infoLog("slow ended", {})
end)
setBackground("endless", function() while true do end end)
intervalScheduleBackgroundFunc("00:00:01", "slow", { deadline = "0:10" })
cronScheduleBackgroundFunc("* * * * *", "slow")
intervalScheduleBackgroundFunc("00:00:01", "endless", { deadline = 1 })
setReport(function(lt) infoLog("reported " .. lt.login, {}) end)
"#,
    );
    let go = launch.folder().join("go");
    let daemon = launch.start();
    let client = daemon.client();
    daemon.log().wait_for("slow began");
    let refused = client.post("/command/runBackground", &json!({"name": "slow"}));
    let told = r#"{"reason": "\"slow\" is running already", "status": "failure"}"#;
    assert_eq!((refused.status, refused.text().as_str()), (409, told));
    assert_eq!(client.metric("portcullis_job_running{job=\"slow\"}"), Some(1.0));

    let endless = until("the deadline, twice", || {
        Some(job(&client, "endless")).filter(|job| job["failures"].as_i64() >= Some(2))
    });
    let error = endless["last"]["error"].as_str().unwrap();
    assert!(error.starts_with("policy time budget of 1000 ms exceeded"), "{error}");
    // Others notice nothing.
    client.report(&json!({"login": "ahu"}));
    daemon.log().wait_for("reported ahu");
    assert_eq!(daemon.log().count("slow began"), 1);
    std::fs::write(go, "").unwrap();
    daemon.log().wait_for("slow ended");
    daemon.log().wait_for_count("slow began", 2);
}

#[test]
fn sighup_replaces_the_jobs() {
    let before = r#"
setBackground("stays", function() infoLog("stays", {}) end)
intervalScheduleBackgroundFunc("00:00:01", "stays")
setBackground("goes", function() end)
intervalScheduleBackgroundFunc("24", "goes")
"#;
    let daemon = Launch::trackalert(before).start();
    let client = daemon.client();
    daemon.log().wait_for("stays");
    ran(&client, "stays");
    let rest = std::fs::read_to_string(daemon.config()).unwrap().replace(before, "");
    let after = r#"
setBackground("stays", function() infoLog("new stays", {}) end)
intervalScheduleBackgroundFunc("00:00:01", "stays")
setBackground("comes", function() infoLog("comes", {}) end)
intervalScheduleBackgroundFunc("00:00:01", "comes")
"#;
    std::fs::write(daemon.config(), after.to_owned() + &rest).unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for("loaded again");
    daemon.log().wait_for("comes");
    daemon.log().wait_for("new stays");
    let jobs = client.get("/command/jobs").json();
    let names: Vec<&str> =
        jobs["jobs"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["stays", "comes"]);
    // What is the same goes on counting.
    assert!(job(&client, "stays")["runs"].as_i64() >= Some(2));

    // A broken file changes nothing.
    std::fs::write(daemon.config(), "intervalScheduleBackgroundFunc('nonsense', 'x')\n".to_owned() + &rest)
        .unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for("the old one goes on");
    assert_eq!(client.get("/command/jobs").json()["jobs"].as_array().unwrap().len(), 2);
}

/// A component whose background function fails if the job's name begins with `b`.
const COMPONENT: &str = r#"(component
  (core module $m
    (memory (export "memory") 2)
    (data (i32.const 64) "the component says no")
    (func (export "run") (param $name i32) (param $length i32) (result i32)
      (i32.store (i32.const 0) (i32.const 0))
      (if (i32.eq (i32.load8_u (local.get $name)) (i32.const 98))
        (then
          (i32.store (i32.const 0) (i32.const 1))
          (i32.store (i32.const 4) (i32.const 64))
          (i32.store (i32.const 8) (i32.const 21))))
      (i32.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $i (instantiate $m))
  (func $run (param "name" string) (result (result (error string)))
    (canon lift (core func $i "run") (memory (core memory $i "memory")) (realloc (func $i "realloc"))))
  (instance $background (export "run" (func $run)))
  (export "portcullis:policy/background@0.1.0" (instance $background)))"#;

#[test]
fn components_have_jobs_too() {
    let daemon = Launch::trackalert(
        r#"
loadPolicy("scan", "scan.wasm")
setBackground("good", "scan")
setBackground("bad", "scan")
setBackground("chain", { "scan", function() infoLog("after the component", {}) end })
intervalScheduleBackgroundFunc("00:00:01", "good")
intervalScheduleBackgroundFunc("00:00:01", "bad")
intervalScheduleBackgroundFunc("00:00:01", "chain")
"#,
    )
    .file("scan.wasm", wat::parse_str(COMPONENT).unwrap())
    .start();
    let client = daemon.client();
    let good = ran(&client, "good");
    assert_eq!(good["last"]["result"], "done", "{good}");
    let bad = ran(&client, "bad");
    assert_eq!(bad["last"]["error"], "policy scan: the component says no");
    daemon.log().wait_for("after the component");
    assert_eq!(ran(&client, "chain")["last"]["result"], "done");
    let refused = Launch::trackalert("loadPolicy('scan', 'scan.wasm')\nsetReport('scan')\n")
        .file("scan.wasm", wat::parse_str(COMPONENT).unwrap())
        .args(&["--check-config"])
        .run();
    let told = String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && told.contains("does not export the hook report"), "{told}");
}
