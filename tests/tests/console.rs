//! The console: in the foreground, and through the client.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::io::Write;
use std::process::{Command, Stdio};

use portcullis_tests::process::{self, Process};
use portcullis_tests::{Daemon, Launch, tools};
use serde_json::json;

const POLICY: &str = r#"
setNumLuaStates(3)
addCustomStat("mine")
newStringStatsDB("seen", 60, 5, { failures = "int", who = "hll" })
setReport(function(lt) getStringStatsDB("seen"):twAdd(lt.login, "failures", 1) end)
setCustomEndpoint("mine", true, function(args) return true, {} end)
"#;

#[test]
fn the_client_executes_commands() {
    let daemon = Daemon::start(POLICY);
    assert_eq!(daemon.execute("stats()").trim_end(), "0 reports, 0 allow-queries (0 denies)");
    daemon.client().report(&json!({"login": "a"}));
    assert_eq!(daemon.execute("stats()").trim_end(), "1 reports, 0 allow-queries (0 denies)");
    assert!(daemon.execute("showVersion()").starts_with("wforce "));
    let help = daemon.execute("help()");
    let row = help.lines().find(|line| line.starts_with("showCommandStats()"));
    assert!(row.is_some_and(|row| row.ends_with("  Prints the commands of the last 300 seconds.")), "{help}");
    assert!(daemon.execute("help('twGet')").starts_with("StringStatsDB:twGet("));
    assert_eq!(daemon.execute("return 5"), "5");
    assert_eq!(daemon.execute(r#"return getStringStatsDB("seen"):twGet("a", "failures")"#), "1");
    assert!(daemon.execute("makeKey()").starts_with("setKey(\""));
    assert_eq!(daemon.execute(r#"testCrypto("x")"#).trim_end(), "Everything is ok!");
    assert!(daemon.execute("return {}").starts_with("Command returned an object we can't print: "));
    assert!(daemon.execute("nonsense(").starts_with("Error: "));
    let error = daemon.execute("nosuch()");
    assert!(error.starts_with("Error: ") && error.contains("nosuch"), "{error}");
}

#[test]
fn tables_look_as_they_did() {
    let daemon = Daemon::start(POLICY);
    daemon.client().report(&json!({"login": "a"}));
    let table = daemon.execute("showStringStatsDB()");
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(
        rows,
        [
            "DB Name/Shards       Repl? Win Size/No Max Size  Cur Size  Field Name       Type",
            "seen/1               no    60/5        524288    1         failures         int",
            "                                                           who              hll",
        ]
    );
    let acl = daemon.execute("showACL()");
    assert!(acl.contains("127.0.0.0/8") && acl.contains("fe80::/10"), "{acl}");
    for (command, line) in [
        ("showCommandStats()", "report=1"),
        ("showCustomStats()", "mine=0"),
        ("showPerfStats()", "WTR_Slow=0"),
    ] {
        let answer = daemon.execute(command);
        assert!(answer.lines().any(|each| each == line), "{command}: {answer}");
    }
    let endpoints = daemon.execute("showCustomEndpoints()");
    assert!(endpoints.contains("\nmine                           POST  true "), "{endpoints}");
}

#[test]
fn a_command_runs_in_every_state() {
    let daemon = Daemon::start(POLICY);
    // Three states that run policies, and the configuration's.
    daemon.execute(r#"getStringStatsDB("seen"):twAdd("k", "failures", 1)"#);
    assert_eq!(daemon.execute(r#"return getStringStatsDB("seen"):twGet("k", "failures")"#), "4");
}

#[test]
fn changes_take_effect_at_once() {
    let daemon = Daemon::start(POLICY);
    daemon.execute(r#"blacklistLogin("eve", 600, "console")"#);
    let answer = daemon.client().allow(&json!({"login": "eve", "remote": "192.0.2.1"}));
    assert_eq!((&answer["status"], &answer["r_attrs"]["reason"]), (&json!(-1), &json!("console")));
    assert_eq!(daemon.execute(r#"return tostring(checkBlacklistLogin("eve"))"#), "true");
    daemon.execute(r#"setAllow(function(lt) return 7, "", "", {} end)"#);
    assert_eq!(daemon.client().allow(&json!({"login": "adam", "remote": "192.0.2.1"}))["status"], 7);
    // A bad mask is told to who typed it, and harms nobody.
    assert!(daemon.execute(r#"addACL("nonsense")"#).starts_with("Error: "));
    daemon.execute(r#"setACL({"10.0.0.0/8"})"#);
    assert_eq!(daemon.client().get("/command/ping").status, 401);
}

#[test]
fn the_client_reads_commands_line_by_line() {
    let daemon = Daemon::start(POLICY);
    let mut client = Process::start_with_stdin(
        Command::new(tools::wforce()).arg("-C").arg(daemon.config()).arg("-c"),
        Stdio::piped(),
    );
    let mut input = client.stdin();
    writeln!(input, "stats()").unwrap();
    client.stdout.wait_for("0 reports, 0 allow-queries (0 denies)");
    writeln!(input, "return 6 * 7\nquit").unwrap();
    client.stdout.wait_for("42");
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn a_wrong_key_gets_nothing() {
    let daemon = Daemon::start(POLICY);
    let config = std::fs::read_to_string(daemon.config()).unwrap();
    let other = daemon.folder().join("other.conf");
    std::fs::write(&other, config.replace("AAECAwQF", "BAECAwQF")).unwrap();
    let output =
        process::run(Command::new(tools::wforce()).arg("-C").arg(&other).args(["-e", "return 'in'", "-c"]));
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!text.lines().any(|line| line == "in"), "{text}");
    assert_eq!(daemon.execute("return 'in'"), "in", "the server is well");
}

#[test]
fn the_foreground_is_a_console() {
    let mut daemon = Launch::new(POLICY).args(&[]).start_with_console();
    let mut input = daemon.process.stdin();
    writeln!(input, "return 6 * 7").unwrap();
    daemon.log().wait_for("42");
    writeln!(input, "stats()").unwrap();
    daemon.log().wait_for("0 reports, 0 allow-queries (0 denies)");
    writeln!(input, "nosuch()").unwrap();
    daemon.process.stderr.wait_for("nosuch");
    assert_eq!(daemon.client().get("/command/ping").status, 200);
    drop(input);
    assert_eq!(daemon.process.wait().code(), Some(0), "the end of input ends the server");
}

#[test]
fn shutdown_ends_the_server() {
    let mut daemon = Daemon::start(POLICY);
    daemon.console("shutdown()");
    assert_eq!(daemon.process.wait().code(), Some(0));
}
