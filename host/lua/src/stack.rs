//! The border between Lua and the host functions: the only place of the bindings that talks to the interpreter's C API.
//!
//! Host functions are plain C functions to the interpreter, not closures of mlua, for two reasons that scripts can see:
//! an error is a *string* with the position of the calling line (mlua raises userdata that `pcall` would hand to the
//! script), and a call costs some tens of nanoseconds. Everything above this module is safe code: it reads arguments
//! through [`Args`] and gives back a [`Ret`].
//!
//! The rules that keep this sound:
//! * reading arguments never allocates in Lua, so it never raises; a host function runs to its end before anything is
//!   pushed, and a panic in it becomes a Lua error;
//! * what may raise (pushing, for lack of memory) happens with no `catch_unwind` around it; the interpreter unwinds
//!   through these frames (`C-unwind`) and their values are dropped;
//! * the [`State`] of an interpreter lives in mlua's app data, which is dropped after the interpreter is closed.
#![allow(unsafe_code)] // the C API; see the rules above

mod args;
mod call;
mod object;
mod ret;
mod setup;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mlua::ffi;

pub(crate) use args::{Args, TextOrAddr};
pub(crate) use object::{Fields, OBJECTS};
pub(crate) use ret::{HOOKS, Pusher, Ret};
pub(crate) use setup::{call_with, create, open, take_wait, with_state};

use crate::bind::{Host, Role};
use crate::convert::Fault;
use crate::settings::Place;

/// A host function: reads its arguments, does its work, says what Lua gets.
pub(crate) type HostFn = for<'a> fn(&'a State, &Args<'a>) -> Result<Ret<'a>, Fault>;

/// A host function as one kind of Lua state gets it.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    /// What runs first: the function itself, or what is to be done before it.
    pub call: HostFn,
    /// The function itself.
    pub inner: HostFn,
    /// The row of the surface table it serves.
    pub entry: &'static crate::surface::Entry,
    /// Fewest arguments, the object of a method included.
    pub least: u8,
    /// Most arguments, the object of a method included.
    pub most: u8,
}

/// What belongs to one Lua state.
pub(crate) struct State {
    /// The daemon this state is part of.
    pub host: Arc<Host>,
    /// What this state is for.
    pub role: Role,
    /// The configuration file, for messages.
    main: OnceLock<PathBuf>,
    /// Metatables of the object types, as `lua_topointer` gives them; the registry keeps them alive.
    metatables: [Cell<usize>; OBJECTS],
    /// The same as registry references.
    references: [Cell<i32>; OBJECTS],
    /// The coroutine that may be suspended, as `lua_topointer` gives it; 0: none.
    suspendable: AtomicUsize,
    /// See [`State::rebuild`].
    rebuilds: AtomicBool,
}

// SAFETY: the cells are written once, while the functions are installed; afterwards a state is used by one thread at a
// time, as the Lua state it belongs to.
unsafe impl Send for State {}
// SAFETY: as for `Send`: never two threads at a time.
unsafe impl Sync for State {}

impl State {
    fn new(host: Arc<Host>, role: Role) -> Self {
        Self {
            host,
            role,
            main: OnceLock::new(),
            metatables: std::array::from_fn(|_| Cell::new(0)),
            references: std::array::from_fn(|_| Cell::new(0)),
            suspendable: AtomicUsize::new(0),
            rebuilds: AtomicBool::new(false),
        }
    }

    /// Names the configuration file.
    pub fn set_main(&self, file: &Path) {
        // It is named once, before it runs.
        let _ = self.main.set(file.to_owned());
    }

    /// `FILE:LINE` of a place in it, or in a file that it loads.
    pub fn place_text(&self, place: &Place) -> String {
        place.text(self.main.get().map_or(Path::new(crate::vm::MAIN_CHUNK), PathBuf::as_path))
    }

    /// The body of the file runs, to build a state of a configuration that serves already: it changes nothing that is live. Or it
    /// has run.
    pub fn rebuild(&self, runs: bool) {
        self.rebuilds.store(runs, Ordering::Relaxed);
    }

    /// Whether such a body runs.
    #[inline]
    pub fn rebuilds(&self) -> bool {
        self.rebuilds.load(Ordering::Relaxed)
    }

    /// Names the coroutine whose host calls may suspend it.
    pub fn set_suspendable(&self, thread: Option<&mlua::Thread>) {
        self.suspendable.store(thread.map_or(0, |thread| thread.to_pointer() as usize), Ordering::Relaxed);
    }

    fn may_suspend(&self, lua: *mut ffi::lua_State) -> bool {
        let wanted = self.suspendable.load(Ordering::Relaxed);
        // SAFETY: `lua` is the running state, whose address is that of its coroutine object.
        wanted != 0 && wanted == lua as usize && unsafe { lua_isyieldable(lua) } != 0
    }
}

// SAFETY: the declaration is that of LuaJIT's `lua.h`.
unsafe extern "C-unwind" {
    /// Part of `LuaJIT` 2.1's C API, missing from mlua's list.
    fn lua_isyieldable(lua: *mut ffi::lua_State) -> std::ffi::c_int;
}
