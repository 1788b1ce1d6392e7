//! Nodes of a Redis Cluster with a stats DB that go away or hang.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bstr::BString;
use capabilities::stats::{Ask, AskError, Db, Step, Unreachable};
use capabilities::{Capabilities, Log, Options};
use portcullis_tests::cluster::wait_for;
use portcullis_tests::redis::{Redis, SLOTS, slot};
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
            fields: vec![("c".into(), FieldKind::CountMin), ("i".into(), FieldKind::Int)],
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
        self.count_in("i", keys)
    }

    /// The same in a field of each kind: `i` an integer, `c` a sketch.
    fn count_in(&self, field: &str, keys: &[&str]) -> Result<i32, AskError> {
        let step = |key: &&str, ask| Step { key: (*key).into(), field: field.into(), ask };
        let (add, get) = match field {
            "c" => (Ask::Add { value: "x".into() }, Ask::GetValue { value: "x".into() }),
            _ => (Ask::Add { value: "1".into() }, Ask::Get),
        };
        let steps = keys.iter().flat_map(|key| [step(key, add.clone()), step(key, get.clone())]).collect();
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
    let (dead, alive) = here_and_elsewhere(&last, &users);
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

#[test]
fn no_batch_waits_while_a_node_that_hangs_is_connected_to_anew() {
    let nodes = Redis::cluster();
    let hosts: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
    let url = format!("redis://{}", hosts.join(","));
    let world = World::new(&[
        ("backend", url.as_str()),
        ("cluster", "true"),
        ("timeout_ms", "1000"),
        ("on_unreachable", "closed"),
    ]);
    let users: Vec<String> = (0..64).map(|number| format!("user{number}")).collect();
    for user in &users {
        assert_eq!(world.count(&[user]), Ok(1));
    }
    let (dead, alive) = here_and_elsewhere(&nodes[2], &users);
    nodes[2].freeze(true);
    // The first one, and those that come while all parts are asked. Connecting takes five times as long as one of them waits.
    let mut waited = 0;
    while world.count(&[alive[0], dead[0]]) != Err(AskError::Unreachable(Unreachable::Away)) {
        waited += 1;
        assert!(waited < 5, "{waited} batches have waited");
    }
}

/// Users whose counts are on this node, and the others; each was counted once.
fn here_and_elsewhere<'u>(node: &Redis, users: &'u [String]) -> (Vec<&'u str>, Vec<&'u str>) {
    let text = node.cli(&["KEYS", "*}:user*"]);
    let there: BTreeSet<&str> = text.lines().filter_map(|line| line.rsplit(':').next()).collect();
    users.iter().map(String::as_str).partition(|user| there.contains(user))
}

#[test]
fn a_db_begins_without_the_node_that_knows_its_rows() {
    let nodes = Redis::cluster();
    let users: Vec<String> = (0..64).map(|number| format!("user{number}")).collect();
    // The nodes have a third of the slots each, in their order.
    let head = usize::from(slot("pcstats:db:rows") / SLOTS.div_ceil(3));
    let url = |nodes: &[&Redis]| {
        let hosts: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
        format!("redis://{}", hosts.join(","))
    };
    let all = url(&nodes.iter().collect::<Vec<_>>());
    let alone = url(&[&nodes[(head + 1) % 3]]);
    let options =
        |url, mode| [("backend", url), ("cluster", "true"), ("timeout_ms", "1000"), ("on_unreachable", mode)];
    let before = World::new(&options(all.as_str(), "closed"));
    for user in &users {
        assert_eq!((before.count(&[user]), before.count_in("c", &[user])), (Ok(1), Ok(1)));
    }
    let (dead, alive) = here_and_elsewhere(&nodes[head], &users);
    nodes[head].freeze(true);
    let away = Err(AskError::Unreachable(Unreachable::Away));
    let worlds = [(all.as_str(), "closed"), (all.as_str(), "open"), (alone.as_str(), "local")]
        .map(|(url, mode)| (mode, World::new(&options(url, mode))));
    for (mode, world) in &worlds {
        assert_eq!(world.reachable(), "0", "{mode}");
        let unanswered = world.unanswered();
        // What is local was never counted here before.
        let (not_here, no_rows) = match *mode {
            "closed" => (away.clone(), away.clone()),
            "open" => (Ok(0), Ok(0)),
            _ => (Ok(1), Ok(1)),
        };
        assert_eq!(world.count(&dead[..1]), not_here, "{mode}");
        assert_eq!(world.count_in("c", &alive[..1]), no_rows, "{mode}");
        assert_eq!(world.unanswered(), unanswered, "nobody waits for what is known to be away");
    }
    for (mode, world) in &worlds {
        let counted = || world.count(&alive[1..2]).is_ok_and(|sum| sum > 1);
        wait_for(&format!("{mode}: the others answer"), counted);
    }
    nodes[head].freeze(false);
    for (mode, world) in &worlds {
        wait_for("all is there", || world.reachable() == "1");
        for user in [dead[1], alive[3]] {
            let [sums, sketches] = ["i", "c"].map(|field| world.count_in(field, &[user]).unwrap());
            assert!(sums > 1 && sketches > 1, "{mode}: all count in the same cells: {sums} {sketches}");
        }
    }
    assert_eq!(before.count_in("c", &[alive[3]]), Ok(5), "once by each");
}
