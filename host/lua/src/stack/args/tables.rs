//! Arguments of mixed types: chains of policies, and tables as JSON.

use std::ffi::c_int;

use bstr::{BString, ByteSlice};
use mlua::ffi;
use serde_json::{Map, Number, Value};

use super::{Args, Weight, text_at};
use crate::convert::Fault;

/// How deep tables may be nested.
const DEPTH: usize = 16;
/// Members of a chain.
const MEMBERS: usize = 64;

/// A walk through a table that becomes JSON.
#[derive(Default)]
struct Walk {
    weight: Weight,
    /// Whether it holds what came from outside.
    lossy: bool,
}

impl Args<'_> {
    /// A function, the name of a policy, or a list of these: the names, in order; `None` for a function. (Userdata passes as a
    /// function and fails when called, as in wforce.)
    pub fn members(&self, index: c_int) -> Result<Vec<Option<BString>>, Fault> {
        const WANTED: &str = "function, policy name, or list of these";
        let one = |index: c_int| match self.kind(index) {
            ffi::LUA_TFUNCTION | ffi::LUA_TUSERDATA => Some(None),
            // SAFETY: a string on the stack, copied at once.
            ffi::LUA_TSTRING => unsafe { text_at(self.lua, index) }.map(|text| Some(text.owned())),
            _ => None,
        };
        if self.kind(index) != ffi::LUA_TTABLE {
            return one(index).map(|member| vec![member]).ok_or_else(|| self.refuse(index, WANTED));
        }
        let mut members = Vec::new();
        // SAFETY: `index` is a table; each turn leaves the stack as it found it.
        unsafe {
            for place in 1.. {
                ffi::lua_rawgeti_(self.lua, index, place);
                let member = one(ffi::lua_gettop(self.lua));
                let end = ffi::lua_type(self.lua, -1) == ffi::LUA_TNIL;
                ffi::lua_pop(self.lua, 1);
                if end {
                    break;
                }
                members.push(member.ok_or_else(|| self.refuse(index, WANTED))?);
            }
        }
        if members.is_empty() || members.len() > MEMBERS {
            return Err(Fault::caught(format!("a chain has 1 to {MEMBERS} members, not {}", members.len())));
        }
        Ok(members)
    }

    /// A table as JSON: a list where the keys are 1, 2 and so on, else an object. An empty table is an object.
    pub fn json(&self, index: c_int) -> Result<Value, Fault> {
        if self.kind(index) != ffi::LUA_TTABLE {
            return Err(self.refuse(index, "table"));
        }
        self.json_table(index, DEPTH, &mut Walk::default())
    }

    /// The same of what policies put together from logins: bytes that are no UTF-8 become U+FFFD, and an address is its text.
    pub fn json_of_login(&self, index: c_int) -> Result<Value, Fault> {
        if self.kind(index) != ffi::LUA_TTABLE {
            return Err(self.refuse(index, "table"));
        }
        self.json_table(index, DEPTH, &mut Walk { lossy: true, ..Walk::default() })
    }

    fn json_table(&self, index: c_int, depth: usize, walk: &mut Walk) -> Result<Value, Fault> {
        if depth == 0 {
            return Err(Fault::caught(format!("tables are nested more than {DEPTH} deep")));
        }
        let mut list = Vec::new();
        let mut object = Map::new();
        // SAFETY: `index` is absolute and a table; `lua_next` gets the key that it gave before, unchanged. A level needs
        // three slots, asked for here. Where this returns early, the caller's error clears the stack.
        unsafe {
            if ffi::lua_checkstack(self.lua, 4) == 0 {
                return Err(Fault::caught("out of stack"));
            }
            ffi::lua_pushnil(self.lua);
            while ffi::lua_next(self.lua, index) != 0 {
                let top = ffi::lua_gettop(self.lua);
                let value = self.json_value(top, depth, walk)?;
                if ffi::lua_type(self.lua, top - 1) == ffi::LUA_TNUMBER {
                    list.push((ffi::lua_tonumber(self.lua, top - 1), value));
                } else {
                    let key = text_at(self.lua, top - 1)
                        .ok_or_else(|| Fault::caught("a table has a key that is no text"))?;
                    let key =
                        key.to_str().map_err(|_| Fault::caught("a table has a key that is no UTF-8"))?;
                    object.insert(key.to_owned(), value);
                }
                ffi::lua_pop(self.lua, 1);
            }
        }
        if list.is_empty() {
            return Ok(Value::Object(object));
        }
        list.sort_by(|left, right| left.0.total_cmp(&right.0));
        let in_order = (1..).zip(&list).all(|(place, (key, _))| f64::from(place).total_cmp(key).is_eq());
        if !object.is_empty() || !in_order {
            return Err(Fault::caught("a table is neither a list (1, 2, ...) nor has it only names"));
        }
        Ok(Value::Array(list.into_iter().map(|(_, value)| value).collect()))
    }

    /// # Safety
    /// `index` must be absolute and in use.
    unsafe fn json_value(&self, index: c_int, depth: usize, walk: &mut Walk) -> Result<Value, Fault> {
        let heavy = || Fault::caught("the tables hold too much");
        if !walk.weight.takes(b"") {
            return Err(heavy());
        }
        // SAFETY: the type was looked at before each read.
        unsafe {
            match ffi::lua_type(self.lua, index) {
                ffi::LUA_TBOOLEAN => Ok(Value::Bool(ffi::lua_toboolean(self.lua, index) != 0)),
                ffi::LUA_TNUMBER => number(ffi::lua_tonumber(self.lua, index)),
                ffi::LUA_TSTRING => {
                    let text = text_at(self.lua, index).unwrap_or(crate::convert::Bytes::Text(b""));
                    if !walk.weight.takes(&text) {
                        return Err(heavy());
                    }
                    if walk.lossy {
                        return Ok(Value::String(text.to_str_lossy().into_owned()));
                    }
                    let text = text.to_str().map_err(|_| Fault::caught("a text in a table is no UTF-8"))?;
                    Ok(Value::String(text.to_owned()))
                }
                ffi::LUA_TTABLE => self.json_table(index, depth - 1, walk),
                ffi::LUA_TUSERDATA if walk.lossy && self.object_if::<login::Addr>(index).is_some() => {
                    Ok(Value::String(self.addr(index)?.ip.to_string()))
                }
                _ => Err(Fault::caught(
                    "a table holds something else than texts, numbers, booleans and tables",
                )),
            }
        }
    }
}

/// Whole numbers stay whole: `3`, not `3.0`.
fn number(number: f64) -> Result<Value, Fault> {
    if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
        return Ok(Value::from(number as i64));
    }
    Number::from_f64(number)
        .map(Value::Number)
        .ok_or_else(|| Fault::caught("a table holds a number that is none"))
}
