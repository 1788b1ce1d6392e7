//! The functions that policies call most, reading keys and fields where they lie in the component's memory instead of
//! copying each first.

use std::borrow::Cow;

use capabilities::stats::Db;
use login::AddrText;
use statsdb::AddrKey;
use wasmtime::component::{ComponentType, Lift, Linker, Resource, WasmStr};
use wasmtime::{Result, StoreContextMut};

use super::{Handle, STEPS, Text, not_a_number};
use crate::bindings::stats::Action;
use crate::bindings::types::{Error, IpAddress};
use crate::convert;
use crate::lower::Counted;
use crate::state::State;

#[derive(ComponentType, Lift)]
#[component(variant)]
enum Key {
    #[component(name = "text")]
    Text(WasmStr),
    #[component(name = "address")]
    Address(IpAddress),
}

#[derive(ComponentType, Lift)]
#[component(variant)]
enum Value {
    #[component(name = "text")]
    Text(WasmStr),
    #[component(name = "number")]
    Number(i32),
    #[component(name = "address")]
    Address(IpAddress),
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Operation {
    action: Action,
    key: Key,
    field: WasmStr,
    value: Option<Value>,
}

type Handed<'a> = StoreContextMut<'a, State>;

/// Puts these functions in place of those that copy.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut stats = linker.instance(&format!("portcullis:policy/stats@{}", crate::VERSION))?;
    stats.func_wrap(
        "[method]db.add",
        |mut store: Handed<'_>, (handle, k, field, v): (Resource<Handle>, Key, WasmStr, Value)| {
            store.data_mut().host_call()?;
            let (db, now) = found(&store, &handle)?;
            let (of, field, with) = (key(&store, db, &k)?, field.to_str(&store)?, value(&store, &v)?);
            let done: (Result<(), Error>,) =
                (db.add(now, &of, field.as_bytes(), &with).map_err(not_a_number),);
            Ok(done)
        },
    )?;
    stats.func_wrap(
        "[method]db.get",
        |mut store: Handed<'_>, (handle, k, field): (Resource<Handle>, Key, WasmStr)| {
            store.data_mut().host_call()?;
            let (db, now) = found(&store, &handle)?;
            let (of, field) = (key(&store, db, &k)?, field.to_str(&store)?);
            Ok((Counted(Ok(db.get(now, &of, field.as_bytes()))),))
        },
    )?;
    stats.func_wrap(
        "[method]db.batch",
        |mut store: Handed<'_>, (handle, operations): (Resource<Handle>, Vec<Operation>)| {
            store.data_mut().host_call()?;
            let (db, now) = found(&store, &handle)?;
            if operations.len() > STEPS {
                return Ok((Counted(Err(Error::Limit(format!("{STEPS} steps of a batch")))),));
            }
            let mut counts = Vec::with_capacity(operations.len());
            let mut steps = store.data().steps();
            for operation in &operations {
                store.data().in_time(&mut steps)?;
                match step(&store, db, now, operation)? {
                    Ok(count) => counts.push(count),
                    Err(error) => return Ok((Counted(Err(error)),)),
                }
            }
            Ok((Counted(Ok(counts)),))
        },
    )
}

/// The DB and the time.
fn found<'a>(store: &'a Handed<'_>, handle: &Resource<Handle>) -> Result<(&'a Db, u64)> {
    let state = store.data();
    Ok((&state.table.get(handle)?.0, state.common.capabilities.clock.now()))
}

fn key<'a>(store: &'a Handed<'_>, db: &Db, key: &Key) -> Result<Text<'a, AddrKey>> {
    Ok(match key {
        Key::Text(text) => Text::Text(text.to_str(store)?),
        Key::Address(address) => Text::Addr(db.addr_key(&convert::addr(*address))),
    })
}

fn value<'a>(store: &'a Handed<'_>, value: &Value) -> Result<Text<'a, AddrText>> {
    Ok(match value {
        Value::Text(text) => Text::Text(text.to_str(store)?),
        Value::Number(number) => Text::Text(Cow::Owned(number.to_string())),
        Value::Address(address) => Text::Addr(convert::addr(*address).text()),
    })
}

fn step(store: &Handed<'_>, db: &Db, now: u64, operation: &Operation) -> Result<Result<i32, Error>> {
    let (of, field) = (key(store, db, &operation.key)?, operation.field.to_str(store)?);
    let with = operation.value.as_ref().map(|with| value(store, with)).transpose()?;
    Ok(super::step(db, now, operation.action, (&of, field.as_bytes(), with.as_deref())))
}
