//! Guests whose language runtime needs WASI: what they get, and what they do not.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

mod support;

use policy::Components;
use serde_json::json;
use support::guest::{chatters, exits, looks_around, sleeps};
use support::{PATIENT, World, status};

#[test]
fn a_guest_sees_clocks_and_chance_and_else_nothing() {
    let world = World::new();
    let guest = world.load("guest", &looks_around(), &json!({"deadline_ms": PATIENT}));
    assert_eq!(status(world.allow(&guest)), Some(511), "a bit for each thing: see looks_around()");
    assert!(world.logged("policy guest: hello from a guest"));
    assert!(world.logged("policy guest: oops"), "standard error, too");
}

#[test]
fn a_guest_s_output_has_many_lines_but_not_any_number() {
    let world = World::new();
    let options = json!({"deadline_ms": PATIENT, "isolation": "fresh"});
    let guest = world.load("guest", &chatters(), &options);
    // Each call has an instance of its own; the bound is the policy's.
    (0..2).for_each(|_| assert_eq!(status(world.allow(&guest)), None));
    let lines = world.lines("policy guest: oops");
    // A machine that is very slow gives them some seconds, and more lines.
    assert!((100..=300).contains(&lines), "{lines}");
    let text = "policy guest: more than 100 lines of output within a second: the others are left out";
    assert_eq!(world.logged(text), lines < 300);
}

#[test]
fn a_guest_that_sleeps_is_woken_by_its_deadline() {
    let world = World::new();
    let options = json!({"deadline_ms": 50, "on_error": "deny", "quarantine": 0});
    let guest = world.load("guest", &sleeps(), &options);
    (0..3).for_each(|_| assert_eq!(status(world.allow(&guest)), Some(-1)));
    assert!(world.metric("portcullis_component_failures_total{kind=\"time\",policy=\"guest\"} 3"));
    assert!(world.metric("portcullis_component_instances{policy=\"guest\"} 0"));
    assert!(world.logged("policy deadline of"));
}

#[test]
fn a_guest_that_exits_ends_only_itself() {
    let world = World::new();
    let guest = world.load("guest", &exits(), &json!({"deadline_ms": PATIENT, "on_error": "deny"}));
    assert_eq!(status(world.allow(&guest)), Some(-1));
    assert!(world.metric("portcullis_component_failures_total{kind=\"trap\",policy=\"guest\"} 1"));
}

#[test]
fn an_inspection_tells_wasi_apart() {
    let world = World::new();
    let found = world.registry.inspect(&world.file("guest", &looks_around())).unwrap();
    assert!(found.problem.is_none(), "{:?}", found.problem);
    assert!(found.wasi.iter().any(|name| name.starts_with("wasi:sockets/")), "{:?}", found.wasi);
    assert!(found.foreign.is_empty() && world.registry.names().is_empty());
    assert_eq!(found.hooks.iter().map(|hook| hook.name.as_str()).collect::<Vec<_>>(), ["allow"]);
}
