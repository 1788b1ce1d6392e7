//! Stats DBs in a Redis Cluster while slots move from one node to another.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

#[path = "redis_stats/battery.rs"]
#[allow(dead_code, reason = "the battery itself runs elsewhere")]
mod battery;

use std::collections::BTreeMap;
use std::time::Duration;

use battery::{Kept, T, World, add, step};
use capabilities::stats::{Ask, Found, Step};
use portcullis_tests::redis::{Redis, SLOTS, slot};
use portcullis_tests::relay::Relay;
use portcullis_tests::{address, until};
use statsdb::outside::value_hash;

/// Parts of a DB.
const PARTS: u64 = 64;

/// The index of a part of the DB `db`, and its slot.
fn index(part: u64) -> (String, u16) {
    let tag = format!("db:60:{part}");
    (format!("pcstats:{{{tag}}}"), slot(&tag))
}

/// Some users with their counts in this part.
fn users_in(part: u64) -> Vec<String> {
    let users = (0..).map(|number| format!("user{number}"));
    users.filter(|user| value_hash(user.as_bytes()) % PARTS == part).take(10).collect()
}

/// A DB, and how often each user was counted in it.
struct Counts<'w> {
    db: Kept<'w>,
    sums: BTreeMap<String, i32>,
}

impl Counts<'_> {
    /// Counts these in one call, which also asks for what it has counted; then asks for all there are, together and each by itself.
    fn count(&mut self, users: &[String]) {
        let value = || "x".into();
        let of = |user: &String, field, ask| step(user.as_bytes(), field, ask);
        let sums = |user: &String| [of(user, "i", Ask::Get), of(user, "c", Ask::GetValue { value: value() })];
        let writes = |user| [of(user, "i", add("1")), of(user, "c", add("x"))];
        let steps: Vec<Step> =
            users.iter().flat_map(|user| writes(user).into_iter().chain(sums(user))).collect();
        let found = self.db.ask(T, steps).unwrap();
        for (user, found) in users.iter().zip(found.chunks(4)) {
            let sum = self.sums.entry(user.clone()).or_default();
            *sum += 1;
            assert_eq!([found[2].number(), found[3].number()], [*sum, *sum], "{user}");
        }
        let wanted: Vec<i32> = self.sums.values().flat_map(|sum| [*sum, *sum]).collect();
        let numbers = |steps| self.db.ask(T, steps).unwrap().iter().map(Found::number).collect();
        let together: Vec<i32> = numbers(self.sums.keys().flat_map(sums).collect());
        assert_eq!(together, wanted);
        let each: Vec<i32> =
            self.sums.keys().flat_map(|user| -> Vec<i32> { numbers(sums(user).to_vec()) }).collect();
        assert_eq!(each, wanted);
    }

    fn reset(&mut self, user: &str) {
        self.db.one(T, user.as_bytes(), "", Ask::Reset);
        self.sums.insert(user.to_owned(), 0);
    }
}

/// Moves a part key by key while its users, and one of another part, are counted.
fn move_part(counts: &mut Counts<'_>, number: u64, from: &Redis, to: &Redis, others: &[&Redis], first: bool) {
    let (index, slot) = index(number);
    let slot = slot.to_string();
    let [source, target] = [from, to].map(|node| node.cli(&["CLUSTER", "MYID"]));
    let elsewhere = users_in((number + 1) % PARTS).swap_remove(0);
    let users = users_in(number);
    let (old, fresh) = users.split_at(4);
    counts.count(old);
    to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
    from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);

    let mut keys: Vec<String> = old.iter().map(|user| format!("{index}:{user}")).collect();
    keys.insert(if first { 0 } else { keys.len() }, index.clone());
    let (host, port) = (to.addr.ip().to_string(), to.addr.port().to_string());
    let mut fresh = fresh.iter();
    let mut all = [old, &[elsewhere]].concat();
    for moved in 0..=keys.len() {
        // One that is there, one that is new, all of them.
        counts.count(&old[..1]);
        if let Some(user) = fresh.next() {
            counts.count(std::slice::from_ref(user));
            all.push(user.clone());
        }
        counts.count(&all);
        if moved == 2 {
            // One that was moved, and one that was not.
            for user in [&old[0], &old[3]] {
                counts.reset(user);
            }
            counts.count(&all);
        }
        if let Some(key) = keys.get(moved) {
            assert_eq!(from.cli(&["MIGRATE", &host, &port, key, "0", "60000"]), "OK", "{key}");
        }
    }
    for node in [&[to, from], others].concat() {
        node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &target]);
    }
    all.extend(fresh.cloned());
    counts.count(&all);
    let [left, there] = [from, to].map(|node| node.cli(&["CLUSTER", "COUNTKEYSINSLOT", &slot]));
    assert_eq!((left, there), ("0".to_owned(), (users.len() + 1).to_string()));
    assert_eq!(to.cli(&["ZCARD", &index]), users.len().to_string());
    assert_eq!(counts.db.size(T), counts.sums.len() as u64);
}

#[test]
fn what_is_counted_while_slots_move_is_counted_once() {
    let nodes = Redis::cluster();
    let hosts: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
    let url = format!("redis://{}", hosts.join(","));
    let options = [("cluster", "true"), ("timeout_ms", "30000"), ("on_unreachable", "closed")];
    let world = World::new();
    let db = world.outside("db", &[&[("backend", url.as_str())][..], &options].concat());
    let mut counts = Counts { db, sums: BTreeMap::new() };
    // One that comes later, and has no slots yet.
    let fourth = Redis::cluster_node();
    fourth.join(&nodes[0]);
    let [one, two, three] = &nodes[..] else { panic!("three nodes") };
    let mut parts = (0..PARTS).filter(|part| index(*part).1 < SLOTS / 3);
    for (to, others) in [(two, [three, &fourth]), (&fourth, [two, three])] {
        for first in [true, false] {
            move_part(&mut counts, parts.next().unwrap(), one, to, &others, first);
        }
    }
}

/// The options of a DB in this cluster, whose calls may take so long.
fn outside<'w>(world: &'w World, nodes: &[Redis], timeout_ms: &str) -> Kept<'w> {
    let hosts: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
    let url = format!("redis://{}", hosts.join(","));
    let options =
        [("backend", &*url), ("cluster", "true"), ("timeout_ms", timeout_ms), ("on_unreachable", "closed")];
    world.outside("db", &options)
}

/// Some user of a part that is on the first node, who is counted until that worked; the part's slot then moves to this node.
/// The user's key, the part's index, and the count.
fn begin_to_move(db: &Kept<'_>, from: &Redis, to: &Redis) -> (String, String, String, i32) {
    let part = (0..PARTS).find(|part| index(*part).1 < SLOTS / 3).unwrap();
    let ((index, slot), user) = (index(part), users_in(part).swap_remove(0));
    let count = until("the user is counted", || {
        let steps = vec![step(user.as_bytes(), "i", add("1")), step(user.as_bytes(), "i", Ask::Get)];
        Some(db.ask(T, steps).ok()?[1].number())
    });
    let slot = slot.to_string();
    let [source, target] = [from, to].map(|node| node.cli(&["CLUSTER", "MYID"]));
    to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
    from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
    (format!("{index}:{user}"), index, user, count)
}

fn migrate(key: &str, from: &Redis, to: &Redis) {
    let (host, port) = (to.addr.ip().to_string(), to.addr.port().to_string());
    assert_eq!(from.cli(&["MIGRATE", &host, &port, key, "0", "60000"]), "OK", "{key}");
}

#[test]
fn a_new_node_is_reached_also_if_connecting_to_it_takes_longer_than_a_call_may() {
    let nodes = Redis::cluster();
    let world = World::new();
    let (addr, seen) = (address::fresh(), address::fresh());
    let fourth = Redis::cluster_node_seen_at(addr, seen.port());
    let relay = Relay::start(seen, addr, address::own().into());
    fourth.join(&nodes[0]);
    // Connecting may take five times as long as a call.
    let db = outside(&world, &nodes, "200");
    relay.delay(Duration::from_millis(450));
    let (key, index, user, count) = begin_to_move(&db, &nodes[0], &fourth);
    for key in [&key, &index] {
        migrate(key, &nodes[0], &fourth);
    }
    until("the user's count is found at the new node", || {
        let found = db.ask(T, vec![step(user.as_bytes(), "i", Ask::Get)]).ok()?;
        (found[0].number() == count).then_some(())
    });
    assert!(relay.connections() > 0);
}

#[test]
fn a_count_that_was_made_has_not_failed_because_its_index_cannot_be_written() {
    let nodes = Redis::cluster();
    let world = World::new();
    let fourth = Redis::cluster_node();
    fourth.join(&nodes[0]);
    let db = outside(&world, &nodes, "10000");
    let (_, index, user, mut count) = begin_to_move(&db, &nodes[0], &fourth);
    migrate(&index, &nodes[0], &fourth);
    let steps = || vec![step(user.as_bytes(), "i", add("1")), step(user.as_bytes(), "i", Ask::Get)];
    for frozen in [false, true] {
        fourth.freeze(frozen);
        count += 1;
        assert_eq!(db.ask(T, steps()).unwrap()[1].number(), count, "frozen: {frozen}");
    }
    fourth.freeze(false);
    until("all of it is there again", || {
        let found = db.ask(T, vec![step(user.as_bytes(), "i", Ask::Get)]).ok()?;
        (found[0].number() == count).then_some(())
    });
}
