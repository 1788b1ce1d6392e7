//! Redis servers that go away: a node of a cluster, and one that hangs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bstr::BString;
use capabilities::stats::{Ask, AskError, Db, Step, Unreachable};
use capabilities::{Capabilities, Log, Options};
use portcullis_tests::Daemon;
use portcullis_tests::cluster::wait_for;
use portcullis_tests::redis::Redis;
use serde_json::{Value, json};
use statsdb::{CountMinShape, FieldKind, Schema};
use valkey::{StatsOptions, StatsStore};

/// The beginning of a window.
const T: u64 = 1_800_000_000;

/// A stats DB in a cluster.
struct World {
    runtime: tokio::runtime::Runtime,
    caps: Arc<Capabilities>,
    db: Db,
}

impl World {
    fn new(options: &[(&str, &str)]) -> World {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let log = Options { log: Log::discard(), metrics_prefix: "wforce".into(), regexes: None };
        let caps = Capabilities::new(log).unwrap();
        let schema = Schema {
            name: "db".into(),
            window_secs: 60,
            windows: 3,
            fields: vec![("i".into(), FieldKind::Int)],
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        };
        let db = caps.stats.create(schema).unwrap();
        let options: BTreeMap<BString, BString> =
            options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let options = StatsOptions::parse(options).unwrap();
        let store = StatsStore::start(&caps, &db, options, runtime.handle()).unwrap();
        assert!(runtime.block_on(store.connected(portcullis_tests::PATIENCE)));
        World { runtime, caps, db }
    }

    /// Counts each of these keys, and gives the last one's sum.
    fn count(&self, keys: &[&str]) -> Result<i32, AskError> {
        let step = |key: &&str, ask| Step { key: (*key).into(), field: "i".into(), ask };
        let steps = keys
            .iter()
            .flat_map(|key| [step(key, Ask::Add { value: "1".into() }), step(key, Ask::Get)])
            .collect();
        let found = self.runtime.block_on(self.db.ask(None, T, steps))?;
        Ok(found.last().unwrap().number())
    }

    fn metric(&self, name: &str) -> String {
        let text = String::from_utf8(self.caps.metrics.render()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}")).trim().to_owned()
    }

    fn reachable(&self) -> String {
        self.metric("portcullis_stats_db_remote_reachable{db=\"db\"}")
    }

    fn unanswered(&self) -> [String; 2] {
        ["timeout", "error"].map(|status| {
            self.metric(&format!("portcullis_stats_db_remote_calls_total{{db=\"db\",status=\"{status}\"}}"))
        })
    }
}

#[test]
fn a_cluster_answers_for_its_nodes_that_are_there() {
    let mut nodes = Redis::cluster();
    let hosts: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
    let url = format!("redis://{}", hosts.join(","));
    let world = World::new(&[
        ("backend", url.as_str()),
        ("cluster", "true"),
        ("timeout_ms", "2000"),
        ("on_unreachable", "closed"),
    ]);
    let users: Vec<String> = (0..64).map(|number| format!("user{number}")).collect();
    for user in &users {
        assert_eq!(world.count(&[user]), Ok(1));
    }
    let last = nodes.pop().unwrap();
    let text = last.cli(&["KEYS", "*}:user*"]);
    let there: BTreeSet<&str> = text.lines().filter_map(|line| line.rsplit(':').next()).collect();
    let (dead, alive): (Vec<&str>, Vec<&str>) =
        users.iter().map(String::as_str).partition(|user| there.contains(user));
    assert!(!dead.is_empty() && !alive.is_empty());

    let others_go_on = |sum: i32| {
        wait_for("the dead node is noticed", || world.count(&dead[..1]).is_err() && world.reachable() == "0");
        let before = world.unanswered();
        for user in &alive {
            assert_eq!(world.count(&[user]), Ok(sum), "{user} is on another node");
        }
        for user in dead.iter().cycle().take(200) {
            assert_eq!(world.count(&[user]), Err(AskError::Unreachable(Unreachable::Away)), "{user}");
        }
        assert_eq!(world.unanswered(), before, "nobody waits for it again and again");
        assert_eq!(world.count(&[alive[0], dead[0]]), Err(AskError::Unreachable(Unreachable::Away)));
    };
    last.freeze(true);
    others_go_on(2);
    last.freeze(false);
    for user in &dead {
        wait_for("it answers again", || world.count(&[user]).is_ok());
    }
    wait_for("all is there", || world.reachable() == "1");
    last.kill();
    others_go_on(3);
    // The last ones, too.
    nodes.into_iter().for_each(Redis::kill);
    wait_for("nobody is there", || alive.iter().all(|user| world.count(&[user]).is_err()));
    assert_eq!(world.reachable(), "0");
}

/// The slot of a cluster that a key without braces is in: CRC16 (XMODEM) of the key, of 16384.
fn slot(key: &str) -> u16 {
    let step = |crc: u16, byte: u8| {
        let shift = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        (0..8).fold(crc ^ u16::from(byte) << 8, shift)
    };
    key.bytes().fold(0, step) % 16384
}

fn waiting(daemon: &Daemon) -> usize {
    let waiting = daemon.client().metric("portcullis_redis_wlbl_waiting{type=\"bl\"}");
    format!("{:.0}", waiting.unwrap()).parse().unwrap()
}

fn size(node: &Redis) -> usize {
    node.cli(&["DBSIZE"]).parse().unwrap()
}

#[test]
fn a_list_is_written_to_the_nodes_of_a_cluster_that_are_there() {
    let mut nodes = Redis::cluster();
    let addresses: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
    let daemon = Daemon::start(&format!(
        "blacklistPersistURL(\"redis://{}\", {{ cluster = \"true\" }})\nblacklistPersistConnectTimeout(2)\n\
         blacklistPersistRWTimeout(1, 0)\n",
        addresses.join(",")
    ));
    daemon.log().wait_for("0 entries of the blacklist loaded");
    let last = nodes.pop().unwrap();
    // The nodes have a third of the slots each, in their order.
    let on_last = |count: usize| (1..=count).filter(|n| slot(&format!("wfbl:login:user{n}")) > 10922).count();
    let add = |count: usize| {
        daemon.execute(&format!("for n = 1, {count} do blacklistLogin('user'..n, 600, 'r') end"))
    };
    // More than are written at once are for the one that hangs.
    last.freeze(true);
    add(1200);
    assert!(on_last(1200) > 300);
    let others = || nodes.iter().map(size).sum::<usize>();
    wait_for("the others have theirs", || others() == 1200 - on_last(1200));
    wait_for("the rest waits", || waiting(&daemon) == on_last(1200));
    last.freeze(false);
    wait_for("it has its own", || size(&last) == on_last(1200));
    wait_for("nothing waits", || waiting(&daemon) == 0);
    last.kill();
    add(1500);
    wait_for("the others have theirs", || others() == 1500 - on_last(1500));
    let gone = daemon.client().metric("portcullis_redis_wlbl_lost_total{type=\"bl\"}").unwrap_or(0.0);
    assert!(gone < 1.0, "{gone}");
}

#[test]
fn a_list_is_loaded_from_each_node_when_it_is_there() {
    let nodes = Redis::cluster();
    for number in 0..30 {
        nodes[0].cli(&["SET", &format!("wfbl:login:user{number}"), "4000000000:r"]);
    }
    nodes[2].freeze(true);
    let there = (0..30).filter(|n| slot(&format!("wfbl:login:user{n}")) <= 10922).count();
    // The one that hangs is the first that is asked.
    let daemon = Daemon::start(&format!(
        "blacklistPersistURL(\"redis://{},{}\", {{ cluster = \"true\" }})\nblacklistPersistConnectTimeout(1)\n",
        nodes[2].addr, nodes[0].addr
    ));
    let entries = || daemon.client().get("/command/getBL").json()["bl_entries"].as_array().unwrap().len();
    wait_for("those of the others are loaded", || entries() == there);
    nodes[2].freeze(false);
    wait_for("and the rest as soon as it is there", || entries() == 30);
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
    wait_for("and what came meanwhile is written", || size(&redis) == 52);
    let value = redis.cli(&["GET", "wfbl:login:other"]);
    assert!(value.ends_with(":new"), "what was changed here meanwhile counts: {value}");
    let entries: Value = daemon.client().get("/command/getBL").json();
    assert_eq!(entries["bl_entries"].as_array().unwrap().len(), 52);
    // Later, with a connection.
    redis.freeze(true);
    (50..100).for_each(|number| add(&format!("user{number}")));
    assert!(denied("user77") && waiting(&daemon) > 0);
    redis.freeze(false);
    wait_for("all is written", || size(&redis) == 102);
}
