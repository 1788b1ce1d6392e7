//! What is loaded, what is refused, and how one version replaces another.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use policy::{Components, Hook};
use serde_json::json;
use support::guest::{PASS, allow, component, counts, decide, imports_everything};
use support::{PATIENT, World, status};

fn options() -> serde_json::Value {
    json!({"deadline_ms": PATIENT})
}

#[test]
fn verdicts_come_over() {
    let world = World::new();
    let passes = world.load("passes", &allow(PASS), &options());
    let waits = world.load("waits", &allow(&decide(5)), &options());
    assert_eq!(status(world.allow(&passes)), None);
    assert_eq!(status(world.allow(&waits)), Some(5));
    assert!(waits.require(Hook::Allow).is_ok());
    assert!(waits.require(Hook::Report).unwrap_err().to_string().contains("does not export the hook report"));
}

#[test]
fn what_cannot_be_used_is_refused_with_what_to_do() {
    let world = World::new();
    assert!(world.refused(b"\0asm\x01\0\0\0", &options()).contains("no WebAssembly component"));
    assert!(world.refused(&allow(PASS), &json!({"memory": 1})).contains("no option \"memory\""));
    let missing = world.registry.load("x", std::path::Path::new("/nowhere.wasm"), &options()).unwrap_err();
    assert!(missing.to_string().contains("cannot read /nowhere.wasm"), "{missing}");
    let empty = wat::parse_str("(component)").unwrap();
    assert!(world.refused(&empty, &options()).contains("exports no hook"));
    let foreign = wat::parse_str(r#"(component (import "acme:files/disk@1.0.0" (instance)))"#).unwrap();
    let text = world.refused(&foreign, &options());
    assert!(
        text.contains("imports acme:files/disk@1.0.0") && text.contains("portcullis:policy@0.1.0"),
        "{text}"
    );
    let newer = wat::parse_str(r#"(component (import "portcullis:policy/stats@0.9.0" (instance)))"#).unwrap();
    assert!(world.refused(&newer, &options()).contains("built against portcullis:policy/stats@0.9.0"));
    world.load("once", &allow(PASS), &options());
    let path = world.file("once", &allow(PASS));
    assert!(
        world.registry.load("once", &path, &options()).unwrap_err().to_string().contains("this name already")
    );
}

/// A component that asks the clock, with other bytes in place of some.
fn altered(from: &str, to: &str) -> Vec<u8> {
    let import = r#";; (import "portcullis:policy/clock@0.1.0" "now" (func $now (result f64)))"#;
    let bytes = allow(&format!("\n{import}\n(drop (call $now)) {}", decide(4)));
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            out.extend_from_slice(to.as_bytes());
            at += from.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

#[test]
fn a_function_that_there_is_not_is_named() {
    let told = World::new().refused(&altered("now", "nox"), &options());
    assert!(told.contains("portcullis:policy/clock@0.1.0") && told.contains("nox"), "{told}");
    assert!(told.contains("build it against wit/ of this server"), "{told}");
}

#[test]
fn only_the_last_number_of_a_version_may_differ() {
    let world = World::new();
    for (version, fits) in [("0.1.0", true), ("0.1.7", true), ("0.2.0", false), ("1.1.0", false)] {
        let component = altered("@0.1.0", &format!("@{version}"));
        if fits {
            assert_eq!(
                status(world.allow(&world.load(version, &component, &options()))),
                Some(4),
                "{version}"
            );
        } else {
            let told = world.refused(&component, &options());
            assert!(
                told.contains(&format!("@{version}, but this server speaks portcullis:policy@0.1.0")),
                "{told}"
            );
        }
    }
}

#[test]
fn files_that_are_something_else_are_told_what_they_are() {
    let world = World::new();
    for (bytes, part) in [
        (&b""[..], "is empty"),
        (b"setAllow(function(lt) return 0, '', '', {} end)", "a Lua policy is loaded with dofile"),
        (b"(component)", "wasm-tools parse"),
        (b"\x7fELF\x02\x01", "holds compiled code"),
        (b"\xff\xfe\x00", "begins with other bytes"),
        (&[0; 64], "begins with other bytes"),
        (b"\0asm\x01\0\0\0", "no WebAssembly component but a core module"),
        (&allow(PASS)[..200], "no WebAssembly component that can be used: "),
    ] {
        let text = world.refused(bytes, &options());
        assert_eq!(text.contains("core module"), part.contains("core module"), "{text}");
        assert!(text.contains(part) && text.contains("refused.wasm"), "{part}: {text}");
        assert_eq!(
            world.registry.inspect(&world.file("x", bytes)).unwrap_err().to_string(),
            text.split_once("): ").unwrap().1.replace("refused.wasm", "x.wasm")
        );
    }
}

#[test]
fn an_inspection_says_what_is_asked_for_and_what_is_wrong() {
    let world = World::new();
    let found = world.registry.inspect(&world.file("counts", &counts(3, 1))).unwrap();
    assert!(found.problem.is_none() && found.wasi.is_empty() && found.foreign.is_empty());
    assert_eq!(found.contract.iter().map(String::as_str).collect::<Vec<_>>(), ["0.1.0"]);
    let stats = found.imports.iter().find(|import| import.name == "stats").unwrap();
    assert_eq!(stats.functions, ["db.add", "db.get", "open"]);
    assert!(found.code > 0 && found.bytes > 0);
    // Loaded, it would be refused; an inspection tells all the same what it is.
    let foreign = wat::parse_str(r#"(component (import "acme:files/disk@1.0.0" (instance)))"#).unwrap();
    let found = world.registry.inspect(&world.file("foreign", &foreign)).unwrap();
    assert_eq!(found.foreign, ["acme:files/disk@1.0.0"]);
    assert!(found.problem.unwrap().to_string().contains("which no policy gets"));
}

#[test]
fn a_hook_of_another_shape_is_refused() {
    // What is called is trusted to have the contract's shape, so nothing else may come through.
    let shaped = |params: &str, result: &str, core: &str| {
        let text = format!(
            r#"(component
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
                    (func (export "f") {core} (unreachable)))
                (core instance $i (instantiate $m))
                (func $f {params} {result}
                    (canon lift (core func $i "f") (memory $i "memory") (realloc (func $i "realloc"))))
                (instance $hooks (export "allow" (func $f)) (export "canonicalize" (func $f)))
                (export "portcullis:policy/HOOK@0.1.0" (instance $hooks)))"#
        );
        move |hook: &str| wat::parse_str(text.replace("HOOK", hook)).unwrap()
    };
    let world = World::new();
    for (hook, component) in [
        ("allow", shaped(r#"(param "login" string)"#, "(result bool)", "(param i32 i32) (result i32)")),
        ("allow", shaped("", "", "")),
        (
            "canonicalize",
            shaped(r#"(param "login" string)"#, "(result string)", "(param i32 i32) (result i32)"),
        ),
        ("canonicalize", shaped(r#"(param "login" u32)"#, "(result string)", "(param i32) (result i32)")),
    ]
    .map(|(hook, make)| (hook, make(hook)))
    {
        let text = world.refused(&component, &options());
        assert!(text.contains(&format!("its export {hook} does not fit the contract")), "{text}");
        let found = world.registry.inspect(&world.file("shape", &component)).unwrap();
        assert!(found.problem.unwrap().to_string().contains("does not fit"));
    }
}

#[test]
fn every_function_of_the_contract_can_be_imported() {
    let world = World::new();
    let (everything, count) = imports_everything();
    assert_eq!(status(world.allow(&world.load("all", &everything, &options()))), None);
    let found = world.registry.inspect(&world.file("all", &everything)).unwrap();
    assert_eq!(found.imports.iter().map(|asked| asked.functions.len()).sum::<usize>(), count);
    assert!(count > 50, "{count}");
}

#[test]
fn a_policy_is_loaded_again_beside_requests() {
    let world = World::new();
    world.engines.serving();
    let policy = world.load("p", &allow(&decide(1)), &options());
    world.file("p", &allow(&decide(2)));
    world.registry.reload("p").unwrap();
    assert_eq!(status(world.allow(&policy)), Some(2));
}

#[test]
fn fuel_is_counted_without_a_limit_if_somebody_wants_to_know() {
    let world = World::counting_fuel();
    let policy = world.load("p", &allow(PASS), &options());
    assert_eq!(status(world.allow(&policy)), None);
    assert!(!world.metric("portcullis_component_fuel_total{policy=\"p\"} 0"));
    let plain = World::new();
    assert_eq!(status(plain.allow(&plain.load("p", &allow(PASS), &options()))), None);
    assert!(plain.metric("portcullis_component_fuel_total{policy=\"p\"} 0"));
}

/// A component with every hook, whose check of its settings is this.
fn checks(check: &str) -> Vec<u8> {
    let body = format!(
        r#"(data (i32.const 0) "limit must be above 0")
        (func (export "portcullis:policy/allow@0.1.0#allow") (param i32) (result i32) (unreachable))
        (func (export "portcullis:policy/setup@0.1.0#check") (result i32) {check})"#
    );
    component("complete", &format!("{body}{}", stubs()))
}

#[test]
fn a_policy_that_refuses_its_settings_is_not_loaded() {
    let refuses = checks(
        "(i32.store (i32.const 512) (i32.const 1)) (i32.store (i32.const 516) (i32.const 0))
         (i32.store (i32.const 520) (i32.const 21)) (i32.const 512)",
    );
    let world = World::new();
    assert!(world.refused(&refuses, &options()).contains("refuses its settings: limit must be above 0"));
    // The name of what is missing says nothing of what it is.
    let opens = |name: u32, len: u32| {
        checks(&format!(
            "\n;; (import \"portcullis:policy/stats@0.1.0\" \"open\" (func $open (param i32 i32 i32)))
             (call $open (i32.const {name}) (i32.const {len}) (i32.const 64))
             (i32.store (i32.const 512) (i32.const 1)) (i32.store (i32.const 516) (i32.const 0))
             (i32.store (i32.const 520) (i32.const 21)) (i32.const 512)"
        ))
    };
    let granted = json!({"deadline_ms": PATIENT, "capabilities": {"stats": ["limit", "\0\0"]}});
    let told = world.refused(&opens(0, 5), &granted);
    let missing = "limit must be above 0 (there is no stats DB \"limit\": newStringStatsDB makes one, before the policy is loaded)";
    assert!(told.contains(missing), "{told}");
    // Of what it does without nothing is said.
    let told = world.refused(&opens(100, 2), &granted);
    assert!(told.contains("limit must be above 0") && !told.contains("stats DB"), "{told}");
    // Nor does it take the place of one that was.
    let policy = world.load("p", &allow(&decide(1)), &options());
    world.file("p", &refuses);
    let told = world.registry.reload("p").unwrap_err().to_string();
    assert!(told.contains("limit must be above 0; the old version goes on"), "{told}");
    assert_eq!(status(world.allow(&policy)), Some(1));
}

#[test]
fn a_check_of_the_settings_that_traps_or_does_not_end_is_a_refusal() {
    let world = World::new();
    let told = world.refused(&checks("(unreachable)"), &options());
    assert!(told.contains("its check of the settings failed: the policy panicked"), "{told}");
    // It has ten seconds; here it is part of a call that has less.
    let _until = policy::deadline::enter(Instant::now() + Duration::from_millis(500));
    let told = world.refused(&checks("(loop $ever (br $ever)) (unreachable)"), &options());
    assert!(told.contains("its check of the settings failed: policy deadline of"), "{told}");
}

/// The hooks that the world `complete` has besides.
fn stubs() -> String {
    let hook = |name: &str, params: &str| {
        format!("(func (export \"portcullis:policy/{name}\") {params} (unreachable))")
    };
    [
        hook("report@0.1.0#report", "(param i32) (result i32)"),
        hook("reset@0.1.0#reset", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)"),
        hook("canonicalize@0.1.0#canonicalize", "(param i32 i32) (result i32)"),
        hook("endpoint@0.1.0#get", "(param i32 i32) (result i32)"),
        hook("endpoint@0.1.0#post", "(param i32 i32 i32 i32 i32 i32) (result i32)"),
        hook("background@0.1.0#run", "(param i32 i32) (result i32)"),
    ]
    .concat()
}

#[test]
fn instances_are_used_again_unless_each_call_gets_its_own() {
    let world = World::new();
    let reuse = world.load("reuse", &allow(PASS), &options());
    let fresh = world.load("fresh", &allow(PASS), &json!({"deadline_ms": PATIENT, "isolation": "fresh"}));
    let few = world.load("few", &allow(PASS), &json!({"deadline_ms": PATIENT, "max_calls": 2}));
    for policy in [&reuse, &fresh, &few] {
        (0..4).for_each(|_| assert_eq!(status(world.allow(policy)), None));
    }
    for (name, started) in [("reuse", 1), ("fresh", 4), ("few", 2)] {
        let line = format!("portcullis_component_instances_started_total{{policy=\"{name}\"}} {started}");
        assert!(world.metric(&line), "{name}");
    }
    assert!(world.metric("portcullis_component_instances{policy=\"fresh\"} 0"));
}

#[test]
fn compiled_code_is_kept_and_only_our_own_is_used() {
    let world = World::new();
    let cache = world.folder.path().join("cache");
    world.registry.cache(Some(cache.clone()));
    let bytes = allow(&decide(9));
    world.load("one", &bytes, &options());
    let file = || std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::metadata(file()).unwrap().permissions().mode() & 0o777, 0o600);
    let two = world.load("two", &bytes, &options());
    assert_eq!(status(world.allow(&two)), Some(9));
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 1, "the same component has the same file");
    assert!(!world.logged("compiling again"));
    assert_eq!((world.lines("policy one: compiled in "), world.lines("policy two: compiled before")), (1, 1));
    // Compiled for counting fuel it is other code.
    let counted = world.folder.path().join("counted");
    world.registry.cache(Some(counted.clone()));
    world.load("plain", &bytes, &options());
    world.load("metered", &bytes, &json!({"deadline_ms": PATIENT, "fuel": 1_000_000}));
    world.load("other", &allow(&decide(10)), &options());
    assert_eq!(std::fs::read_dir(&counted).unwrap().count(), 3);
    world.registry.cache(Some(cache.clone()));
    // Damaged: one byte of the code.
    let mut code = std::fs::read(file()).unwrap();
    *code.last_mut().unwrap() ^= 1;
    std::fs::write(file(), &code).unwrap();
    assert_eq!(status(world.allow(&world.load("three", &bytes, &options()))), Some(9));
    assert!(world.logged("its content is damaged: compiling again"));
    // Writable by others.
    std::fs::set_permissions(file(), std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(status(world.allow(&world.load("four", &bytes, &options()))), Some(9));
    assert!(world.logged("others can write to it"));
}
