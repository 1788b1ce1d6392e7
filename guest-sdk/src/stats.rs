//! Time-window databases: counts for a key over the last N windows.
//!
//! A key is text or an address (which counts for its network, under the DB's prefix lengths). A field that the DB does not have
//! is no error: adding to it does nothing, reading it gives 0.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::host::stats::{Action, Operation};
use crate::{Error, IpAddress, host};

/// What is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// Any text.
    Text(&'a str),
    /// An address: it counts for its network.
    Address(IpAddress),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A number.
    Number(i32),
    /// An address, as its plain text.
    Address(IpAddress),
}

impl<'a> From<Key<'a>> for host::stats::Key<'a> {
    fn from(key: Key<'a>) -> Self {
        match key {
            Key::Text(text) => Self::Text(text),
            Key::Address(address) => Self::Address(address),
        }
    }
}

impl<'a> From<Value<'a>> for host::stats::Value<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Number(number) => Self::Number(number),
            Value::Address(address) => Self::Address(address),
        }
    }
}

macro_rules! from {
    ($($what:ident($from:ty) => $case:ident $convert:expr;)*) => {$(
        impl<'a> From<$from> for $what<'a> {
            fn from(value: $from) -> Self {
                Self::$case($convert(value))
            }
        }
    )*};
}

from! {
    Key(&'a str) => Text core::convert::identity;
    Key(&'a String) => Text String::as_str;
    Key(IpAddress) => Address core::convert::identity;
    Key(IpAddr) => Address IpAddress::from;
    Value(&'a str) => Text core::convert::identity;
    Value(&'a String) => Text String::as_str;
    Value(i32) => Number core::convert::identity;
    Value(IpAddress) => Address core::convert::identity;
    Value(IpAddr) => Address IpAddress::from;
}

/// A stats DB of the configuration. Cheap to clone.
#[derive(Clone)]
pub struct Db(Rc<host::stats::Db>);

impl Db {
    /// The DB of this name.
    ///
    /// # Errors
    ///
    /// If there is none, or the policy may not touch it.
    pub fn open(name: &str) -> Result<Self, Error> {
        Ok(Self(Rc::new(host::stats::open(name)?)))
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// A field of type `int`.
    pub fn int(&self, field: impl Into<String>) -> Int {
        Int(Field { db: self.clone(), name: field.into() })
    }

    /// A field of type `hll`.
    pub fn distinct(&self, field: impl Into<String>) -> Distinct {
        Distinct(Field { db: self.clone(), name: field.into() })
    }

    /// A field of type `countmin`.
    pub fn counts(&self, field: impl Into<String>) -> Counts {
        Counts(Field { db: self.clone(), name: field.into() })
    }

    /// Several steps in one crossing of the border: what each read found, 0 for each write. At most 1000.
    ///
    /// ```
    /// # use portcullis::{Result, stats::Db};
    /// # fn f(db: &Db, remote: portcullis::IpAddress, login: &str) -> Result<()> {
    /// let (wrong, failures) = (db.distinct("wrong"), db.int("failures"));
    /// let [by_address, by_login] = db.batch([wrong.of(remote), failures.of(login)])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// That of the first step that fails; those before it stay done.
    pub fn batch<const N: usize>(&self, steps: [Step<'_>; N]) -> Result<[i32; N], Error> {
        let found = self.0.batch(&steps.map(|step| step.0))?;
        let count = found.len();
        found.try_into().map_err(|_| Error::Invalid(alloc::format!("{count} answers to {N} steps")))
    }

    /// The same for a number of steps that is known at run time only.
    ///
    /// # Errors
    ///
    /// As [`Db::batch`].
    pub fn batch_all<'a>(&self, steps: impl IntoIterator<Item = Step<'a>>) -> Result<Vec<i32>, Error> {
        let steps: Vec<Operation<'_>> = steps.into_iter().map(|step| step.0).collect();
        Ok(self.0.batch(&steps)?)
    }

    /// Sets all fields of a key to nothing.
    ///
    /// # Errors
    ///
    /// If the DB is remote and does not answer.
    pub fn reset<'a>(&self, key: impl Into<Key<'a>>) -> Result<(), Error> {
        Ok(self.0.reset(key.into().into())?)
    }

    /// How many keys there are.
    ///
    /// # Errors
    ///
    /// If the DB is remote and does not answer.
    pub fn size(&self) -> Result<u32, Error> {
        Ok(self.0.size()?)
    }

    /// The text under which an address is counted.
    pub fn address_key(&self, address: IpAddress) -> String {
        self.0.address_key(address)
    }
}

/// One step of a batch.
pub struct Step<'a>(Operation<'a>);

/// A field of a DB.
#[derive(Clone)]
struct Field {
    db: Db,
    name: String,
}

impl Field {
    fn step<'a>(&'a self, action: Action, key: impl Into<Key<'a>>, value: Option<Value<'a>>) -> Step<'a> {
        Step(Operation { action, key: key.into().into(), field: &self.name, value: value.map(Into::into) })
    }

    fn add<'a>(&self, key: impl Into<Key<'a>>, value: Value<'a>) -> Result<(), Error> {
        Ok(self.db.0.add(key.into().into(), &self.name, value.into())?)
    }

    fn get<'a>(&self, key: impl Into<Key<'a>>) -> Result<i32, Error> {
        Ok(self.db.0.get(key.into().into(), &self.name)?)
    }

    fn current<'a>(&self, key: impl Into<Key<'a>>, value: Option<Value<'a>>) -> Result<i32, Error> {
        Ok(self.db.0.current(key.into().into(), &self.name, value.map(Into::into))?)
    }

    fn windows<'a>(&self, key: impl Into<Key<'a>>, value: Option<Value<'a>>) -> Result<Vec<i32>, Error> {
        Ok(self.db.0.windows(key.into().into(), &self.name, value.map(Into::into))?)
    }

    fn reset<'a>(&self, key: impl Into<Key<'a>>) -> Result<(), Error> {
        Ok(self.db.0.reset_field(key.into().into(), &self.name)?)
    }
}

macro_rules! common {
    ($type:ident, $sum:literal) => {
        impl $type {
            #[doc = $sum]
            ///
            /// # Errors
            ///
            /// If the DB is remote and does not answer.
            pub fn get<'a>(&self, key: impl Into<Key<'a>>) -> Result<i32, Error> {
                self.0.get(key)
            }

            /// [`Self::get`] as a step of a batch.
            pub fn of<'a>(&'a self, key: impl Into<Key<'a>>) -> Step<'a> {
                self.0.step(Action::Get, key, None)
            }

            /// The current window alone.
            ///
            /// # Errors
            ///
            /// If the DB is remote and does not answer.
            pub fn current<'a>(&self, key: impl Into<Key<'a>>) -> Result<i32, Error> {
                self.0.current(key, None)
            }

            /// Each window, the current one first; empty if there is nothing.
            ///
            /// # Errors
            ///
            /// If the DB is remote and does not answer.
            pub fn windows<'a>(&self, key: impl Into<Key<'a>>) -> Result<Vec<i32>, Error> {
                self.0.windows(key, None)
            }

            /// Sets this field of a key to nothing.
            ///
            /// # Errors
            ///
            /// If the DB is remote and does not answer.
            pub fn reset<'a>(&self, key: impl Into<Key<'a>>) -> Result<(), Error> {
                self.0.reset(key)
            }
        }
    };
}

/// A field that adds numbers up.
#[derive(Clone)]
pub struct Int(Field);

common!(Int, "The sum over all windows.");

impl Int {
    /// Adds to the current window.
    ///
    /// # Errors
    ///
    /// If the DB is remote and does not answer.
    pub fn add<'a>(&self, key: impl Into<Key<'a>>, amount: i32) -> Result<(), Error> {
        self.0.add(key, Value::Number(amount))
    }

    /// Subtracts from the current window, which may go below 0.
    ///
    /// # Errors
    ///
    /// If the DB is remote and does not answer.
    pub fn sub<'a>(&self, key: impl Into<Key<'a>>, amount: i32) -> Result<(), Error> {
        Ok(self.0.db.0.sub(key.into().into(), &self.0.name, host::stats::Value::Number(amount))?)
    }

    /// [`Self::add`] as a step of a batch.
    pub fn plus<'a>(&'a self, key: impl Into<Key<'a>>, amount: i32) -> Step<'a> {
        self.0.step(Action::Add, key, Some(Value::Number(amount)))
    }
}

/// A field that counts distinct values: exactly while they are few, then with an error of some percent.
#[derive(Clone)]
pub struct Distinct(Field);

common!(Distinct, "How many distinct values all windows together saw.");

impl Distinct {
    /// Adds a value to the current window.
    ///
    /// # Errors
    ///
    /// If the DB is remote and does not answer.
    pub fn add<'a>(&self, key: impl Into<Key<'a>>, value: impl Into<Value<'a>>) -> Result<(), Error> {
        self.0.add(key, value.into())
    }

    /// [`Self::add`] as a step of a batch.
    pub fn plus<'a>(&'a self, key: impl Into<Key<'a>>, value: impl Into<Value<'a>>) -> Step<'a> {
        self.0.step(Action::Add, key, Some(value.into()))
    }
}

/// A field that counts how often it saw each value; an estimate that is never too low.
#[derive(Clone)]
pub struct Counts(Field);

common!(Counts, "How many values all windows together saw.");

impl Counts {
    /// Adds one occurrence of a value to the current window.
    ///
    /// # Errors
    ///
    /// If the DB is remote and does not answer.
    pub fn add<'a>(&self, key: impl Into<Key<'a>>, value: impl Into<Value<'a>>) -> Result<(), Error> {
        self.0.add(key, value.into())
    }

    /// Adds so many occurrences.
    ///
    /// # Errors
    ///
    /// If the DB is remote and does not answer.
    pub fn add_times<'a>(
        &self,
        key: impl Into<Key<'a>>,
        value: impl Into<Value<'a>>,
        times: i32,
    ) -> Result<(), Error> {
        Ok(self.0.db.0.add_count(key.into().into(), &self.0.name, value.into().into(), times)?)
    }

    /// How often all windows together saw a value.
    ///
    /// # Errors
    ///
    /// If the DB is remote and does not answer.
    pub fn times<'a>(&self, key: impl Into<Key<'a>>, value: impl Into<Value<'a>>) -> Result<i32, Error> {
        Ok(self.0.db.0.get_value(key.into().into(), &self.0.name, value.into().into())?)
    }
}
