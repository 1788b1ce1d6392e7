//! Daemons that share a stats DB in a real Redis server.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::time::Instant;

use portcullis_tests::cluster::wait_for;
use portcullis_tests::redis::{Redis, SLOTS, slot};
use portcullis_tests::{Daemon, Launch, PATIENCE, tools};
use serde_json::json;

const POLICY: &str = r#"
setReport(function(lt)
    local db = getStringStatsDB("shared")
    db:twAdd(lt.remote, "fails", 1)
    db:twAdd(lt.remote, "who", lt.login)
end)
setAllow(function(lt)
    local db = getStringStatsDB("shared")
    local ok, windows = pcall(function() return db:twGetWindows(lt.remote, "fails") end)
    local text = table.concat(windows, ",")
    if db:twGet(lt.remote, "who") > 2 then return -1, text, "many", { size = tostring(db:twGetSize()) } end
    return 0, text, "", {}
end)
setReset(function(kind, login, ip)
    getStringStatsDB("shared"):twReset(ip)
    return true
end)
"#;

fn config(redis: std::net::SocketAddr, more: &str) -> String {
    format!(
        "newStringStatsDB(\"shared\", 3600, 2, {{ fails = \"int\", who = \"hll\" }}, {{ backend = \"redis://{redis}\", timeout_ms = 20000{more} }})\n{POLICY}"
    )
}

fn report(daemon: &Daemon, login: &str) -> u16 {
    let tuple = json!({"login": login, "remote": "192.0.2.1", "success": false});
    daemon.client().post("/command/report", &tuple).status
}

#[test]
fn daemons_share_a_db() {
    let redis = Redis::start();
    // A DB with shards is the same one there.
    let sharded = config(redis.addr, "")
        .replace("newStringStatsDB(", "newShardedStringStatsDB(")
        .replace("who = \"hll\" }, {", "who = \"hll\" }, 4, {");
    let [one, other] = [Daemon::start(&config(redis.addr, "")), Daemon::start(&sharded)];
    for (daemon, login) in [(&one, "a"), (&other, "b"), (&one, "a"), (&other, "c")] {
        assert_eq!(report(daemon, login), 200);
    }
    let question = json!({"login": "x", "remote": "192.0.2.1"});
    for daemon in [&one, &other] {
        let answer = daemon.client().allow(&question);
        assert_eq!(
            (answer["status"].as_i64(), answer["r_attrs"]["size"].as_str()),
            (Some(-1), Some("1")),
            "{answer}"
        );
        // A new window may have begun meanwhile.
        let windows = answer["msg"].as_str().unwrap().split(',').map(|count| count.parse::<u32>().unwrap());
        assert_eq!((windows.clone().count(), windows.sum::<u32>()), (2, 4), "{answer}");
        let stats = daemon.client().post("/command/getDBStats", &json!({"ip": "192.0.2.1"})).json();
        assert_eq!(stats["stats"]["shared"], json!({"fails": 4, "who": 3}));
        assert!(daemon.execute("showStringStatsDB()").contains("outside"));
    }
    let headers = [("X-Portcullis-Explain", "1")];
    let told =
        one.client().request("POST", "/command/allow", &headers, question.to_string().as_bytes()).text();
    let step = r#""db": "shared", "key": "192.0.2.1/32", "field": "who", "value": 3"#;
    assert!(told.contains(step), "{told}");
    assert_eq!(one.client().post("/command/reset", &json!({"ip": "192.0.2.1"})).status, 200);
    assert_eq!(other.client().allow(&question)["status"], 0);
    let ok = "portcullis_stats_db_remote_calls_total{db=\"shared\",status=\"ok\"}";
    assert!(one.client().metric(ok).unwrap() > 5.0);
    assert_eq!(one.client().metric("portcullis_stats_db_remote_reachable{db=\"shared\"}"), Some(1.0));
}

#[test]
fn a_call_fails_if_it_must_not_go_on_without_the_counts() {
    let redis = Redis::start();
    let addr = redis.addr;
    let daemon = Daemon::start(&config(addr, ", on_unreachable = \"closed\""));
    assert_eq!(report(&daemon, "a"), 200);
    redis.kill();
    assert_eq!(report(&daemon, "a"), 500);
    let answer = daemon.client().post("/command/report", &json!({"login": "a", "remote": "192.0.2.1"}));
    assert!(answer.text().contains("the server of the stats DB"), "{}", answer.text());
    let _redis = Redis::at(addr);
    let deadline = Instant::now() + PATIENCE;
    while report(&daemon, "a") != 200 {
        assert!(Instant::now() < deadline, "it does not come back");
    }
}

#[test]
fn a_cluster_that_is_not_said_to_be_one_is_told_of() {
    let nodes = Redis::cluster();
    // The node with what is asked for first; each has a third of the slots, in their order.
    let node = &nodes[usize::from(slot("pcstats:shared:rows") / SLOTS.div_ceil(3))];
    let daemon = Daemon::start(&config(node.addr, ""));
    let calls = |status: &str| {
        let line = format!("portcullis_stats_db_remote_calls_total{{db=\"shared\",status=\"{status}\"}}");
        daemon.client().metric(&line).unwrap_or(0.0)
    };
    let report_from = |host: u8| {
        let tuple = json!({"login": "a", "remote": format!("192.0.2.{host}"), "success": false});
        assert_eq!(daemon.client().post("/command/report", &tuple).status, 200);
    };
    wait_for("the node answers for its own keys", || {
        (0..20).for_each(report_from);
        calls("ok") > 0.0 && calls("error") > 0.0
    });
    let (away, refused) = (calls("away"), calls("error"));
    (0..50).for_each(report_from);
    let (away, refused) = (calls("away") - away, calls("error") - refused);
    assert!(away < 1.0 && refused > 10.0, "the connection is kept: {away} {refused}");
    let line = daemon.log().wait_for("it is a node of a cluster: set the option cluster = \"true\"");
    assert!(line.contains("stats DB shared"), "{line}");
    assert_eq!(daemon.log().count("its counts are kept in"), 1);
}

#[test]
fn a_component_counts_in_it_too() {
    let redis = Redis::start();
    let component = tools::component("brute-force");
    let options = format!(
        "{{ backend = \"redis://{}\", timeout_ms = 20000, on_unreachable = \"closed\" }}",
        redis.addr
    );
    let config = format!(
        "newStringStatsDB(\"brute_force\", 600, 6, {{ different = \"hll\" }}, {options})\n\
         newStringStatsDB(\"known_good\", 86400, 14, {{ good = \"hll\" }})\n\
         loadPolicy(\"brute-force\", \"policy.wasm\", {{ deadline_ms = 20000, settings = {{ pair_block = 5 }} }})\n\
         setAllow(\"brute-force\")\nsetReport(\"brute-force\")\nsetReset(\"brute-force\")\nsetPolicyBudget(30000)\n"
    );
    let launch =
        |config: &str| Launch::new(config).file("policy.wasm", std::fs::read(&component).unwrap()).start();
    let [one, other] = [launch(&config), launch(&config)];
    for guess in 0..6 {
        let tuple =
            json!({"login": "joe", "remote": "192.0.2.1", "success": false, "pwhash": guess.to_string()});
        assert_eq!(one.client().post("/command/report", &tuple).status, 200);
    }
    let question = json!({"login": "joe", "remote": "192.0.2.1", "pwhash": "x"});
    assert_eq!(other.client().allow(&question)["status"], -1);
    assert_eq!(one.client().post("/command/reset", &json!({"login": "joe", "ip": "192.0.2.1"})).status, 200);
}

#[test]
fn mistakes_are_told_by_the_check() {
    for (options, text) in [
        ("backend = \"http://u:hidden@a\"", "must begin with redis:// or rediss://"),
        ("timeout_ms = 5", "backend is missing"),
        ("backend = \"redis://u:hidden@a\", on_unreachable = \"shut\"", "on_unreachable must be"),
    ] {
        let config = format!("newStringStatsDB(\"x\", 60, 2, {{ n = \"int\" }}, {{ {options} }})\n");
        let output = Launch::new(&config).args(&["--check-config"]).run();
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(text) && !told.contains("hidden"), "{told}");
    }
}
