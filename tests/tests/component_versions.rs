//! Components that are replaced while requests come: by reloads and by SIGHUP, with calls under way, and by worse ones.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

#[path = "../../host/wasm/tests/support/guest.rs"]
mod guest;

use std::os::unix::fs::MetadataExt as _;
use std::thread;

use guest::{allow, asks_dns, decide, moody};
use portcullis_tests::slow_dns::SlowDns;
use portcullis_tests::{Daemon, Launch};
use serde_json::json;

fn ask(daemon: &Daemon, login: &str) -> i64 {
    daemon.client().allow(&json!({"login": login, "remote": "192.0.2.1"}))["status"].as_i64().unwrap()
}

fn metric(daemon: &Daemon, name: &str) -> f64 {
    daemon.client().metric(&format!("{name}{{policy=\"p\"}}")).unwrap_or_else(|| panic!("no {name}"))
}

/// Puts another component in place of the daemon's `p.wasm`, at once.
fn put(daemon: &Daemon, component: &[u8]) {
    let part = daemon.folder().join("p.part");
    std::fs::write(&part, component).unwrap();
    std::fs::rename(&part, daemon.folder().join("p.wasm")).unwrap();
}

fn reload(daemon: &Daemon) {
    let answer = daemon.client().post("/command/reloadPolicies", &json!({"name": "p"}));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Has the configuration read again, for the first, second... time.
fn read_again(daemon: &Daemon, times: usize) {
    daemon.process.signal("HUP");
    daemon.log().wait_for_count("wforce.conf: loaded again", times);
}

const PLAIN: &str = "loadPolicy('p', 'p.wasm', { deadline_ms = 60000, on_error = 'deny', quarantine = 3 })\n\
    setPolicyBudget(60000)\nsetAllow('p')\n";

#[test]
fn after_a_sighup_a_version_that_traps_is_taken_back_too() {
    let daemon = Launch::new(PLAIN).file("p.wasm", allow(&decide(1))).start();
    assert_eq!(ask(&daemon, "joe"), 1);
    put(&daemon, &allow("(unreachable)"));
    read_again(&daemon, 1);
    assert_eq!(ask(&daemon, "joe"), -1, "this one had nothing else");
    assert_eq!(ask(&daemon, "joe"), 1);
    daemon.log().wait_for("policy p: the new version trapped on its first calls: back to the old one");
    assert!(metric(&daemon, "portcullis_component_rollbacks_total") > 0.5);
    // The file is as bad as it was. Whoever loads it again, and again, has the good one still.
    reload(&daemon);
    read_again(&daemon, 2);
    assert_eq!((ask(&daemon, "joe"), ask(&daemon, "joe")), (-1, 1));
    // One that works stays.
    put(&daemon, &allow(&decide(2)));
    read_again(&daemon, 3);
    (0..30).for_each(|_| assert_eq!(ask(&daemon, "joe"), 2));
    assert!(daemon.execute("showPolicies()").contains("p (p.wasm): fine"));
}

#[test]
fn calls_under_way_end_on_the_version_they_began_with() {
    for how in ["reload", "SIGHUP"] {
        let dns = SlowDns::start();
        let config = format!(
            "setNumLuaStates(4)\nsetPolicyBudget(60000)\nnewDNSResolver('late')\n\
             getDNSResolver('late'):addResolver('{}', {})\ngetDNSResolver('late'):setRequestTimeout(60000)\n\
             loadPolicy('p', 'p.wasm', {{ deadline_ms = 60000 }})\nsetAllow('p')\n",
            dns.address.ip(),
            dns.address.port()
        );
        let daemon = Launch::new(&config).file("p.wasm", asks_dns()).start();
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| ask(&daemon, "slow"))).collect();
            dns.wait_for(3);
            put(&daemon, &allow(&decide(3)));
            if how == "reload" {
                reload(&daemon);
            } else {
                read_again(&daemon, 1);
            }
            assert_eq!(ask(&daemon, "slow"), 3, "{how}: the new one has no questions");
            dns.release();
            // 10, and one for the address that was found.
            for call in waiting {
                assert_eq!(call.join().unwrap(), 11, "{how}");
            }
        });
        assert_eq!(ask(&daemon, "slow"), 3);
    }
}

#[test]
fn a_sighup_ends_a_quarantine() {
    let daemon = Launch::new(PLAIN).file("p.wasm", moody()).start();
    (0..3).for_each(|_| assert_eq!(ask(&daemon, "trap"), -1));
    assert_eq!(ask(&daemon, "nobody"), -1);
    assert!(metric(&daemon, "portcullis_component_quarantined") > 0.5);
    read_again(&daemon, 1);
    assert_eq!(ask(&daemon, "nobody"), 0);
    assert!(metric(&daemon, "portcullis_component_quarantined") < 0.5);
    // And it begins to count anew.
    (0..2).for_each(|_| assert_eq!(ask(&daemon, "trap"), -1));
    assert_eq!(ask(&daemon, "nobody"), 0);
}

#[test]
fn what_a_trap_answers_is_the_operators_choice() {
    // Whoever comes to the second one of the chain waits five seconds.
    let daemon = |on_error: &str| {
        let config = format!(
            "loadPolicy('p', 'p.wasm', {{ deadline_ms = 60000, quarantine = 0{on_error} }})\n\
             loadPolicy('q', 'q.wasm', {{ deadline_ms = 60000 }})\nsetPolicyBudget(60000)\nsetAllow({{ 'p', 'q' }})\n"
        );
        Launch::new(&config).file("p.wasm", moody()).file("q.wasm", allow(&decide(5))).start()
    };
    for (on_error, trapped) in
        [("", 5), (", on_error = 'next'", 5), (", on_error = 'allow'", 0), (", on_error = 'deny'", -1)]
    {
        let daemon = daemon(on_error);
        assert_eq!(ask(&daemon, "trap"), trapped, "{on_error}");
        assert_eq!((ask(&daemon, "nobody"), ask(&daemon, "deny")), (5, -1), "{on_error}");
    }
}

#[test]
fn all_policies_are_loaded_again_at_once() {
    let config = "loadPolicy('p', 'p.wasm', { deadline_ms = 60000 })\nloadPolicy('q', 'q.wasm', { deadline_ms = 60000 })\n\
        setPolicyBudget(60000)\nsetAllow({ 'p', 'q' })\n";
    let daemon = Launch::new(config).file("p.wasm", moody()).file("q.wasm", allow(&decide(5))).start();
    std::fs::write(daemon.folder().join("q.wasm"), allow(&decide(6))).unwrap();
    let told = daemon.execute("reloadPolicies()");
    assert!(
        told.contains("policy p: loaded p.wasm again") && told.contains("policy q: loaded q.wasm again"),
        "{told}"
    );
    assert_eq!(ask(&daemon, "nobody"), 6);
}

#[test]
fn a_restart_does_not_compile_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let config = format!("setPolicyCache('{}')\n{PLAIN}", cache.display());
    let start = || Launch::new(&config).file("p.wasm", allow(&decide(1))).start();
    let file = || {
        let files: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|file| file.unwrap()).collect();
        assert_eq!(files.len(), 1);
        let metadata = files[0].metadata().unwrap();
        (files[0].file_name(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
    };
    let mut first = start();
    first.log().wait_for("policy p: compiled in ");
    let compiled = file();
    assert_eq!(ask(&first, "joe"), 1);
    assert!(first.terminate().success());
    let second = start();
    let line = second.log().wait_for("policy p: compiled before, taken from ");
    assert!(line.contains(compiled.0.to_str().unwrap()), "{line}");
    assert_eq!(ask(&second, "joe"), 1);
    assert_eq!(second.log().count("compiled in "), 0);
    assert_eq!(file(), compiled, "nothing was written");
}

#[test]
fn a_cache_that_comes_too_late_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let config = format!("{PLAIN}setPolicyCache('{}')\n", cache.display());
    let launch = Launch::new(&config).file("p.wasm", allow(&decide(1)));
    let late = "setPolicyCache: it comes after loadPolicy, so what was compiled of p is not kept";
    let check = Launch::new(&config).file("p.wasm", allow(&decide(1))).args(&["--check-config"]).run();
    let text = portcullis_tests::process::all_output(&check);
    assert_eq!(check.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("wforce.conf:4: {late}")), "{text}");
    let daemon = launch.start();
    daemon.log().wait_for(&format!("{}:4: {late}", daemon.config().display()));
    assert_eq!((ask(&daemon, "joe"), daemon.log().count(late)), (1, 1));
    // In its place nothing is said.
    let early = Launch::new(&format!("setPolicyCache('{}')\n{PLAIN}", cache.display()));
    let early = early.file("p.wasm", allow(&decide(1))).start();
    assert_eq!((ask(&early, "joe"), early.log().count("setPolicyCache")), (1, 0));
}
