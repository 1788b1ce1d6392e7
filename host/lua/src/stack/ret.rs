//! What a host function gives back, and how it gets onto the Lua stack.

use std::cell::RefCell;
use std::ffi::{CStr, c_int};
use std::sync::Arc;

use bstr::BString;
use mlua::ffi;
use serde_json::Value;

use super::{State, object};
use crate::bind::objects::GeoRecord;
use crate::bind::wait::Wait;

/// The registry name of the table of hooks.
pub(crate) const HOOKS: &CStr = c"portcullis hooks";

/// The result of a host function. Nothing of it touches Lua before the function has returned.
pub(crate) enum Ret<'a> {
    /// No value at all (not nil).
    None,
    Bool(bool),
    Number(f64),
    Text(BString),
    Bytes(&'a [u8]),
    Ints(Vec<i32>),
    Texts(Vec<BString>),
    /// Anything that JSON has; null is nil.
    Json(Value),
    /// nil, and why.
    Failed(String),
    /// A list of tables.
    Rows(Vec<[(&'static str, BString); 3]>),
    Addr(login::Addr),
    Netmask(login::Netmask),
    Group,
    GeoRecord(Box<GeoRecord>),
    Stats(capabilities::stats::Db),
    GeoDb(capabilities::geoip::GeoDb),
    Resolver(Arc<capabilities::dns::Resolver>),
    /// Keeps the function in argument `index` in the table of hooks; unless `replace`, an earlier one of this name stays.
    Keep {
        name: BString,
        index: c_int,
        replace: bool,
    },
    /// Suspends the calling coroutine; what it is resumed with is what the script gets.
    Suspend(Wait),
}

impl Ret<'_> {
    /// Pushes the values and says how many they are.
    ///
    /// # Safety
    /// `state` must belong to this Lua state. May raise for lack of memory, then `self` is dropped by the unwinding.
    pub(super) unsafe fn push(self, lua: *mut ffi::lua_State, state: &State) -> c_int {
        // SAFETY: a C function has 20 slots, of which arguments take at most 8; the caller vouches for `state`.
        let mut out = unsafe { Pusher::new(lua, state) };
        match self {
            Ret::None => return 0,
            Ret::Bool(value) => out.boolean(value),
            Ret::Number(value) => out.number(value),
            Ret::Text(text) => out.bytes(&text),
            Ret::Bytes(bytes) => out.bytes(bytes),
            Ret::Ints(list) => {
                out.list(list.len(), list.iter(), |out, number| out.number(f64::from(*number)));
            }
            Ret::Texts(list) => out.texts(&list),
            Ret::Json(value) => out.json(&value),
            Ret::Failed(reason) => {
                out.nil();
                out.bytes(reason.as_bytes());
                return 2;
            }
            Ret::Rows(rows) => out.list(rows.len(), rows.iter(), Pusher::row),
            Ret::Addr(addr) => out.object(addr),
            Ret::Netmask(mask) => out.object(mask),
            Ret::Group => out.object(RefCell::new(login::NetmaskGroup::default())),
            Ret::GeoRecord(record) => out.object(RefCell::new(*record)),
            Ret::Stats(db) => out.object(db),
            Ret::GeoDb(db) => out.object(db),
            Ret::Resolver(resolver) => out.object(resolver),
            Ret::Keep { name, index, replace } => {
                // SAFETY: `index` is an argument, which is still on the stack.
                unsafe { keep(lua, &name, index, replace) };
                return 0;
            }
            Ret::Suspend(wait) => {
                out.object(RefCell::new(Some(wait)));
                // SAFETY: only given where `may_suspend` said that this coroutine can; the query is on top.
                return unsafe { ffi::lua_yield(lua, 1) };
            }
        }
        1
    }
}

/// # Safety
/// `lua` must be the running Lua state, `index` an absolute one in use. May raise for lack of memory.
unsafe fn keep(lua: *mut ffi::lua_State, name: &[u8], index: c_int, replace: bool) {
    // SAFETY: balanced pushes and pops on the table of hooks, which `setup` made.
    unsafe {
        ffi::lua_getfield_(lua, ffi::LUA_REGISTRYINDEX, HOOKS.as_ptr());
        ffi::lua_pushlstring_(lua, name.as_ptr().cast(), name.len());
        ffi::lua_pushvalue(lua, -1);
        ffi::lua_rawget_(lua, -3);
        let free = ffi::lua_type(lua, -1) == ffi::LUA_TNIL;
        ffi::lua_pop(lua, 1);
        if free || replace {
            ffi::lua_pushvalue(lua, index);
            ffi::lua_rawset(lua, -3);
        }
    }
}

/// Pushes values; each method leaves one value more on the stack. Any of them may raise for lack of memory.
pub(crate) struct Pusher<'a> {
    lua: *mut ffi::lua_State,
    state: &'a State,
}

impl<'a> Pusher<'a> {
    /// # Safety
    /// `lua` must be the running Lua state with some free slots, and `state` belong to it, for all of `'a`.
    pub(super) unsafe fn new(lua: *mut ffi::lua_State, state: &'a State) -> Self {
        Self { lua, state }
    }

    pub fn boolean(&mut self, value: bool) {
        // SAFETY: there is a free slot, as `new` asks for.
        unsafe { ffi::lua_pushboolean(self.lua, c_int::from(value)) }
    }

    pub fn number(&mut self, value: f64) {
        // SAFETY: as for `boolean`.
        unsafe { ffi::lua_pushnumber(self.lua, value) }
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        // SAFETY: as for `boolean`; Lua copies the bytes.
        unsafe { ffi::lua_pushlstring_(self.lua, bytes.as_ptr().cast(), bytes.len()) }
    }

    pub fn object<T: object::Object>(&mut self, value: T) {
        // SAFETY: as for `boolean`; `state` belongs to this Lua state, as `new` asks for.
        unsafe { object::push(self.lua, self.state, value) }
    }

    /// A fresh list.
    pub fn list<T>(
        &mut self,
        len: usize,
        items: impl Iterator<Item = T>,
        mut push: impl FnMut(&mut Self, T),
    ) {
        // SAFETY: as for `boolean`.
        unsafe { ffi::lua_createtable(self.lua, c_int::try_from(len).unwrap_or(0), 0) };
        for (place, item) in (1..).zip(items) {
            push(self, item);
            // SAFETY: `push` left one value on top of the list.
            unsafe { ffi::lua_rawseti_(self.lua, -2, place) };
        }
    }

    /// A fresh list of strings.
    pub fn texts(&mut self, texts: &[BString]) {
        self.list(texts.len(), texts.iter(), |out, text| out.bytes(text));
    }

    /// A fresh map with text keys.
    pub fn map<T>(&mut self, pairs: &[(BString, T)], mut push: impl FnMut(&mut Self, &T)) {
        // SAFETY: as for `boolean`.
        unsafe { ffi::lua_createtable(self.lua, 0, c_int::try_from(pairs.len()).unwrap_or(0)) };
        for (key, value) in pairs {
            self.bytes(key);
            push(self, value);
            // SAFETY: key and value are on top of the table.
            unsafe { ffi::lua_rawset(self.lua, -3) };
        }
    }

    pub fn nil(&mut self) {
        // SAFETY: as for `boolean`.
        unsafe { ffi::lua_pushnil(self.lua) }
    }

    /// A value as JSON has it. What is nested deeper than the stack allows is nil.
    pub fn json(&mut self, value: &Value) {
        match value {
            Value::Null => self.nil(),
            Value::Bool(flag) => self.boolean(*flag),
            Value::Number(number) => self.number(number.as_f64().unwrap_or_default()),
            Value::String(text) => self.bytes(text.as_bytes()),
            // SAFETY: asks for the slots that a level needs.
            _ if unsafe { ffi::lua_checkstack(self.lua, 6) } == 0 => self.nil(),
            Value::Array(items) => self.list(items.len(), items.iter(), Self::json),
            Value::Object(members) => {
                // SAFETY: as for `boolean`; key and value are on top of the table when it is written.
                unsafe {
                    ffi::lua_createtable(self.lua, 0, c_int::try_from(members.len()).unwrap_or(0));
                    for (name, item) in members {
                        self.bytes(name.as_bytes());
                        self.json(item);
                        ffi::lua_rawset(self.lua, -3);
                    }
                }
            }
        }
    }

    fn row(&mut self, row: &[(&'static str, BString); 3]) {
        // SAFETY: as for `boolean`.
        unsafe { ffi::lua_createtable(self.lua, 0, 3) };
        for (key, value) in row {
            self.bytes(key.as_bytes());
            self.bytes(value);
            // SAFETY: key and value are on top of the table.
            unsafe { ffi::lua_rawset(self.lua, -3) };
        }
    }
}
