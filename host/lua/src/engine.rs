//! A Lua state as an engine of policy calls.

mod asker;
mod suspend;

use std::sync::Arc;

use bstr::BString;
use mlua::{Function, Lua, MultiValue, Value};
use policy::{Call, Failure, FailureKind, Interrupt, Policy, Progress, Reply, Stop};

use crate::bind::hooks::{self, Hooks, Member};
use crate::bind::reply;
use crate::convert::Fault;
use crate::error::{self, error_text, is_memory_error};
use crate::interrupt::LuaInterrupt;
use crate::settings::Place;
use crate::stack::with_state;

/// A worker state, or the configuration's own state.
pub(crate) struct Engine {
    lua: Lua,
    hooks: Hooks,
    interrupt: Arc<EngineInterrupt>,
    /// Calls run in a coroutine of their own, so that a DNS look-up or a question to the report store suspends the call and
    /// not the thread. Only when the configuration has something to wait for: it costs something.
    suspends: bool,
    /// Bytes of the logins handed over since the last full collection that only objects hold: to Lua's collector each of
    /// them weighs the same, a few bytes.
    unseen: usize,
    /// The configuration's state: it cannot be built again.
    keeps: bool,
}

impl Engine {
    pub(crate) fn new(lua: Lua, hooks: Hooks, suspends: bool, keeps: bool) -> mlua::Result<Engine> {
        let interrupt = Arc::new(EngineInterrupt { lua: LuaInterrupt::new(&lua)?, stop: Arc::default() });
        Ok(Engine { lua, hooks, interrupt, suspends, unseen: 0, keeps })
    }

    /// Has what large requests left behind collected in time.
    fn weigh(&mut self, call: &Call) {
        self.unseen += match call {
            Call::Allow(login) | Call::Shadow(login) | Call::Report(login) => login.weight(),
            Call::Custom(_, args) => args.attrs.iter().map(|(key, value)| key.len() + value.len()).sum(),
            _ => 0,
        };
        if self.unseen > UNSEEN_BYTES {
            self.unseen = 0;
            // It fails only if a finalizer of the script's raises an error, which is the script's own business.
            let _ = self.lua.gc_collect();
        }
    }

    /// The policies that a call is for.
    fn members(&self, call: &Call) -> &[Member] {
        let hooks = &self.hooks;
        match call {
            Call::Allow(_) => &hooks.allow,
            Call::Shadow(_) => &hooks.shadow,
            Call::Report(_) => &hooks.report,
            Call::Reset { .. } => &hooks.reset,
            Call::Canonicalize(_) => &hooks.canonicalize,
            Call::Custom(name, _) => hooks.custom.get(name.as_bytes()).map_or(&[], Vec::as_slice),
            Call::CustomGet(name) => hooks.custom_get.get(name.as_bytes()).map_or(&[], Vec::as_slice),
            Call::Background { name, .. } => hooks.background.get(name.as_bytes()).map_or(&[], Vec::as_slice),
            Call::Console(_) => &[],
        }
    }

    /// Runs a console line.
    fn console(&mut self, line: &[u8]) -> Result<Reply, Failure> {
        let chunk = self.lua.load(line).set_name(String::from_utf8_lossy(line));
        let result = chunk.into_function().and_then(|function| function.call::<MultiValue>(()));
        if let Ok(hooks) = hooks::get(&self.lua) {
            // The line may have set others.
            self.hooks = hooks;
        }
        result.map(|values| Reply::Text(shown(&values))).map_err(|error| failure_of(&error))
    }
}

/// Stops whatever runs in a state: Lua, or a component that one of its hooks is.
struct EngineInterrupt {
    lua: Arc<LuaInterrupt>,
    stop: Arc<Stop>,
}

impl Interrupt for EngineInterrupt {
    fn interrupt(&self) {
        self.stop.now();
        self.lua.interrupt();
    }
}

/// Bytes that objects may hold before a full collection: some ten thousand usual logins.
const UNSEEN_BYTES: usize = 8 << 20;

fn one(object: mlua::AnyUserData) -> MultiValue {
    [Value::UserData(object)].into_iter().collect()
}

/// A Lua error as clients get it, and where it was raised for everybody else. `function`: the one that was called.
#[cold]
fn failure(lua: &Lua, error: &mlua::Error, function: &Function) -> Failure {
    let place =
        error::place(&error_text(error)).and_then(|place| with_state(lua, |state| state.place_text(&place)));
    failure_of(error).at(place.or_else(|| defined(lua, function)))
}

/// Where a function is: for what has no place of its own.
fn defined(lua: &Lua, function: &Function) -> Option<String> {
    let info = function.info();
    let place = Place { chunk: info.short_src?, line: u32::try_from(info.line_defined?).ok()? };
    with_state(lua, |state| format!("in the function at {}", state.place_text(&place)))
}

/// A Lua error as clients get it.
fn failure_of(error: &mlua::Error) -> Failure {
    let kind = if is_memory_error(error) { FailureKind::Memory } else { FailureKind::Error };
    let text = match kind {
        FailureKind::Memory => format!("policy memory budget exceeded: {}", error_text(error)),
        _ => error_text(error),
    };
    Failure::new(kind, BString::from(text))
}

impl Policy for Engine {
    fn start(&mut self, call: Call) -> Progress {
        self.weigh(&call);
        if let Call::Console(line) = &call {
            return Progress::Finished(self.console(line));
        }
        let members = self.members(&call);
        if let [Member::Function(function)] = members {
            // Without a copy of anything: that is what nearly every request is.
            return asker::function(&self.lua, self.suspends, function, &call);
        }
        if members.is_empty() {
            let text = format!("no Lua function is set for [{}]", &*call.function());
            return Progress::Finished(Err(Failure::new(FailureKind::Error, text)));
        }
        asker::chain(&self.lua, self.suspends, &self.interrupt.stop, members, call)
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.interrupt.clone()
    }

    fn recover(&mut self) -> bool {
        self.interrupt.lua.clear();
        self.interrupt.stop.clear();
        self.keeps
    }
}

/// What the function gave, as the reply of this call.
fn finish(
    lua: &Lua,
    function: &Function,
    call: &Call,
    result: mlua::Result<MultiValue>,
) -> Result<Reply, Failure> {
    let values = result.map_err(|error| failure(lua, &error, function))?;
    let read = match call {
        Call::Report(_) | Call::Background { .. } => Ok(Reply::Done),
        Call::Allow(_) | Call::Shadow(_) => reply::decision(&values),
        Call::Reset { .. } => reply::flag(&values).map(Reply::Flag),
        Call::Canonicalize(_) | Call::CustomGet(_) => reply::string(&values).map(Reply::Text),
        Call::Custom(..) => reply::custom(&values).map(Reply::Custom),
        Call::Console(_) => Ok(Reply::Text(shown(&values))),
    };
    read.map_err(|fault| bad_return(lua, function, call, &fault))
}

#[cold]
fn bad_return(lua: &Lua, function: &Function, call: &Call, fault: &Fault) -> Failure {
    let text = match call {
        // wforce's clients know these two by their looks: no reason at all, and not a word more.
        Call::Canonicalize(_) => "unknown".into(),
        _ => format!("{} returned something else than it must: {}", &*call.function(), fault.text()),
    };
    Failure::new(FailureKind::BadReturn, text).at(defined(lua, function))
}

/// The value of a console line: a string or number as it is, nothing for nil.
fn shown(values: &MultiValue) -> BString {
    match values.front() {
        None | Some(Value::Nil) => BString::default(),
        Some(value) => reply::string(values).unwrap_or_else(|_| {
            BString::from(format!("Command returned an object we can't print: {}\n", value.type_name()))
        }),
    }
}
