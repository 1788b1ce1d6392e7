//! SIGHUP: what of a changed configuration waits for a restart, and is told.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::{Daemon, Launch};

const BEFORE: &str = "setAllow(function(lt) return 0, '', 'old', {} end)\n";
const AFTER: &str = "setAllow(function(lt) return 0, '', 'new', {} end)\n";
const WAITS: &str = "these stay as they were until a restart";

/// Changes the file, and has it read: the lines about what waits, so far.
fn change(daemon: &Daemon, changes: &[(&str, &str)], times: usize) -> Vec<String> {
    let text = std::fs::read_to_string(daemon.config()).unwrap();
    let change = |text: String, (from, to): &(&str, &str)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    std::fs::write(daemon.config(), changes.iter().fold(text, change)).unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for_count(": loaded again", times);
    daemon.log().all().into_iter().filter(|line| line.contains(WAITS)).collect()
}

/// Nobody is there.
const MAIL: &str = "setAlertMail{ host = 'localhost', security = 'none', from = 'a@example.com', user = 'u', password = 'hidden1' }\n";
const BLOCK: &str = "addAlertBlock{ url = 'http://127.0.0.1:9', password = 'hidden1' }\n";

fn shows_no_secret(daemon: &Daemon) {
    let lines = daemon.log().all();
    assert!(!lines.iter().any(|line| line.contains("hidden")), "{lines:?}");
}

#[test]
fn how_servers_are_verified_and_where_counts_are_kept_is_told() {
    let db = |name: &str, options: &str| {
        let backend = "backend = 'redis://:hidden@127.0.0.1:9', timeout_ms = '10'";
        format!("newStringStatsDB('{name}', 60, 5, {{ failures = 'int' }}, {{ {backend}{options} }})\n")
    };
    let dbs = [db("one", ""), db("two", ""), db("three", "")].concat();
    let daemon = Daemon::start(&format!("disableCurlPeerVerification()\n{MAIL}{BLOCK}{dbs}"));
    assert_eq!(change(&daemon, &[], 1), [""; 0], "the same again");
    let changes = [
        ("hidden1", "hidden2"),
        ("disableCurlPeerVerification()", "setCurlCABundleFile('ca.pem')"),
        (&*db("one", ""), &*db("one", ", cache_ms = '5'")),
        (&*db("two", ""), &*db("two", "").replace("'10'", "'20'")),
        (&*db("three", ""), ""),
    ];
    let lines = change(&daemon, &changes, 2);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let named = "(disableCurlPeerVerification, setCurlCABundleFile, setAlertMail, addAlertBlock, \
        where the stats DB one keeps its counts, where the stats DB three keeps its counts, where the stats DB two keeps its counts)";
    assert!(line.contains(named), "{line}");
    // One that a file has brought that was read again is compared with that file.
    let anew = format!("{}setAlertMail", db("four", ""));
    let told = |line: &String| line.split_once(" (").unwrap().1.to_owned();
    assert_eq!(told(&change(&daemon, &[("setAlertMail", &anew)], 3)[1]), told(line));
    let lines = change(&daemon, &[(&*db("four", ""), &*db("four", ", max_waiting = '7'"))], 4);
    let four = "where the stats DB four keeps its counts, where the stats DB one";
    assert!(lines[2].contains(four), "{lines:?}");
    shows_no_secret(&daemon);
}

#[test]
fn another_report_store_and_other_secrets_are_told() {
    let store = "setReportStore('elasticsearch', { hosts = 'http://127.0.0.1:9', user = 'u', password = 'hidden1' })\n";
    let confirm = "setAlertConfirm{ url = 'http://127.0.0.1:9/confirm', key = 'hidden1 hidden1 hidden1' }\n";
    let daemon = Launch::trackalert(&format!("{MAIL}{BLOCK}{confirm}{store}")).start();
    assert_eq!(change(&daemon, &[], 1), [""; 0], "the same again");
    let lines = change(&daemon, &[("hidden1", "hidden2")], 2);
    let named = "(setReportStore, setAlertMail, addAlertBlock, setAlertConfirm)";
    assert!(matches!(&lines[..], [line] if line.contains(named)), "{lines:?}");
    let lines = change(&daemon, &[("hidden2", "hidden1"), ("'u', password", "'v', password")], 3);
    assert!(lines[1].contains("(setReportStore, setAlertMail)"), "{lines:?}");
    shows_no_secret(&daemon);
}

#[test]
fn settings_that_wait_for_a_restart_are_told_in_one_line() {
    let daemon = Daemon::start(BEFORE);
    assert_eq!(change(&daemon, &[(BEFORE, AFTER)], 1), [""; 0], "all of this takes effect");
    let more = "setNumLuaStates(3)\nsetPolicyBudget(77)\nsetStateDir('state')\naddListener('127.0.0.1:9', false, '', '', {})\n\
        blacklistPersistDB('127.0.0.1', 9)\nsetAlertLimits{ per_hour = 7 }\n";
    let lines = change(&daemon, &[(AFTER, &format!("{AFTER}{more}"))], 2);
    let named =
        "(addListener, setNumLuaStates, setPolicyBudget, setStateDir, the blacklist's Redis, setAlertLimits)";
    assert!(matches!(&lines[..], [line] if line.contains(named)), "{lines:?}");
    assert_eq!(change(&daemon, &[(more, "")], 3).len(), 1);
    let key = "setKey('Ay9KXgU3g4ygK+qWT0Ut4gH8PPz02gbtPeXWPdjD0HE=') -- (";
    let lines = change(&daemon, &[("setKey(", key)], 4);
    assert!(lines.len() == 2 && lines[1].contains("(setKey)"), "{lines:?}");
}
