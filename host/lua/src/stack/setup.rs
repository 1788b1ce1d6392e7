//! Puts the functions and the metatables of the objects into a fresh Lua state.

use std::ffi::c_void;
use std::mem::needs_drop;
use std::sync::Arc;

use mlua::ffi;

use super::object::{self, Fields, Object};
use super::{Args, Bound, State, call, ret};
use crate::bind::wait::Wait;
use crate::bind::{Host, Role};

/// What mlua keeps for us until after the Lua state is closed.
struct Installed(Box<State>);

/// Sets up a fresh Lua state with these functions.
pub(crate) fn open(
    lua: &mlua::Lua,
    role: Role,
    host: &Arc<Host>,
    bound: &'static [Bound],
) -> mlua::Result<()> {
    let state = Box::new(State::new(Arc::clone(host), role));
    let pointer = std::ptr::from_ref(&*state);
    lua.set_app_data(Installed(state));
    // SAFETY: the state lives as long as the Lua state; only balanced pushes and pops below.
    unsafe { lua.exec_raw((), |raw| build(raw, &*pointer, bound)) }
}

/// Runs `look` with the state that belongs to this Lua state, if the functions were installed.
pub(crate) fn with_state<R>(lua: &mlua::Lua, look: impl FnOnce(&State) -> R) -> Option<R> {
    lua.app_data_ref::<Installed>().map(|installed| look(&installed.0))
}

/// Makes an object outside of any host function.
pub(crate) fn create<T: Object>(lua: &mlua::Lua, value: T) -> mlua::Result<mlua::AnyUserData> {
    let state = with_state(lua, std::ptr::from_ref)
        .ok_or_else(|| mlua::Error::runtime("no host functions in this Lua state"))?;
    let mut value = Some(value);
    // SAFETY: the state belongs to this Lua state and lives as long as it.
    unsafe {
        lua.exec_raw((), |raw| {
            if let Some(value) = value.take() {
                ffi::lua_checkstack(raw, 4);
                object::push(raw, &*state, value);
            }
        })
    }
}

/// Calls a function with one object as its only argument and reads what it returned, all in one go: for the calls that
/// every request makes. What was returned are the arguments that `read` sees.
pub(crate) fn call_with<T: Object, R>(
    lua: &mlua::Lua,
    function: &mlua::Function,
    value: T,
    read: impl FnOnce(&Args<'_>) -> R,
) -> mlua::Result<R> {
    let missing = || mlua::Error::runtime("no host functions in this Lua state");
    let state = with_state(lua, std::ptr::from_ref).ok_or_else(missing)?;
    let mut work = Some((value, read));
    let mut result = None;
    // SAFETY: the state belongs to this Lua state and lives as long as it; the function is the only value on the stack,
    // and what it returned takes its place. Reading raises nothing.
    unsafe {
        lua.exec_raw::<()>(function, |raw| {
            if let Some((value, read)) = work.take() {
                ffi::lua_checkstack(raw, 8);
                object::push(raw, &*state, value);
                ffi::lua_call(raw, 1, ffi::LUA_MULTRET);
                ffi::lua_checkstack(raw, 8);
                result = Some(read(&Args::new(raw, ffi::lua_gettop(raw), &*state)));
                ffi::lua_settop(raw, 0);
            }
        })?;
    }
    result.ok_or_else(missing)
}

/// Takes the object out of a `Query` that a suspended coroutine gave.
pub(crate) fn take_wait(lua: &mlua::Lua, value: &mlua::AnyUserData) -> Option<Wait> {
    let state = with_state(lua, std::ptr::from_ref)?;
    let mut taken = None;
    // SAFETY: as above; the argument is the topmost value.
    let done: mlua::Result<()> = unsafe {
        lua.exec_raw(value, |raw| {
            let query: Option<&std::cell::RefCell<Option<Wait>>> = object::at(raw, -1, &*state);
            taken = query.and_then(|query| query.borrow_mut().take());
            ffi::lua_settop(raw, 0);
        })
    };
    done.ok().and(taken)
}

unsafe fn build(lua: *mut ffi::lua_State, state: &State, bound: &'static [Bound]) {
    // SAFETY: balanced pushes and pops, all within the 20 slots asked for first.
    unsafe {
        ffi::lua_checkstack(lua, 20);
        ffi::lua_createtable(lua, 0, 16);
        ffi::lua_setfield(lua, ffi::LUA_REGISTRYINDEX, ret::HOOKS.as_ptr());

        methods::<login::Addr>(lua, state, bound);
        methods::<login::Netmask>(lua, state, bound);
        methods::<std::cell::RefCell<login::NetmaskGroup>>(lua, state, bound);
        methods::<capabilities::stats::Db>(lua, state, bound);
        methods::<capabilities::geoip::GeoDb>(lua, state, bound);
        methods::<Arc<capabilities::dns::Resolver>>(lua, state, bound);
        methods::<std::cell::RefCell<Option<Wait>>>(lua, state, bound);
        fields::<std::cell::RefCell<crate::bind::objects::GeoRecord>>(lua, state);
        fields::<std::cell::RefCell<Arc<login::CustomArgs>>>(lua, state);
        fields::<std::cell::RefCell<Arc<login::Login>>>(lua, state);

        for function in bound.iter().filter(|function| function.entry.object.is_none()) {
            push_function(lua, state, function);
            set(lua, ffi::LUA_GLOBALSINDEX, function.entry.name);
        }
    }
}

unsafe fn push_function(lua: *mut ffi::lua_State, state: &State, function: &'static Bound) {
    // SAFETY: both pointers outlive the closure; the caller has free slots.
    unsafe {
        ffi::lua_pushlightuserdata(lua, std::ptr::from_ref(function).cast::<c_void>().cast_mut());
        ffi::lua_pushlightuserdata(lua, std::ptr::from_ref(state).cast::<c_void>().cast_mut());
        ffi::lua_pushcclosure(lua, call::enter, 2);
    }
}

/// `table[name] = ` the topmost value, which is popped.
unsafe fn set(lua: *mut ffi::lua_State, table: std::ffi::c_int, name: &str) {
    // SAFETY: the value is the topmost one, and `table` a table at a valid index.
    unsafe {
        ffi::lua_pushlstring_(lua, name.as_ptr().cast(), name.len());
        ffi::lua_insert(lua, -2);
        let table = if table < 0 && table > ffi::LUA_REGISTRYINDEX { table - 1 } else { table };
        ffi::lua_settable(lua, table);
    }
}

/// A metatable with what all types have; it is left on the stack.
unsafe fn metatable<T: Object>(lua: *mut ffi::lua_State, state: &State) {
    // SAFETY: balanced but for the table that is left; the caller has free slots.
    unsafe {
        ffi::lua_createtable(lua, 0, 6);
        if needs_drop::<T>() {
            push_meta(lua, state, object::collect::<T>);
            set(lua, -2, "__gc");
        }
        push_meta(lua, state, object::describe);
        set(lua, -2, "__tostring");
        ffi::lua_pushboolean(lua, 0);
        set(lua, -2, "__metatable");
        state.metatables[T::TAG as usize].set(ffi::lua_topointer(lua, -1) as usize);
    }
}

unsafe fn push_meta(lua: *mut ffi::lua_State, state: &State, function: ffi::lua_CFunction) {
    // SAFETY: the state outlives the closure; the caller has free slots.
    unsafe {
        ffi::lua_pushlightuserdata(lua, std::ptr::from_ref(state).cast::<c_void>().cast_mut());
        ffi::lua_pushcclosure(lua, function, 1);
    }
}

/// A type with methods: its `__index` is a plain table, which compiled code looks into without calling anything.
unsafe fn methods<T: Object>(lua: *mut ffi::lua_State, state: &State, bound: &'static [Bound]) {
    // SAFETY: `luaL_ref` takes the metatable off the stack again; the caller has free slots.
    unsafe {
        metatable::<T>(lua, state);
        ffi::lua_createtable(lua, 0, 16);
        for method in bound.iter().filter(|function| function.entry.object == Some(T::NAME)) {
            push_function(lua, state, method);
            set(lua, -2, method.entry.short_name());
        }
        set(lua, -2, "__index");
        state.references[T::TAG as usize].set(ffi::luaL_ref(lua, ffi::LUA_REGISTRYINDEX));
    }
}

/// A type with fields.
unsafe fn fields<T: Fields>(lua: *mut ffi::lua_State, state: &State) {
    // SAFETY: as in `methods`.
    unsafe {
        metatable::<T>(lua, state);
        push_meta(lua, state, object::read::<T>);
        set(lua, -2, "__index");
        push_meta(lua, state, object::write::<T>);
        set(lua, -2, "__newindex");
        state.references[T::TAG as usize].set(ffi::luaL_ref(lua, ffi::LUA_REGISTRYINDEX));
    }
}
