//! Lists kept in a real Redis server: plain, down and back, with TLS and ACL, and as a cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_tests::redis::Redis;
use portcullis_tests::{Daemon, Launch, address};
use serde_json::{Value, json};

fn in_an_hour() -> String {
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600).to_string()
}

fn plain(redis: std::net::SocketAddr) -> String {
    format!("blacklistPersistDB(\"{}\", {})\nblacklistPersistConnectTimeout(5)\n", redis.ip(), redis.port())
}

fn add(daemon: &Daemon, entry: &Value) {
    let answer = daemon.client().post("/command/addBLEntry", entry);
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"status":"ok"}"#));
}

fn entries(daemon: &Daemon) -> Vec<Value> {
    daemon.client().get("/command/getBL").json()["bl_entries"].as_array().unwrap().clone()
}

/// `EXPIRY:reason` of this key, without the expiry.
fn reason(redis: &Redis, key: &str) -> String {
    redis.cli(&["GET", key]).split_once(':').map_or_else(String::new, |(_, reason)| reason.to_owned())
}

fn wait_for_reason(redis: &Redis, key: &str, wanted: &str) {
    redis.wait_for(&["EXISTS", key], "1");
    assert_eq!(reason(redis, key), wanted);
}

#[test]
fn all_entries_load_and_changes_follow() {
    let redis = Redis::start();
    let script =
        "for i = 1, 1500 do redis.call('SET', 'wfbl:login:user'..i, ARGV[1]..':a:b', 'EX', 3600) end";
    redis.cli(&["EVAL", script, "0", &in_an_hour()]);
    let value = format!("{}:r", in_an_hour());
    for key in ["wfbl:ip:192.0.2.0/24", "wfbl:ja3:abc", "wfbl:ip_ja3:192.0.2.9:abc", "wfwl:login:white"] {
        redis.cli(&["SET", key, &value]);
    }
    for (key, value) in
        [("wfbl:moon:x", value.as_str()), ("wfbl:ip:nowhere", &value), ("wfbl:login:odd", "odd")]
    {
        redis.cli(&["SET", key, value]);
    }
    redis.cli(&["RPUSH", "wfbl:login:list", "x"]);
    let daemon = Daemon::start(&plain(redis.addr));
    let found = entries(&daemon);
    assert_eq!(found.len(), 1503);
    assert!(found.iter().any(|entry| entry["login"] == "user1500" && entry["reason"] == "a:b"));
    daemon.log().wait_for_count("is left out: ", 4);
    assert_eq!(daemon.client().allow(&json!({"login": "x", "remote": "192.0.2.77"}))["status"], -1);

    add(&daemon, &json!({"ip": "198.51.100.7", "login": "joe", "expire_secs": 600, "reason": "too many: 9"}));
    wait_for_reason(&redis, "wfbl:ip_login:198.51.100.7:joe", "too many: 9");
    let ttl: u64 = redis.cli(&["TTL", "wfbl:ip_login:198.51.100.7:joe"]).parse().unwrap();
    assert!((500..=600).contains(&ttl), "{ttl}");
    daemon.client().post("/command/delBLEntry", &json!({"ip": "198.51.100.7", "login": "joe"}));
    redis.wait_for(&["EXISTS", "wfbl:ip_login:198.51.100.7:joe"], "0");
    assert_eq!(daemon.client().metric("wforce_redis_wlbl_updates_total{type=\"bl\"}"), Some(1.0));
}

#[test]
fn a_server_that_is_away_costs_nothing_and_gets_everything_later() {
    let addr = address::fresh();
    let daemon = Daemon::start(&plain(addr));
    add(&daemon, &json!({"login": "early", "expire_secs": 600, "reason": "1"}));
    add(&daemon, &json!({"login": "gone", "expire_secs": 600, "reason": "1"}));
    daemon.client().post("/command/delBLEntry", &json!({"login": "gone"}));
    assert_eq!(daemon.client().metric("portcullis_redis_wlbl_waiting{type=\"bl\"}"), Some(2.0));
    assert!(daemon.client().metric("wforce_redis_wlbl_connfailed_total{type=\"bl\"}").unwrap() >= 1.0);

    let redis = Redis::at(addr);
    wait_for_reason(&redis, "wfbl:login:early", "1");
    assert_eq!(redis.cli(&["EXISTS", "wfbl:login:gone"]), "0");
    redis.kill();

    add(&daemon, &json!({"login": "middle", "expire_secs": 600, "reason": "2"}));
    add(&daemon, &json!({"login": "middle", "expire_secs": 600, "reason": "3"}));
    let redis = Redis::at(addr);
    wait_for_reason(&redis, "wfbl:login:middle", "3");
    assert_eq!(entries(&daemon).len(), 2);
    let lost = daemon.client().metric("portcullis_redis_wlbl_lost_total{type=\"bl\"}").unwrap_or(0.0);
    assert!(lost < 1.0, "{lost}");
}

#[test]
fn another_reason_for_a_server_to_be_away_is_told() {
    let addr = address::fresh();
    let daemon = Daemon::start(&format!(
        "{}newStringStatsDB(\"out\", 60, 5, {{ n = \"int\" }}, {{ backend = \"redis://{addr}\" }})\n",
        plain(addr)
    ));
    daemon.log().wait_for_count("Connection refused", 2);
    let folder = tempfile::TempDir::with_prefix("portcullis-redis-").unwrap();
    let arguments = ["--port", &addr.port().to_string(), "--requirepass", "secret"];
    let _redis = Redis::with(addr, folder, &arguments, &["-a", "secret"]);
    daemon.log().wait_for_count("NOAUTH", 2);
    let told = daemon.log().all();
    let count = |part: &str| told.iter().filter(|line| line.contains(part)).count();
    assert_eq!((count("Connection refused"), count("NOAUTH")), (2, 2), "{told:?}");
}

#[test]
fn tls_and_acl() {
    let (redis, certificate) = Redis::with_tls("~wfbl:*", &["+scan", "+get", "+set", "+del"]);
    let addr = redis.addr;
    let config =
        format!("blacklistPersistURL(\"rediss://wf:secret@{addr}\", {{ ca_file = \"redis.pem\" }})\n");
    let daemon = Launch::new(&config).file("redis.pem", &certificate).start();
    add(&daemon, &json!({"login": "joe", "expire_secs": 600, "reason": "r"}));
    wait_for_reason(&redis, "wfbl:login:joe", "r");

    // The wrong password: told without it, and nobody fails.
    let config =
        format!("blacklistPersistURL(\"rediss://wf:guess@{addr}\", {{ ca_file = \"redis.pem\" }})\n");
    let daemon = Launch::new(&config).file("redis.pem", &certificate).start();
    let line = daemon.log().wait_for("changes of the blacklist are kept");
    assert!(!line.contains("guess"), "{line}");
    add(&daemon, &json!({"login": "ann", "expire_secs": 600, "reason": "r"}));
}

#[test]
fn a_cluster_of_three() {
    let nodes = Redis::cluster();
    let addresses: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
    let value = format!("{}:r", in_an_hour());
    for user in 0..20 {
        nodes[0].cli(&["SET", &format!("wfbl:login:user{user}"), &value]);
    }
    let config =
        format!("blacklistPersistURL(\"redis://{}\", {{ cluster = \"true\" }})\n", addresses.join(","));
    let daemon = Daemon::start(&config);
    daemon.log().wait_for("20 entries of the blacklist loaded");
    assert_eq!(entries(&daemon).len(), 20);
    for user in 20..40 {
        add(&daemon, &json!({"login": format!("user{user}"), "expire_secs": 600, "reason": "new"}));
    }
    for user in 20..40 {
        wait_for_reason(&nodes[2], &format!("wfbl:login:user{user}"), "new");
    }
}

#[test]
fn sentinels_name_the_master_of_the_moment() {
    let master = Redis::start();
    let replica = Redis::replica(master.addr);
    let sentinel = Redis::sentinel(master.addr);
    let config = format!(
        "blacklistPersistURL(\"redis://{}\", {{ sentinel = \"mine\" }})\nblacklistPersistConnectTimeout(5)\n\
         blacklistPersistRWTimeout(2, 0)\n",
        sentinel.addr
    );
    let daemon = Daemon::start(&config);
    add(&daemon, &json!({"login": "first", "expire_secs": 600, "reason": "1"}));
    wait_for_reason(&master, "wfbl:login:first", "1");
    replica.wait_for(&["EXISTS", "wfbl:login:first"], "1");
    sentinel.wait_for_replica(replica.addr);
    master.kill();
    add(&daemon, &json!({"login": "second", "expire_secs": 600, "reason": "2"}));
    let deadline = std::time::Instant::now() + 2 * portcullis_tests::PATIENCE;
    while replica.try_cli(&["EXISTS", "wfbl:login:second"]).as_deref() != Some("1") {
        assert!(std::time::Instant::now() < deadline, "the replica is not written to");
    }
    assert_eq!(reason(&replica, "wfbl:login:second"), "2");
}

#[test]
fn mistakes_are_told_by_the_check() {
    for (line, text) in [
        ("blacklistPersistURL(\"http://u:hidden@a\", {})", "must begin with redis:// or rediss://"),
        ("whitelistPersistURL(\"redis://u:hidden@a\", { clutser = \"true\" })", "no option clutser"),
    ] {
        let output = Launch::new(&format!("{line}\n")).args(&["--check-config"]).run();
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(text) && !told.contains("hidden"), "{told}");
    }
}
