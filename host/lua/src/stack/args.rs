//! Reading the arguments of a host function.

mod tables;

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::slice;

use bstr::BString;
use mlua::ffi;

use super::object::Object;
use super::{Bound, State, object};
use crate::convert::{Bytes, Fault, number_text, to_i32, to_status, to_u8, to_u32, to_u64};
use crate::settings::Place;

/// How far up the stack the calling line is looked for.
const MOST_LEVELS: c_int = 16;

/// The arguments of the running call, numbered from 1. They stay on the Lua stack, so what is borrowed from them lives
/// as long as the call.
pub(crate) struct Args<'a> {
    lua: *mut ffi::lua_State,
    count: c_int,
    state: &'a State,
    bound: Option<&'static Bound>,
    call: PhantomData<&'a ()>,
}

/// Bytes that the texts of one table argument may have together. A table may name one long string many times; copied, each
/// of them takes memory that the limit of the Lua state does not see.
const TABLE_BYTES: usize = 8 << 20;

/// The texts of a table so far.
#[derive(Default)]
struct Weight(usize);

impl Weight {
    fn takes(&mut self, text: &[u8]) -> bool {
        self.0 = self.0.saturating_add(text.len() + 64);
        self.0 <= TABLE_BYTES
    }
}

/// Any of the types that a stats DB takes as key or value.
pub(crate) enum TextOrAddr<'a> {
    Text(Bytes<'a>),
    Addr(login::Addr),
}

impl<'a> Args<'a> {
    /// # Safety
    /// `lua` must be the running Lua state of a host function called with `count` arguments, for all of `'a`.
    pub(super) unsafe fn new(lua: *mut ffi::lua_State, count: c_int, state: &'a State) -> Self {
        Self { lua, count, state, bound: None, call: PhantomData }
    }

    pub(super) fn of(self, bound: &'static Bound) -> Self {
        Self { bound: Some(bound), ..self }
    }

    /// The function that is being called; none for reads and writes of fields.
    pub fn bound(&self) -> Option<&'static Bound> {
        self.bound
    }

    /// The line of Lua code that makes the call: the innermost one, if C functions such as `pcall` are in between.
    pub fn place(&self) -> Option<Place> {
        (1..MOST_LEVELS).find_map(|level| {
            // SAFETY: plain data for the interpreter to fill; `S` and `l` push nothing and allocate nothing.
            unsafe {
                let mut about: ffi::lua_Debug = std::mem::zeroed();
                if ffi::lua_getstack(self.lua, level, &raw mut about) == 0
                    || ffi::lua_getinfo(self.lua, c"Sl".as_ptr(), &raw mut about) == 0
                {
                    return None;
                }
                let chunk = CStr::from_ptr(about.short_src.as_ptr()).to_string_lossy().into_owned();
                let line = u32::try_from(about.currentline).ok()?;
                Some(Place { chunk, line })
            }
        })
    }

    /// Whether the calling coroutine may be suspended, so that the thread can serve others meanwhile.
    pub fn may_suspend(&self) -> bool {
        self.state.may_suspend(self.lua)
    }

    fn kind(&self, index: c_int) -> c_int {
        // SAFETY: any index may be asked for its type.
        unsafe { ffi::lua_type(self.lua, index) }
    }

    /// The refusal of argument `index` as a `wanted`.
    #[cold]
    pub fn refuse(&self, index: c_int, wanted: &'static str) -> Fault {
        Fault::Convert { from: type_name(self.lua, self.kind(index)), to: wanted }
    }

    /// Whether the argument was given and is not nil.
    pub fn given(&self, index: c_int) -> bool {
        index <= self.count && self.kind(index) > ffi::LUA_TNIL
    }

    /// `S`: a string, or a number as text.
    pub fn text(&self, index: c_int) -> Result<Bytes<'a>, Fault> {
        // SAFETY: the value is on the stack and stays there for `'a`.
        unsafe { text_at(self.lua, index) }.ok_or_else(|| self.refuse(index, "string"))
    }

    fn number(&self, index: c_int, wanted: &'static str) -> Result<f64, Fault> {
        // SAFETY: as above; numeric strings are read, not changed.
        unsafe { number_at(self.lua, index) }.ok_or_else(|| self.refuse(index, wanted))
    }

    /// `I`.
    pub fn int(&self, index: c_int) -> Result<i32, Fault> {
        self.number(index, "int").map(to_i32)
    }

    /// The status of a decision: an `I` that does not wrap.
    pub fn status(&self, index: c_int) -> Result<i32, Fault> {
        to_status(self.number(index, "int")?).ok_or_else(|| self.refuse(index, "int"))
    }

    /// `U`.
    pub fn unsigned(&self, index: c_int) -> Result<u32, Fault> {
        self.number(index, "unsigned int").map(to_u32)
    }

    /// `U64`.
    pub fn unsigned64(&self, index: c_int) -> Result<u64, Fault> {
        self.number(index, "unsigned long").map(to_u64)
    }

    /// `uint8`.
    pub fn byte(&self, index: c_int) -> Result<u8, Fault> {
        self.number(index, "unsigned char").map(to_u8)
    }

    /// `F`: single precision.
    pub fn float(&self, index: c_int) -> Result<f32, Fault> {
        self.number(index, "float").map(|number| number as f32)
    }

    /// A double.
    pub fn double(&self, index: c_int) -> Result<f64, Fault> {
        self.number(index, "double")
    }

    /// `B`: true or false, nothing else.
    pub fn boolean(&self, index: c_int) -> Result<bool, Fault> {
        if self.kind(index) == ffi::LUA_TBOOLEAN {
            // SAFETY: a boolean.
            return Ok(unsafe { ffi::lua_toboolean(self.lua, index) } != 0);
        }
        Err(self.refuse(index, "boolean"))
    }

    /// `FN`: a function; userdata passes too and fails when called.
    pub fn function(&self, index: c_int) -> Result<(), Fault> {
        match self.kind(index) {
            ffi::LUA_TFUNCTION | ffi::LUA_TUSERDATA => Ok(()),
            _ => Err(self.refuse(index, "function")),
        }
    }

    /// One of our own objects, of exactly this type.
    pub fn object<T: Object>(&self, index: c_int) -> Result<&'a T, Fault> {
        self.object_if(index).ok_or_else(|| self.refuse(index, T::NAME))
    }

    /// The same, or nothing when it is something else.
    pub fn object_if<T: Object>(&self, index: c_int) -> Option<&'a T> {
        // SAFETY: the value is on the stack and stays there for `'a`; the metatable tells its type.
        unsafe { object::at(self.lua, index, self.state) }
    }

    /// `CA`.
    pub fn addr(&self, index: c_int) -> Result<login::Addr, Fault> {
        self.object::<login::Addr>(index).copied()
    }

    /// A string, a number as text, or a `CA`.
    pub fn text_or_addr(&self, index: c_int) -> Result<TextOrAddr<'a>, Fault> {
        // SAFETY: as for `text`.
        if let Some(text) = unsafe { text_at(self.lua, index) } {
            return Ok(TextOrAddr::Text(text));
        }
        match self.object_if::<login::Addr>(index) {
            Some(addr) => Ok(TextOrAddr::Addr(*addr)),
            None => Err(self.refuse(index, "string, number or ComboAddress")),
        }
    }

    /// `LS`: the values of a table with integer keys, in the table's own order.
    pub fn list(&self, index: c_int) -> Result<Vec<BString>, Fault> {
        let (mut list, mut weight) = (Vec::new(), Weight::default());
        self.each(index, "list of strings", |lua| {
            // SAFETY: key and value are the two topmost values.
            unsafe {
                if number_at(lua, -2).is_none() {
                    return false;
                }
                text_at(lua, -1).is_some_and(|text| {
                    weight.takes(&text) && {
                        list.push(text.owned());
                        true
                    }
                })
            }
        })?;
        Ok(list)
    }

    /// `LLS`: a table of `LS`.
    pub fn lists(&self, index: c_int) -> Result<Vec<Vec<BString>>, Fault> {
        let (mut lists, mut weight) = (Vec::new(), Weight::default());
        self.each(index, "list of lists of strings", |lua| {
            // SAFETY: key and value are the two topmost values; the inner walk leaves the stack as it found it.
            let inner = unsafe {
                if number_at(lua, -2).is_none() {
                    return false;
                }
                Args::new(lua, 0, self.state).list(ffi::lua_gettop(lua))
            };
            inner.is_ok_and(|inner| {
                inner.iter().all(|text| weight.takes(text)) && {
                    lists.push(inner);
                    true
                }
            })
        })?;
        Ok(lists)
    }

    /// `MS`: keys and values of a table as strings, in the table's own order.
    pub fn map(&self, index: c_int) -> Result<Vec<(BString, BString)>, Fault> {
        let (mut map, mut weight) = (Vec::new(), Weight::default());
        self.each(index, "map of strings", |lua| {
            // SAFETY: key and value are the two topmost values.
            unsafe {
                let (Some(key), Some(value)) = (text_at(lua, -2), text_at(lua, -1)) else { return false };
                if !(weight.takes(&key) && weight.takes(&value)) {
                    return false;
                }
                map.push((key.owned(), value.owned()));
            }
            true
        })?;
        Ok(map)
    }

    /// A map of lists of strings.
    pub fn map_of_lists(&self, index: c_int) -> Result<Vec<(BString, Vec<BString>)>, Fault> {
        let (mut map, mut weight) = (Vec::new(), Weight::default());
        self.each(index, "map of lists of strings", |lua| {
            // SAFETY: key and value are the two topmost values; the inner walk leaves the stack as it found it.
            let (key, list) = unsafe {
                let Some(key) = text_at(lua, -2) else { return false };
                let inner = Args::new(lua, 0, self.state);
                (key.owned(), inner.list(ffi::lua_gettop(lua)))
            };
            list.is_ok_and(|list| {
                list.iter().all(|text| weight.takes(text)) && weight.takes(&key) && {
                    map.push((key, list));
                    true
                }
            })
        })?;
        Ok(map)
    }

    /// Walks a table; `take` sees key and value as the topmost values and says whether they are acceptable.
    fn each(
        &self,
        index: c_int,
        wanted: &'static str,
        mut take: impl FnMut(*mut ffi::lua_State) -> bool,
    ) -> Result<(), Fault> {
        if self.kind(index) != ffi::LUA_TTABLE {
            return Err(self.refuse(index, wanted));
        }
        // SAFETY: `index` is absolute and a table; `lua_next` gets the key it gave before, unchanged, as nothing here
        // converts values in place. A walk needs three slots, and at most two walks are nested: the 20 every C function
        // has are enough beside the arguments (at most 8).
        unsafe {
            ffi::lua_pushnil(self.lua);
            while ffi::lua_next(self.lua, index) != 0 {
                if !take(self.lua) {
                    ffi::lua_pop(self.lua, 2);
                    return Err(self.refuse(index, wanted));
                }
                ffi::lua_pop(self.lua, 1);
            }
        }
        Ok(())
    }
}

/// The text of a string or number at `index`.
///
/// # Safety
/// The value must stay reachable for `'a`.
pub(super) unsafe fn text_at<'a>(lua: *mut ffi::lua_State, index: c_int) -> Option<Bytes<'a>> {
    // SAFETY: any index may be asked for its type; a string's bytes live as long as the value, which the caller promises.
    unsafe {
        match ffi::lua_type(lua, index) {
            ffi::LUA_TSTRING => {
                let mut length = 0;
                let start = ffi::lua_tolstring(lua, index, &raw mut length);
                Some(Bytes::Text(slice::from_raw_parts(start.cast(), length)))
            }
            ffi::LUA_TNUMBER => Some(Bytes::Number(number_text(ffi::lua_tonumber(lua, index)))),
            _ => None,
        }
    }
}

/// The number of a number or numeric string at `index`.
///
/// # Safety
/// `lua` must be the running Lua state.
unsafe fn number_at(lua: *mut ffi::lua_State, index: c_int) -> Option<f64> {
    // SAFETY: reads without changing the value; any index may be asked for its type.
    unsafe {
        match ffi::lua_type(lua, index) {
            ffi::LUA_TNUMBER => Some(ffi::lua_tonumber(lua, index)),
            ffi::LUA_TSTRING if ffi::lua_isnumber(lua, index) != 0 => Some(ffi::lua_tonumber(lua, index)),
            _ => None,
        }
    }
}

fn type_name(lua: *mut ffi::lua_State, kind: c_int) -> &'static str {
    if kind == ffi::LUA_TNONE {
        return "nil";
    }
    // SAFETY: the names of Lua's types are static C strings.
    unsafe { CStr::from_ptr(ffi::lua_typename(lua, kind)) }.to_str().unwrap_or("value")
}
