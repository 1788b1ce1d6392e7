//! What people and machines see of the `portcullis` tool: colours and progress on a terminal and nowhere else, and JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::{Command, Output};

use portcullis_tests::{process, tools};
use serde_json::{Value, json};
use tempfile::TempDir;

const CONFIG: &str = "setReport(function(lt) end)\n\
    setAllow(function(lt) if lt.login == 'bad' then return -1, 'no', 'bad name', {} end return 0, '', '', {} end)\n";

const CASES: &str = "config = 'p.conf'\n\
    [[case]]\nname = 'good'\n[[case.step]]\nallow = { login = 'joe' }\nexpect = { status = 'allow' }\n\
    [[case]]\nname = 'wrong'\n[[case.step]]\nallow = { login = 'bad' }\nexpect = { status = 'allow' }\n";

fn folder() -> TempDir {
    let folder = TempDir::with_prefix("portcullis-tool-").unwrap();
    std::fs::write(folder.path().join("p.conf"), CONFIG).unwrap();
    std::fs::write(folder.path().join("cases.toml"), CASES).unwrap();
    folder
}

fn portcullis(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(tools::portcullis());
    process::run(command.args(arguments).current_dir(folder).env_remove("NO_COLOR"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same on a terminal of its own: what is seen there, from both outputs.
fn on_a_terminal(folder: &Path, arguments: &[&str], no_colour: Option<&str>) -> String {
    let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' {}", tools::portcullis().display(), words.join(" "));
    let mut command = Command::new(tools::system_tool("script"));
    command
        .args(["-q", "-c", &line, "/dev/null"])
        .current_dir(folder)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR");
    if let Some(value) = no_colour {
        command.env("NO_COLOR", value);
    }
    stdout(&process::run(&mut command))
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let folder = folder();
    let run = ["run", "p.conf", "--login", "bad"];
    assert!(on_a_terminal(folder.path(), &run, None).starts_with("\x1b[31mdeny\x1b[0m (status -1)"));
    assert!(
        on_a_terminal(folder.path(), &run, Some("")).starts_with("\x1b[31m"),
        "an empty NO_COLOR is none"
    );
    assert!(on_a_terminal(folder.path(), &run, Some("1")).starts_with("deny (status -1)"));
    assert!(stdout(&portcullis(folder.path(), &run)).starts_with("deny (status -1)"));

    let test = ["test", "cases.toml"];
    let seen = on_a_terminal(folder.path(), &test, None);
    for part in
        ["\x1b[32mok  \x1b[0m  good", "\x1b[31mFAIL\x1b[0m  wrong", "\x1b[32m      - status: allow\x1b[0m"]
    {
        assert!(seen.contains(part), "{part:?} in {seen}");
    }
    let output = portcullis(folder.path(), &test);
    assert!(
        !stdout(&output).contains('\x1b') && stdout(&output).contains("FAIL  wrong"),
        "{}",
        stdout(&output)
    );
    // JSON has none anywhere.
    assert!(
        !on_a_terminal(folder.path(), &["run", "p.conf", "--login", "bad", "--json"], None).contains("\x1b[")
    );
}

#[test]
fn long_work_shows_how_far_it_is_on_a_terminal() {
    let folder = folder();
    let bench = ["bench", "p.conf", "--calls", "2000"];
    let seen = on_a_terminal(folder.path(), &bench, None);
    assert!(seen.contains('░') && seen.contains("/4000 "), "{seen}");
    // It is gone when the work is done.
    let last = seen.rfind("\x1b[2K").unwrap();
    assert!(!seen[last..].contains('░') && seen[last..].contains("allow"), "{seen}");
    let output = portcullis(folder.path(), &bench);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));

    let line = |number: u32| {
        format!(
            "{{\"type\":\"allow\",\"t\":{}.0,\"login\":\"joe\",\"remote\":\"192.0.2.1\",\"answer\":0}}\n",
            1_700_000_000 + number
        )
    };
    let lines: Vec<String> = (0..5000).map(line).collect();
    std::fs::write(folder.path().join("logins.jsonl"), lines.concat()).unwrap();
    let seen = on_a_terminal(folder.path(), &["replay", "logins.jsonl", "p.conf"], None);
    assert!(seen.contains('░') && seen.contains("5000 questions"), "{seen}");
}

#[test]
fn a_replay_tells_people_what_is_different_and_who_is_locked_out() {
    let folder = folder();
    let line = |login: &str, t: u32| {
        format!(
            "{{\"type\":\"allow\",\"t\":{t}.0,\"login\":\"{login}\",\"remote\":\"192.0.2.1\",\"answer\":0}}\n"
        )
    };
    let lines = line("joe", 1_700_000_000) + &line("bad", 1_700_000_001) + &line("bad", 1_700_000_002);
    std::fs::write(folder.path().join("logins.jsonl"), lines).unwrap();
    let output = portcullis(folder.path(), &["replay", "logins.jsonl", "p.conf"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    for part in [
        "0 reports, 3 questions\n",
        "recorded:  allow 3\n",
        "now:       allow 1, deny 2\n",
        "different: 2\n",
        "  allow -> deny: 2\n",
        "bad from 192.0.2.1: allow -> deny bad name\n",
        "locked out: 1 logins\n",
        "  bad: denied 2 of 2 times, first 2023-11-14T22:13:21Z",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn tables_of_cases_and_new_projects_are_told_in_json() {
    let folder = folder();
    let output = portcullis(folder.path(), &["test", "cases.toml", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["passed"], &told["failed"]), (&json!(1), &json!(1)), "{told}");
    let (good, wrong) = (&told["cases"][0], &told["cases"][1]);
    assert_eq!(
        *good,
        json!({"file": "cases.toml", "case": "good", "calls": 1, "passed": true, "failures": []})
    );
    assert_eq!((&wrong["case"], &wrong["passed"]), (&json!("wrong"), &json!(false)));
    let failure = &wrong["failures"][0];
    assert_eq!(
        failure["wrong"][0],
        json!({"what": "status", "expected": "allow", "got": "deny (-1)"}),
        "{told}"
    );

    let output = portcullis(folder.path(), &["new", "--lang", "c", "guards/mine", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told, json!({"policy": "mine", "folder": "guards/mine"}));
    assert!(folder.path().join("guards/mine/Makefile").is_file());
}
