//! Daemons that go to the background (`-d`).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::net::TcpStream;
use std::process::Command;

use portcullis_tests::daemon::PASSWORD;
use portcullis_tests::{Client, Launch, process, until};
use serde_json::json;

/// Ended with the test.
struct InBackground(String);

impl Drop for InBackground {
    fn drop(&mut self) {
        process::run(Command::new("kill").args(["-s", "KILL", &self.0]));
    }
}

/// Tells its process id.
const WHO: &str = r#"
addACL("127.0.0.0/8")
setCustomEndpoint("who", function() return true, { pid = tostring(io.open("/proc/self/stat"):read("*n")) } end)
"#;

/// Starts it; the process that was started must end well at once. A client, and the daemon that stays.
fn start(launch: &Launch) -> (Client, InBackground) {
    let output = launch.run();
    assert!(output.status.success(), "{output:?}");
    until("it listens", || TcpStream::connect(launch.http).ok());
    let client = Client { address: launch.http, credentials: Some(format!("wforce:{PASSWORD}")) };
    let who = client.post("/command/who", &json!({"attrs": {}})).json();
    let pid = who["r_attrs"]["pid"].as_str().unwrap().to_owned();
    (client, InBackground(pid))
}

#[test]
fn trackalert_runs_its_jobs_there() {
    let config = format!(
        r#"{WHO}
setBackground("mark", function()
    local file = assert(io.open("marks", "a"))
    file:write("ran\n")
    file:close()
end)
intervalScheduleBackgroundFunc("00:00:01", "mark")
"#
    );
    let launch = Launch::trackalert(&config).args(&["-d"]);
    let marks = launch.folder().join("marks");
    let (client, background) = start(&launch);
    until("the job runs again and again", || {
        let text = std::fs::read_to_string(&marks).ok()?;
        (text.lines().count() >= 3).then_some(())
    });
    assert!(client.metric("portcullis_job_runs_total{job=\"mark\",result=\"done\"}").unwrap() >= 1.0);
    client.report(&json!({"login": "ada", "remote": "192.0.2.1"}));
    // It ends as one in the foreground does.
    process::run_ok(Command::new("kill").args(["-s", "TERM", &background.0]));
    let process = format!("/proc/{}", background.0);
    until("it ends", || (!std::path::Path::new(&process).exists()).then_some(()));
}

#[test]
fn wforce_serves_there() {
    // Its custom endpoints say whether siblings hear of them.
    let who = WHO.replace("\"who\", ", "\"who\", false, ");
    let config = format!("{who}setAllow(function(lt) return 7, \"\", \"\", {{}} end)\n");
    let launch = Launch::new(&config).args(&["-d"]);
    let (client, _background) = start(&launch);
    let answer = client.allow(&json!({"login": "ada", "remote": "192.0.2.1", "pwhash": "1"}));
    assert_eq!(answer["status"], 7);
}
