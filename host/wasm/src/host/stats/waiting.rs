//! The same functions for components of a configuration that keeps some stats DB outside: a call may then have to wait
//! for its counts, and is suspended meanwhile.

use bstr::BString;
use capabilities::context;
use capabilities::stats::{Ask, AskError, Db, Found, OnUnreachable, Step};
use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};

use super::{Handle, STEPS, key, value};
use crate::bindings::stats::{Action, Key, Operation, Value};
use crate::bindings::types::Error;
use crate::state::State;

type Done<T> = (Result<T, Error>,);
type Handed<'a> = StoreContextMut<'a, State>;

/// Puts these functions in place of those that cannot wait.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut stats = linker.instance(&format!("portcullis:policy/stats@{}", crate::VERSION))?;
    stats.func_wrap_async(
        "[method]db.add",
        |mut store: Handed<'_>, args: (Resource<Handle>, Key, String, Value)| {
            Box::new(async move {
                let (db, of, field, with) = args;
                let ask = Ask::Add { value: text(with) };
                Ok((done(one(&mut store, &db, of, field, ask).await?),))
            })
        },
    )?;
    stats.func_wrap_async(
        "[method]db.add-count",
        |mut store: Handed<'_>, args: (Resource<Handle>, Key, String, Value, i32)| {
            Box::new(async move {
                let (db, of, field, with, count) = args;
                let ask = Ask::AddCount { value: text(with), count };
                Ok((done(one(&mut store, &db, of, field, ask).await?),))
            })
        },
    )?;
    stats.func_wrap_async(
        "[method]db.sub",
        |mut store: Handed<'_>, args: (Resource<Handle>, Key, String, Value)| {
            Box::new(async move {
                let (db, of, field, with) = args;
                let ask = Ask::Sub { value: text(with) };
                Ok((done(one(&mut store, &db, of, field, ask).await?),))
            })
        },
    )?;
    stats.func_wrap_async(
        "[method]db.get",
        |mut store: Handed<'_>, args: (Resource<Handle>, Key, String)| {
            Box::new(async move {
                let (db, of, field) = args;
                Ok((number(one(&mut store, &db, of, field, Ask::Get).await?),))
            })
        },
    )?;
    stats.func_wrap_async(
        "[method]db.get-value",
        |mut store: Handed<'_>, args: (Resource<Handle>, Key, String, Value)| {
            Box::new(async move {
                let (db, of, field, with) = args;
                let ask = Ask::GetValue { value: text(with) };
                Ok((number(one(&mut store, &db, of, field, ask).await?),))
            })
        },
    )?;
    stats.func_wrap_async(
        "[method]db.current",
        |mut store: Handed<'_>, args: (Resource<Handle>, Key, String, Option<Value>)| {
            Box::new(async move {
                let (db, of, field, with) = args;
                let ask = Ask::Current { value: with.map(text) };
                Ok((number(one(&mut store, &db, of, field, ask).await?),))
            })
        },
    )?;
    stats.func_wrap_async(
        "[method]db.windows",
        |mut store: Handed<'_>, args: (Resource<Handle>, Key, String, Option<Value>)| {
            Box::new(async move {
                let (db, of, field, with) = args;
                let ask = Ask::Windows { value: with.map(text) };
                let found = one(&mut store, &db, of, field, ask).await?;
                let list: Done<Vec<i32>> = (found.map(|found| match found {
                    Found::List(list) => list,
                    Found::Done | Found::Number(_) => Vec::new(),
                }),);
                Ok(list)
            })
        },
    )?;
    stats.func_wrap_async(
        "[method]db.batch",
        |mut store: Handed<'_>, args: (Resource<Handle>, Vec<Operation>)| {
            Box::new(async move {
                let (db, operations) = args;
                if operations.len() > STEPS {
                    store.data_mut().host_call()?;
                    return Ok((Err(Error::Limit(format!("{STEPS} steps of a batch"))),));
                }
                let steps = |db: &Db| operations.into_iter().map(|operation| step(db, operation)).collect();
                let found = many(&mut store, &db, steps).await?;
                let counts: Done<Vec<i32>> = (found.map(|found| found.iter().map(Found::number).collect()),);
                Ok(counts)
            })
        },
    )?;
    stats.func_wrap_async("[method]db.reset", |mut store: Handed<'_>, args: (Resource<Handle>, Key)| {
        Box::new(async move {
            let (db, of) = args;
            Ok((done(one(&mut store, &db, of, String::new(), Ask::Reset).await?),))
        })
    })?;
    stats.func_wrap_async(
        "[method]db.reset-field",
        |mut store: Handed<'_>, args: (Resource<Handle>, Key, String)| {
            Box::new(async move {
                let (db, of, field) = args;
                Ok((done(one(&mut store, &db, of, field, Ask::ResetField).await?),))
            })
        },
    )?;
    stats.func_wrap_async("[method]db.size", |mut store: Handed<'_>, args: (Resource<Handle>,)| {
        Box::new(async move {
            let size: Done<u32> = (size(&mut store, &args.0).await?,);
            Ok(size)
        })
    })
}

fn text(with: Value) -> BString {
    value(with).to_vec().into()
}

fn step(db: &Db, operation: Operation) -> Step {
    let Operation { action, key: of, field, value } = operation;
    let value = value.map(text);
    let ask = match action {
        Action::Add => Ask::Add { value: value.unwrap_or_else(|| "1".into()) },
        Action::Sub => Ask::Sub { value: value.unwrap_or_else(|| "1".into()) },
        Action::Get => value.map_or(Ask::Get, |value| Ask::GetValue { value }),
        Action::Current => Ask::Current { value },
    };
    Step { key: key(db, of).to_vec().into(), field: field.into(), ask }
}

async fn one(
    store: &mut Handed<'_>,
    handle: &Resource<Handle>,
    of: Key,
    field: String,
    ask: Ask,
) -> Result<Result<Found, Error>> {
    let steps = |db: &Db| vec![Step { key: key(db, of).to_vec().into(), field: field.into(), ask }];
    Ok(many(store, handle, steps).await?.map(|mut found| found.pop().unwrap_or(Found::Done)))
}

/// Asks inside what is left of the call's time.
async fn many(
    store: &mut Handed<'_>,
    handle: &Resource<Handle>,
    steps: impl FnOnce(&Db) -> Vec<Step>,
) -> Result<Result<Vec<Found>, Error>> {
    let state = store.data_mut();
    let (db, now) = state.db(handle)?;
    let (db, steps) = (db.clone(), steps(db));
    if db.remote().is_none() {
        return here(state, &db, now, &steps);
    }
    let left = state.deadline.saturating_duration_since(std::time::Instant::now());
    let context = context::current();
    let ask = db.ask(context.as_deref(), now, steps);
    match tokio::time::timeout(left, ask).await {
        Ok(found) => Ok(found.map_err(failed)),
        Err(_) => Err(wasmtime::Trap::Interrupt.into()),
    }
}

/// Asks a DB whose counts are in memory, which does not have to be waited for.
fn here(state: &State, db: &Db, now: u64, steps: &[Step]) -> Result<Result<Vec<Found>, Error>> {
    let (mut looks, mut found) = (state.steps(), Vec::with_capacity(steps.len()));
    for step in steps {
        state.in_time(&mut looks)?;
        match db.here(now, step) {
            Ok(one) => found.push(one),
            Err(error) => return Ok(Err(super::not_a_number(error))),
        }
    }
    Ok(Ok(found))
}

async fn size(store: &mut Handed<'_>, handle: &Resource<Handle>) -> Result<Result<u32, Error>> {
    let (db, now) = store.data_mut().db(handle)?;
    let db = db.clone();
    let here = || u32::try_from(db.len()).unwrap_or(u32::MAX);
    let Some(remote) = db.remote() else { return Ok(Ok(here())) };
    Ok(match (remote.size(now).await, remote.on_unreachable()) {
        (Ok(size), _) => Ok(u32::try_from(size).unwrap_or(u32::MAX)),
        (Err(_), OnUnreachable::Open) => Ok(0),
        (Err(_), OnUnreachable::Local) => Ok(here()),
        (Err(why), OnUnreachable::Closed) => Err(Error::Unavailable(why.to_string())),
    })
}

fn done(found: Result<Found, Error>) -> Result<(), Error> {
    found.map(drop)
}

fn number(found: Result<Found, Error>) -> Result<i32, Error> {
    found.map(|found| found.number())
}

fn failed(error: AskError) -> Error {
    match error {
        AskError::NotANumber(error) => super::not_a_number(error),
        AskError::Unreachable(why) => Error::Unavailable(why.to_string()),
    }
}
