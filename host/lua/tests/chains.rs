//! Chains of Lua functions and named policies behind one hook.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use capabilities::{Capabilities, Log};
use login::Decision;
use parking_lot::Mutex;
use policy::{Call, Component, ComponentError, Components, Failure, Hook, Progress, Reply, Stop};
use portcullis_lua::vm::Source;
use portcullis_lua::{Configuration, Host};
use serde_json::Value;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});

/// Answers as its options say: `status`, or passing; `waits` first, if it is told to.
struct Fake {
    name: String,
    options: Value,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Component for Fake {
    fn name(&self) -> &str {
        &self.name
    }

    fn require(&self, hook: Hook) -> Result<(), ComponentError> {
        match self.options.get("lacks").and_then(Value::as_str) {
            Some(lacks) if lacks == hook.name() => {
                Err(ComponentError(format!("{} has no {lacks}", self.name)))
            }
            _ => Ok(()),
        }
    }

    fn start(self: Arc<Self>, call: &Call, _: &Arc<Stop>) -> Progress {
        self.asked.lock().push(format!("{} {}", self.name, &*call.function()));
        let status = self.options.get("status").and_then(Value::as_i64);
        let reply = match (call, status) {
            (Call::Allow(_), Some(status)) => {
                Reply::Decision(Decision { status: status as i32, ..Decision::default() })
            }
            (Call::Report(_), _) => Reply::Done,
            _ => Reply::Pass,
        };
        if self.options.get("waits").is_some() {
            return Progress::Suspended(Box::pin(async move {
                tokio::task::yield_now().await;
                Ok(reply)
            }));
        }
        Progress::Finished(Ok(reply))
    }
}

#[derive(Default)]
struct Fakes {
    loaded: Mutex<BTreeMap<String, Arc<Fake>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Components for Fakes {
    fn load(&self, name: &str, _: &Path, options: &Value) -> Result<(), ComponentError> {
        let fake = Fake { name: name.to_owned(), options: options.clone(), asked: self.asked.clone() };
        self.loaded.lock().insert(name.to_owned(), Arc::new(fake));
        Ok(())
    }

    fn get(&self, name: &str) -> Option<Arc<dyn Component>> {
        self.loaded.lock().get(name).cloned().map(|fake| fake as Arc<dyn Component>)
    }

    fn reload(&self, name: &str) -> Result<String, ComponentError> {
        Ok(format!("{name} again"))
    }

    fn names(&self) -> Vec<String> {
        self.loaded.lock().keys().cloned().collect()
    }

    fn lines(&self) -> Vec<String> {
        self.names()
    }
}

fn load(file: &str) -> Result<(Configuration, Arc<Fakes>), String> {
    let fakes = Arc::new(Fakes::default());
    let options =
        capabilities::Options { log: Log::discard(), metrics_prefix: "wforce".to_owned(), regexes: None };
    let host = Host {
        daemon: capabilities::Daemon::Wforce,
        caps: Capabilities::new(options).unwrap(),
        settings: Arc::default(),
        jobs: Arc::default(),
        output: Arc::default(),
        runtime: RUNTIME.handle().clone(),
        components: fakes.clone(),
        version: "wforce".to_owned(),
        shutdown: Box::new(|| {}),
        bind_sockets: false,
        load_limit: None,
        load_memory: None,
    };
    let source = Source::from_text(Path::new("wforce.conf"), file.as_bytes());
    portcullis_lua::load(&source, host).map(|loaded| (loaded, fakes)).map_err(|error| error.to_string())
}

fn run(configuration: &mut Configuration, call: Call) -> Result<Reply, Failure> {
    match configuration.engines[0].start(call) {
        Progress::Finished(result) => result,
        Progress::Suspended(rest) => RUNTIME.block_on(rest),
    }
}

fn status(configuration: &mut Configuration) -> Option<i32> {
    match run(configuration, Call::Allow(Arc::default())).unwrap() {
        Reply::Decision(decision) => Some(decision.status),
        Reply::Pass => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_that_does_not_pass_decides() {
    let file = r#"
        loadPolicy("passes", "a.wasm")
        loadPolicy("waits", "b.wasm", { waits = 1 })
        loadPolicy("denies", "c.wasm", { status = -1 })
        asked = 0
        local function lua(lt)
            asked = asked + 1
            if asked > 2 then return 7, "", "", {} end
            return "pass"
        end
        setAllow({ "passes", lua, "waits", "denies", function() error("never asked") end })
        setReport({ "passes", function() reported = true end, "denies" })
    "#;
    let (mut configuration, fakes) = load(file).unwrap();
    assert_eq!(status(&mut configuration), Some(-1));
    assert_eq!(*fakes.asked.lock(), ["passes allow", "waits allow", "denies allow"]);
    assert_eq!(status(&mut configuration), Some(-1));
    assert_eq!(status(&mut configuration), Some(7), "the Lua function is asked in its turn");
    fakes.asked.lock().clear();
    assert!(matches!(run(&mut configuration, Call::Report(Arc::default())), Ok(Reply::Done)));
    assert_eq!(*fakes.asked.lock(), ["passes report", "denies report"]);
}

#[test]
fn a_chain_in_which_all_pass_passes_and_an_error_ends_it() {
    let (mut configuration, _) = load(r#"loadPolicy("p", "a.wasm") setAllow("p")"#).unwrap();
    assert_eq!(status(&mut configuration), None);
    let file = r#"loadPolicy("p", "a.wasm") setAllow({ "p", function() error("broken") end, "p" })"#;
    let (mut configuration, fakes) = load(file).unwrap();
    let failure = run(&mut configuration, Call::Allow(Arc::default())).unwrap_err();
    assert!(failure.to_string().contains("broken"));
    assert_eq!(fakes.asked.lock().len(), 1);
}

#[test]
fn names_are_looked_at_when_the_file_is_loaded() {
    let refused = |file: &str| load(file).err().unwrap();
    let text = refused("\nsetAllow('nobody')");
    assert!(text.starts_with("wforce.conf:2: ") && text.contains("no policy named \"nobody\""), "{text}");
    let text = refused(r#"loadPolicy("p", "a.wasm", { lacks = "reset" }) setReset({ "p" })"#);
    assert!(text.contains("setReset: p has no reset"), "{text}");
    assert!(refused("setAllow({})").contains("1 to 64 members"));
    assert!(refused("setAllow({ 5 })").contains("list of these"));
    assert!(
        load(
            r#"loadPolicy("p", "a.wasm") setCustomEndpoint("e", false, "p") setCustomGetEndpoint("e", "p")"#
        )
        .is_ok()
    );
}

#[test]
fn options_come_over_as_json() {
    let file = r#"loadPolicy("p", "a.wasm", {
        settings = { list = { "a", "b" }, number = 3, part = 0.5, yes = true, inner = { deep = { "x" } }, none = {} },
    })"#;
    let (_, fakes) = load(file).unwrap();
    let expected = serde_json::json!({"settings": {
        "list": ["a", "b"], "number": 3, "part": 0.5, "yes": true, "inner": {"deep": ["x"]}, "none": {},
    }});
    assert_eq!(fakes.loaded.lock()["p"].options, expected);
    assert!(load(r#"loadPolicy("p", "a.wasm", { 1, x = 2 })"#).err().unwrap().contains("neither a list"));
    assert!(load(r#"loadPolicy("p", "a.wasm", { x = print })"#).err().unwrap().contains("something else"));
    let deep = "local t = {} t.t = t loadPolicy('p', 'a.wasm', t)";
    assert!(load(deep).err().unwrap().contains("nested more than"));
}
