//! The command line: flags, exit codes, the service manager, the end.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::process::Command;

use portcullis_tests::process::all_output;
use portcullis_tests::{Daemon, Launch, process, tools};
use serde_json::{Value, json};

#[test]
fn help_is_printed() {
    let output = process::run(Command::new(tools::wforce()).arg("-h"));
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for flag in
        ["--config", "--client", "--execute", "--systemd", "--docker", "--check-config", "--log-format"]
    {
        assert!(text.contains(flag), "{flag}: {text}");
    }
}

#[test]
fn bad_arguments_end_with_one() {
    for arguments in [&["-l", "abc"][..], &["-f", "nosuch"], &["--log-format", "nosuch"], &["-C"]] {
        let output = process::run(Command::new(tools::wforce()).args(arguments));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", all_output(&output));
    }
}

#[test]
fn regexes_must_be_there_when_named() {
    for mode in ["-D", "--check-config"] {
        let output = Launch::new("").args(&[mode, "-R", "missing.yaml"]).run();
        assert_eq!(output.status.code(), Some(255), "{mode}: {}", all_output(&output));
    }
}

/// `portcullis check | head`: the reader has gone when there is more to print.
#[test]
fn a_reader_may_leave() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("wforce.conf");
    std::fs::write(&config, "setWebserverPassword(\"secret\")\n").unwrap();
    let config = config.to_str().unwrap();
    for (program, arguments) in [
        (tools::portcullis(), &["--help"][..]),
        (tools::portcullis(), &["check", config]),
        (tools::wforce(), &["--help"]),
        (tools::wforce(), &["--check-config", "-C", config]),
        (tools::program("replfwd"), &["-k"]),
        (tools::program("wf_dump_entries"), &["-h"]),
    ] {
        let (gone, stdout) = std::io::pipe().unwrap();
        drop(gone);
        let output = Command::new(&program).args(arguments).stdout(stdout).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), text.as_str()), (Some(141), ""), "{program:?} {arguments:?}");
    }
}

#[test]
fn a_missing_configuration_is_only_warned_about() {
    let launch = Launch::bare("").args(&["--docker", "-C", "nosuch/wforce.conf"]);
    // The last -C counts: the harness' own follows.
    drop(launch);
    let output = process::run(Command::new(tools::wforce()).args([
        "--check-config",
        "-C",
        "/nonexistent/portcullis/wforce.conf",
    ]));
    assert!(all_output(&output).contains("wforce.conf"), "{}", all_output(&output));
}

#[test]
fn the_end_waits_for_requests_in_flight() {
    let mut daemon = Daemon::start("");
    let client = daemon.client();
    let body = json!({"login": "a", "remote": "192.0.2.1"}).to_string();
    let request = client.request_bytes("POST", "/command/allow", &[], body.as_bytes());
    let (first, rest) = request.split_at(request.len() - 5);
    // An answer shows that the connection is accepted; then half a request.
    let mut connection = daemon.connect();
    connection.send(&request);
    assert_eq!(connection.receive().status, 200);
    connection.send(first);
    assert_eq!(client.get("/command/ping").status, 200);
    daemon.process.signal("TERM");
    daemon.notify.wait_for("STOPPING=1", || true).unwrap();
    connection.send(rest);
    assert_eq!(connection.receive().status, 200, "the request in flight is answered");
    assert!(connection.is_closed());
    assert_eq!(daemon.process.wait().code(), Some(0));
}

#[test]
fn interrupt_ends_it_as_well() {
    let mut daemon = Daemon::start("");
    daemon.process.signal("INT");
    assert_eq!(daemon.process.wait().code(), Some(0));
}

#[test]
fn the_watchdog_is_fed() {
    let daemon = Launch::new("").env("WATCHDOG_USEC", "200000").start();
    for _ in 0..3 {
        daemon.notify.wait_for("WATCHDOG=1", || true).unwrap();
    }
}

#[test]
fn a_service_prints_nothing_once_it_runs() {
    let mut daemon = Launch::new("setVerboseAllowLog()").args(&["-s"]).start();
    daemon.client().allow(&json!({"login": "a", "remote": "192.0.2.1"}));
    daemon.terminate();
    assert_eq!(daemon.log().count("allowLog"), 0, "{:#?}", daemon.log().all());
}

#[test]
fn logs_can_be_json() {
    let mut daemon = Launch::new("setVerboseAllowLog()").arg("--log-format").arg("json").start();
    daemon.client().allow(&json!({"login": "a\"b", "remote": "192.0.2.1"}));
    daemon.terminate();
    let lines = daemon.log().all();
    let decision =
        lines.iter().find(|line| line.contains("allowLog")).unwrap_or_else(|| panic!("{lines:#?}"));
    for line in &lines {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(parsed.is_object(), "{line}");
    }
    assert!(decision.contains("192.0.2.1"));
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let daemon = Daemon::start("");
    let output = Launch::new("").at(daemon.http).run();
    assert_eq!(output.status.code(), Some(1), "{}", all_output(&output));
    assert!(all_output(&output).contains(&daemon.http.to_string()), "{}", all_output(&output));
}

#[test]
fn a_start_that_waits_for_a_server_can_be_ended() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let config = format!("blacklistPersistDB(\"127.0.0.1\", {port})\nblacklistPersistConnectTimeout(300)\n");
    let launch = Launch::new(&config);
    let mut process = launch.spawn();
    let _connected = silent.accept().unwrap();
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{:?}", process.stderr.all());
    let lines = process.stdout.to_end();
    assert!(lines.iter().any(|line| line.contains("SIGTERM during the start")), "{lines:?}");
}
