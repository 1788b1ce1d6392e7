//! Components written by hand, and a world to run them in.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use capabilities::{Capabilities, Log};
use parking_lot::Mutex;
use policy::{Call, Component, Components, Failure, Progress, Reply, Stop};
use portcullis_wasm::{Engines, Registry};
use serde_json::Value;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

/// What a log wrote.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub struct World {
    pub caps: Arc<Capabilities>,
    pub registry: Registry,
    pub folder: tempfile::TempDir,
    written: Written,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub fn new() -> World {
        let written = Written::default();
        let mut options = capabilities::log::Options::new("test");
        options.syslog = None;
        options.stdout = Some(capabilities::Level::Debug);
        let log = Log::start_with(options, Box::new(written.clone())).unwrap();
        let options = capabilities::Options { log, metrics_prefix: "wforce".to_owned(), regexes: None };
        let caps = Capabilities::new(options).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let registry = Registry::new(Arc::new(Engines::default()), caps.clone(), runtime.handle().clone());
        World { caps, registry, folder: tempfile::tempdir().unwrap(), written, runtime }
    }

    /// Where look-ups run.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// A file with a component.
    pub fn file(&self, name: &str, component: &[u8]) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.wasm"));
        std::fs::write(&path, component).unwrap();
        path
    }

    pub fn load(&self, name: &str, component: &[u8], options: &Value) -> Arc<dyn Component> {
        let path = self.file(name, component);
        self.registry.load(name, &path, options).unwrap();
        self.registry.get(name).unwrap()
    }

    pub fn refused(&self, component: &[u8], options: &Value) -> String {
        let path = self.file("refused", component);
        self.registry.load("refused", &path, options).unwrap_err().to_string()
    }

    pub fn call(&self, component: &Arc<dyn Component>, call: &Call) -> Result<Reply, Failure> {
        let _inside = self.runtime.enter();
        match component.clone().start(call, &Arc::new(Stop::default())) {
            Progress::Finished(result) => result,
            Progress::Suspended(rest) => self.runtime.block_on(rest),
        }
    }

    pub fn allow(&self, component: &Arc<dyn Component>) -> Result<Reply, Failure> {
        self.call(component, &Call::Allow(login()))
    }

    pub fn metric(&self, line: &str) -> bool {
        self.registry.tick();
        String::from_utf8(self.caps.metrics.render()).unwrap().lines().any(|found| found == line)
    }

    pub fn logged(&self, part: &str) -> bool {
        self.caps.log.flush(Duration::from_secs(10));
        String::from_utf8_lossy(&self.written.0.lock()).contains(part)
    }
}

pub fn login() -> Arc<login::Login> {
    Arc::new(login::Login {
        login: "joe".into(),
        remote: login::Addr::parse(b"192.0.2.1").unwrap(),
        attrs: vec![("country".into(), "NL".into())],
        ..login::Login::default()
    })
}

/// Deadlines are wall time, and a machine that runs tests may be busy.
pub const PATIENT: u64 = 60_000;

/// A core module of these functions, made a component of a world of the contract.
///
/// Memory 0 to 1023 is for results and constants; `cabi_realloc` gives what comes after that, and never takes it back.
pub fn component(world: &str, body: &str) -> Vec<u8> {
    let module = format!(
        r#"(module
            {imports}
            (memory (export "memory") 2 4000)
            (global $top (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
                (global.set $top (i32.add (local.get $at) (local.get $new)))
                (block $fits
                    (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
                    (drop (memory.grow (i32.add (i32.div_u (local.get $new) (i32.const 65536)) (i32.const 1)))))
                (local.get $at))
            {body})"#,
        imports = imports(body),
    );
    encode(world, &wat::parse_str(module).unwrap_or_else(|error| panic!("{error}")))
}

/// Imports have to come first: the lines of a body that begin with `(import`, which are taken out of it by a comment.
fn imports(body: &str) -> String {
    body.lines()
        .filter_map(|line| line.trim().strip_prefix(";; "))
        .filter(|line| line.starts_with("(import"))
        .collect()
}

fn encode(world: &str, module: &[u8]) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let wit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// The parameters of a hook that takes a login: it has more fields than fit, so it comes by its address.
const LOGIN: &str = "(param i32) (result i32)";

/// An `allow` hook of this body, which leaves the address of a result.
pub fn allow(body: &str) -> Vec<u8> {
    component(
        "only-allow",
        &format!(r#"(func (export "portcullis:policy/allow@0.1.0#allow") {LOGIN} {body})"#),
    )
}

/// The address of a result that passes: `result` ok at 0, `verdict` pass at 4.
pub const PASS: &str =
    "(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (i32.const 0)) (i32.const 512)";

/// The address of a result that decides: status at 8, no texts, no attributes.
pub fn decide(status: i32) -> String {
    format!(
        "(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (i32.const 1))
         (i32.store (i32.const 520) (i32.const {status})) (i64.store (i32.const 524) (i64.const 0))
         (i64.store (i32.const 532) (i64.const 0)) (i64.store (i32.const 540) (i64.const 0)) (i32.const 512)"
    )
}

/// The status of a decision; `None`: it passed.
pub fn status(result: Result<Reply, Failure>) -> Option<i32> {
    match result {
        Ok(Reply::Decision(decision)) => Some(decision.status),
        Ok(Reply::Pass) => None,
        other => panic!("{other:?}"),
    }
}
