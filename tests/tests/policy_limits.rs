//! A policy that cannot hurt: whatever it does, its one request gets an error and all others are served.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::sync::mpsc;
use std::{iter, thread};

use portcullis_tests::{Connection, Daemon, Response};
use serde_json::json;

/// Each login makes the policy misbehave in its own way.
const POLICY: &str = r#"
setNumLuaStates(3)
setAllow(function(lt)
    local what = lt.login
    if what == "loop" then while true do end end
    if what == "compiled" then local n = 0; for i = 1, 1e15 do n = n + i % 7 end; return n, "", "", {} end
    if what == "caught" then while true do pcall(function() while true do end end) end end
    if what == "string" then local s = "x"; while true do s = s .. s end end
    if what == "table" then local t = {}; while true do t[#t + 1] = { #t } end end
    if what == "pattern" then
        return #(string.find(("a"):rep(40000), (".-"):rep(60) .. "b") or ""), "", "", {}
    end
    if what == "recursion" then local function f() return 1 + f() end return f(), "", "", {} end
    if what == "exit" then os.exit(0) end
    if what == "error" then error("I give up") end
    if what == "object" then error({}) end
    if what == "three" then return 0, "", "" end
    if what == "nothing" then return end
    if what == "type" then return "x", "", "", {} end
    if what == "boolean" then return 0, "", "", { a = true } end
    return 0, "", "", {}
end)
setReport(function(lt) if lt.login == "loop" then while true do end end end)
"#;

fn ask(daemon: &Daemon, login: &str) -> Response {
    daemon.client().post("/command/allow", &json!({"login": login, "remote": "192.0.2.1"}))
}

fn failures(daemon: &Daemon) -> f64 {
    let metrics = daemon.client().get("/metrics").text();
    metrics
        .lines()
        .filter(|line| line.starts_with("portcullis_policy_failures_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// The request fails with a reason, is counted and logged with its function, and the next ones work in every state.
fn hurts_nobody(login: &str) -> String {
    let daemon = Daemon::start(POLICY);
    let response = ask(&daemon, login);
    assert_eq!(response.status, 500, "{login}: {}", response.text());
    let body = response.json();
    assert_eq!(body["status"], "failure");
    let reason = body["reason"].as_str().unwrap().to_owned();
    assert!(!reason.is_empty(), "{login}");
    assert!((failures(&daemon) - 1.0).abs() < 0.5, "{login}: {}", failures(&daemon));
    let line = daemon.log().wait_for("exception: ");
    assert!(line.contains("[allow]"), "{login}: {line}");
    // More than there are states: each of them is met.
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(ask(&daemon, "nobody").status, 200, "after {login}"));
        }
    });
    reason
}

#[test]
fn a_policy_that_wants_to_end_the_daemon_gets_an_error() {
    let reason = hurts_nobody("exit");
    assert!(reason.contains(": os.exit() would end the daemon"), "{reason}");
}

#[test]
fn an_endless_loop() {
    hurts_nobody("loop");
}

#[test]
fn an_endless_compiled_loop() {
    hurts_nobody("compiled");
}

#[test]
fn a_loop_that_catches_errors() {
    hurts_nobody("caught");
}

#[test]
fn a_runaway_string() {
    hurts_nobody("string");
}

#[test]
fn a_runaway_table() {
    hurts_nobody("table");
}

#[test]
fn a_pattern_that_never_ends() {
    hurts_nobody("pattern");
}

#[test]
fn endless_recursion() {
    let reason = hurts_nobody("recursion");
    assert!(reason.contains("stack overflow"), "{reason}");
}

#[test]
fn an_error() {
    let reason = hurts_nobody("error");
    assert!(reason.contains("I give up"), "{reason}");
}

#[test]
fn an_error_that_is_no_text() {
    hurts_nobody("object");
}

#[test]
fn wrong_returns() {
    for login in ["three", "nothing", "type", "boolean"] {
        hurts_nobody(login);
    }
}

#[test]
fn others_are_answered_meanwhile() {
    let daemon = Daemon::start(POLICY);
    // As many endless loops as there are states but one.
    let mut stuck: Vec<_> = (0..2).map(|_| loop_on(&daemon)).collect();
    for _ in 0..50 {
        assert_eq!(ask(&daemon, "somebody").status, 200);
    }
    for connection in &mut stuck {
        assert_eq!(connection.receive().status, 500);
    }
}

/// Sends a request that the policy never ends, and returns its connection.
fn loop_on(daemon: &Daemon) -> Connection {
    let mut connection = daemon.connect();
    let body = json!({"login": "loop"}).to_string();
    connection.send(&daemon.client().request_bytes("POST", "/command/allow", &[], body.as_bytes()));
    connection
}

/// All good requests are answered before the first looping one: seen by the order of the answers.
fn good_ones_overtake(daemon: &Daemon, loops: usize) {
    let (answers, order) = mpsc::channel();
    let stuck: Vec<_> = (0..loops).map(|_| loop_on(daemon)).collect();
    thread::scope(|scope| {
        for mut connection in stuck {
            let answers = answers.clone();
            scope.spawn(move || answers.send(connection.receive().status).unwrap());
        }
        for _ in 0..50 {
            let answers = answers.clone();
            scope.spawn(move || answers.send(ask(daemon, "somebody").status).unwrap());
        }
    });
    drop(answers);
    let seen: Vec<u16> = order.iter().collect();
    let expected: Vec<u16> = iter::repeat_n(200, 50).chain(iter::repeat_n(500, loops)).collect();
    assert_eq!(seen, expected, "{loops} loops");
}

#[test]
fn good_requests_overtake_looping_ones() {
    let daemon = Daemon::start(&format!("setPolicyBudget(5000)\n{POLICY}"));
    // One state out of three, then all but one.
    for loops in [1, 2] {
        good_ones_overtake(&daemon, loops);
    }
}

#[test]
fn more_loops_than_states() {
    let daemon = Daemon::start(POLICY);
    thread::scope(|scope| {
        for _ in 0..9 {
            scope.spawn(|| assert_eq!(ask(&daemon, "loop").status, 500));
        }
    });
    assert_eq!(ask(&daemon, "somebody").status, 200);
    // One line tells which function it was, not one for each of nine failures.
    assert!(daemon.log().count("[allow]") < 9, "{:#?}", daemon.log().all());
    let report = daemon.client().post("/command/report", &json!({"login": "loop"}));
    assert_eq!(report.status, 500);
    assert_eq!(daemon.client().post("/command/report", &json!({"login": "x"})).status, 200);
}

#[test]
fn a_state_that_is_replaced_does_not_do_again_what_the_file_did() {
    let file = "newStringStatsDB('seen', 600, 6, { n = 'int' })\n\
        getStringStatsDB('seen'):twReset('joe')\n\
        unblacklistLogin('mallory')\n\
        blacklistLogin('ann', 3600, 'by the file')\n\
        setReport(function(lt) getStringStatsDB('seen'):twAdd(lt.login, 'n', 1) end)\n\
        setAllow(function(lt) while lt.login == 'loop' do end return 0, '', '', {} end)\n";
    let daemon = Daemon::start(file);
    let client = daemon.client();
    let listed = json!({"login": "mallory", "expire_secs": 3600, "reason": "later"});
    assert_eq!(client.post("/command/addBLEntry", &listed).status, 200);
    assert_eq!(client.post("/command/delBLEntry", &json!({"login": "ann"})).status, 200);
    client.report(&json!({"login": "joe", "remote": "192.0.2.1"}));
    let lists = client.get("/command/getBL").text();
    assert_eq!(ask(&daemon, "loop").status, 500);
    daemon.log().wait_for("was replaced by a fresh one");
    assert_eq!(client.get("/command/getBL").text(), lists);
    let counted = client.post("/command/getDBStats", &json!({"login": "joe"})).json();
    assert_eq!(counted["stats"]["seen"]["n"], 1, "{counted}");
}
