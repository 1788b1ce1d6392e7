//! A Lua state as an engine of policy calls.

mod suspend;

use std::sync::Arc;

use bstr::BString;
use mlua::{Function, Lua, MultiValue, Value};
use policy::{Call, Failure, FailureKind, Interrupt, Policy, Progress, Reply};

use crate::bind::hooks::{self, Hooks};
use crate::bind::{self, reply};
use crate::convert::Fault;
use crate::error::{error_text, is_memory_error};
use crate::interrupt::LuaInterrupt;

/// A worker state, or the configuration's own state.
pub(crate) struct Engine {
    lua: Lua,
    hooks: Hooks,
    interrupt: Arc<LuaInterrupt>,
    /// Calls run in a coroutine of their own, so that a DNS look-up suspends the call and not the thread. Only when the
    /// configuration has resolvers: it costs something.
    suspends: bool,
    /// Bytes of the logins handed over since the last full collection that only objects hold: to Lua's collector each of
    /// them weighs the same, a few bytes.
    unseen: usize,
    /// The configuration's state: it cannot be built again.
    keeps: bool,
}

impl Engine {
    pub(crate) fn new(lua: Lua, hooks: Hooks, suspends: bool, keeps: bool) -> mlua::Result<Engine> {
        let interrupt = LuaInterrupt::new(&lua)?;
        Ok(Engine { lua, hooks, interrupt, suspends, unseen: 0, keeps })
    }

    /// Has what large requests left behind collected in time.
    fn weigh(&mut self, call: &Call) {
        self.unseen += match call {
            Call::Allow(login) | Call::Shadow(login) | Call::Report(login) => weight(login),
            Call::Custom(_, args) => args.attrs.iter().map(|(key, value)| key.len() + value.len()).sum(),
            _ => 0,
        };
        if self.unseen > UNSEEN_BYTES {
            self.unseen = 0;
            // It fails only if a finalizer of the script's raises an error, which is the script's own business.
            let _ = self.lua.gc_collect();
        }
    }

    /// The two hooks that are called all day, in one step across the border.
    fn quickly(&self, call: &Call) -> Option<Result<Reply, Failure>> {
        match (call, &self.hooks.allow, &self.hooks.report) {
            (Call::Allow(login), Some(hook), _) => {
                Some(match bind::call_allow(&self.lua, hook, login.clone()) {
                    Ok(Ok(decision)) => Ok(Reply::Decision(decision)),
                    Ok(Err(fault)) => Err(bad_return(call, &fault)),
                    Err(error) => Err(failure(&error)),
                })
            }
            (Call::Report(login), _, Some(hook)) => {
                let called = bind::call_report(&self.lua, hook, login.clone());
                Some(called.map(|()| Reply::Done).map_err(|error| failure(&error)))
            }
            _ => None,
        }
    }

    /// The function that a call is for, with its arguments as Lua values.
    fn prepare(&self, call: &Call) -> Result<(Function, MultiValue), Failure> {
        let lua = &self.lua;
        let prepared: mlua::Result<_> = (|| {
            Ok(match call {
                Call::Allow(login) => (self.hooks.allow.clone(), one(bind::login(lua, login.clone())?)),
                Call::Shadow(login) => (self.hooks.shadow.clone(), one(bind::login(lua, login.clone())?)),
                Call::Report(login) => (self.hooks.report.clone(), one(bind::login(lua, login.clone())?)),
                Call::Reset { kind, name, ip } => {
                    let values = [
                        Value::String(lua.create_string(kind)?),
                        Value::String(lua.create_string(name.as_slice())?),
                        Value::UserData(bind::address(lua, *ip)?),
                    ];
                    (self.hooks.reset.clone(), values.into_iter().collect())
                }
                Call::Canonicalize(login) => {
                    let login = Value::String(lua.create_string(login.as_slice())?);
                    (self.hooks.canonicalize.clone(), [login].into_iter().collect())
                }
                Call::Custom(name, args) => {
                    let function = self.hooks.custom.get(name.as_bytes()).cloned();
                    (function, one(bind::custom_args(lua, args.clone())?))
                }
                Call::CustomGet(name) => {
                    (self.hooks.custom_get.get(name.as_bytes()).cloned(), MultiValue::new())
                }
                Call::Console(line) => {
                    let chunk = lua.load(line.as_slice()).set_name(String::from_utf8_lossy(line));
                    (Some(chunk.into_function()?), MultiValue::new())
                }
            })
        })();
        match prepared {
            Ok((Some(function), arguments)) => Ok((function, arguments)),
            Ok((None, _)) => {
                let text = format!("no Lua function is set for [{}]", &*call.function());
                Err(Failure::new(FailureKind::Error, text))
            }
            Err(error) => Err(failure(&error)),
        }
    }
}

/// Bytes that objects may hold before a full collection: some ten thousand usual logins.
const UNSEEN_BYTES: usize = 8 << 20;

fn weight(login: &login::Login) -> usize {
    let texts =
        [&login.login, &login.pwhash, &login.device_id, &login.protocol, &login.session_id, &login.fail_type];
    let single: usize = login.attrs.iter().map(|(key, value)| key.len() + value.len()).sum();
    let lists: usize =
        login.attrs_mv.iter().flat_map(|(_, values)| values).map(|value| value.len() + 24).sum();
    512 + texts.iter().map(|text| text.len()).sum::<usize>() + single + lists
}

fn one(object: mlua::AnyUserData) -> MultiValue {
    [Value::UserData(object)].into_iter().collect()
}

/// A Lua error as clients get it.
fn failure(error: &mlua::Error) -> Failure {
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
        if !self.suspends
            && let Some(finished) = self.quickly(&call)
        {
            return Progress::Finished(finished);
        }
        let (function, arguments) = match self.prepare(&call) {
            Ok(prepared) => prepared,
            Err(failure) => return Progress::Finished(Err(failure)),
        };
        if self.suspends && !matches!(call, Call::Console(_)) {
            return suspend::start(&self.lua, &function, arguments, call);
        }
        let result = function.call::<MultiValue>(arguments);
        if matches!(call, Call::Console(_))
            && let Ok(hooks) = hooks::get(&self.lua)
        {
            // The line may have set others.
            self.hooks = hooks;
        }
        Progress::Finished(finish(&call, result))
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.interrupt.clone()
    }

    fn recover(&mut self) -> bool {
        self.interrupt.clear();
        self.keeps
    }
}

/// What the function gave, as the reply of this call.
fn finish(call: &Call, result: mlua::Result<MultiValue>) -> Result<Reply, Failure> {
    let values = result.map_err(|error| failure(&error))?;
    let read = match call {
        Call::Report(_) => Ok(Reply::Done),
        Call::Allow(_) | Call::Shadow(_) => reply::decision(&values).map(Reply::Decision),
        Call::Reset { .. } => reply::flag(&values).map(Reply::Flag),
        Call::Canonicalize(_) | Call::CustomGet(_) => reply::string(&values).map(Reply::Text),
        Call::Custom(..) => reply::custom(&values).map(Reply::Custom),
        Call::Console(_) => Ok(Reply::Text(shown(&values))),
    };
    read.map_err(|fault| bad_return(call, &fault))
}

#[cold]
fn bad_return(call: &Call, fault: &Fault) -> Failure {
    let text = match call {
        // wforce's clients know these two by their looks: no reason at all, and not a word more.
        Call::Canonicalize(_) => "unknown".into(),
        _ => format!("{} returned something else than it must: {}", &*call.function(), fault.text()),
    };
    Failure::new(FailureKind::BadReturn, text)
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
