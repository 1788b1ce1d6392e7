//! What a policy call may wait for: DNS look-ups, the report store, stats DBs that are kept outside. The call is suspended where that is possible, and
//! otherwise blocked:
//!
//! A call can be suspended when it runs as the coroutine named with [`set_suspendable`] and no C function (`table.sort`,
//! `string.gsub`, ...) is between that coroutine's start and the host function. The coroutine then yields one userdata, out
//! of which [`take`] takes the [`Wait`]; whoever runs the coroutine awaits [`Wait::answer`] and resumes it with
//! [`Answer::values`]. While the file is loaded, at the console, in coroutines of the script's own and inside such C
//! functions, the work runs on the host's runtime and the calling thread waits for it, for its time limit at most.

use bstr::BString;
use serde_json::Value;

use super::{dns, reports, stats};
use crate::convert::Fault;
use crate::stack::{Args, Ret};

/// What is waited for.
pub enum Wait {
    /// A look-up.
    Dns(dns::Query),
    /// A question to the report store.
    Reports(Box<reports::Job>),
    /// Counts that are kept outside.
    Stats(stats::Asked),
}

/// What came of it.
pub enum Answer {
    /// A list of texts.
    Texts(Vec<BString>),
    /// Anything that JSON has.
    Value(Value),
    /// A text of any bytes.
    Text(BString),
    /// A number.
    Number(f64),
    /// A list of numbers.
    Ints(Vec<i32>),
    /// It is done; there is no value.
    Nothing,
    /// Nothing, and why: the script gets nil and the reason.
    Failed(String),
    /// The call must not go on, and why.
    Ends(String),
}

impl Wait {
    /// Does the work on the host's runtime; the future itself may be polled anywhere.
    pub async fn answer(self) -> Answer {
        match self {
            Wait::Dns(query) => Answer::Texts(query.answer().await),
            Wait::Reports(job) => job.answer().await,
            Wait::Stats(asked) => asked.answer().await,
        }
    }

    /// The same, blocking the thread.
    fn block(self) -> Answer {
        match self {
            Wait::Dns(query) => Answer::Texts(query.block()),
            Wait::Reports(job) => job.block(),
            Wait::Stats(asked) => asked.block(),
        }
    }

    /// The same for what can end the call.
    pub(super) fn try_ret<'a>(self, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
        if args.may_suspend() {
            return Ok(Ret::Suspend(self));
        }
        match self.block() {
            Answer::Ends(reason) => Err(Fault::caught(reason)),
            answer => Ok(answer.into()),
        }
    }

    /// Suspends the calling script, or blocks it.
    pub(super) fn ret<'a>(self, args: &Args<'a>) -> Ret<'a> {
        if args.may_suspend() { Ret::Suspend(self) } else { self.block().into() }
    }
}

impl From<Answer> for Ret<'_> {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Texts(list) => Ret::Texts(list),
            Answer::Value(value) => Ret::Json(value),
            Answer::Text(text) => Ret::Text(text),
            Answer::Number(number) => Ret::Number(number),
            Answer::Ints(list) => Ret::Ints(list),
            Answer::Nothing => Ret::None,
            Answer::Failed(reason) | Answer::Ends(reason) => Ret::Failed(reason),
        }
    }
}

impl Answer {
    /// The values that a suspended coroutine goes on with.
    ///
    /// # Errors
    /// Out of memory; or [`Answer::Ends`].
    pub fn values(&self, lua: &mlua::Lua) -> mlua::Result<mlua::MultiValue> {
        let one = |value| std::iter::once(value).collect();
        Ok(match self {
            Answer::Texts(list) => {
                let list = list.iter().map(|text| text.as_slice()).map(mlua::BString::from);
                one(mlua::Value::Table(lua.create_sequence_from(list)?))
            }
            Answer::Value(value) => one(lua_value(lua, value)?),
            Answer::Text(text) => one(mlua::Value::String(lua.create_string(text.as_slice())?)),
            Answer::Number(number) => one(mlua::Value::Number(*number)),
            Answer::Ints(list) => one(mlua::Value::Table(lua.create_sequence_from(list.iter().copied())?)),
            Answer::Nothing => mlua::MultiValue::new(),
            Answer::Ends(reason) => return Err(mlua::Error::runtime(reason)),
            Answer::Failed(reason) => {
                [mlua::Value::Nil, mlua::Value::String(lua.create_string(reason)?)].into_iter().collect()
            }
        })
    }
}

fn lua_value(lua: &mlua::Lua, value: &Value) -> mlua::Result<mlua::Value> {
    Ok(match value {
        Value::Null => mlua::Value::Nil,
        Value::Bool(flag) => mlua::Value::Boolean(*flag),
        Value::Number(number) => mlua::Value::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => mlua::Value::String(lua.create_string(text)?),
        Value::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (place, item) in (1..).zip(items) {
                table.raw_seti(place, lua_value(lua, item)?)?;
            }
            mlua::Value::Table(table)
        }
        Value::Object(members) => {
            let table = lua.create_table_with_capacity(0, members.len())?;
            for (name, item) in members {
                table.raw_set(name.as_str(), lua_value(lua, item)?)?;
            }
            mlua::Value::Table(table)
        }
    })
}

/// Names the coroutine that may be suspended from now on; `None`: none.
pub fn set_suspendable(lua: &mlua::Lua, thread: Option<&mlua::Thread>) {
    crate::stack::with_state(lua, |state| state.set_suspendable(thread));
}

/// What a suspended coroutine waits for: the first value it yielded. `None` if it yielded something else, which only a
/// script's own `coroutine.yield` outside of any coroutine does.
pub fn take(lua: &mlua::Lua, yielded: &mlua::Value) -> Option<Wait> {
    crate::stack::take_wait(lua, yielded.as_userdata()?)
}
