//! wforce's objects as userdata: a Rust value in a block of Lua's memory, its type told by its metatable.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::Arc;

use bstr::ByteSlice;
use mlua::ffi;

use super::{Args, Pusher, State};
use crate::bind::objects::GeoRecord;
use crate::convert::Fault;

/// The types of objects, in the order of their metatables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Tag {
    Addr,
    Netmask,
    Group,
    GeoRecord,
    CustomArgs,
    Login,
    Stats,
    GeoDb,
    Resolver,
    /// What a suspended policy waits for; scripts never see it.
    Query,
}

/// How many types of objects there are.
pub(crate) const OBJECTS: usize = 10;

/// A Rust value that Lua can hold.
pub(crate) trait Object: Send + Sized + 'static {
    /// Which metatable it has.
    const TAG: Tag;
    /// The type's name in error texts and in the surface table.
    const NAME: &'static str;
}

impl Object for login::Addr {
    const TAG: Tag = Tag::Addr;
    const NAME: &'static str = "ComboAddress";
}

impl Object for login::Netmask {
    const TAG: Tag = Tag::Netmask;
    const NAME: &'static str = "Netmask";
}

impl Object for RefCell<login::NetmaskGroup> {
    const TAG: Tag = Tag::Group;
    const NAME: &'static str = "NetmaskGroup";
}

impl Object for RefCell<GeoRecord> {
    const TAG: Tag = Tag::GeoRecord;
    const NAME: &'static str = "GeoIPRecord";
}

impl Object for RefCell<Arc<login::CustomArgs>> {
    const TAG: Tag = Tag::CustomArgs;
    const NAME: &'static str = "CustomFuncArgs";
}

impl Object for RefCell<Arc<login::Login>> {
    const TAG: Tag = Tag::Login;
    const NAME: &'static str = "LoginTuple";
}

impl Object for capabilities::stats::Db {
    const TAG: Tag = Tag::Stats;
    const NAME: &'static str = "StringStatsDB";
}

impl Object for capabilities::geoip::GeoDb {
    const TAG: Tag = Tag::GeoDb;
    const NAME: &'static str = "GeoIP2DB";
}

impl Object for Arc<capabilities::dns::Resolver> {
    const TAG: Tag = Tag::Resolver;
    const NAME: &'static str = "Resolver";
}

impl Object for RefCell<Option<crate::bind::wait::Wait>> {
    const TAG: Tag = Tag::Query;
    const NAME: &'static str = "Query";
}

/// Objects with fields instead of methods.
pub(crate) trait Fields: Object {
    /// Pushes the value of a field; `false` if there is none of this name.
    fn read(&self, name: &[u8], out: &mut Pusher<'_>) -> bool;

    /// Takes argument 3 as the new value of a field; `false` if there is none of this name.
    fn write(&self, name: &[u8], args: &Args<'_>) -> Result<bool, Fault>;
}

/// The object of type `T` at `index`, if it is one.
///
/// # Safety
/// The value must stay reachable for `'a`, and `state` must belong to this Lua state.
pub(super) unsafe fn at<'a, T: Object>(
    lua: *mut ffi::lua_State,
    index: c_int,
    state: &State,
) -> Option<&'a T> {
    // SAFETY: only values made by `push::<T>` have this metatable, so the block holds a `T`; the caller keeps it reachable.
    unsafe {
        if ffi::lua_type(lua, index) != ffi::LUA_TUSERDATA || ffi::lua_getmetatable(lua, index) == 0 {
            return None;
        }
        let metatable = ffi::lua_topointer(lua, -1) as usize;
        ffi::lua_pop(lua, 1);
        let known = state.metatables[T::TAG as usize].get();
        // The size guards against a metatable that a script moved with `debug.setmetatable`.
        if metatable != known || known == 0 || ffi::lua_objlen(lua, index) < size_of::<T>() {
            return None;
        }
        Some(&*ffi::lua_touserdata(lua, index).cast::<T>())
    }
}

/// Pushes a new object.
///
/// # Safety
/// `state` must belong to this Lua state; two free stack slots are needed. May raise for lack of memory.
pub(super) unsafe fn push<T: Object>(lua: *mut ffi::lua_State, state: &State, value: T) {
    const { assert!(align_of::<T>() <= 8, "Lua aligns userdata to 8 bytes") };
    // SAFETY: the block is fresh, large enough and aligned; nothing raises between its making and its metatable.
    unsafe {
        let place = ffi::lua_newuserdata(lua, size_of::<T>()).cast::<T>();
        place.write(value);
        ffi::lua_rawgeti_(lua, ffi::LUA_REGISTRYINDEX, state.references[T::TAG as usize].get());
        ffi::lua_setmetatable(lua, -2);
    }
}

/// `__gc` of objects that own something. The metatable is hidden from scripts, so only the collector calls it; should a
/// script reach it through `debug`, the second call finds the metatable gone and does nothing.
pub(super) unsafe extern "C-unwind" fn collect<T: Object>(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: `setup` puts the state into upvalue 1. The value is dropped once: without its metatable it is no `T` any more.
    unsafe {
        let state = &*ffi::lua_touserdata(lua, ffi::lua_upvalueindex(1)).cast::<State>();
        if let Some(value) = at::<T>(lua, 1, state) {
            let place = std::ptr::from_ref(value).cast_mut();
            ffi::lua_pushnil(lua);
            ffi::lua_setmetatable(lua, 1);
            place.drop_in_place();
        }
    }
    0
}

/// `__index` of objects with fields. Unknown fields are nil.
pub(super) unsafe extern "C-unwind" fn read<T: Fields>(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: `setup` puts the state into upvalue 1; object and name are arguments, reachable for the whole call.
    unsafe {
        let state = &*ffi::lua_touserdata(lua, ffi::lua_upvalueindex(1)).cast::<State>();
        let Some(object) = at::<T>(lua, 1, state) else {
            let fault = Args::new(lua, ffi::lua_gettop(lua), state).refuse(1, T::NAME);
            return super::call::raise(lua, fault);
        };
        if ffi::lua_type(lua, 2) != ffi::LUA_TSTRING {
            return 0;
        }
        let Some(name) = super::args::text_at(lua, 2) else { return 0 };
        c_int::from(object.read(&name, &mut Pusher::new(lua, state)))
    }
}

/// `__newindex` of objects with fields. Unknown fields are an error.
pub(super) unsafe extern "C-unwind" fn write<T: Fields>(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: `setup` puts the state into upvalue 1; object, name and value are arguments, reachable for the whole call.
    unsafe {
        let state = &*ffi::lua_touserdata(lua, ffi::lua_upvalueindex(1)).cast::<State>();
        let args = Args::new(lua, ffi::lua_gettop(lua), state);
        let result = match (args.object::<T>(1), args.text(2)) {
            (Ok(object), Ok(name)) => match object.write(&name, &args) {
                Ok(false) => {
                    Err(Fault::caught(format!("No writable field \"{}\" in {}", name.as_bstr(), T::NAME)))
                }
                other => other,
            },
            (Err(fault), _) | (_, Err(fault)) => Err(fault),
        };
        match result {
            Ok(_) => 0,
            Err(fault) => super::call::raise(lua, fault),
        }
    }
}

/// `__tostring` of all objects: `userdata 0x…`, never what they hold (wforce compatibility).
pub(super) unsafe extern "C-unwind" fn describe(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: any argument has an address; the string is copied by Lua, and dropped by the unwinding should that raise.
    unsafe {
        let text = format!("userdata {:#x}", ffi::lua_topointer(lua, 1) as usize);
        ffi::lua_pushlstring_(lua, text.as_ptr().cast(), text.len());
    }
    1
}
