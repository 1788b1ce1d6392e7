//! A world to run components in.
#![allow(dead_code, reason = "each test program uses its part")]

pub mod guest;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use capabilities::{Capabilities, Log};
use parking_lot::Mutex;
use policy::{Call, Component, Components, Failure, Progress, Reply, Stop};
use portcullis_wasm::{Engines, Registry};
use serde_json::Value;

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
    pub engines: Arc<Engines>,
    pub folder: tempfile::TempDir,
    written: Written,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub fn new() -> World {
        Self::with(|registry| registry)
    }

    /// The fuel of every policy is counted.
    pub fn counting_fuel() -> World {
        Self::with(Registry::counting_fuel)
    }

    fn with(change: impl FnOnce(Registry) -> Registry) -> World {
        let written = Written::default();
        let mut options = capabilities::log::Options::new("test");
        options.syslog = None;
        options.stdout = Some(capabilities::Level::Debug);
        let log = Log::start_with(options, Box::new(written.clone())).unwrap();
        let options = capabilities::Options { log, metrics_prefix: "wforce".to_owned(), regexes: None };
        let caps = Capabilities::new(options).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let engines = Arc::new(Engines::default());
        let registry = Registry::new(engines.clone(), caps.clone(), runtime.handle().clone());
        let registry = change(registry);
        World { caps, registry, engines, folder: tempfile::tempdir().unwrap(), written, runtime }
    }

    /// Makes the stats DB `db` with the field `n`.
    pub fn with_db(&self) {
        let schema = statsdb::Schema {
            name: "db".into(),
            window_secs: 60,
            windows: 2,
            fields: vec![("n".into(), statsdb::FieldKind::Int)],
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: statsdb::CountMinShape::default(),
        };
        self.caps.stats.create(schema).unwrap();
    }

    /// Makes the stats DB `large` with the fields `n` and `who`; of the key `k`, `who` is as large as it gets: 40 windows of
    /// 262,144 registers each.
    pub fn with_large_db(&self) {
        let fields = [("n", statsdb::FieldKind::Int), ("who", statsdb::FieldKind::Hll)];
        let schema = statsdb::Schema {
            name: "large".into(),
            window_secs: 60,
            windows: 40,
            fields: fields.map(|(name, kind)| (name.into(), kind)).into(),
            shards: 1,
            start: 0,
            hll_bits: 30,
            countmin: statsdb::CountMinShape::default(),
        };
        let db = self.caps.stats.create(schema).unwrap();
        let now = self.caps.clock.now();
        for window in (0..40).rev() {
            for value in 0..300 {
                db.add(now - 60 * window, b"k", b"who", format!("{window} {value}").as_bytes()).unwrap();
            }
        }
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

    /// Another registry with the same capabilities, as for a configuration that is read again.
    pub fn again(&self) -> Registry {
        Registry::new(self.engines.clone(), self.caps.clone(), self.runtime.handle().clone())
    }

    /// Asks about a login of this name.
    pub fn ask(&self, component: &Arc<dyn Component>, name: &str) -> Result<Reply, Failure> {
        let login = login::Login { login: name.into(), ..(*login()).clone() };
        self.call(component, &Call::Allow(login.into()))
    }

    pub fn allow(&self, component: &Arc<dyn Component>) -> Result<Reply, Failure> {
        self.call(component, &Call::Allow(login()))
    }

    /// The same as part of a call that has so much time left.
    pub fn allow_within(&self, component: &Arc<dyn Component>, left: Duration) -> Result<Reply, Failure> {
        let _until = policy::deadline::enter(std::time::Instant::now() + left);
        self.allow(component)
    }

    pub fn metric(&self, line: &str) -> bool {
        self.registry.tick();
        String::from_utf8(self.caps.metrics.render()).unwrap().lines().any(|found| found == line)
    }

    pub fn logged(&self, part: &str) -> bool {
        self.lines(part) > 0
    }

    /// What was logged.
    pub fn log(&self) -> String {
        self.caps.log.flush(Duration::from_secs(10));
        String::from_utf8_lossy(&self.written.0.lock()).into_owned()
    }

    /// How many log lines have this in them.
    pub fn lines(&self, part: &str) -> usize {
        self.log().lines().filter(|line| line.contains(part)).count()
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

/// The status of a decision; `None`: it passed.
pub fn status(result: Result<Reply, Failure>) -> Option<i32> {
    match result {
        Ok(Reply::Decision(decision)) => Some(decision.status),
        Ok(Reply::Pass) => None,
        other => panic!("{other:?}"),
    }
}
