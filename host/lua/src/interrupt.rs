//! Stops a running Lua state from another thread.
//!
//! `LuaJIT` looks for hooks inside compiled traces because this project builds it with `LUAJIT_ENABLE_CHECKHOOK`
//! (see `.cargo/config.toml`); no hook is set while all is well, so compiled code runs at full speed.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mlua::{Lua, ffi};
use policy::Interrupt;

/// Stops one Lua state.
pub(crate) struct LuaInterrupt {
    state: *mut ffi::lua_State,
    /// Keeps the state open for as long as this handle exists.
    _lua: Lua,
}

// SAFETY: the pointer is only handed to lua_sethook. LuaJIT promises that this may be called "asynchronously (e.g. during
// a signal)" while the state runs: it stores the hook function, its mask and its count, each in one word, and makes the
// dispatch table look for hooks. From another thread it can race with the running state's own changes of mask and table
// (a finalizer, the end of a trace): then one of the two is lost, which is why the executor repeats the interrupt until
// the call is over. Nothing else is touched. The state outlives the handle, because the handle holds a reference to it.
unsafe impl Send for LuaInterrupt {}
// SAFETY: as above; the executor calls it from one thread, its watchdog.
unsafe impl Sync for LuaInterrupt {}

impl LuaInterrupt {
    /// The handle of this state.
    pub(crate) fn new(lua: &Lua) -> mlua::Result<Arc<LuaInterrupt>> {
        let mut state = std::ptr::null_mut();
        // SAFETY: the closure only copies the pointer; it leaves the stack as it is. Hooks are global to a LuaJIT
        // state, so any coroutine's pointer serves as well as the main one's.
        unsafe { lua.exec_raw::<()>((), |pointer| state = pointer) }?;
        Ok(Arc::new(LuaInterrupt { state, _lua: lua.clone() }))
    }

    /// Takes the hook away again. Only between calls.
    pub(crate) fn clear(&self) {
        // SAFETY: no call runs on the state, and the pointer is live as explained above.
        unsafe { ffi::lua_sethook(self.state, None, 0, 0) };
    }
}

impl Interrupt for LuaInterrupt {
    fn interrupt(&self) {
        // SAFETY: see `impl Send`. The executor promises that the state is inside a call; should that end at this moment,
        // the hook is set on an idle state, which is thrown away. It is taken away first, because LuaJIT only looks at
        // the dispatch table again when the mask changes.
        unsafe {
            ffi::lua_sethook(self.state, None, 0, 0);
            ffi::lua_sethook(self.state, Some(stop), ffi::LUA_MASKCOUNT, 1);
        }
    }
}

/// What a call that is stopped ends with.
pub(crate) const STOPPED: &CStr = c"policy time budget exceeded";

/// How often a stop is repeated until the state obeys; see `impl Send` for why once is not enough.
const AGAIN: Duration = Duration::from_millis(10);

/// Stops a state that runs for longer than a limit. Ends with [`Limited::end`], or when it is dropped.
pub(crate) struct Limited {
    interrupt: Arc<LuaInterrupt>,
    over: Sender<()>,
    watch: JoinHandle<bool>,
}

impl Limited {
    /// Watches from now on.
    ///
    /// # Errors
    /// Out of memory, or of threads.
    pub(crate) fn start(lua: &Lua, limit: Duration) -> mlua::Result<Limited> {
        let interrupt = LuaInterrupt::new(lua)?;
        let (over, is_over) = channel();
        let stop = interrupt.clone();
        let watch = move || {
            if is_over.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
                return false;
            }
            loop {
                stop.interrupt();
                if is_over.recv_timeout(AGAIN) != Err(RecvTimeoutError::Timeout) {
                    return true;
                }
            }
        };
        let watch = std::thread::Builder::new().name("load limit".into()).spawn(watch);
        let watch = watch.map_err(mlua::Error::external)?;
        Ok(Limited { interrupt, over, watch })
    }

    /// The state runs no longer; says whether it was stopped.
    pub(crate) fn end(self) -> bool {
        drop(self.over);
        let stopped = self.watch.join().unwrap_or(false);
        self.interrupt.clear();
        stopped
    }
}

/// The hook: raises the error at every instruction, so that no `pcall` of the policy's can go on after it.
unsafe extern "C-unwind" fn stop(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: called by LuaJIT with its own live state between two instructions, where raising is allowed. The frame
    // holds nothing that would need dropping when the error unwinds through it.
    unsafe {
        let _: c_int = ffi::luaL_error(state, STOPPED.as_ptr());
    }
}
