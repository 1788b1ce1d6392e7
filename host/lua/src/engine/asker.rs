//! Asks the policies behind a hook: functions of this Lua state, and components.

use std::sync::Arc;
use std::time::Instant;

use capabilities::context::{self, Step};
use mlua::{Function, Lua, MultiValue, Value};
use policy::members::{Gathered, Next};
use policy::{Call, Failure, Progress, Reply, Stop, Suspended};

use super::{bad_return, failure, finish, one, suspend};
use crate::bind;
use crate::bind::hooks::Member;

/// Calls one function.
pub(super) fn function(lua: &Lua, suspends: bool, function: &Function, call: &Call) -> Progress {
    if !suspends && let Some(finished) = quickly(lua, function, call) {
        return Progress::Finished(finished);
    }
    let arguments = match arguments(lua, call) {
        Ok(arguments) => arguments,
        Err(error) => return Progress::Finished(Err(failure(lua, &error, function))),
    };
    if suspends {
        return suspend::start(lua, function, arguments, call.clone());
    }
    Progress::Finished(finish(lua, function, call, function.call::<MultiValue>(arguments)))
}

/// The two hooks that are called all day, in one step across the border.
fn quickly(lua: &Lua, function: &Function, call: &Call) -> Option<Result<Reply, Failure>> {
    match call {
        Call::Allow(login) => Some(match bind::call_allow(lua, function, login.clone()) {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(fault)) => Err(bad_return(lua, function, call, &fault)),
            Err(error) => Err(failure(lua, &error, function)),
        }),
        Call::Report(login) => {
            let called = bind::call_report(lua, function, login.clone());
            Some(called.map(|()| Reply::Done).map_err(|error| failure(lua, &error, function)))
        }
        _ => None,
    }
}

/// A call's arguments as Lua values.
fn arguments(lua: &Lua, call: &Call) -> mlua::Result<MultiValue> {
    Ok(match call {
        Call::Allow(login) | Call::Shadow(login) | Call::Report(login) => {
            one(bind::login(lua, login.clone())?)
        }
        Call::Reset { kind, name, ip } => {
            let values = [
                Value::String(lua.create_string(kind)?),
                Value::String(lua.create_string(name.as_slice())?),
                Value::UserData(bind::address(lua, *ip)?),
            ];
            values.into_iter().collect()
        }
        Call::Canonicalize(login) => {
            [Value::String(lua.create_string(login.as_slice())?)].into_iter().collect()
        }
        Call::Custom(_, args) => one(bind::custom_args(lua, args.clone())?),
        Call::CustomGet(_) | Call::Background { .. } | Call::Console(_) => MultiValue::new(),
    })
}

/// What asks the members of a chain.
#[derive(Clone)]
struct Asker {
    lua: Lua,
    suspends: bool,
    stop: Arc<Stop>,
    /// Functions asked so far, for their names in traces.
    functions: usize,
}

impl Asker {
    fn ask(&mut self, member: &Member, call: &Call) -> Progress {
        match member {
            Member::Component(component) => component.clone().start(call, &self.stop),
            Member::Function(hook) => {
                self.functions += 1;
                let began = context::current().map(|_| Instant::now());
                let number = self.functions;
                match (function(&self.lua, self.suspends, hook, call), began) {
                    (Progress::Suspended(rest), Some(began)) => {
                        let call = call.clone();
                        Progress::Suspended(Box::pin(async move {
                            let result = rest.await;
                            note(&call, number, &result, began);
                            result
                        }))
                    }
                    (Progress::Finished(result), Some(began)) => {
                        note(call, number, &result, began);
                        Progress::Finished(result)
                    }
                    (progress, None) => progress,
                }
            }
        }
    }
}

/// Notes what a function said, for whoever wants to know.
fn note(call: &Call, number: usize, result: &Result<Reply, Failure>, began: Instant) {
    if !matches!(call, Call::Allow(_) | Call::Shadow(_)) {
        return;
    }
    context::note(|| {
        let (status, log, failed) = match result {
            Ok(Reply::Decision(decision)) => (Some(decision.status), decision.log.clone(), false),
            Ok(_) => (None, bstr::BString::default(), false),
            Err(failure) => (None, failure.told(), true),
        };
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Step::Member { name: format!("function {number}"), status, log, failed, micros, fuel: None }
    });
}

/// Asks several members, or one that is a component.
pub(super) fn chain(
    lua: &Lua,
    suspends: bool,
    stop: &Arc<Stop>,
    members: &[Member],
    mut call: Call,
) -> Progress {
    let mut gathered = Gathered::default();
    let mut asker = Asker { lua: lua.clone(), suspends, stop: stop.clone(), functions: 0 };
    for (at, member) in members.iter().enumerate() {
        match asker.ask(member, &call) {
            Progress::Finished(result) => match gathered.answered(call, result) {
                Next::Ask(next) => call = next,
                Next::Over(result) => return Progress::Finished(result),
            },
            Progress::Suspended(first) => {
                let rest = members[at + 1..].to_vec();
                return Progress::Suspended(Box::pin(go_on(asker, gathered, call, first, rest)));
            }
        }
    }
    Progress::Finished(gathered.end(&call))
}

/// The rest of a chain, from a member on that waits.
async fn go_on(
    mut asker: Asker,
    mut gathered: Gathered,
    mut call: Call,
    first: Suspended,
    rest: Vec<Member>,
) -> Result<Reply, Failure> {
    let mut result = first.await;
    for member in rest {
        match gathered.answered(call, result) {
            Next::Ask(next) => call = next,
            Next::Over(result) => return result,
        }
        result = match asker.ask(&member, &call) {
            Progress::Finished(result) => result,
            Progress::Suspended(rest) => rest.await,
        };
    }
    match gathered.answered(call, result) {
        Next::Ask(call) => gathered.end(&call),
        Next::Over(result) => result,
    }
}
