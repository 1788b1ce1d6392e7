//! The `portcullis` tool, and what it shares with the daemon: explanations, the shadow, recordings.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::{Command, Output};

use portcullis_tests::{Daemon, Launch, process, tools};
use serde_json::{Value, json};
use tempfile::TempDir;

fn portcullis(folder: &Path, arguments: &[&str]) -> Output {
    process::run(Command::new(tools::portcullis()).args(arguments).current_dir(folder).env("NO_COLOR", "1"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const POLICY: &str = "newStringStatsDB('seen', 60, 5, { failures = 'int' })\n\
    local seen = getStringStatsDB('seen')\n\
    setReport(function(lt) if not lt.success then seen:twAdd(lt.login, 'failures', 1) end end)\n\
    setAllow(function(lt)\n\
        local n = seen:twGet(lt.login, 'failures')\n\
        if n > 3 then return -1, 'too many', 'limit', { n = n } end\n\
        return 0, '', '', {}\n\
    end)\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::with_prefix("portcullis-tool-").unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn the_shipped_policy_keeps_its_promises() {
    let output = portcullis(tools::workspace(), &["test", "policies/failed-passwords.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).ends_with("6 passed, 0 failed\n"), "{}", stdout(&output));
}

#[test]
fn a_case_that_fails_shows_what_differs_and_why() {
    let cases = "config = 'p.conf'\n[[case]]\nname = 'four are too many'\n\
        [[case.step]]\nreport = { login = 'joe' }\nrepeat = 4\n\
        [[case.step]]\nallow = { login = 'joe' }\nexpect = { status = 'allow' }\n\
        [[case]]\nname = 'windows end'\n\
        [[case.step]]\nreport = { login = 'joe' }\nrepeat = 4\n\
        [[case.step]]\nadvance = '10m'\nallow = { login = 'joe' }\nexpect = { status = 0 }\n";
    let folder = folder(&[("p.conf", POLICY), ("cases.toml", cases)]);
    let output = portcullis(folder.path(), &["test", "cases.toml"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for part in [
        "FAIL  four are too many\n",
        "- status: allow\n",
        "+ status: deny (-1)\n",
        "seen: failures of joe = 4\n",
        "ok    windows end\n",
        "1 passed, 1 failed\n",
    ] {
        assert!(text.contains(part), "no {part:?}: {text}");
    }
}

#[test]
fn a_policy_that_fails_is_told_with_file_and_line() {
    let policy =
        "setReport(function(lt) error('boom') end)\nsetAllow(function(lt)\n    error('bang', 0)\nend)\n";
    let cases = "config = 'p.conf'\n[[case]]\nname = 'x'\n[[case.step]]\nreport = { login = 'joe' }\n\
        [[case.step]]\nallow = { login = 'joe' }\nexpect = { status = 0 }\n";
    let folder = folder(&[("p.conf", policy), ("cases.toml", cases)]);
    let output = portcullis(folder.path(), &["test", "cases.toml"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for part in ["[string \"chunk\"]:1: boom (", "p.conf:1)", "bang (", "p.conf:3)"] {
        assert!(text.contains(part), "no {part:?}: {text}");
    }
    let text = stdout(&portcullis(folder.path(), &["run", "p.conf", "--login", "joe"]));
    assert!(text.matches("p.conf:3)").count() >= 2, "in the answer and in its trace: {text}");
}

#[test]
fn a_read_of_a_stats_db_or_field_that_there_is_not_says_so() {
    let policy = "newStringStatsDB('seen', 60, 5, { failures = 'int' })\nsetAllow(function(lt)\n\
        getStringStatsDB('sean'):twGet(lt.login, 'failures')\n\
        getStringStatsDB('seen'):twGet(lt.login, 'failure')\n\
        return 0, '', '', {}\nend)\n";
    let folder = folder(&[("p.conf", policy)]);
    let text = stdout(&portcullis(folder.path(), &["run", "p.conf", "--login", "joe"]));
    for part in [
        "sean: failures of joe = 0 (there is no stats DB of this name)\n",
        "seen: failure of joe = 0 (seen has no such field)\n",
    ] {
        assert!(text.contains(part), "no {part:?}: {text}");
    }
}

#[test]
fn a_policy_that_would_end_the_program_fails_its_test() {
    let cases = "config = 'p.conf'\n[[case]]\nname = 'x'\n[[case.step]]\nallow = { login = 'joe' }\nexpect = { status = 0 }\n";
    for (policy, code) in
        [("setAllow(function(lt) os.exit(0) end)", 1), ("setAllow(function(lt) return 0 end) os.exit()", 2)]
    {
        let folder = folder(&[("p.conf", policy), ("cases.toml", cases)]);
        let output = portcullis(folder.path(), &["test", "cases.toml"]);
        let text = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains("os.exit() would end the daemon"), "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    for (cases, part) in [
        ("config = 'p.conf'\n[[case]]\nname = 'x'\nsteps = 5\n", "cases.toml: TOML parse error at line 4"),
        ("config = 'p.conf'\n[[case]]\nname = 'x'\n", "case \"x\": it has no steps"),
        (
            "config = 'p.conf'\n[[case]]\nname = 'x'\n[[case.step]]\nallow = { logn = 'joe' }\n",
            "case \"x\", step 1: a login has no logn",
        ),
        ("config = 'missing.conf'\n[[case]]\nname = 'x'\n[[case.step]]\nallow = {}\n", "missing.conf"),
    ] {
        let folder = folder(&[("p.conf", POLICY), ("cases.toml", cases)]);
        let output = portcullis(folder.path(), &["test", "cases.toml"]);
        assert_eq!(output.status.code(), Some(2), "{cases}: {}", stdout(&output));
        assert!(stderr(&output).contains(part), "{cases}: {}", stderr(&output));
    }
}

#[test]
fn wrong_usage_ends_with_two() {
    let folder = folder(&[("p.conf", POLICY)]);
    for arguments in [&[][..], &["nosuch"], &["run"], &["run", "p.conf", "--nosuch"], &["replay", "p.conf"]] {
        assert_eq!(portcullis(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    for (arguments, told) in [
        (
            &["history", "--login", "joe", "--limit", "0", "--url", "http://127.0.0.1:9/"][..],
            "--limit: at least 1",
        ),
        (&["run", "p.conf", "--times", "0"], "--times: at least 1"),
        (&["bench", "p.conf", "--calls", "0"], "--calls: 1 to 10000000"),
    ] {
        let output = portcullis(folder.path(), arguments);
        assert_eq!((output.status.code(), stderr(&output)), (Some(2), format!("portcullis: {told}\n")));
    }
    assert_eq!(portcullis(folder.path(), &["--help"]).status.code(), Some(0));
    assert_eq!(portcullis(folder.path(), &["run", "--help"]).status.code(), Some(0));
}

#[test]
fn a_file_of_another_daemon_is_called_that() {
    let folder = folder(&[("p.conf", "setBackground(\"x\", function() end)\n")]);
    let output = portcullis(folder.path(), &["check", "p.conf"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("setBackground is one of trackalert's functions"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_simulation_is_the_same_each_time() {
    let folder = folder(&[("p.conf", POLICY)]);
    let play = || portcullis(folder.path(), &["simulate", "--scale", "0.02", "--json", "p.conf"]);
    let (one, other) = (play(), play());
    assert_eq!(one.status.code(), Some(0), "{}", stderr(&one));
    assert_eq!(stdout(&one), stdout(&other));
    let told: Value = serde_json::from_slice(&one.stdout).unwrap();
    let brute = &told["policies"]["p"]["attacks"]["brute force"];
    assert!(brute["catch_rate"].as_f64().unwrap() > 0.5, "{told}");
}

#[test]
fn an_explanation_comes_with_the_header_only() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    let body = json!({"login": "joe", "remote": "192.0.2.1"}).to_string();
    let ask =
        |headers: &[(&str, &str)]| client.request("POST", "/command/allow", headers, body.as_bytes()).text();
    assert_eq!(ask(&[]), r#"{"msg": "", "r_attrs": {}, "status": 0}"#);
    // For those who may ask only.
    let header = [("X-Portcullis-Explain", "1")];
    for credentials in [None, Some("wforce:wrong")] {
        let stranger = client.with_credentials(credentials);
        let answer = stranger.request("POST", "/command/allow", &header, body.as_bytes());
        assert_eq!(answer.status, 401);
        assert!(!answer.text().contains("explain"), "{}", answer.text());
    }
    let told: Value = serde_json::from_str(&ask(&header)).unwrap();
    assert_eq!(told["explain"]["decided_by"], "policy allow");
    assert_eq!(told["status"], 0);
    let steps = told["explain"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["step"] == "stats" && step["field"] == "failures"), "{told}");
}

#[test]
fn a_shadow_is_compared_and_changes_nothing() {
    let shadow = "setShadowAllow(function(lt)\n\
        getStringStatsDB('seen'):twAdd(lt.login, 'failures', 100)\n\
        return -1, '', 'strict', {}\nend)\n";
    let daemon = Daemon::start(&format!("{POLICY}{shadow}"));
    let client = daemon.client();
    let login = json!({"login": "joe", "remote": "192.0.2.1"});
    for _ in 0..3 {
        assert_eq!(client.allow(&login)["status"], 0, "the shadow's writes are its own");
    }
    daemon.log().wait_for("shadowLog: live=\"allow\" shadow=\"deny\"");
}

#[test]
fn a_recording_is_played_through_another_policy() {
    let mut daemon = Launch::new(&format!("recordTo('logins.jsonl')\n{POLICY}")).start();
    let client = daemon.client();
    let login = json!({"login": "joe", "remote": "192.0.2.1", "success": false});
    client.report(&login);
    client.report(&login);
    client.allow(&login);
    daemon.terminate();
    let strict = POLICY.replace("n > 3", "n > 1");
    std::fs::write(daemon.folder().join("strict.conf"), strict).unwrap();
    let output = portcullis(daemon.folder(), &["replay", "logins.jsonl", "strict.conf", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!((&told["reports"], &told["allows"]), (&json!(2), &json!(1)));
    assert_eq!(told["different"][0]["after"], "deny");
    assert_eq!(told["locked_out"][0]["login"], "joe");
}

#[test]
fn what_has_no_end_is_refused() {
    let folder = folder(&[("p.conf", POLICY)]);
    let long = std::fs::File::create(folder.path().join("long.jsonl")).unwrap();
    long.set_len(70 << 20).unwrap();
    for (arguments, part) in [
        (&["test", "/dev/zero"][..], "cannot read /dev/zero: it is a device"),
        (&["replay", "/dev/zero", "p.conf"], "cannot read /dev/zero: it is a device"),
        (&["replay", ".", "p.conf"], "cannot read .: it is a folder"),
        (&["replay", "long.jsonl", "p.conf"], "long.jsonl: line 1 has more than 64 MiB"),
        (&["check", "/dev/zero"], "it is a device"),
    ] {
        let output = portcullis(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stdout(&output));
        assert!(stderr(&output).contains(part), "{arguments:?}: {}", stderr(&output));
    }
}

/// Answers every request with this body, to the end of the process.
fn serve(status: &'static str, body: &'static str) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    portcullis_tests::relay::aside(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Its end is that of the first piece: there is no body.
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    url
}

#[test]
fn a_server_that_is_none_of_ours_is_called_that() {
    let folder = folder(&[]);
    for status in ["200 OK", "404 Not Found", "301 Moved Permanently"] {
        let url = serve(status, "<!DOCTYPE html><title>Welcome</title>");
        for command in [&["jobs", "--url", &url][..], &["history", "--login", "joe", "--url", &url]] {
            let output = portcullis(folder.path(), command);
            assert_eq!(output.status.code(), Some(2), "{status} {command:?}");
            let told = stderr(&output);
            assert!(told.contains("this is no trackalert of Portcullis"), "{status} {command:?}: {told}");
        }
    }
    // A proxy in front of a trackalert speaks HTML.
    for (status, part) in [("401 Unauthorized", "wrong password"), ("502 Bad Gateway", "jobs: status 502")] {
        let url = serve(status, "<html><title>Proxy</title></html>");
        let output = portcullis(folder.path(), &["jobs", "--url", &url]);
        assert_eq!(output.status.code(), Some(2), "{status}");
        assert!(stderr(&output).contains(part), "{status}: {}", stderr(&output));
    }
    let url = serve("200 OK", "{\"hello\": 1}");
    for (command, part) in [
        (&["jobs", "--url", &url][..], "the answer lists no jobs"),
        (&["history", "--login", "joe", "--url", &url], "the answer lists no logins"),
    ] {
        let output = portcullis(folder.path(), command);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
}

#[test]
fn names_of_jobs_do_not_steer_the_terminal() {
    let url = serve("200 OK", r#"{"jobs": [{"name": "a\u001b[31mb", "schedule": "daily"}]}"#);
    let output = portcullis(&std::env::temp_dir(), &["jobs", "--url", &url]);
    assert!(stdout(&output).contains("a\u{fffd}[31mb"), "{}{}", stdout(&output), stderr(&output));
}
