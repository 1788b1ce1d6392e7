//! WebAssembly policies in a daemon: they misbehave, wait, are replaced under traffic, are explained, run as a shadow.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

#[path = "../../host/wasm/tests/support/guest.rs"]
mod guest;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use guest::{allow, asks_dns, counts, decide, moody};
use portcullis_tests::slow_dns::SlowDns;
use portcullis_tests::{Daemon, Launch, PATIENCE};
use serde_json::{Value, json};

fn ask(daemon: &Daemon, login: &str) -> i64 {
    daemon.client().allow(&json!({"login": login, "remote": "192.0.2.1"}))["status"].as_i64().unwrap()
}

fn metric(daemon: &Daemon, name: &str, labels: &str) -> f64 {
    daemon.client().metric(&format!("{name}{{{labels}}}")).unwrap_or_else(|| panic!("no {name}{{{labels}}}"))
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::yield_now();
    }
}

/// Puts another component in place of the daemon's `p.wasm`, at once.
fn put(daemon: &Daemon, component: &[u8]) {
    let part = daemon.folder().join("p.part");
    std::fs::write(&part, component).unwrap();
    std::fs::rename(&part, daemon.folder().join("p.wasm")).unwrap();
}

fn with_resolver(dns: &SlowDns, options: &str) -> String {
    format!(
        r#"
setNumLuaStates(4)
setPolicyBudget(60000)
newDNSResolver("late")
getDNSResolver("late"):addResolver("{}", {})
getDNSResolver("late"):setRequestTimeout(60000)
loadPolicy("p", "p.wasm", {options})
setAllow("p")
"#,
        dns.address.ip(),
        dns.address.port()
    )
}

#[test]
fn a_component_that_waits_for_dns_holds_up_nobody_and_gets_its_answer() {
    let dns = SlowDns::start();
    let config = with_resolver(&dns, "{ deadline_ms = 60000 }");
    let daemon = Launch::new(&config).file("p.wasm", asks_dns()).start();
    let (answers, order) = mpsc::channel();
    thread::scope(|scope| {
        // All states but one wait.
        for _ in 0..3 {
            let answers = answers.clone();
            let daemon = &daemon;
            scope.spawn(move || answers.send(ask(daemon, "slow")).unwrap());
        }
        dns.wait_for(3);
        for _ in 0..20 {
            answers.send(ask(&daemon, "quick")).unwrap();
        }
        dns.release();
    });
    drop(answers);
    let seen: Vec<i64> = order.iter().collect();
    // 10, and one for the address that was found.
    assert_eq!(seen, [vec![0; 20], vec![11; 3]].concat());
}

#[test]
fn a_component_whose_dns_never_answers_is_answered_for_at_its_deadline() {
    let dns = SlowDns::start();
    let config = with_resolver(&dns, "{ deadline_ms = 100, on_error = \"deny\", quarantine = 0 }");
    let daemon = Launch::new(&config).file("p.wasm", asks_dns()).start();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(ask(&daemon, "slow"), -1));
        }
    });
    assert_eq!(ask(&daemon, "quick"), 0);
    let failures = metric(&daemon, "portcullis_component_failures_total", "kind=\"time\",policy=\"p\"");
    assert!((failures - 8.0).abs() < 0.5, "{failures}");
    daemon.log().wait_for("policy p: allow failed (time)");
    // The instances of those calls are gone; only that of the quick one waits.
    until("instances are let go", || metric(&daemon, "portcullis_component_instances", "policy=\"p\"") < 1.5);
}

#[test]
fn a_component_ends_in_time_for_the_answer_of_its_call() {
    // It may take longer than the whole call: what the operator wants then is still said.
    let config = "setPolicyBudget(400)\nloadPolicy('p', 'p.wasm', { deadline_ms = 60000, on_error = 'deny', quarantine = 0 })\n\
        setAllow('p')\n";
    let daemon = Launch::new(config).file("p.wasm", moody()).start();
    assert_eq!(ask(&daemon, "loop"), -1);
    assert_eq!(ask(&daemon, "nobody"), 0);
    assert!(metric(&daemon, "portcullis_component_failures_total", "kind=\"time\",policy=\"p\"") > 0.5);
    assert!(!daemon.client().get("/metrics").text().contains("portcullis_policy_failures_total{"));
}

#[test]
fn whatever_one_call_does_the_others_are_answered_and_nothing_is_left() {
    let config = "setNumLuaStates(3)\nsetPolicyBudget(5000)\n\
        loadPolicy('p', 'p.wasm', { deadline_ms = 2000, memory_mb = 8, on_error = 'deny', quarantine = 0 })\nsetAllow('p')\n";
    let daemon = Launch::new(config).file("p.wasm", moody()).start();
    assert_eq!((ask(&daemon, "nobody"), ask(&daemon, "deny")), (0, -1));
    let (answers, order) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..2 {
            let (answers, daemon) = (answers.clone(), &daemon);
            scope.spawn(move || answers.send(ask(daemon, "loop")).unwrap());
        }
        for login in ["trap", "memory", "recursion"] {
            assert_eq!(ask(&daemon, login), -1, "{login}");
        }
        for _ in 0..50 {
            let (answers, daemon) = (answers.clone(), &daemon);
            scope.spawn(move || answers.send(ask(daemon, "nobody")).unwrap());
        }
    });
    drop(answers);
    let seen: Vec<i64> = order.iter().collect();
    assert_eq!(seen, [vec![0; 50], vec![-1; 2]].concat(), "the good ones overtake");
    for (kind, count) in [("time", 2.0), ("trap", 1.0), ("memory", 1.0), ("stack", 1.0)] {
        let labels = format!("kind=\"{kind}\",policy=\"p\"");
        let found = metric(&daemon, "portcullis_component_failures_total", &labels);
        assert!((found - count).abs() < 0.5, "{kind}: {found}");
    }
    // At most one instance for each state waits, each with its two pages.
    until("back at the baseline", || {
        metric(&daemon, "portcullis_component_instances", "policy=\"p\"") < 3.5
            && metric(&daemon, "portcullis_component_memory_bytes", "policy=\"p\"") <= 3.0 * 131_072.0
    });
}

#[test]
fn while_some_calls_do_their_worst_the_others_are_answered() {
    let config = "setNumLuaStates(3)\nsetPolicyBudget(60000)\n\
        loadPolicy('p', 'p.wasm', { deadline_ms = 60000, memory_mb = 8, on_error = 'deny', quarantine = 0 })\nsetAllow('p')\n";
    let daemon = Launch::new(config).file("p.wasm", moody()).start();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let bad: Vec<_> = ["memory", "flood", "recursion", "trap"]
            .into_iter()
            .map(|login| {
                let (daemon, over) = (&daemon, &over);
                scope.spawn(move || {
                    let mut asked = 0;
                    while !over.load(Ordering::Relaxed) {
                        assert_eq!(ask(daemon, login), -1, "{login}");
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        (0..200).for_each(|_| assert_eq!(ask(&daemon, "nobody"), 0));
        over.store(true, Ordering::Relaxed);
        for calls in bad {
            assert!(calls.join().unwrap() > 0);
        }
    });
    for kind in ["memory", "host_calls", "stack", "trap"] {
        let labels = format!("kind=\"{kind}\",policy=\"p\"");
        assert!(metric(&daemon, "portcullis_component_failures_total", &labels) > 0.5, "{kind}");
    }
}

const PLAIN: &str = "loadPolicy('p', 'p.wasm', { deadline_ms = 60000, on_error = 'deny', quarantine = 3 })\n\
    setPolicyBudget(60000)\nsetAllow('p')\n";

/// Asks without pause until told to stop; every answer must be one of these.
fn traffic<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    daemon: &'scope Daemon,
    over: &'scope AtomicBool,
    expected: &'scope [i64],
) -> Vec<thread::ScopedJoinHandle<'scope, usize>> {
    let one = || {
        scope.spawn(|| {
            let mut asked = 0;
            while !over.load(Ordering::Relaxed) {
                let status = ask(daemon, "joe");
                assert!(expected.contains(&status), "{status}");
                asked += 1;
            }
            asked
        })
    };
    (0..4).map(|_| one()).collect()
}

#[test]
fn it_is_replaced_under_traffic_in_every_way_there_is() {
    let config = PLAIN.replace("quarantine = 3", "watch = true");
    let daemon = Launch::new(&config).file("p.wasm", allow(&decide(1))).start();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = traffic(scope, &daemon, &over, &[1, 2, 3, 4, 5]);
        // Over HTTP. (The watch may be quicker; the command loads it once more then.)
        put(&daemon, &allow(&decide(2)));
        let answer = daemon.client().post("/command/reloadPolicies", &json!({"name": "p"}));
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ok")), "{}", answer.text());
        assert_eq!(ask(&daemon, "joe"), 2);
        // At the console.
        put(&daemon, &allow(&decide(3)));
        let told = daemon.execute("reloadPolicy('p')");
        assert!(told.contains("policy p: loaded p.wasm again"), "{told}");
        assert_eq!(ask(&daemon, "joe"), 3);
        // With the whole configuration.
        put(&daemon, &allow(&decide(4)));
        daemon.process.signal("HUP");
        daemon.log().wait_for("wforce.conf: loaded again");
        assert_eq!(ask(&daemon, "joe"), 4);
        // By itself.
        put(&daemon, &allow(&decide(5)));
        until("the changed file is seen", || ask(&daemon, "joe") == 5);
        over.store(true, Ordering::Relaxed);
        let asked: usize = asking.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!(asked > 0);
    });
}

#[test]
fn one_that_cannot_be_used_leaves_the_old_one_at_work() {
    let daemon = Launch::new(PLAIN).file("p.wasm", allow(&decide(1))).start();
    put(&daemon, b"garbage");
    let answer = daemon.client().post("/command/reloadPolicies", &json!({}));
    assert_eq!(answer.status, 500);
    let told = answer.json()["policies"]["p"].as_str().unwrap().to_owned();
    assert!(told.contains("the old version goes on") && told.contains("p.wasm"), "{told}");
    assert_eq!(ask(&daemon, "joe"), 1);
    // A configuration that names it does not load either, as a whole.
    daemon.process.signal("HUP");
    daemon.log().wait_for("the configuration cannot be used, the old one goes on");
    assert_eq!(ask(&daemon, "joe"), 1);
    let unknown = daemon.client().post("/command/reloadPolicies", &json!({"name": "nobody"}));
    assert_eq!(unknown.status, 500);
}

#[test]
fn a_new_version_that_traps_is_taken_back() {
    let daemon = Launch::new(PLAIN).file("p.wasm", allow(&decide(1))).start();
    put(&daemon, &allow("(unreachable)"));
    daemon.execute("reloadPolicy('p')");
    assert_eq!(ask(&daemon, "joe"), -1, "this one had nothing else");
    assert_eq!(ask(&daemon, "joe"), 1);
    daemon.log().wait_for("back to the old one");
    assert!(metric(&daemon, "portcullis_component_rollbacks_total", "policy=\"p\"") > 0.5);
}

#[test]
fn a_quarantine_is_seen_and_ended_by_a_reload() {
    let daemon = Launch::new(PLAIN).file("p.wasm", moody()).start();
    let quarantined = || metric(&daemon, "portcullis_component_quarantined", "policy=\"p\"") > 0.5;
    for _ in 0..3 {
        assert!(!quarantined());
        assert_eq!(ask(&daemon, "trap"), -1);
    }
    daemon.log().wait_for("in quarantine, it is not asked until it is loaded again");
    assert!(quarantined());
    assert_eq!(ask(&daemon, "nobody"), -1, "on_error answers for it");
    let told = explain(&daemon, "nobody").to_string();
    assert!(told.contains("in quarantine") && told.contains("\"p\""), "{told}");
    assert!(daemon.execute("showPolicies()").contains("p (p.wasm): quarantined"));
    let answer = daemon.client().post("/command/reloadPolicies", &json!({"name": "p"}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!quarantined());
    assert_eq!(ask(&daemon, "nobody"), 0);
    daemon.log().wait_for("out of quarantine");
}

const COUNTING: &str = "newStringStatsDB('seen', 60, 5, { failures = 'int' })\n\
    loadPolicy('p', 'p.wasm', { deadline_ms = 60000, fuel = 1000000, capabilities = { stats = { 'seen' } } })\n\
    setPolicyBudget(60000)\n\
    setReport(function(lt) getStringStatsDB('seen'):twAdd(lt.login, 'failures', 1) end)\n";

fn explain(daemon: &Daemon, login: &str) -> Value {
    let body = json!({"login": login, "remote": "192.0.2.1"}).to_string();
    let header = [("X-Portcullis-Explain", "1")];
    let told = daemon.client().request("POST", "/command/allow", &header, body.as_bytes()).json();
    told["explain"].clone()
}

#[test]
fn an_explanation_has_each_member_with_its_reads_its_time_and_its_fuel() {
    let config = format!(
        "{COUNTING}loadPolicy('q', 'q.wasm', {{ deadline_ms = 60000 }})\n\
         setAllow({{ 'q', function(lt) return 'pass' end, 'p' }})\n"
    );
    let daemon = Launch::new(&config).file("p.wasm", counts(1, 0)).file("q.wasm", moody()).start();
    daemon.client().report(&json!({"login": "joe"}));
    daemon.client().report(&json!({"login": "joe"}));
    let told = explain(&daemon, "joe");
    assert_eq!(told["decided_by"], "policy p", "{told}");
    let steps = told["steps"].as_array().unwrap();
    let members: Vec<(&str, &str)> = steps
        .iter()
        .filter(|step| step["step"] == "member")
        .map(|step| (step["name"].as_str().unwrap(), step["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(members, [("q", "pass"), ("function 1", "pass"), ("p", "deny")]);
    let read = steps.iter().find(|step| step["step"] == "stats").unwrap();
    assert_eq!((&read["db"], &read["key"], &read["value"]), (&json!("seen"), &json!("joe"), &json!(2)));
    let last = steps.last().unwrap();
    assert!(last["fuel"].as_i64().unwrap() > 0 && last["took_us"].is_u64(), "{last}");
    assert_eq!(told["fuel"], last["fuel"], "that of q has no limit and is not counted");
    // The same at the console.
    let text = daemon.execute("explain('joe', '192.0.2.1')");
    for part in ["deny (status -1)", "decided by: policy p", "seen: failures of joe = 2", "q: pass", "fuel"] {
        assert!(text.contains(part), "no {part:?}: {text}");
    }
}

#[test]
fn a_question_at_the_console_changes_nothing() {
    let config = format!("{COUNTING}setAllow('p')\n");
    let daemon = Launch::new(&config).file("p.wasm", counts(150, 100)).start();
    let failures = || daemon.execute("return getStringStatsDB('seen'):twGet('joe', 'failures')");
    for _ in 0..3 {
        let text =
            daemon.execute("explain('joe', newCA('192.0.2.1'), { protocol = 'imap', attrs = { a = 'b' } })");
        assert!(text.contains("allow (status 0)") && text.contains("change"), "{text}");
    }
    assert_eq!(failures(), "0");
    assert_eq!(daemon.execute("stats()").trim_end(), "0 reports, 0 allow-queries (0 denies)");
    // Asked for real, it does count.
    assert_eq!((ask(&daemon, "joe"), ask(&daemon, "joe")), (0, -1));
    assert!(daemon.execute("explain('joe', '192.0.2.1')").contains("deny (status -1)"));
    assert_eq!(failures(), "200");
    for (line, part) in [
        ("explain('joe', 'nowhere')", "\"nowhere\" is no address"),
        ("explain('joe', '::1', { protcol = 'imap' })", "a login has no \"protcol\""),
        ("explain('joe', '::1', { tls = 'yes' })", "tls must be true or false"),
        ("for i = 1, 30 do explain('joe', '::1') end", "too many questions"),
    ] {
        let text = daemon.execute(line);
        assert!(text.starts_with("Error: ") && text.contains(part), "{line}: {text}");
    }
}

#[test]
fn a_component_as_shadow_sees_its_own_writes_and_nobody_else_does() {
    let config = format!(
        "{COUNTING}setAllow(function(lt)\n\
            if getStringStatsDB('seen'):twGet(lt.login, 'failures') > 0 then return -1, '', 'seen', {{}} end\n\
            return 0, '', '', {{}}\nend)\nsetShadowAllow('p')\n"
    );
    // Adds 100 each time, and denies above 150.
    let daemon = Launch::new(&config).file("p.wasm", counts(150, 100)).start();
    for _ in 0..3 {
        assert_eq!(ask(&daemon, "joe"), 0, "the live policy sees nothing of what the shadow counts");
    }
    // The shadow sees it: it denies from the second time on.
    daemon.log().wait_for_count("shadowLog: live=\"allow\" shadow=\"deny\"", 1);
    until("the shadow has decided all of them", || {
        daemon.client().metric("portcullis_shadow_total{live=\"allow\",shadow=\"deny\"}") == Some(2.0)
    });
    assert_eq!(daemon.execute("return getStringStatsDB('seen'):twGet('joe', 'failures')"), "0");
}

#[test]
fn a_shadow_is_asked_about_the_part_that_the_operator_wants() {
    let config = "loadPolicy('p', 'p.wasm', { deadline_ms = 60000 })\nsetPolicyBudget(60000)\n\
        setAllow(function(lt) return 0, '', '', {} end)\nsetShadowAllow('p', { sample = '0.25' })\n";
    let daemon = Launch::new(config).file("p.wasm", allow(&decide(-1))).start();
    (0..40).for_each(|_| assert_eq!(ask(&daemon, "joe"), 0));
    until("a quarter of them", || {
        daemon.client().metric("portcullis_shadow_total{live=\"allow\",shadow=\"deny\"}") == Some(10.0)
    });
}
