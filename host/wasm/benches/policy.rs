//! What a component costs beside the same policy in Lua: `allow` with three reads of a stats DB.
//!
//! `policy [COMPONENT LUA]`, as `scripts/bench components` runs it with the shipped policy `brute-force` and its Lua twin;
//! without them only a component written by hand is measured. One thread, the best of several interleaved rounds, so the
//! figures are CPU time on a machine that has other things to do, too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a program for developers"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use login::Login;
use policy::{Call, Component, NoComponents, Policy, Progress, Reply, Stop};
use serde_json::json;
use statsdb::{CountMinShape, FieldKind, Schema};
use support::guest::{component, decide};
use support::{PATIENT, World};

/// The daemons' allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 12;
const POLICIES: usize = 100;

/// The same as [`LUA`]: two fields of the address, one of the login.
fn reads() -> Vec<u8> {
    let address = "(i32.const 1) (i32.load8_u offset=8 (local.get 0)) (i32.load offset=12 (local.get 0))
        (i32.load offset=16 (local.get 0)) (i32.load offset=20 (local.get 0)) (i32.load offset=24 (local.get 0))";
    let login = "(i32.const 0) (i32.load offset=28 (local.get 0)) (i32.load offset=32 (local.get 0))
        (i32.const 0) (i32.const 0) (i32.const 0)";
    let get = |key: &str, field: u32| {
        format!(
            "(call $get (global.get $db) {key} (i32.const {field}) (i32.const 1) (i32.const 256))
             (if (i32.gt_s (i32.load (i32.const 260)) (i32.const 50)) (then (unreachable)))"
        )
    };
    let body = format!(
        r#";; (import "portcullis:policy/stats@0.1.0" "open" (func $open (param i32 i32 i32)))
        ;; (import "portcullis:policy/stats@0.1.0" "[method]db.get" (func $get (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        (data (i32.const 0) "db") (data (i32.const 8) "n") (data (i32.const 16) "m")
        (global $db (mut i32) (i32.const 0))
        (func (export "portcullis:policy/allow@0.1.0#allow") (param i32) (result i32)
            (if (i32.eqz (global.get $db)) (then
                (call $open (i32.const 0) (i32.const 2) (i32.const 256))
                (global.set $db (i32.load (i32.const 260)))))
            {} {} {}
            (global.set $top (i32.const 1024))
            {})"#,
        get(address, 8),
        get(address, 16),
        get(login, 8),
        decide(0)
    );
    component("only-allow", &body)
}

const LUA: &str = r#"
    local db = getStringStatsDB("db")
    setAllow(function(lt)
        if db:twGet(lt.remote, "n") > 50 then return -1, "", "", {} end
        if db:twGet(lt.remote, "m") > 50 then return -1, "", "", {} end
        if db:twGet(lt.login, "n") > 50 then return -1, "", "", {} end
        return 0, "", "", {}
    end)
"#;

fn finished(progress: &Progress) {
    let Progress::Finished(Ok(Reply::Decision(_) | Reply::Pass)) = progress else { panic!("no answer") };
}

/// Nanoseconds of one call.
fn round(calls: u32, mut call: impl FnMut()) -> f64 {
    let began = Instant::now();
    (0..calls).for_each(|_| call());
    began.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn main() {
    let world = World::new();
    for name in ["db", "brute_force", "known_good"] {
        let fields = vec![("n".into(), FieldKind::Int), ("m".into(), FieldKind::Int)];
        let distinct = vec![("different".into(), FieldKind::Hll), ("good".into(), FieldKind::Hll)];
        let schema = Schema {
            name: name.into(),
            window_secs: 600,
            windows: 6,
            fields: if name == "db" { fields } else { distinct },
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        };
        world.caps.stats.create(schema).unwrap();
    }
    compare(&world, "written by hand", &reads(), LUA);
    // `cargo bench` adds an option of its own.
    let given: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let bytes = if let [component, twin] = given.as_slice() {
        let bytes = std::fs::read(component).unwrap();
        let twin = format!("local policy = assert(loadfile({twin:?}))({{}})\nsetAllow(policy.allow)");
        let name = Path::new(component).file_stem().unwrap().to_string_lossy();
        compare(&world, &name, &bytes, &twin);
        bytes
    } else {
        reads()
    };
    memory(&world, &bytes);
}

/// The same policy twice: nanoseconds of a call.
fn compare(world: &World, name: &str, bytes: &[u8], twin: &str) {
    let reuse = world.load(&format!("{name} reuse"), bytes, &json!({"deadline_ms": PATIENT}));
    let options = json!({"deadline_ms": PATIENT, "isolation": "fresh"});
    let fresh = world.load(&format!("{name} fresh"), bytes, &options);
    let mut lua = lua(world, twin);
    let call =
        Call::Allow(Arc::new(Login { login: "alice@example.com".into(), ..Login::clone(&support::login()) }));
    let stop = Arc::new(Stop::default());
    let mut best = [f64::MAX; 3];
    for _ in 0..ROUNDS {
        let ask = |policy: &Arc<dyn Component>| finished(&policy.clone().start(&call, &stop));
        let figures = [
            round(20_000, || finished(&lua.start(call.clone()))),
            round(20_000, || ask(&reuse)),
            round(2_000, || ask(&fresh)),
        ];
        best.iter_mut().zip(figures).for_each(|(best, figure)| *best = best.min(figure));
    }
    println!("{name}: allow with 3 stats reads");
    println!("  LuaJIT          {:>8.0} ns", best[0]);
    println!("  component       {:>8.0} ns  {:.2} of LuaJIT (at most 1)", best[1], best[1] / best[0]);
    println!("  fresh component {:>8.0} ns  (at most 15000)", best[2]);
}

/// What a policy costs that was asked once and has nothing to do since.
fn memory(world: &World, bytes: &[u8]) {
    let code = world.registry.inspect(&world.file("memory", bytes)).unwrap().code >> 10;
    let (call, stop) = (Call::Allow(support::login()), Arc::new(Stop::default()));
    let load = |n: usize| world.load(&format!("p{n}"), bytes, &json!({"deadline_ms": PATIENT}));
    // The compiler's own memory is there before and after.
    let first = load(POLICIES);
    finished(&first.clone().start(&call, &stop));
    let before = resident();
    let policies: Vec<_> = (0..POLICIES).map(load).collect();
    for policy in &policies {
        finished(&policy.clone().start(&call, &stop));
    }
    let each = resident().saturating_sub(before) / POLICIES as u64;
    println!(
        "{POLICIES} policies that were asked once: {each} KiB each, of which {code} KiB are compiled code"
    );
    println!("  beyond the code {:>8} KiB  (below 1024)", each.saturating_sub(code as u64));
}

fn lua(world: &World, text: &str) -> Box<dyn Policy> {
    let host = lua_policies::Host {
        daemon: capabilities::Daemon::Wforce,
        caps: world.caps.clone(),
        settings: Arc::default(),
        jobs: Arc::default(),
        output: Arc::default(),
        runtime: world.runtime().clone(),
        components: Arc::new(NoComponents),
        version: "bench".to_owned(),
        shutdown: Box::new(|| {}),
        bind_sockets: false,
        load_limit: None,
        load_memory: None,
    };
    let source = lua_policies::vm::Source::from_text(Path::new("bench.conf"), text.as_bytes());
    lua_policies::load(&source, host).unwrap().engines.remove(0)
}
