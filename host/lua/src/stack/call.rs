//! The one C function behind every host function.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi;

use super::{Args, Bound, State};
use crate::convert::Fault;

/// Runs the host function in upvalue 1 for the state in upvalue 2.
pub(super) unsafe extern "C-unwind" fn enter(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: `setup` is the only one to make closures of this function, with pointers that outlive the Lua state.
    unsafe {
        let bound: &'static Bound = &*ffi::lua_touserdata(lua, ffi::lua_upvalueindex(1)).cast::<Bound>();
        let state = &*ffi::lua_touserdata(lua, ffi::lua_upvalueindex(2)).cast::<State>();
        let count = ffi::lua_gettop(lua);
        if count < c_int::from(bound.least) {
            return raise(lua, Fault::TooFew(usize::from(bound.least)));
        }
        if count > c_int::from(bound.most) {
            return raise(lua, Fault::TooMany(usize::from(bound.most)));
        }
        let args = Args::new(lua, count, state).of(bound);
        match catch_unwind(AssertUnwindSafe(|| (bound.call)(state, &args))) {
            Ok(Ok(ret)) => ret.push(lua, state),
            Ok(Err(fault)) => raise(lua, fault),
            Err(_panic) => {
                let text = format!("{} failed inside the server", bound.entry.name);
                raise(lua, Fault::caught(text))
            }
        }
    }
}

/// Raises the fault as a string that begins with the position of the caller, like `error(text, 2)` in Lua.
///
/// # Safety
/// Only from a host function that holds no value with a destructor.
pub(super) unsafe fn raise(lua: *mut ffi::lua_State, fault: Fault) -> c_int {
    // SAFETY: the stack is empty but for the two strings pushed here; the text is dropped before the error is
    // raised, or by the unwinding should pushing it raise.
    unsafe {
        ffi::lua_settop(lua, 0);
        ffi::luaL_where(lua, 1);
        {
            let text = fault.text();
            ffi::lua_pushlstring_(lua, text.as_ptr().cast(), text.len());
        }
        drop(fault);
        ffi::lua_concat(lua, 2);
        ffi::lua_error(lua)
    }
}
