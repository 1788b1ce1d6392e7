//! Lists kept in Redis: wforce's own functions for it, both lists, and entries that siblings send.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::fs;
use std::net::{SocketAddr, TcpListener};

use portcullis_tests::cluster::{sibling_port, wait_for};
use portcullis_tests::receiver::Receiver;
use portcullis_tests::redis::{Redis, waiting};
use portcullis_tests::{Daemon, Launch, address};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The calls for a list in this server; `list`: `blacklist` or `whitelist`.
fn kept(list: &str, redis: SocketAddr) -> String {
    format!("{list}PersistDB(\"{}\", {})\n{list}PersistConnectTimeout(5)\n", redis.ip(), redis.port())
}

fn add(daemon: &Daemon, list: &str, entry: &Value) {
    assert_eq!(daemon.client().post(&format!("/command/add{list}Entry"), entry).status, 200);
}

fn login(name: &str) -> Value {
    json!({"login": name, "expire_secs": 600, "reason": "r"})
}

#[test]
fn a_server_that_wants_a_user_gets_the_one_of_the_configuration() {
    let addr = address::fresh();
    let port = addr.port().to_string();
    // The least that docs/redis.md names.
    let user = ["--user", "wf", "on", ">secret", "~wfbl:*", "+scan", "+get", "+set", "+del"];
    let arguments = [&["--port", &port, "--user", "default", "off"][..], &user].concat();
    let admin = ["--user", "admin", "on", ">root", "~*", "+@all"];
    let redis = Redis::with(
        addr,
        TempDir::with_prefix("portcullis-redis-").unwrap(),
        &[&arguments[..], &admin].concat(),
        &["--user", "admin", "--pass", "root", "--no-auth-warning"],
    );
    redis.cli(&["SET", "wfbl:login:there", "4000000000:old"]);
    let user = |password: &str| {
        format!(
            "{}blacklistRedisUsername(\"wf\")\nblacklistRedisPassword(\"{password}\")\n",
            kept("blacklist", addr)
        )
    };
    let daemon = Daemon::start(&user("secret"));
    daemon.log().wait_for("1 entries of the blacklist loaded");
    add(&daemon, "BL", &login("joe"));
    redis.wait_for(&["EXISTS", "wfbl:login:joe"], "1");
    daemon.client().post("/command/delBLEntry", &login("there"));
    redis.wait_for(&["EXISTS", "wfbl:login:there"], "0");

    let stranger = Daemon::start(&user("guess"));
    let line = stranger.log().wait_for("changes of the blacklist are kept");
    assert!(!line.contains("guess"), "{line}");
    add(&stranger, "BL", &login("ann"));
    assert_eq!(redis.cli(&["EXISTS", "wfbl:login:ann"]), "0");
}

#[test]
fn what_a_user_may_not_write_is_counted_as_lost() {
    let addr = address::fresh();
    let port = addr.port().to_string();
    let redis = Redis::with(
        addr,
        TempDir::with_prefix("portcullis-redis-").unwrap(),
        &["--port", &port, "--user", "wf", "on", ">secret", "~wfbl:*", "+scan", "+get"],
        &[],
    );
    let daemon = Daemon::start(&format!(
        "{}blacklistRedisUsername(\"wf\")\nblacklistRedisPassword(\"secret\")\n",
        kept("blacklist", addr)
    ));
    add(&daemon, "BL", &login("joe"));
    daemon.log().wait_for("a change of the blacklist is lost: ");
    wait_for("it is counted", || {
        daemon.client().metric("portcullis_redis_wlbl_lost_total{type=\"bl\"}") == Some(1.0)
    });
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
    assert_eq!(daemon.client().allow(&json!({"login": "joe", "remote": "192.0.2.1"}))["status"], -1);
}

#[test]
fn the_whitelist_too() {
    let redis = Redis::start();
    redis.cli(&["SET", "wfwl:ip:192.0.2.0/24", "4000000000:office"]);
    redis.cli(&["SET", "wfbl:login:black", "4000000000:other list"]);
    let daemon = Daemon::start(&format!(
        "{}setAllow(function(lt) return 5, \"\", \"\", {{}} end)\n",
        kept("whitelist", redis.addr)
    ));
    let status = |login: &str, remote: &str| {
        daemon.client().allow(&json!({"login": login, "remote": remote}))["status"].clone()
    };
    assert_eq!((status("x", "192.0.2.7"), status("black", "198.51.100.1")), (json!(0), json!(5)));
    add(&daemon, "WL", &login("joe"));
    redis.wait_for(&["EXISTS", "wfwl:login:joe"], "1");
    assert_eq!(status("joe", "198.51.100.1"), json!(0));
    daemon.client().post("/command/delWLEntry", &json!({"netmask": "192.0.2.0/24"}));
    redis.wait_for(&["EXISTS", "wfwl:ip:192.0.2.0/24"], "0");
    assert_eq!(daemon.client().metric("wforce_redis_wlbl_updates_total{type=\"wl\"}"), Some(1.0));
    add(&daemon, "BL", &login("ann"));
    add(&daemon, "WL", &login("last"));
    redis.wait_for(&["EXISTS", "wfwl:login:last"], "1");
    assert_eq!(redis.cli(&["EXISTS", "wfbl:login:ann"]), "0", "the blacklist is not kept there");
}

#[test]
fn entries_of_siblings_are_stored_if_that_is_wanted() {
    for (wanted, stored) in [("", "0"), ("blacklistPersistReplicated()\n", "1")] {
        let redis = Redis::start();
        let (one, other) = (sibling_port(address::own()), sibling_port(address::beside(1)));
        let config = |own: SocketAddr, sibling: SocketAddr| {
            format!("siblingListener(\"{own}\")\naddSibling(\"{sibling}:tcp\")\n")
        };
        let a = Daemon::start(&config(one, other));
        let receiver = Receiver::start("200 OK");
        let hook = format!("addWebHook({{\"addbl\", \"delbl\"}}, {{ url = \"{}\" }})\n", receiver.url());
        let b =
            Daemon::start(&format!("{}{}{hook}{wanted}", config(other, one), kept("blacklist", redis.addr)));
        b.log().wait_for("0 entries of the blacklist loaded");
        add(&a, "BL", &login("theirs"));
        let denied = || b.client().allow(&json!({"login": "theirs", "remote": "192.0.2.1"}))["status"] == -1;
        wait_for("the entry arrives", denied);
        add(&b, "BL", &login("own"));
        redis.wait_for(&["EXISTS", "wfbl:login:own"], "1");
        redis.wait_for(&["EXISTS", "wfbl:login:theirs"], stored);
        a.client().post("/command/delBLEntry", &login("theirs"));
        wait_for("the deletion arrives", || !denied());
        add(&b, "BL", &login("second"));
        redis.wait_for(&["EXISTS", "wfbl:login:second"], "1");
        redis.wait_for(&["EXISTS", "wfbl:login:theirs"], "0");
        // A webhook hears of what was done here only.
        for login in ["own", "second"] {
            let body = receiver.next().body;
            assert!(body.contains(&format!("\"key\": \"{login}\"")), "{body}");
        }
        assert!(!receiver.has_more());
    }
}

#[test]
fn a_server_with_a_certificate_of_nobody_known_is_not_used() {
    let (redis, _) = Redis::with_tls("~wfbl:*", &["+@all"]);
    let daemon =
        Daemon::start(&format!("blacklistPersistURL(\"rediss://wf:secret@{}\", {{}})\n", redis.addr));
    let line = daemon.log().wait_for("changes of the blacklist are kept");
    assert!(!line.contains("secret"), "{line}");
    add(&daemon, "BL", &login("joe"));
    wait_for("it tries again", || {
        daemon.client().metric("wforce_redis_wlbl_connfailed_total{type=\"bl\"}").unwrap() >= 2.0
    });
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
    assert_eq!(daemon.client().metric("portcullis_redis_wlbl_waiting{type=\"bl\"}"), Some(1.0));
}

#[test]
fn a_server_may_be_named() {
    // `localhost` is 127.0.0.1, whose ports nobody has for himself alone.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let redis = Redis::at(free);
    let port = free.port();
    let daemon = Daemon::start(&format!(
        "blacklistPersistDB(\"localhost\", {port})\nwhitelistPersistURL(\"redis://localhost:{port}\", {{}})\n"
    ));
    add(&daemon, "BL", &login("joe"));
    add(&daemon, "WL", &login("ann"));
    redis.wait_for(&["EXISTS", "wfbl:login:joe"], "1");
    redis.wait_for(&["EXISTS", "wfwl:login:ann"], "1");
}

#[test]
fn a_server_that_wants_a_certificate_gets_the_one_of_the_configuration() {
    let (redis, certificate) = Redis::with_tls("~wfbl:*", &["+@all"]);
    redis.cli(&["SET", "wfbl:login:there", "4000000000:old"]);
    redis.cli(&["CONFIG", "SET", "tls-auth-clients", "yes"]);
    let key = fs::read(redis.folder().join("key.pem")).unwrap();
    let start = |options: &str| {
        let config = format!(
            "blacklistPersistURL(\"rediss://wf:secret@{}\", {{ ca_file = \"cert.pem\"{options} }})\n",
            redis.addr
        );
        Launch::new(&config).file("cert.pem", &certificate).file("key.pem", &key).start()
    };
    let known = start(", cert_file = \"cert.pem\", key_file = \"key.pem\"");
    known.log().wait_for("1 entries of the blacklist loaded");
    let stranger = start("");
    stranger.log().wait_for("changes of the blacklist are kept");
}

#[test]
fn what_waits_is_written_at_the_end() {
    let redis = Redis::start();
    let mut daemon = Daemon::start(&kept("blacklist", redis.addr));
    daemon.log().wait_for("0 entries of the blacklist loaded");
    redis.freeze(true);
    add(&daemon, "BL", &login("joe"));
    daemon.process.signal("TERM");
    redis.freeze(false);
    assert!(daemon.process.wait().success());
    assert_eq!(redis.cli(&["EXISTS", "wfbl:login:joe"]), "1");
}

#[test]
fn a_server_that_hangs_blocks_no_request_and_is_loaded_later() {
    let redis = Redis::start();
    for login in ["there", "other"] {
        redis.cli(&["SET", &format!("wfbl:login:{login}"), "4000000000:old"]);
    }
    redis.freeze(true);
    // Whoever waited for an answer would wait for an hour.
    let daemon = Daemon::start(&format!(
        "blacklistPersistDB(\"{}\", {})\nblacklistPersistConnectTimeout(1)\nblacklistPersistRWTimeout(3600, 0)\n",
        redis.addr.ip(),
        redis.addr.port()
    ));
    let add = |login: &str| {
        let entry = json!({"login": login, "expire_secs": 600, "reason": "new"});
        assert_eq!(daemon.client().post("/command/addBLEntry", &entry).status, 200);
    };
    let denied =
        |login: &str| daemon.client().allow(&json!({"login": login, "remote": "192.0.2.1"}))["status"] == -1;
    (0..50).for_each(|number| add(&format!("user{number}")));
    add("other");
    assert!(denied("user7") && !denied("there"));
    redis.freeze(false);
    wait_for("what was there is loaded", || denied("there"));
    wait_for("and what came meanwhile is written", || redis.size() == 52);
    let value = redis.cli(&["GET", "wfbl:login:other"]);
    assert!(value.ends_with(":new"), "what was changed here meanwhile counts: {value}");
    let entries: Value = daemon.client().get("/command/getBL").json();
    assert_eq!(entries["bl_entries"].as_array().unwrap().len(), 52);
    // Later, with a connection.
    redis.freeze(true);
    (50..100).for_each(|number| add(&format!("user{number}")));
    assert!(denied("user77") && waiting(&daemon) > 0);
    redis.freeze(false);
    wait_for("all is written", || redis.size() == 102);
}
