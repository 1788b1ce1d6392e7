//! What a call and an instance may have, to the unit, and what happens to a policy that fails again and again.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

mod support;

use policy::Components;
use serde_json::json;
use support::guest::{PASS, allow, decide, decide_as, moody, opens_for_ever};
use support::{PATIENT, World, status};

#[test]
fn memory_is_limited_to_the_page() {
    // Two pages are there from the start; 16 MiB are 256.
    let grows = |pages: u32| {
        let grow =
            format!("(if (i32.lt_s (memory.grow (i32.const {pages})) (i32.const 0)) (then (unreachable)))");
        allow(&format!("{grow}{}", decide(1)))
    };
    let world = World::new();
    let options = json!({"deadline_ms": PATIENT, "memory_mb": 16, "on_error": "deny"});
    assert_eq!(status(world.allow(&world.load("fits", &grows(254), &options))), Some(1));
    assert_eq!(status(world.allow(&world.load("bursts", &grows(255), &options))), Some(-1));
    assert!(world.metric("portcullis_component_failures_total{kind=\"memory\",policy=\"bursts\"} 1"));
}

#[test]
fn a_host_call_takes_no_text_of_any_size() {
    // 32 MiB that really are in memory: to a function that copies its texts, and to one that reads them where they are.
    let logs = r#"
        ;; (import "portcullis:policy/log@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))
        (drop (memory.grow (i32.const 600)))
        (call $write (i32.const 2) (i32.const 0) (i32.const 33554432) (i32.const 0) (i32.const 0)) (unreachable)"#;
    let world = World::new();
    world.with_db();
    let options = json!({"deadline_ms": PATIENT, "on_error": "deny"});
    assert_eq!(status(world.allow(&world.load("logs", &allow(logs), &options))), Some(-1));
    assert!(
        world.logged(
            "policy logs: allow failed (host_calls): policy limit of 4 MiB in one host call exceeded"
        )
    );
    let reads = |length: u32| {
        let body = format!(
            r#"
            ;; (import "portcullis:policy/stats@0.1.0" "open" (func $open (param i32 i32 i32)))
            ;; (import "portcullis:policy/stats@0.1.0" "[method]db.get" (func $get (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
            (drop (memory.grow (i32.const 600)))
            (i32.store16 (i32.const 0) (i32.const 0x6264))
            (call $open (i32.const 0) (i32.const 2) (i32.const 64))
            (call $get (i32.load (i32.const 68)) (i32.const 0) (i32.const 131072) (i32.const {length}) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 64)) {}"#,
            decide_as("(i32.load8_u (i32.const 64))")
        );
        allow(&body)
    };
    let large = world.allow(&world.load("large", &reads(3 << 20), &options));
    assert!(!world.logged("policy large: allow failed"), "{}", world.log());
    assert_eq!(status(large), Some(0));
    assert_eq!(status(world.allow(&world.load("huge", &reads(32 << 20), &options))), Some(-1));
    assert!(world.metric("portcullis_component_failures_total{kind=\"host_calls\",policy=\"huge\"} 1"));
}

#[test]
fn nor_does_it_take_an_answer_of_any_size() {
    // A message of so many bytes that really are in memory.
    let answers = |length: u32| {
        let message = format!(
            "{} (drop) (i32.store (i32.const 524) (i32.const 131072)) (i32.store (i32.const 528) (i32.const {length})) (i32.const 512)",
            decide(3)
        );
        allow(&format!("(drop (memory.grow (i32.const 600))) {message}"))
    };
    let world = World::new();
    let options = json!({"deadline_ms": PATIENT, "on_error": "deny"});
    assert_eq!(status(world.allow(&world.load("large", &answers(3 << 20), &options))), Some(3));
    assert_eq!(status(world.allow(&world.load("huge", &answers(32 << 20), &options))), Some(-1));
    assert!(world.metric("portcullis_component_failures_total{kind=\"host_calls\",policy=\"huge\"} 1"));
}

#[test]
fn a_batch_ends_in_time() {
    // So many steps: reads of what is slow to read, and at last an add to `n`.
    let batch = |steps: u32| {
        let body = format!(
            r#"(local $at i32)
            ;; (import "portcullis:policy/stats@0.1.0" "open" (func $open (param i32 i32 i32)))
            ;; (import "portcullis:policy/stats@0.1.0" "[method]db.batch" (func $batch (param i32 i32 i32 i32)))
            (i64.store (i32.const 0) (i64.const 0x656772616c)) (i32.store8 (i32.const 8) (i32.const 0x6b))
            (i32.store (i32.const 12) (i32.const 0x6f6877)) (i32.store8 (i32.const 16) (i32.const 0x6e))
            (local.set $at (i32.const 65536))
            (loop $more
                (i32.store8 (local.get $at) (i32.const 2))
                (i32.store offset=8 (local.get $at) (i32.const 8)) (i32.store offset=12 (local.get $at) (i32.const 1))
                (i32.store offset=28 (local.get $at) (i32.const 12)) (i32.store offset=32 (local.get $at) (i32.const 3))
                (local.set $at (i32.add (local.get $at) (i32.const 64)))
                (br_if $more (i32.lt_u (local.get $at) (i32.const 129536))))
            (i32.store8 (i32.const 129472) (i32.const 0))
            (i32.store (i32.const 129500) (i32.const 16)) (i32.store (i32.const 129504) (i32.const 1))
            (call $open (i32.const 0) (i32.const 5) (i32.const 64))
            (call $batch (i32.load (i32.const 68)) (i32.const {}) (i32.const {steps}) (i32.const 64)) {}"#,
            129_536 - 64 * steps,
            decide(1)
        );
        allow(&body)
    };
    // The same functions as in a configuration of which some stats DB is kept in a server, and as in all others.
    for waits in [false, true] {
        let world = World::new();
        world.with_large_db();
        if waits {
            world.with_db();
            world.caps.stats.get(b"db").unwrap().will_be_outside();
        }
        let options = json!({"deadline_ms": 200, "on_error": "deny"});
        let slow = world.load("slow", &batch(1000), &options);
        assert_eq!(status(world.allow(&slow)), Some(-1), "{}", world.log());
        assert!(world.logged("policy slow: allow failed (time): policy deadline of 200 ms exceeded"));
        let large = world.caps.stats.get(b"large").unwrap();
        assert_eq!(
            large.get(world.caps.clock.now(), b"k", b"n"),
            0,
            "it came to its last step, waits: {waits}"
        );
        let options = json!({"deadline_ms": PATIENT, "on_error": "deny"});
        assert_eq!(status(world.allow(&world.load("short", &batch(2), &options))), Some(1));
        assert_eq!(large.get(world.caps.clock.now(), b"k", b"n"), 1, "a short one does");
    }
}

#[test]
fn log_lines_of_a_call_are_limited() {
    let body = format!(
        r#"(local $left i32)
        ;; (import "portcullis:policy/log@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))
        (i32.store (i32.const 0) (i32.const 0x6d617073)) (local.set $left (i32.const 150))
        (loop $more
            (call $write (i32.const 2) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $more (local.get $left)))
        {PASS}"#
    );
    let world = World::new();
    let chatty = world.load("chatty", &allow(&body), &json!({"deadline_ms": PATIENT}));
    (0..2).for_each(|_| assert_eq!(status(world.allow(&chatty)), None));
    assert_eq!(world.lines("policy chatty: spam"), 200);
    assert_eq!(world.lines("policy chatty: 50 log lines of one call left out"), 2);
}

#[test]
fn an_instance_whose_calls_keep_what_they_open_is_replaced_in_time() {
    let body = format!(
        r#"
        ;; (import "portcullis:policy/stats@0.1.0" "open" (func $open (param i32 i32 i32)))
        (i32.store16 (i32.const 0) (i32.const 0x6264))
        (call $open (i32.const 0) (i32.const 2) (i32.const 64)) {}"#,
        decide_as("(i32.load8_u (i32.const 64))")
    );
    let world = World::new();
    world.with_db();
    let leak = world.load("leak", &allow(&body), &json!({"deadline_ms": PATIENT, "handles": 100}));
    (0..1000).for_each(|_| assert_eq!(status(world.allow(&leak)), Some(0), "no call is refused one"));
    assert!(world.caps.stats.get(b"db").unwrap().handles() < 110);
    assert!(world.logged("policy leak: an instance with 51 handles makes way for a new one"));
}

#[test]
fn handles_are_limited_and_a_policy_is_told_so() {
    // Decides with the case of the first error.
    let component = opens_for_ever(&decide_as("(i32.add (i32.const 100) (i32.load8_u (i32.const 68)))"));
    let world = World::new();
    world.with_db();
    let options = json!({"deadline_ms": PATIENT, "host_calls": 20_000, "handles": 10_000});
    let leak = world.load("leak", &component, &options);
    let handles = || world.caps.stats.get(b"db").unwrap().handles();
    let before = handles();
    // `limit` is the fifth case of the error.
    assert_eq!(status(world.allow(&leak)), Some(104));
    assert_eq!(handles(), before, "such an instance is of no use any more");
    assert!(world.logged("policy leak: an instance with 10000 handles makes way for a new one"));
    let options = json!({"deadline_ms": PATIENT, "capabilities": {"stats": ["other"]}});
    let denied = world.load("denied", &component, &options);
    assert_eq!(status(world.allow(&denied)), Some(102), "`denied` is the third");
    assert!(world.logged("policy denied: stats \"db\" denied"));
    assert!(world.logged("(capabilities = { stats = { \"db\" } } would)"), "what to do about it");
}

#[test]
fn a_policy_that_traps_again_and_again_is_not_asked_until_it_is_loaded_again() {
    let world = World::new();
    let options = json!({"deadline_ms": PATIENT, "quarantine": 3, "on_error": "deny"});
    let bad = world.load("bad", &allow("(unreachable)"), &options);
    (0..10).for_each(|_| assert_eq!(status(world.allow(&bad)), Some(-1)));
    assert!(world.metric("portcullis_component_failures_total{kind=\"trap\",policy=\"bad\"} 3"));
    assert!(world.metric("portcullis_component_quarantined{policy=\"bad\"} 1"));
    assert!(world.logged("in quarantine"));
    world.file("bad", &allow(&decide(0)));
    world.registry.reload("bad").unwrap();
    assert_eq!(status(world.allow(&bad)), Some(0));
    assert!(world.metric("portcullis_component_quarantined{policy=\"bad\"} 0"));
}

#[test]
fn traps_that_are_not_in_a_row_are_no_reason_for_quarantine() {
    let world = World::new();
    let options = json!({"deadline_ms": PATIENT, "quarantine": 3, "on_error": "deny"});
    let policy = world.load("p", &moody(), &options);
    for _ in 0..5 {
        for (name, expected) in [("trap", Some(-1)), ("trap", Some(-1)), ("nobody", None)] {
            assert_eq!(status(world.ask(&policy, name)), expected);
        }
    }
    assert!(world.metric("portcullis_component_quarantined{policy=\"p\"} 0"));
    (0..3).for_each(|_| assert_eq!(status(world.ask(&policy, "trap")), Some(-1)));
    assert_eq!(status(world.ask(&policy, "nobody")), Some(-1), "three in a row are");
    // 0: never.
    let policy =
        world.load("q", &moody(), &json!({"deadline_ms": PATIENT, "quarantine": 0, "on_error": "deny"}));
    (0..50).for_each(|_| assert_eq!(status(world.ask(&policy, "trap")), Some(-1)));
    assert_eq!(status(world.ask(&policy, "nobody")), None);
}
