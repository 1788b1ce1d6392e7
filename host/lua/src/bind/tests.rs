//! What scripts see: snippets with the text they must come to, for each kind of Lua state.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod again;
mod arguments;
mod console;
mod jobs;
mod lists;
mod look_ups;
mod objects;
mod reports;
mod settings;
mod states;
mod stats;

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use capabilities::Options;
use capabilities::log::Log;
use parking_lot::Mutex;

use super::*;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});

/// What a log wrote, for tests to read.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct World {
    host: Arc<Host>,
    written: Written,
}

/// A host that nobody else works on, which binds no sockets.
fn host(caps: Arc<Capabilities>) -> Host {
    Host {
        daemon: Daemon::Wforce,
        caps,
        settings: Arc::default(),
        output: Arc::default(),
        runtime: RUNTIME.handle().clone(),
        version: "wforce 3.0.1".to_owned(),
        jobs: Arc::default(),
        components: Arc::new(policy::NoComponents),
        shutdown: Box::new(|| {}),
        bind_sockets: false,
        load_limit: None,
        load_memory: None,
    }
}

impl World {
    fn new() -> Self {
        Self::logging(false)
    }

    fn of(daemon: Daemon) -> Self {
        let Self { host: wforce, written } = Self::new();
        Self { host: Arc::new(Host { daemon, ..host(wforce.caps.clone()) }), written }
    }

    fn logging(verbose: bool) -> Self {
        let written = Written::default();
        let mut options = capabilities::log::Options::new("test");
        options.syslog = None;
        options.stdout = Some(capabilities::log::Level::Debug);
        options.verbose = verbose;
        let log = Log::start_with(options, Box::new(written.clone())).unwrap();
        let caps =
            Capabilities::new(Options { log, metrics_prefix: "wforce".to_owned(), regexes: None }).unwrap();
        Self { host: Arc::new(host(caps)), written }
    }

    fn lua(&self, role: Role) -> mlua::Lua {
        let lua = crate::vm::open().unwrap();
        install(&lua, role, &self.host).unwrap();
        lua
    }

    /// Everything logged so far.
    fn log(&self) -> String {
        assert!(self.host.caps.log.flush(Duration::from_secs(10)));
        String::from_utf8_lossy(&self.written.0.lock()).into_owned()
    }

    /// What was printed since the last time.
    fn printed(&self) -> String {
        String::from_utf8(self.host.output.take()).unwrap()
    }
}

/// Runs a chunk and gives its results as text: strings and numbers as they are, `none` for no value.
fn run(lua: &mlua::Lua, code: &str) -> String {
    let values: mlua::MultiValue =
        match lua.load(code).set_name("chunk").into_function().and_then(|chunk| chunk.call(())) {
            Ok(values) => values,
            Err(error) => return format!("error: {}", error.to_string().lines().next().unwrap_or_default()),
        };
    if values.is_empty() {
        return "none".to_owned();
    }
    let texts: Vec<String> = values.iter().map(|value| value.to_string().unwrap()).collect();
    texts.join(" ")
}

/// Checks rows of code and result in one fresh state each.
fn check(role: Role, rows: &[(&str, &str)]) {
    let world = World::new();
    for (code, expected) in rows {
        let lua = world.lua(role);
        let found = run(&lua, code);
        let fine = match expected.strip_prefix("~") {
            Some(part) => found.contains(part),
            None => found == *expected,
        };
        assert!(fine, "{role:?}: {code}\n  gave {found}\n  not  {expected}");
    }
}

#[test]
fn every_row_is_bound_and_every_binding_has_a_row() {
    let bound: HashSet<&str> = functions().map(|(name, _)| name).collect();
    let rows: HashSet<&str> = surface::entries().map(|entry| entry.name).collect();
    assert_eq!(bound.difference(&rows).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert_eq!(rows.difference(&bound).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert_eq!(functions().count(), bound.len());
}

#[test]
fn every_function_exists_in_every_state_of_its_daemons() {
    for daemon in Daemon::ALL {
        let world = World::of(daemon);
        for role in [Role::Config, Role::Worker, Role::Client] {
            let lua = world.lua(role);
            for entry in surface::entries().filter(|entry| entry.object.is_none()) {
                let has = surface::entries_of(daemon).any(|other| other.name == entry.name);
                let kind = if has { "function" } else { "nil" };
                let found = run(&lua, &format!("return type({})", entry.name));
                assert_eq!(found, kind, "{} in {daemon}", entry.name);
            }
        }
    }
}

#[test]
fn every_field_of_the_table_can_be_read() {
    let world = World::new();
    let lua = world.lua(Role::Worker);
    let login = login(&lua, Arc::new(tuple())).unwrap();
    let custom = custom_args(&lua, Arc::new(login::CustomArgs::default())).unwrap();
    lua.globals().set("LoginTuple", login).unwrap();
    lua.globals().set("CustomFuncArgs", custom).unwrap();
    run(&lua, "GeoIPRecord = lookupCity(newCA('192.0.2.1'))");
    for field in surface::FIELDS {
        let code = format!("return type({}.{}) ~= 'nil'", field.object, field.name);
        assert_eq!(run(&lua, &code), "true", "{}.{}", field.object, field.name);
    }
}

/// A tuple with something in every field.
fn tuple() -> login::Login {
    let body = br#"{"login": "ahu", "remote": "198.51.100.7", "pwhash": "e3b0", "success": false, "protocol": "imap",
        "device_id": "d", "session_id": "s", "fail_type": "expired", "policy_reject": true, "tls": true, "t": 5.25,
        "attrs": {"accountStatus": "blocked", "ids": ["a", "b"], "n": 5}, "device_attrs": {"os.family": "Other"}}"#;
    login::Login::parse(body).unwrap()
}
