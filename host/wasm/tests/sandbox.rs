//! Components that try to get out, to bring the server down, or to be in the way of others.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

mod support;

use std::time::{Duration, Instant};

use policy::{Call, FailureKind, Reply};
use serde_json::json;
use support::guest::{PASS, allow, component, decide, moody, opens_for_ever};
use support::{PATIENT, World, login, status};

/// Each of them traps, for its own reason, and the next call finds a fresh instance.
fn traps(body: &str, options: serde_json::Value, kind: &str) {
    let world = World::new();
    let mut options = options;
    options["on_error"] = json!("deny");
    options["quarantine"] = json!(0);
    let bad = world.load("bad", &allow(body), &options);
    let good = world.load("good", &allow(&decide(7)), &json!({"deadline_ms": PATIENT}));
    for _ in 0..3 {
        assert_eq!(status(world.allow(&bad)), Some(-1), "{kind}");
        assert_eq!(status(world.allow(&good)), Some(7), "others are served");
    }
    let line = format!("portcullis_component_failures_total{{kind=\"{kind}\",policy=\"bad\"}} 3");
    assert!(world.metric(&line), "{kind}");
    assert!(world.metric("portcullis_component_instances{policy=\"bad\"} 0"), "nothing is left of {kind}");
    assert!(world.metric("portcullis_component_instances{policy=\"good\"} 1"));
    assert!(world.metric("portcullis_component_memory_bytes{policy=\"bad\"} 0"), "nor of its memory");
    assert!(world.logged("policy bad: allow failed"));
}

#[test]
fn an_endless_loop_ends_at_its_deadline() {
    traps("(loop $ever (br $ever)) (unreachable)", json!({"deadline_ms": 50}), "time");
}

#[test]
fn an_endless_loop_ends_when_its_fuel_is_used_up() {
    traps("(loop $ever (br $ever)) (unreachable)", json!({"deadline_ms": PATIENT, "fuel": 100_000}), "fuel");
}

#[test]
fn deep_recursion_ends_on_the_component_s_own_stack() {
    let body = "(call $deep (i32.const 0)))
        (func $deep (param i32) (result i32)
            (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (local.get 0))";
    traps(body, json!({"deadline_ms": PATIENT}), "stack");
}

#[test]
fn a_memory_bomb_ends_at_its_limit() {
    let body = "(loop $more (drop (memory.grow (i32.const 16))) (br $more)) (unreachable)";
    traps(body, json!({"deadline_ms": PATIENT, "memory_mb": 16}), "memory");
}

#[test]
fn an_answer_is_there_soon_after_the_deadline() {
    let world = World::new();
    let slow = world.load("slow", &moody(), &json!({"deadline_ms": 500, "on_error": "deny"}));
    let began = Instant::now();
    assert_eq!(status(world.ask(&slow, "loop")), Some(-1));
    // Twenty times that is not late on a machine that does other things, too.
    assert!((500..10_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

/// Kilobytes of memory that this process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn more_instances_die_than_there_is_room_for() {
    // A thousand may live at once. If a dead one kept its memory or its stack, there would be none left in the end, and calls
    // would fail for another reason; with 4 MiB each that are written to, they would be seen.
    let fills = "(drop (memory.grow (i32.const 64))) (memory.fill (i32.const 131072) (i32.const 1) (i32.const 4194304))
        (unreachable)";
    let waits = r#"
        ;; (import "portcullis:policy/dns@0.1.0" "open" (func $open (param i32 i32 i32)))
        "#;
    let world = World::new();
    let options = json!({"deadline_ms": PATIENT, "on_error": "deny", "quarantine": 0});
    for (name, body) in [("plain", fills.to_owned()), ("waiting", format!("{waits}{fills}"))] {
        let policy = world.load(name, &allow(&body), &options);
        let before = resident();
        (0..1100).for_each(|_| assert_eq!(status(world.allow(&policy)), Some(-1)));
        let line = format!("portcullis_component_failures_total{{kind=\"trap\",policy=\"{name}\"}} 1100");
        assert!(world.metric(&line), "{name}");
        let grown = resident().saturating_sub(before) >> 10;
        assert!(grown < 1024, "{name}: {grown} MiB more");
    }
    assert_eq!(status(world.allow(&world.load("good", &allow(&decide(7)), &options))), Some(7));
}

#[test]
fn a_growing_table_ends_at_its_limit() {
    let body =
        "(loop $more (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $more)) (unreachable))
        (table $t 1 funcref) (func $end";
    traps(body, json!({"deadline_ms": PATIENT}), "memory");
}

#[test]
fn reads_out_of_bounds_and_panics_are_traps() {
    traps("(i32.load (i32.const -16))", json!({"deadline_ms": PATIENT}), "trap");
    traps("(unreachable)", json!({"deadline_ms": PATIENT}), "trap");
    // A result that is not in memory at all.
    traps("(i32.const -4)", json!({"deadline_ms": PATIENT}), "trap");
}

#[test]
fn a_flood_of_host_calls_ends_at_its_limit() {
    let world = World::new();
    let body = format!(
        r#";; (import "portcullis:policy/clock@0.1.0" "now" (func $now (result f64)))
        (func (export "portcullis:policy/allow@0.1.0#allow") (param i32) (result i32)
            (loop $more (drop (call $now)) (br $more)) {PASS})"#
    );
    let options = json!({"deadline_ms": PATIENT, "host_calls": 1000});
    let flood = world.load("flood", &component("only-allow", &body), &options);
    assert_eq!(status(world.allow(&flood)), None, "the default is to go on with the next one");
    assert!(world.metric("portcullis_component_failures_total{kind=\"host_calls\",policy=\"flood\"} 1"));
}

#[test]
fn huge_texts_end_at_the_border_in_both_directions() {
    // Out: a message that claims to be as large as the memory can be.
    let body = format!(
        "{} (drop) (i32.store (i32.const 524) (i32.const 0)) (i32.store (i32.const 528) (i32.const -1)) (i32.const 512)",
        decide(0)
    );
    traps(&body, json!({"deadline_ms": PATIENT}), "trap");
    // In: a login that a component of one MiB has no room for is cut before.
    let world = World::new();
    let small = world.load("small", &allow(&decide(3)), &json!({"deadline_ms": PATIENT, "memory_mb": 1}));
    let huge = login::Login { login: vec![b'x'; 50 << 20].into(), ..login::Login::clone(&login()) };
    assert_eq!(status(world.call(&small, &Call::Allow(huge.into()))), Some(3));
}

#[test]
fn an_instance_that_is_gone_leaves_no_handle_behind() {
    let body = r#";; (import "portcullis:policy/stats@0.1.0" "open" (func $open (param i32 i32 i32)))
        (data (i32.const 0) "db")
        (func (export "portcullis:policy/allow@0.1.0#allow") (param i32) (result i32)
            (call $open (i32.const 0) (i32.const 2) (i32.const 64))
            (unreachable))"#;
    let world = World::new();
    world.with_db();
    let before = world.caps.stats.get(b"db").unwrap().handles();
    let panics = world.load(
        "panics",
        &component("only-allow", body),
        &json!({"deadline_ms": PATIENT, "quarantine": 0}),
    );
    (0..20).for_each(|_| assert_eq!(status(world.allow(&panics)), None));
    assert_eq!(world.caps.stats.get(b"db").unwrap().handles(), before);
}

#[test]
fn a_panic_that_holds_what_it_opened_leaves_room_for_the_next() {
    // Ten thousand handles and a panic, again and again: more than there would be room for if any were left behind.
    let world = World::new();
    world.with_db();
    let handles = || world.caps.stats.get(b"db").unwrap().handles();
    let before = handles();
    let options = json!({"deadline_ms": PATIENT, "host_calls": 20_000, "handles": 10_000, "quarantine": 0, "on_error": "deny"});
    let leak = world.load("leak", &opens_for_ever("(unreachable)"), &options);
    (0..5).for_each(|_| assert_eq!(status(world.allow(&leak)), Some(-1)));
    assert!(world.metric("portcullis_component_failures_total{kind=\"trap\",policy=\"leak\"} 5"));
    assert!(world.metric("portcullis_component_instances{policy=\"leak\"} 0"));
    assert_eq!(handles(), before);
}

#[test]
fn a_component_ends_before_the_call_it_is_part_of() {
    // As on a policy thread whose call has less time left than the component may take.
    let world = World::new();
    let options = json!({"deadline_ms": PATIENT, "on_error": "deny"});
    let slow = world.load("slow", &allow("(loop $ever (br $ever)) (unreachable)"), &options);
    assert_eq!(status(world.allow_within(&slow, Duration::from_millis(200))), Some(-1));
    assert!(world.metric("portcullis_component_failures_total{kind=\"time\",policy=\"slow\"} 1"));
}

#[test]
fn a_trap_in_any_hook_is_an_answer() {
    let world = World::new();
    let trap = |world: &str, name: &str, params: &str| {
        component(world, &format!("(func (export \"portcullis:policy/{name}\") {params} (unreachable))"))
    };
    let options = json!({"deadline_ms": PATIENT});
    let report = world.load(
        "report",
        &trap("only-report", "report@0.1.0#report", "(param i32) (result i32)"),
        &options,
    );
    assert!(matches!(world.call(&report, &Call::Report(login())), Ok(Reply::Done)));
    let params = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)";
    let reset = world.load("reset", &trap("only-reset", "reset@0.1.0#reset", params), &options);
    let call = Call::Reset { kind: "login", name: "joe".into(), ip: login::Addr::UNSPECIFIED };
    assert!(matches!(world.call(&reset, &call), Ok(Reply::Flag(false))));
    let background = world.load(
        "background",
        &trap("only-background", "background@0.1.0#run", "(param i32 i32) (result i32)"),
        &options,
    );
    let job = Call::Background { name: "job".into(), deadline: std::time::Duration::from_millis(PATIENT) };
    assert_eq!(world.call(&background, &job).unwrap_err().kind, FailureKind::Error);
    let name = "canonicalize@0.1.0#canonicalize";
    let canonical =
        world.load("canonical", &trap("only-canonicalize", name, "(param i32 i32) (result i32)"), &options);
    assert!(matches!(world.call(&canonical, &Call::Canonicalize("Joe".into())), Ok(Reply::Pass)));
    let body = r#"(func (export "portcullis:policy/endpoint@0.1.0#get") (param i32 i32) (result i32) (unreachable))
        (func (export "portcullis:policy/endpoint@0.1.0#post") (param i32 i32 i32 i32 i32 i32) (result i32) (unreachable))"#;
    let endpoint = world.load("endpoint", &component("only-endpoint", body), &options);
    for call in [Call::CustomGet("a".into()), Call::Custom("a".into(), login::CustomArgs::default().into())] {
        assert_eq!(world.call(&endpoint, &call).unwrap_err().kind, FailureKind::Error);
    }
}

#[test]
fn a_job_has_the_deadline_of_its_schedule() {
    let world = World::new();
    let body = r#"(func (export "portcullis:policy/background@0.1.0#run") (param i32 i32) (result i32)
        (loop $again (br $again)) (unreachable))"#;
    let endless =
        world.load("endless", &component("only-background", body), &json!({"deadline_ms": PATIENT}));
    let job = Call::Background { name: "job".into(), deadline: std::time::Duration::from_millis(50) };
    let failure = world.call(&endless, &job).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Time);
}
