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
