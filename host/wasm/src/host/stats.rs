//! Time-window databases.

pub(crate) mod lent;
pub(crate) mod waiting;

use std::borrow::Cow;
use std::ops::Deref;

use capabilities::stats::Db;
use login::AddrText;
use statsdb::AddrKey;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::stats::{Action, Host, HostDb, Key, Operation, Value};
use crate::bindings::types::{Error, IpAddress};
use crate::convert;
use crate::options::Kind;
use crate::state::State;

/// Steps of a batch.
const STEPS: usize = 1_000;

/// What a component's `db` stands for.
pub struct Handle(Db);

/// A key or a value where it lies.
enum Text<'a, A> {
    Text(Cow<'a, str>),
    Addr(A),
}

impl<A: Deref<Target = [u8]>> Deref for Text<'_, A> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Text::Text(text) => text.as_bytes(),
            Text::Addr(text) => text,
        }
    }
}

fn key(db: &Db, key: Key) -> Text<'static, AddrKey> {
    match key {
        Key::Text(text) => Text::Text(text.into()),
        Key::Address(address) => Text::Addr(db.addr_key(&convert::addr(address))),
    }
}

fn value(value: Value) -> Text<'static, AddrText> {
    match value {
        Value::Text(text) => Text::Text(text.into()),
        Value::Number(number) => Text::Text(number.to_string().into()),
        Value::Address(address) => Text::Addr(convert::addr(address).text()),
    }
}

/// What Lua calls `stoi`.
fn not_a_number(_: statsdb::NotANumber) -> Error {
    Error::Invalid("the text for an int field must begin with a number of 32 bits".to_owned())
}

/// One step.
fn step(
    db: &Db,
    now: u64,
    action: Action,
    (of, field, with): (&[u8], &[u8], Option<&[u8]>),
) -> Result<i32, Error> {
    match action {
        Action::Add => db.add(now, of, field, with.unwrap_or(b"1")).map(|()| 0).map_err(not_a_number),
        Action::Sub => db.sub(now, of, field, with.unwrap_or(b"1")).map(|()| 0).map_err(not_a_number),
        Action::Get => Ok(match with {
            Some(value) => db.get_value(now, of, field, value),
            None => db.get(now, of, field),
        }),
        Action::Current => Ok(db.current(now, of, field, with)),
    }
}

impl State {
    /// Counts the call, and finds the DB and the time.
    fn db(&mut self, handle: &Resource<Handle>) -> Result<(&Db, u64)> {
        self.host_call()?;
        let now = self.common.capabilities.clock.now();
        Ok((&self.table.get(handle)?.0, now))
    }
}

impl Host for State {
    fn open(&mut self, name: String) -> Result<Result<Resource<Handle>, Error>> {
        self.host_call()?;
        if let Err(denied) = self.granted(Kind::Stats, &name) {
            return Ok(Err(denied));
        }
        Ok(match self.common.capabilities.stats.get(name.as_bytes()) {
            // Only a configuration that loads policies before it makes its stats DBs comes here.
            Some(db) if db.is_outside() && !self.stats_wait => Err(Error::Unavailable(format!(
                "stats DB {}, which is kept in a server, must be made before the policy is loaded",
                db.name()
            ))),
            Some(db) => self.push(Handle(db)),
            None => Err(self.unknown("stats DB", name, "newStringStatsDB")),
        })
    }
}

impl HostDb for State {
    fn name(&mut self, db: Resource<Handle>) -> Result<String> {
        Ok(self.db(&db)?.0.name().to_string())
    }

    fn add(&mut self, db: Resource<Handle>, k: Key, field: String, v: Value) -> Result<Result<(), Error>> {
        let (db, now) = self.db(&db)?;
        let added = db.add(now, &key(db, k), field.as_bytes(), &value(v));
        Ok(added.map_err(not_a_number))
    }

    fn add_count(
        &mut self,
        db: Resource<Handle>,
        k: Key,
        field: String,
        v: Value,
        count: i32,
    ) -> Result<Result<(), Error>> {
        let (db, now) = self.db(&db)?;
        db.add_count(now, &key(db, k), field.as_bytes(), &value(v), count);
        Ok(Ok(()))
    }

    fn sub(&mut self, db: Resource<Handle>, k: Key, field: String, v: Value) -> Result<Result<(), Error>> {
        let (db, now) = self.db(&db)?;
        let done = db.sub(now, &key(db, k), field.as_bytes(), &value(v));
        Ok(done.map_err(not_a_number))
    }

    fn get(&mut self, db: Resource<Handle>, k: Key, field: String) -> Result<Result<i32, Error>> {
        let (db, now) = self.db(&db)?;
        Ok(Ok(db.get(now, &key(db, k), field.as_bytes())))
    }

    fn get_value(
        &mut self,
        db: Resource<Handle>,
        k: Key,
        field: String,
        v: Value,
    ) -> Result<Result<i32, Error>> {
        let (db, now) = self.db(&db)?;
        Ok(Ok(db.get_value(now, &key(db, k), field.as_bytes(), &value(v))))
    }

    fn current(
        &mut self,
        db: Resource<Handle>,
        k: Key,
        field: String,
        v: Option<Value>,
    ) -> Result<Result<i32, Error>> {
        let (db, now) = self.db(&db)?;
        Ok(Ok(db.current(now, &key(db, k), field.as_bytes(), v.map(value).as_deref())))
    }

    fn windows(
        &mut self,
        db: Resource<Handle>,
        k: Key,
        field: String,
        v: Option<Value>,
    ) -> Result<Result<Vec<i32>, Error>> {
        let (db, now) = self.db(&db)?;
        Ok(Ok(db.windows(now, &key(db, k), field.as_bytes(), v.map(value).as_deref())))
    }

    fn batch(&mut self, db: Resource<Handle>, operations: Vec<Operation>) -> Result<Result<Vec<i32>, Error>> {
        let (db, now) = self.db(&db)?;
        if operations.len() > STEPS {
            return Ok(Err(Error::Limit(format!("{STEPS} steps of a batch"))));
        }
        let db = db.clone();
        let (mut steps, mut counts) = (self.steps(), Vec::with_capacity(operations.len()));
        for Operation { action, key: of, field, value: with } in operations {
            self.in_time(&mut steps)?;
            match step(&db, now, action, (&key(&db, of), field.as_bytes(), with.map(value).as_deref())) {
                Ok(count) => counts.push(count),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(counts))
    }

    fn reset(&mut self, db: Resource<Handle>, k: Key) -> Result<Result<(), Error>> {
        let (db, now) = self.db(&db)?;
        db.reset(now, &key(db, k));
        Ok(Ok(()))
    }

    fn reset_field(&mut self, db: Resource<Handle>, k: Key, field: String) -> Result<Result<(), Error>> {
        let (db, now) = self.db(&db)?;
        db.reset_field(now, &key(db, k), field.as_bytes());
        Ok(Ok(()))
    }

    fn size(&mut self, db: Resource<Handle>) -> Result<Result<u32, Error>> {
        Ok(Ok(u32::try_from(self.db(&db)?.0.len()).unwrap_or(u32::MAX)))
    }

    fn address_key(&mut self, db: Resource<Handle>, address: IpAddress) -> Result<String> {
        let (db, _) = self.db(&db)?;
        Ok(String::from_utf8_lossy(&db.addr_key(&convert::addr(address))).into_owned())
    }

    fn drop(&mut self, db: Resource<Handle>) -> Result<()> {
        self.delete(db)
    }
}
