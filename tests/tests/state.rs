//! Stats DBs and lists outlive a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::fs;
use std::path::Path;

use portcullis_tests::Launch;

const CONFIG: &str = r#"
newStringStatsDB("db", 3600, 4, { n = "int", d = "hll", c = "countmin" })
setStateInterval(1)
"#;

fn launch(state: &Path) -> Launch {
    Launch::new(&format!("setStateDir(\"{}\")\n{CONFIG}", state.display()))
}

#[test]
fn counts_and_lists_are_there_after_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state-dir");
    let mut daemon = launch(&state).start();
    daemon.execute("getStringStatsDB(\"db\"):twAdd(\"joe\", \"n\", 5)");
    daemon.execute("blacklistLogin(\"mallory\", 3600, \"too many\")");
    let before = daemon.execute("return tostring(getStringStatsDB(\"db\"):twGet(\"joe\", \"n\"))");
    assert!(daemon.terminate().success());
    let mut daemon = launch(&state).start();
    let after = daemon.execute("return tostring(getStringStatsDB(\"db\"):twGet(\"joe\", \"n\"))");
    assert_eq!(before, after);
    assert_ne!(after.trim(), "0");
    assert!(daemon.terminate().success());
    let line = daemon.log().wait_for("saved 1 keys and 1 list entries to ");
    assert!(
        line.contains(&format!("{}, ", state.join("state").display())) && line.ends_with(" ms"),
        "{line}"
    );
    // The last snapshot is damaged: the one before is used, and the log says so.
    let mut bytes = fs::read(state.join("state")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(state.join("state"), bytes).unwrap();
    let mut daemon = launch(&state).start();
    let again = daemon.execute("return tostring(getStringStatsDB(\"db\"):twGet(\"joe\", \"n\"))");
    assert_eq!(again, before);
    assert!(state.join("state.damaged").exists());
    assert!(daemon.terminate().success());
}

const COUNT: &str = "return tostring(getStringStatsDB(\"db\"):twGet(\"joe\", \"n\"))";

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    portcullis_tests::cluster::wait_for(what, holds);
}

fn logged(daemon: &portcullis_tests::Daemon, part: &str) -> bool {
    daemon.log().all().iter().any(|line| line.contains(part))
}

#[test]
fn a_kill_in_the_middle_of_a_snapshot_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state-dir");
    let tmp = state.join("state.tmp");
    let mut daemon = launch(&state).start();
    // Enough for a snapshot to take a while.
    daemon.execute(
        "local db = getStringStatsDB(\"db\") for i = 1, 60000 do db:twAdd(\"key\" .. i, \"n\", 1) end",
    );
    daemon.execute("getStringStatsDB(\"db\"):twAdd(\"joe\", \"n\", 5)");
    let before = daemon.execute(COUNT);
    let saves = |daemon: &portcullis_tests::Daemon| {
        portcullis_tests::cluster::metric(daemon, "portcullis_state_saves_total")
    };
    let first = saves(&daemon);
    // The next one may have begun before the last line was run, the one after has it.
    wait_for("it is saved", || saves(&daemon) > first + 1);
    for _ in 0..3 {
        // The file may be complete and renamed before the signal is there: then once more.
        loop {
            wait_for("a snapshot begins", || tmp.exists());
            daemon.process.signal("KILL");
            daemon.process.wait();
            if tmp.exists() {
                break;
            }
            daemon = launch(&state).start();
        }
        daemon = launch(&state).start();
        assert_eq!(daemon.execute(COUNT), before);
        assert!(logged(&daemon, "restored 60001 keys"), "{:#?}", daemon.log().all());
        assert!(!logged(&daemon, "cannot be used") && !state.join("state.damaged").exists());
    }
}

#[test]
fn a_torn_snapshot_is_set_aside_and_without_any_the_daemon_begins_empty() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state-dir");
    let mut daemon = launch(&state).start();
    daemon.execute("getStringStatsDB(\"db\"):twAdd(\"joe\", \"n\", 5)");
    let before = daemon.execute(COUNT);
    assert!(daemon.terminate().success());
    let mut daemon = launch(&state).start();
    assert!(daemon.terminate().success());
    let whole = fs::read(state.join("state")).unwrap();
    for length in [0, 1, 11, 12, whole.len() / 2, whole.len() - 1] {
        fs::write(state.join("state.1"), &whole).unwrap();
        fs::write(state.join("state"), &whole[..length]).unwrap();
        let mut daemon = launch(&state).start();
        assert!(logged(&daemon, "it is incomplete"), "{length}: {:#?}", daemon.log().all());
        assert!(logged(&daemon, "state.damaged"));
        assert_eq!(daemon.execute(COUNT), before, "{length}");
        assert!(daemon.terminate().success());
    }
    for name in ["state", "state.1"] {
        fs::write(state.join(name), &whole[..whole.len() / 3]).unwrap();
    }
    let mut daemon = launch(&state).start();
    assert!(logged(&daemon, "no snapshot can be used: stats DBs and lists begin empty"));
    assert_eq!(daemon.execute(COUNT).trim(), "0");
    assert!(daemon.terminate().success());
    assert!(state.join("state").exists(), "it saves again");
}

#[test]
fn a_daemon_that_cannot_save_serves_on_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state-dir");
    let mut daemon = launch(&state).start();
    let trouble = |daemon: &portcullis_tests::Daemon| {
        let answer = daemon.client().get("/command/readyz");
        assert_eq!((answer.status, answer.text().as_str()), (200, ""));
        answer.header("x-portcullis-trouble").map(str::to_owned)
    };
    let failing = |daemon: &portcullis_tests::Daemon| {
        portcullis_tests::cluster::metric(daemon, "portcullis_state_failing")
    };
    assert_eq!((trouble(&daemon), failing(&daemon)), (None, 0));
    // Nothing can be written under this name, whoever the daemon runs as.
    let tmp = state.join("state.tmp");
    wait_for("no snapshot is being written", || fs::create_dir(&tmp).is_ok());
    wait_for("it is seen", || trouble(&daemon).is_some());
    assert_eq!(trouble(&daemon).unwrap(), "state: not saved (is a directory)");
    assert_eq!(failing(&daemon), 1);
    daemon.log().wait_for(&format!("cannot save the state to {}: Is a directory", state.display()));
    fs::remove_dir(&tmp).unwrap();
    wait_for("it saves again", || trouble(&daemon).is_none() && failing(&daemon) == 0);
    daemon.log().wait_for(" ms, which failed before");
    wait_for("no snapshot is being written", || fs::create_dir(&tmp).is_ok());
    assert!(daemon.terminate().success());
    let lines = daemon.log().all();
    let last = "the last complete snapshot stays, and what was counted since then is lost";
    assert!(lines.iter().any(|line| line.ends_with(last)), "{lines:#?}");
}
