//! A list in a Redis Cluster: nodes that are away, hang or refuse, and slots that move.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::Daemon;
use portcullis_tests::cluster::wait_for;
use portcullis_tests::redis::{Redis, slot, waiting};

/// Where the last of three nodes begins; they have a third of the slots each, in their order.
const LAST: u16 = 10923;

/// A daemon with its blacklist in a cluster of which it is told these nodes.
fn daemon(nodes: &[&Redis]) -> Daemon {
    let addresses: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
    Daemon::start(&format!(
        "blacklistPersistURL(\"redis://{}\", {{ cluster = \"true\" }})\nblacklistPersistConnectTimeout(2)\n\
         blacklistPersistRWTimeout(1, 0)\n",
        addresses.join(",")
    ))
}

fn key(user: usize) -> String {
    format!("wfbl:login:user{user}")
}

/// How many of these users are on the last node.
fn on_last(users: std::ops::Range<usize>) -> usize {
    users.filter(|user| slot(&key(*user)) >= LAST).count()
}

fn add(daemon: &Daemon, users: std::ops::Range<usize>) {
    let (from, to) = (users.start, users.end);
    daemon.execute(&format!("for n = {from}, {to} - 1 do blacklistLogin('user'..n, 600, 'r') end"));
}

fn entries(daemon: &Daemon) -> usize {
    daemon.client().get("/command/getBL").json()["bl_entries"].as_array().unwrap().len()
}

#[test]
fn it_is_written_to_the_nodes_that_are_there() {
    let mut nodes = Redis::cluster();
    let daemon = daemon(&nodes.iter().collect::<Vec<_>>());
    daemon.log().wait_for("0 entries of the blacklist loaded");
    let last = nodes.pop().unwrap();
    // More than are written at once are for the one that hangs.
    last.freeze(true);
    add(&daemon, 0..1200);
    assert!(on_last(0..1200) > 300);
    let others = || nodes.iter().map(Redis::size).sum::<usize>();
    wait_for("the others have theirs", || others() == 1200 - on_last(0..1200));
    wait_for("the rest waits", || waiting(&daemon) == on_last(0..1200));
    last.freeze(false);
    wait_for("it has its own", || last.size() == on_last(0..1200));
    wait_for("nothing waits", || waiting(&daemon) == 0);
    last.kill();
    add(&daemon, 1200..1500);
    wait_for("the others have theirs", || others() == 1500 - on_last(0..1500));
    let gone = daemon.client().metric("portcullis_redis_wlbl_lost_total{type=\"bl\"}").unwrap_or(0.0);
    assert!(gone < 1.0, "{gone}");
}

#[test]
fn it_is_found_by_its_other_nodes_when_the_one_of_the_configuration_is_gone() {
    let mut nodes = Redis::cluster();
    let last = nodes.pop().unwrap();
    let daemon = daemon(&[&last]);
    daemon.log().wait_for("0 entries of the blacklist loaded");
    let others = || nodes.iter().map(Redis::size).sum::<usize>();
    last.kill();
    // First over the connections that are there, then, after those were made anew, over others.
    for users in [0..100, 100..200, 200..300] {
        let all = users.end - on_last(0..users.end);
        add(&daemon, users);
        wait_for("the others have theirs", || others() == all);
        wait_for("the rest waits", || waiting(&daemon) > 0);
        let failed = || daemon.client().metric("wforce_redis_wlbl_connfailed_total{type=\"bl\"}").unwrap();
        let before = failed();
        wait_for("it connects anew", || failed() > before);
    }
}

#[test]
fn it_is_loaded_from_each_node_when_it_is_there() {
    let nodes = Redis::cluster();
    for user in 0..30 {
        nodes[0].cli(&["SET", &key(user), "4000000000:r"]);
    }
    nodes[2].freeze(true);
    // The one that hangs is the first that is asked.
    let daemon = daemon(&[&nodes[2], &nodes[0]]);
    wait_for("those of the others are loaded", || entries(&daemon) == 30 - on_last(0..30));
    nodes[2].freeze(false);
    wait_for("and the rest as soon as it is there", || entries(&daemon) == 30);
}

#[test]
fn a_node_that_was_away_is_loaded_while_changes_for_the_others_keep_coming() {
    let nodes = Redis::cluster();
    for user in 0..30 {
        nodes[0].cli(&["SET", &key(user), "4000000000:r"]);
    }
    nodes[2].freeze(true);
    let daemon = daemon(&[&nodes[0]]);
    wait_for("those of the others are loaded", || entries(&daemon) == 30 - on_last(0..30));
    nodes[2].freeze(false);
    let other = (100..200).find(|user| on_last(*user..user + 1) == 0).unwrap();
    wait_for("the rest is loaded", || {
        add(&daemon, other..other + 1);
        entries(&daemon) == 31
    });
}

#[test]
fn a_node_that_cannot_be_loaded_holds_up_no_other() {
    let nodes = Redis::cluster();
    for user in 0..30 {
        nodes[0].cli(&["SET", &key(user), "4000000000:r"]);
    }
    // It answers, and the walk over its keys does not work: whichever is asked first, one comes before another one.
    nodes[2].cli(&["ACL", "SETUSER", "default", "-scan"]);
    let daemon = daemon(&[&nodes[0]]);
    wait_for("those of the others are loaded", || entries(&daemon) == 30 - on_last(0..30));
    let line = daemon.log().wait_for("entries of the blacklist loaded, not all");
    assert!(line.contains(&nodes[2].addr.to_string()), "{line}");
    add(&daemon, 100..200);
    let others = || nodes[..2].iter().map(Redis::size).sum::<usize>();
    wait_for("the others have what is new", || others() == 130 - on_last(0..30) - on_last(100..200));
    nodes[2].cli(&["ACL", "SETUSER", "default", "+scan"]);
    wait_for("the rest is loaded", || entries(&daemon) == 130);
    wait_for("and written", || nodes[2].size() == on_last(0..30) + on_last(100..200));
}

#[test]
fn slots_may_move_meanwhile() {
    let nodes = Redis::cluster();
    let ids: Vec<String> = nodes.iter().map(|node| node.cli(&["CLUSTER", "MYID"])).collect();
    let (from, to) = (&nodes[0], &nodes[1]);
    // What is between braces chooses the slot.
    let tag = (0..1000).map(|number| format!("moves{number}")).find(|tag| slot(tag) < LAST / 2).unwrap();
    let number = slot(&tag).to_string();
    let list = |daemon: &Daemon, what: &str| {
        daemon.execute(&format!("blacklistLogin('{{{tag}}}{what}', 600, 'r')"));
    };
    let there = |node: &Redis| node.cli(&["CLUSTER", "COUNTKEYSINSLOT", &number]);
    let one = daemon(&nodes.iter().collect::<Vec<_>>());
    list(&one, "old");
    list(&one, "older");
    wait_for("it has both", || there(from) == "2");
    to.cli(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &ids[0]]);
    from.cli(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &ids[1]]);
    list(&one, "new");
    add(&one, 0..100);
    one.execute(&format!("unblacklistLogin('{{{tag}}}older')"));
    wait_for("what is new is where the slot goes", || (there(from), there(to)) == ("1".into(), "1".into()));
    wait_for("nothing waits", || waiting(&one) == 0);
    assert_eq!(one.log().count("changes of the blacklist are kept"), 0, "no connection was given up");
    // Whoever starts now finds all of them.
    let other = daemon(&[from]);
    wait_for("all are loaded", || entries(&other) == 102);
    assert_eq!(other.log().count("is left out"), 0);
    let (ip, port) = (to.addr.ip().to_string(), to.addr.port().to_string());
    let old = format!("wfbl:login:{{{tag}}}old");
    from.cli(&["MIGRATE", &ip, &port, &old, "0", "60000"]);
    for node in [to, from, &nodes[2]] {
        node.cli(&["CLUSTER", "SETSLOT", &number, "NODE", &ids[1]]);
    }
    list(&one, "newest");
    wait_for("it has all of the slot", || (there(from), there(to)) == ("0".into(), "3".into()));
    wait_for("nothing waits", || waiting(&one) == 0);
}
