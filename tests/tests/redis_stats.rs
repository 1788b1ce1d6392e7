//! Stats DBs kept in a real Redis server: the same battery as over memory.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

#[path = "redis_stats/battery.rs"]
mod battery;

use std::time::Instant;

use battery::{T, World, add, battery, step};
use capabilities::stats::{Ask, AskError, Unreachable};
use portcullis_tests::redis::Redis;
use portcullis_tests::{PATIENCE, address};

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
    let before = ["evalsha", "eval", "script|load"].map(|command| redis.calls(command));
    let keys: Vec<String> = (0..300).map(|number| format!("user{number}")).collect();
    let steps = keys
        .iter()
        .flat_map(|key| [step(key.as_bytes(), "i", add("1")), step(key.as_bytes(), "i", Ask::Get)]);
    assert!(db.ask(T, steps.collect()).unwrap().iter().skip(1).step_by(2).all(|found| found.number() == 1));
    assert_eq!(
        ["evalsha", "eval", "script|load"].map(|command| redis.calls(command)),
        [before[0] + 1, before[1], before[2]]
    );
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
