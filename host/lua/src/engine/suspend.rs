//! Calls that may wait: each runs in a coroutine, which a look-up or a question to the report store suspends.

use mlua::{Function, Lua, MultiValue, Thread};
use policy::{Call, Progress};

use super::{failure, finish};
use crate::bind::wait::{self, set_suspendable};

/// Names the coroutine of the running call for as long as this lives, however the call ends.
struct Suspendable(Lua);

impl Suspendable {
    fn new(lua: &Lua, thread: &Thread) -> Suspendable {
        set_suspendable(lua, Some(thread));
        Suspendable(lua.clone())
    }
}

impl Drop for Suspendable {
    fn drop(&mut self) {
        set_suspendable(&self.0, None);
    }
}

/// Starts the call; it goes on in the future if it waits.
pub(super) fn start(lua: &Lua, function: &Function, arguments: MultiValue, call: Call) -> Progress {
    let thread = match lua.create_thread(function.clone()) {
        Ok(thread) => thread,
        Err(error) => return Progress::Finished(Err(failure(lua, &error, function))),
    };
    let suspendable = Suspendable::new(lua, &thread);
    let first = thread.resume::<MultiValue>(arguments);
    if !thread.is_resumable() {
        return Progress::Finished(finish(lua, function, &call, first));
    }
    let function = function.clone();
    Progress::Suspended(Box::pin(async move {
        let result = go_on(&suspendable, &thread, first).await;
        finish(&suspendable.0, &function, &call, result)
    }))
}

/// Answers the coroutine's questions until it has ended.
async fn go_on(
    suspendable: &Suspendable,
    thread: &Thread,
    first: mlua::Result<MultiValue>,
) -> mlua::Result<MultiValue> {
    let lua = &suspendable.0;
    let mut values = first?;
    while thread.is_resumable() {
        let Some(wait) = values.front().and_then(|value| wait::take(lua, value)) else {
            return Err(mlua::Error::runtime("attempt to yield from outside a coroutine"));
        };
        let answer = wait.answer().await;
        values = thread.resume(answer.values(lua)?)?;
    }
    Ok(values)
}
