//! How one version of a policy replaces another, and when the old one comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

mod support;

use policy::{Components, Hook};
use serde_json::json;
use support::guest::{allow, component, decide, moody};
use support::{PATIENT, World, status};

fn options() -> serde_json::Value {
    json!({"deadline_ms": PATIENT})
}

#[test]
fn a_new_version_takes_over_at_once_and_a_bad_one_does_not() {
    let world = World::new();
    let policy = world.load("p", &allow(&decide(1)), &options());
    policy.require(Hook::Allow).unwrap();
    assert_eq!(status(world.allow(&policy)), Some(1));
    world.file("p", &allow(&decide(2)));
    assert!(world.registry.reload("p").unwrap().contains("loaded"));
    assert_eq!(status(world.allow(&policy)), Some(2));
    world.file("p", b"garbage");
    let error = world.registry.reload("p").unwrap_err().to_string();
    assert!(error.contains("the old version goes on"), "{error}");
    let report =
        r#"(func (export "portcullis:policy/report@0.1.0#report") (param i32) (result i32) (unreachable))"#;
    world.file("p", &component("only-report", report));
    assert!(world.registry.reload("p").unwrap_err().to_string().contains("no longer exports allow"));
    assert_eq!(status(world.allow(&policy)), Some(2));
    assert!(world.registry.reload("q").is_err());
}

#[test]
fn a_new_version_that_traps_on_its_first_calls_is_taken_back() {
    let world = World::new();
    let policy = world.load("p", &allow(&decide(1)), &json!({"deadline_ms": PATIENT, "on_error": "deny"}));
    world.file("p", &allow("(unreachable)"));
    world.registry.reload("p").unwrap();
    assert_eq!(status(world.allow(&policy)), Some(-1), "this one call had nothing else");
    assert_eq!(status(world.allow(&policy)), Some(1));
    assert!(world.metric("portcullis_component_rollbacks_total{policy=\"p\"} 1"));
    assert!(world.logged("back to the old one"));
}

/// Traps, with something else in its file each time.
fn traps(which: u32) -> Vec<u8> {
    allow(&format!("(drop (i32.const {which})) (unreachable)"))
}

#[test]
fn it_goes_back_to_a_version_that_has_proved_itself() {
    let world = World::new();
    let policy = world.load("p", &allow(&decide(1)), &json!({"deadline_ms": PATIENT, "on_error": "deny"}));
    assert_eq!(status(world.allow(&policy)), Some(1));
    // Bad ones, one after the other and one of them twice, before anybody calls them.
    for which in [1, 2, 2] {
        world.file("p", &traps(which));
        world.registry.reload("p").unwrap();
    }
    assert_eq!(status(world.allow(&policy)), Some(-1));
    assert_eq!(status(world.allow(&policy)), Some(1), "not to another bad one");
    assert!(world.metric("portcullis_component_rollbacks_total{policy=\"p\"} 1"));
}

#[test]
fn after_twenty_good_calls_a_version_has_proved_itself() {
    let world = World::new();
    let options = json!({"deadline_ms": PATIENT, "on_error": "deny"});
    for (calls, then) in [(19, Some(1)), (20, None)] {
        let name = format!("p{calls}");
        let policy = world.load(&name, &allow(&decide(1)), &options);
        world.file(&name, &moody());
        world.registry.reload(&name).unwrap();
        (0..calls).for_each(|_| assert_eq!(status(world.allow(&policy)), None));
        assert_eq!(status(world.ask(&policy, "trap")), Some(-1));
        assert_eq!(status(world.allow(&policy)), then, "{calls}");
    }
}

#[test]
fn the_same_version_again_has_nothing_to_go_back_to() {
    let world = World::new();
    let policy = world.load("p", &moody(), &json!({"deadline_ms": PATIENT, "on_error": "deny"}));
    world.registry.reload("p").unwrap();
    assert_eq!(status(world.ask(&policy, "trap")), Some(-1));
    assert!(world.metric("portcullis_component_rollbacks_total{policy=\"p\"} 0"));
    assert!(!world.logged("back to the old one"));
}

#[test]
fn a_configuration_that_is_read_again_has_versions_to_go_back_to() {
    let world = World::new();
    let old = world.load("p", &allow(&decide(1)), &options());
    let path = world.file("p", &traps(1));
    let next = world.again();
    next.load("p", &path, &json!({"deadline_ms": PATIENT, "on_error": "deny", "memory_mb": 1})).unwrap();
    next.load("q", &path, &options()).unwrap();
    next.follow(&world.registry);
    let policy = next.get("p").unwrap();
    assert_eq!(status(world.allow(&policy)), Some(-1));
    assert_eq!(status(world.allow(&policy)), Some(1), "the one of the configuration before");
    assert!(world.logged(
        "policy p: the new version trapped on its first calls: back to the old one with its options"
    ));
    assert_eq!(status(world.allow(&old)), Some(1), "which nothing happened to");
    // What is loaded next has the options of now: of 1 MiB it has no more than that.
    world.file("p", &allow(&format!("(drop (memory.grow (i32.const 100))) {}", decide(2))));
    next.reload("p").unwrap();
    assert_eq!(status(world.allow(&policy)), Some(-1));
    assert!(world.metric("portcullis_component_failures_total{kind=\"memory\",policy=\"p\"} 1"));
    // One that is new has nothing to go back to.
    let fresh = next.get("q").unwrap();
    (0..2).for_each(|_| assert_eq!(status(world.allow(&fresh)), None));
    assert!(world.metric("portcullis_component_rollbacks_total{policy=\"q\"} 0"));
}

#[test]
fn a_version_without_a_hook_that_is_in_use_now_does_not_come_back() {
    let world = World::new();
    world.load("p", &allow(&decide(1)), &options());
    let both = r#"(func (export "portcullis:policy/allow@0.1.0#allow") (param i32) (result i32) (unreachable))
        (func (export "portcullis:policy/report@0.1.0#report") (param i32) (result i32) (unreachable))"#;
    let path = world.file("p", &component("policy", both));
    let next = world.again();
    next.load("p", &path, &json!({"deadline_ms": PATIENT, "on_error": "deny"})).unwrap();
    let policy = next.get("p").unwrap();
    policy.require(Hook::Report).unwrap();
    next.follow(&world.registry);
    (0..2).for_each(|_| assert_eq!(status(world.allow(&policy)), Some(-1)));
}

#[test]
fn a_watched_file_is_loaded_again_when_it_changes() {
    let world = World::new();
    let policy = world.load("p", &allow(&decide(1)), &json!({"deadline_ms": PATIENT, "watch": true}));
    world.registry.tick();
    assert_eq!(status(world.allow(&policy)), Some(1));
    let path = world.file("p", &allow(&decide(2)));
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::open(&path).unwrap().set_modified(later).unwrap();
    world.registry.tick();
    assert_eq!(status(world.allow(&policy)), Some(2));
}

#[test]
fn a_file_that_is_not_watched_is_left_alone() {
    let world = World::new();
    let policy = world.load("p", &allow(&decide(1)), &options());
    let path = world.file("p", &allow(&decide(2)));
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::open(&path).unwrap().set_modified(later).unwrap();
    world.registry.tick();
    assert_eq!(status(world.allow(&policy)), Some(1));
}
