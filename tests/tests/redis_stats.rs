//! Stats DBs kept in a real Redis server: the same battery as over memory, and daemons that share one.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bstr::BString;
use capabilities::stats::{Ask, AskError, Db, Found, Step, Unreachable};
use capabilities::{Capabilities, Log, Options};
use portcullis_tests::redis::Redis;
use portcullis_tests::{Daemon, Launch, PATIENCE, address, tools};
use serde_json::json;
use statsdb::{CountMinShape, FieldKind, Schema};
use valkey::{StatsOptions, StatsStore};

/// Capabilities and a runtime, with DBs.
struct World {
    runtime: tokio::runtime::Runtime,
    caps: Arc<Capabilities>,
}

impl World {
    fn new() -> World {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = Options { log: Log::discard(), metrics_prefix: "wforce".into(), regexes: None };
        World { runtime, caps: Capabilities::new(options).unwrap() }
    }

    fn memory(&self, name: &str) -> Kept<'_> {
        let fields = [("i", FieldKind::Int), ("h", FieldKind::Hll), ("c", FieldKind::CountMin)];
        let schema = Schema {
            name: name.into(),
            window_secs: 60,
            windows: 3,
            fields: fields.map(|(name, kind)| (name.into(), kind)).to_vec(),
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        };
        Kept { world: self, db: self.caps.stats.create(schema).unwrap() }
    }

    fn outside(&self, name: &str, options: &[(&str, &str)]) -> Kept<'_> {
        let kept = self.memory(name);
        let options: BTreeMap<BString, BString> =
            options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let options = StatsOptions::parse(options).unwrap();
        let store = StatsStore::start(&self.caps, &kept.db, options, self.runtime.handle()).unwrap();
        assert!(self.runtime.block_on(store.connected(PATIENCE)));
        kept
    }
}

/// A DB, wherever it is kept.
struct Kept<'w> {
    world: &'w World,
    db: Db,
}

fn step(key: &[u8], field: &str, ask: Ask) -> Step {
    Step { key: key.into(), field: field.into(), ask }
}

fn add(value: &str) -> Ask {
    Ask::Add { value: value.into() }
}

#[allow(clippy::unnecessary_wraps, reason = "as the questions have it")]
fn of(value: &str) -> Option<BString> {
    Some(value.into())
}

impl Kept<'_> {
    fn ask(&self, now: u64, steps: Vec<Step>) -> Result<Vec<Found>, AskError> {
        self.world.runtime.block_on(self.db.ask(None, now, steps))
    }

    fn one(&self, now: u64, key: &[u8], field: &str, ask: Ask) -> Found {
        self.ask(now, vec![step(key, field, ask)]).unwrap().pop().unwrap()
    }

    fn number(&self, now: u64, key: &[u8], field: &str, ask: Ask) -> i32 {
        self.one(now, key, field, ask).number()
    }

    fn windows(&self, now: u64, key: &[u8], field: &str, value: Option<BString>) -> Vec<i32> {
        match self.one(now, key, field, Ask::Windows { value }) {
            Found::List(list) => list,
            found => panic!("{found:?}"),
        }
    }

    fn size(&self, now: u64) -> u64 {
        match self.db.remote() {
            Some(remote) => self.world.runtime.block_on(remote.size(now)).unwrap(),
            None => self.db.len() as u64,
        }
    }

    fn sums(&self, now: u64, key: &str) -> Option<Vec<(BString, i32)>> {
        self.world.runtime.block_on(self.db.all_of(now, key.into()))
    }
}

/// The beginning of a window.
const T: u64 = 1_800_000_000;

/// What holds of a stats DB wherever it is kept.
fn battery(db: &Kept<'_>) {
    sums(db);
    distinct_values(db);
    sketches(db);
    batches(db);
    keys(db);
}

fn sums(db: &Kept<'_>) {
    assert_eq!(db.number(T, b"k", "i", Ask::Get), 0);
    assert_eq!(db.windows(T, b"k", "i", None), Vec::<i32>::new());
    for ask in [add("5"), add(" 7x"), Ask::Sub { value: "2".into() }] {
        assert_eq!(db.one(T, b"k", "i", ask), Found::Done);
    }
    assert_eq!(db.number(T + 59, b"k", "i", Ask::Get), 10);
    db.one(T + 60, b"k", "i", add("1"));
    assert_eq!(db.windows(T + 61, b"k", "i", None), [1, 10, 0]);
    assert_eq!(db.windows(T + 61, b"k", "i", of("x")), [1, 10, 0], "a value says nothing of a sum");
    assert_eq!(db.number(T + 61, b"k", "i", Ask::Current { value: None }), 1);
    assert_eq!(db.number(T + 61, b"k", "i", Ask::GetValue { value: "5".into() }), 0);
    assert_eq!(db.number(T + 130, b"k", "i", Ask::Get), 11);
    db.one(T + 180, b"k", "i", add("100"));
    assert_eq!(db.windows(T + 180, b"k", "i", None), [100, 0, 1]);
    assert_eq!(db.number(T + 360, b"k", "i", Ask::Get), 0);
    for _ in 0..2 {
        db.one(T, b"wrap", "i", add("2147483647"));
    }
    assert_eq!(db.number(T, b"wrap", "i", Ask::Get), -2);
    db.one(T, b"k", "nosuch", add("1"));
    assert_eq!(db.number(T, b"k", "nosuch", Ask::Get), 0);
    assert!(matches!(db.ask(T, vec![step(b"k", "i", add("x"))]), Err(AskError::NotANumber(_))));
}

fn distinct_values(db: &Kept<'_>) {
    let many = |from: usize, to: usize| {
        (from..to).map(|n| step(b"h", "h", add(&format!("value {n}")))).collect::<Vec<_>>()
    };
    for value in ["a", "b", "a", "", "c"] {
        db.one(T, b"few", "h", add(value));
    }
    assert_eq!(db.number(T, b"few", "h", Ask::Get), 4);
    assert_eq!(db.number(T, b"few", "h", Ask::Current { value: of("a") }), 4);
    assert_eq!(db.number(T, b"few", "h", Ask::Current { value: of("new") }), 5);
    assert_eq!(db.number(T, b"few", "h", Ask::Get), 4, "a read only reads");
    db.one(T + 60, b"few", "h", add("a"));
    assert_eq!(db.number(T + 60, b"few", "h", Ask::Get), 4, "seen in two windows, it is one");
    assert_eq!(db.windows(T + 60, b"few", "h", None), [1, 4, 0]);
    assert_eq!(db.windows(T + 60, b"few", "h", of("b")), [2, 4, 1]);
    assert_eq!(db.number(T, b"few", "h", Ask::GetValue { value: "a".into() }), 0);

    db.ask(T, many(0, 256)).unwrap();
    assert_eq!(db.number(T, b"h", "h", Ask::Get), 256, "exact while few");
    for part in 0..5 {
        db.ask(T, many(part * 1000, part * 1000 + 1000)).unwrap();
    }
    let about = |found: i32| assert!((4600..=5400).contains(&found), "{found}");
    about(db.number(T, b"h", "h", Ask::Get));
    db.ask(T + 60, many(0, 100)).unwrap();
    about(db.number(T + 60, b"h", "h", Ask::Get));
    assert_eq!(db.number(T + 60, b"h", "h", Ask::Current { value: None }), 100);
}

fn sketches(db: &Kept<'_>) {
    for (value, count) in [("NL", 3), ("DE", 2), ("NL", 1)] {
        db.one(T, b"c", "c", Ask::AddCount { value: value.into(), count });
    }
    db.one(T + 60, b"c", "c", add("NL"));
    assert_eq!(db.number(T + 60, b"c", "c", Ask::Get), 7);
    assert_eq!(db.number(T + 60, b"c", "c", Ask::GetValue { value: "NL".into() }), 5);
    assert_eq!(db.number(T + 60, b"c", "c", Ask::Current { value: of("NL") }), 1);
    assert_eq!(db.number(T + 60, b"c", "c", Ask::Current { value: None }), 1);
    assert_eq!(db.windows(T + 60, b"c", "c", of("NL")), [1, 4, 0]);
    assert_eq!(db.windows(T + 60, b"c", "c", None), [1, 6, 0]);
    db.one(T + 60, b"c", "c", Ask::Sub { value: "NL".into() });
    db.one(T + 60, b"k", "i", Ask::AddCount { value: "NL".into(), count: 9 });
    assert_eq!(db.number(T + 60, b"c", "c", Ask::Get), 7, "only sums are subtracted from");
}

fn batches(db: &Kept<'_>) {
    let found = db.ask(
        T,
        vec![
            step(b"one", "i", add("2")),
            step(b"two", "i", add("3")),
            step(b"one", "i", Ask::Get),
            step(b"one", "h", add("x")),
            step(b"two", "i", Ask::Current { value: None }),
            step(b"one", "h", Ask::Get),
            step(b"three", "i", Ask::Get),
        ],
    );
    let (done, number) = (Found::Done, Found::Number);
    let expected = [done.clone(), done.clone(), number(2), done, number(3), number(1), number(0)];
    assert_eq!(found.unwrap(), expected);
    let failing = db
        .ask(T, vec![step(b"one", "i", add("5")), step(b"one", "i", add("x")), step(b"one", "i", add("7"))]);
    assert!(matches!(failing, Err(AskError::NotANumber(_))));
    assert_eq!(db.number(T, b"one", "i", Ask::Get), 7, "what came before stays done");
    assert_eq!(db.ask(T, Vec::new()), Ok(Vec::new()));
}

fn keys(db: &Kept<'_>) {
    let before = db.size(T + 10);
    let strange: [&[u8]; 4] = [b"{a}:\0\xff\r\n", b"", b"}{", "\u{fc}".as_bytes()];
    for key in strange {
        db.one(T + 10, key, "i", add("1"));
        db.one(T + 10, key, "i", add("1"));
        assert_eq!(db.number(T + 10, key, "i", Ask::Get), 2, "{key:?}");
    }
    assert_eq!(db.size(T + 10) - before, 4);
    let long = vec![b'x'; 5000];
    db.one(T + 10, &long, "i", add("1"));
    assert_eq!(db.number(T + 10, &long[..4096], "i", Ask::Get), 1, "of a long key the first part counts");
    for field in ["i", "h", "c"] {
        db.one(T, b"gone", field, add("1"));
    }
    let sums = |list: &[(&str, i32)]| {
        Some(list.iter().map(|(name, sum)| ((*name).into(), *sum)).collect::<Vec<_>>())
    };
    assert_eq!(db.sums(T, "gone"), sums(&[("c", 1), ("h", 1), ("i", 1)]));
    assert_eq!(db.sums(T, "never"), None);
    db.one(T, b"gone", "h", Ask::ResetField);
    assert_eq!(db.number(T, b"gone", "h", Ask::Get), 0);
    assert_eq!(db.number(T, b"gone", "c", Ask::GetValue { value: "1".into() }), 1);
    let size = db.size(T);
    db.one(T, b"gone", "", Ask::Reset);
    db.one(T, b"never", "", Ask::Reset);
    assert_eq!(db.number(T, b"gone", "c", Ask::Get) + db.number(T, b"gone", "i", Ask::Get), 0);
    assert_eq!(db.size(T), size, "a reset removes no key and makes none");
}

#[test]
fn in_memory() {
    battery(&World::new().memory("db"));
}

#[test]
fn on_a_plain_server() {
    let redis = Redis::start();
    let world = World::new();
    let url = format!("redis://{}", redis.addr);
    let patient = [("backend", url.as_str()), ("timeout_ms", "30000")];
    battery(&world.outside("db", &patient));
    // Also if it forgets the script in the middle.
    redis.cli(&["SCRIPT", "FLUSH"]);
    let db = world.outside("{b} ar", &patient);
    battery(&db);
    redis.cli(&["SCRIPT", "FLUSH"]);
    db.one(T, b"after", "i", add("1"));
    // Keys live as long as their counts, and no longer.
    let ttl: u64 = redis
        .cli(&["EVAL", "return redis.call('TTL', redis.call('KEYS', '*after')[1])", "0"])
        .parse()
        .unwrap();
    assert!((230..=240).contains(&ttl), "{ttl}");
    // What is written all the time keeps no windows that are over.
    let small = world.outside("small", &patient);
    for window in 0..50 {
        small.ask(T + window * 60, vec![step(b"k", "i", add("1")), step(b"k", "c", add("x"))]).unwrap();
    }
    let fields: u64 = redis
        .cli(&["EVAL", "return redis.call('HLEN', redis.call('KEYS', '*small*:k')[1])", "0"])
        .parse()
        .unwrap();
    assert!(fields <= 1 + 3 + 3 * 3, "{fields}");
    // The most keys, approximately: parts are bounded each by itself.
    let bounded = world.outside("bounded", &patient);
    bounded.db.set_max_size(640);
    for hundred in 0..30u64 {
        let steps =
            (0..100u64).map(|n| step((hundred * 100 + n).to_string().as_bytes(), "i", add("1"))).collect();
        bounded.ask(T + hundred, steps).unwrap();
    }
    let size = bounded.size(T + 30);
    assert!((400..=640).contains(&size), "{size}");
    assert_eq!(bounded.number(T + 30, b"2999", "i", Ask::Get), 1, "what was written last is there");
}

#[test]
fn with_tls_and_an_acl() {
    // What docs/redis.md says that a user needs, and no more.
    let few = ["+get", "+set", "+del", "+unlink", "+expire", "+ttl"];
    let (redis, certificate) =
        Redis::with_tls("~pcstats:*", &[&["+@hash", "+@sortedset", "+@scripting"][..], &few].concat());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let url = format!("rediss://wf:secret@{}", redis.addr);
    let world = World::new();
    let options = [("backend", url.as_str()), ("ca_file", file.to_str().unwrap()), ("timeout_ms", "30000")];
    battery(&world.outside("db", &options));
}

#[test]
fn a_call_is_one_command_however_many_keys_it_names() {
    let redis = Redis::start();
    let url = format!("redis://{}", redis.addr);
    let world = World::new();
    let db = world.outside("db", &[("backend", url.as_str()), ("timeout_ms", "30000")]);
    // The server learns the script.
    db.one(T, b"k", "i", add("1"));
    let calls = |command: &str| -> u64 {
        let text = redis.cli(&["INFO", "commandstats"]);
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    };
    let before = ["evalsha", "eval", "script|load"].map(calls);
    let keys: Vec<String> = (0..300).map(|number| format!("user{number}")).collect();
    let steps = keys
        .iter()
        .flat_map(|key| [step(key.as_bytes(), "i", add("1")), step(key.as_bytes(), "i", Ask::Get)]);
    assert!(db.ask(T, steps.collect()).unwrap().iter().skip(1).step_by(2).all(|found| found.number() == 1));
    assert_eq!(["evalsha", "eval", "script|load"].map(calls), [before[0] + 1, before[1], before[2]]);
}

#[test]
fn on_a_cluster_of_three() {
    let nodes = Redis::cluster();
    let hosts: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
    let url = format!("redis://{}", hosts.join(","));
    let world = World::new();
    let options = [("backend", url.as_str()), ("cluster", "true"), ("timeout_ms", "30000")];
    let db = world.outside("db", &options);
    battery(&db);
    let steps = (0..300).map(|n| step(format!("user{n}").as_bytes(), "i", add("1"))).collect();
    assert_eq!(db.ask(T, steps).unwrap().len(), 300, "one call over all nodes");
    for node in &nodes {
        let keys: u64 = node.cli(&["DBSIZE"]).trim().parse().unwrap();
        assert!(keys > 30, "{keys} on {}", node.addr);
    }
}

#[test]
fn behind_sentinels() {
    let master = Redis::start();
    let replica = Redis::replica(master.addr);
    let sentinel = Redis::sentinel(master.addr);
    let url = format!("redis://{}", sentinel.addr);
    let world = World::new();
    let options = [("backend", url.as_str()), ("sentinel", "mine"), ("timeout_ms", "3000")];
    let db = world.outside("db", &options);
    db.one(T, b"k", "i", add("5"));
    replica.wait_for(&["EVAL", "return #redis.call('KEYS', '*:k')", "0"], "1");
    sentinel.wait_for_replica(replica.addr);
    master.kill();
    let deadline = Instant::now() + 2 * PATIENCE;
    while db.number(T, b"k", "i", Ask::Get) != 5 {
        assert!(Instant::now() < deadline, "the new master is not asked");
        std::thread::yield_now();
    }
    db.one(T, b"k", "i", add("1"));
    assert_eq!(db.number(T, b"k", "i", Ask::Get), 6, "and written to");
}

#[test]
fn counts_of_a_moment_ago_are_answered_at_once() {
    let redis = Redis::start();
    let url = format!("redis://{}", redis.addr);
    let (world, other) = (World::new(), World::new());
    let options = [("backend", url.as_str()), ("cache_ms", "3600000"), ("timeout_ms", "30000")];
    let (here, there) = (world.outside("db", &options), other.outside("db", &options));
    here.one(T, b"k", "i", add("1"));
    assert_eq!(here.number(T, b"k", "i", Ask::Get), 1);
    there.one(T, b"k", "i", add("1"));
    assert_eq!(here.number(T, b"k", "i", Ask::Get), 1, "as old as it may be");
    assert_eq!(here.number(T, b"k", "i", Ask::Current { value: None }), 2, "never asked before");
    here.one(T, b"k", "i", add("1"));
    assert_eq!(here.number(T, b"k", "i", Ask::Get), 3, "own writes are seen");
}

#[test]
fn counts_grow_old() {
    let redis = Redis::start();
    let url = format!("redis://{}", redis.addr);
    let (world, other) = (World::new(), World::new());
    let options = |cache_ms| [("backend", url.as_str()), ("cache_ms", cache_ms), ("timeout_ms", "30000")];
    let (here, there) = (world.outside("db", &options("50")), other.outside("db", &options("0")));
    here.one(T, b"k", "i", add("1"));
    for sum in 2..5 {
        assert_eq!(here.number(T, b"k", "i", Ask::Get), sum - 1);
        there.one(T, b"k", "i", add("1"));
        let deadline = Instant::now() + PATIENCE;
        while here.number(T, b"k", "i", Ask::Get) != sum {
            assert!(Instant::now() < deadline, "the old count is answered for ever");
            std::thread::yield_now();
        }
    }
}

#[test]
fn several_count_the_same_key_at_once() {
    let redis = Redis::start();
    let url = format!("redis://{}", redis.addr);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let url = &url;
            let count = move || {
                let world = World::new();
                let db = world.outside("db", &[("backend", url.as_str()), ("timeout_ms", "30000")]);
                for number in 0..200 {
                    let value = (number % 50).to_string();
                    db.ask(
                        T,
                        vec![
                            step(b"k", "i", add("1")),
                            step(b"k", "h", add(&value)),
                            step(b"k", "c", add("x")),
                        ],
                    )
                    .unwrap();
                }
            };
            std::thread::Builder::new().name("counts".into()).spawn_scoped(scope, count).unwrap();
        }
    });
    let world = World::new();
    let db = world.outside("db", &[("backend", url.as_str()), ("timeout_ms", "30000")]);
    let found = ["i", "h", "c"].map(|field| db.number(T, b"k", field, Ask::Get));
    assert_eq!((found, db.number(T, b"k", "c", Ask::GetValue { value: "x".into() })), ([600, 50, 600], 600));
}

#[test]
fn only_so_many_calls_wait() {
    let redis = Redis::start();
    let url = format!("redis://{}", redis.addr);
    let world = World::new();
    let db = world.outside(
        "db",
        &[
            ("backend", url.as_str()),
            ("max_waiting", "1"),
            ("timeout_ms", "2000"),
            ("on_unreachable", "closed"),
        ],
    );
    redis.freeze(true);
    let ask = || db.db.ask(None, T, vec![step(b"k", "i", Ask::Get)]);
    let both = world.runtime.block_on(async { tokio::join!(ask(), ask()) });
    let (timeout, full) =
        (Err(AskError::Unreachable(Unreachable::Timeout)), Err(AskError::Unreachable(Unreachable::Full)));
    assert!(both == (timeout.clone(), full.clone()) || both == (full, timeout), "{both:?}");
}

#[test]
fn a_server_that_is_killed_or_hangs_is_not_waited_for() {
    let addr = address::fresh();
    let redis = Redis::at(addr);
    let url = format!("redis://{addr}");
    let world = World::new();
    let with = |name, mode| {
        world.outside(name, &[("backend", url.as_str()), ("on_unreachable", mode), ("timeout_ms", "2000")])
    };
    let [open, closed, local] = [with("open", "open"), with("closed", "closed"), with("local", "local")];
    for db in [&open, &closed, &local] {
        db.one(T, b"k", "i", add("5"));
    }
    redis.kill();
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    };
    assert_eq!(open.number(T, b"k", "i", Ask::Get), 0);
    assert!(matches!(closed.ask(T, vec![step(b"k", "i", Ask::Get)]), Err(AskError::Unreachable(_))));
    assert_eq!(local.number(T, b"k", "i", Ask::Get), 0);
    local.one(T, b"k", "i", add("2"));
    assert_eq!(local.number(T, b"k", "i", Ask::Get), 2, "counted here meanwhile");
    let redis = Redis::at(addr);
    for db in [&open, &closed] {
        until("it is used again", &|| {
            db.ask(T, vec![step(b"k", "i", add("1")), step(b"k", "i", Ask::Get)])
                .is_ok_and(|found| found[1].number() > 0)
        });
    }
    until("it is used again", &|| local.number(T, b"k", "i", Ask::Get) == 0);
    // One that hangs: the first call waits for its time limit, later ones do not wait at all.
    redis.freeze(true);
    assert_eq!(open.number(T, b"k", "i", Ask::Get), 0);
    for _ in 0..100 {
        assert_eq!(open.number(T, b"k", "i", Ask::Get), 0);
    }
    redis.freeze(false);
    until("it is used again", &|| open.number(T, b"k", "i", Ask::Get) > 0);
    let text = world.caps.metrics.render();
    let text = String::from_utf8_lossy(text.as_ref());
    assert!(
        text.contains("portcullis_stats_db_remote_calls_total{db=\"open\",status=\"timeout\"}"),
        "{text}"
    );
}

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
        assert!(answer["msg"] == "4,0" || answer["msg"].as_str().unwrap().contains(','), "{answer}");
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
