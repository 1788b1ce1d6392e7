//! Time-window databases, simple and exact: sets instead of sketches.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::state::with;
use crate::IpAddress;
pub use crate::bindings::imports::portcullis::policy::stats::{Action, Key, Operation, Value};
use crate::bindings::imports::portcullis::policy::types::Error;

/// The types of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// Adds numbers up.
    Int,
    /// Counts distinct values.
    Hll,
    /// Counts how often it saw each value.
    CountMin,
}

/// One window of one field.
#[derive(Default)]
struct Slot {
    sum: i32,
    seen: BTreeMap<String, i32>,
}

/// One DB.
pub(crate) struct Table {
    pub begin: f64,
    pub window: u32,
    pub windows: u32,
    pub v4_bits: u8,
    pub v6_bits: u8,
    pub fields: BTreeMap<String, FieldType>,
    /// Windows by key and field, by their number since `begin`.
    slots: BTreeMap<(String, String), BTreeMap<u64, Slot>>,
}

impl Table {
    pub fn new(begin: f64, window: u32, windows: u32, fields: &[(&str, FieldType)]) -> Self {
        Self {
            begin,
            window: window.max(1),
            windows: windows.max(1),
            v4_bits: 32,
            v6_bits: 128,
            fields: fields.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
            slots: BTreeMap::new(),
        }
    }

    /// The number of the window of a time.
    fn slot(&self, now: f64) -> u64 {
        ((now - self.begin).max(0.0) / f64::from(self.window)) as u64
    }

    fn key(&self, key: &Key<'_>) -> String {
        match key {
            Key::Text(text) => (*text).to_owned(),
            Key::Address(address) => address.network(self.v4_bits, self.v6_bits),
        }
    }

    fn add(
        &mut self,
        now: f64,
        key: &Key<'_>,
        field: &str,
        value: &Value<'_>,
        times: i32,
    ) -> Result<(), Error> {
        let Some(kind) = self.fields.get(field).copied() else { return Ok(()) };
        let text = text(value);
        let number = if kind == FieldType::Int { number(&text)? } else { 0 };
        let current = self.slot(now);
        let oldest = (current + 1).saturating_sub(u64::from(self.windows));
        let slots = self.slots.entry((self.key(key), field.to_owned())).or_default();
        slots.retain(|slot, _| *slot >= oldest);
        let slot = slots.entry(current).or_default();
        match kind {
            FieldType::Int => slot.sum = slot.sum.wrapping_add(number.wrapping_mul(times)),
            FieldType::Hll => *slot.seen.entry(text).or_default() = 1,
            FieldType::CountMin => *slot.seen.entry(text).or_default() += times,
        }
        Ok(())
    }

    /// Each window, the current one first.
    fn read(&self, now: f64, key: &Key<'_>, field: &str, value: Option<&Value<'_>>) -> Vec<i32> {
        let (Some(kind), Some(slots)) =
            (self.fields.get(field), self.slots.get(&(self.key(key), field.to_owned())))
        else {
            return Vec::new();
        };
        let current = self.slot(now);
        let one = |slot: &Slot| match (kind, value) {
            (FieldType::Int, _) => slot.sum,
            (FieldType::Hll, Some(value)) if !slot.seen.contains_key(&text(value)) => {
                slot.seen.len() as i32 + 1
            }
            (FieldType::Hll, _) => slot.seen.len() as i32,
            (FieldType::CountMin, Some(value)) => slot.seen.get(&text(value)).copied().unwrap_or(0),
            (FieldType::CountMin, None) => slot.seen.values().sum(),
        };
        (0..u64::from(self.windows))
            .map(|age| current.checked_sub(age).and_then(|number| slots.get(&number)).map_or(0, one))
            .collect()
    }

    fn get(&self, now: f64, key: &Key<'_>, field: &str, value: Option<&Value<'_>>) -> i32 {
        let kind = self.fields.get(field);
        if kind != Some(&FieldType::CountMin) && value.is_some() {
            return 0;
        }
        if kind != Some(&FieldType::Hll) {
            return self.read(now, key, field, value).iter().sum();
        }
        let Some(slots) = self.slots.get(&(self.key(key), field.to_owned())) else { return 0 };
        let current = self.slot(now);
        let oldest = (current + 1).saturating_sub(u64::from(self.windows));
        let all: BTreeSet<&String> =
            slots.range(oldest..=current).flat_map(|(_, slot)| slot.seen.keys()).collect();
        all.len() as i32
    }
}

fn text(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => (*text).to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Address(address) => address.to_string(),
    }
}

/// The number that a text begins with.
fn number(text: &str) -> Result<i32, Error> {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|(place, c)| !(c.is_ascii_digit() || (*place == 0 && matches!(c, '-' | '+'))))
        .map_or(text.len(), |(place, _)| place);
    text[..end].parse().map_err(|_| Error::Invalid(format!("{text:?} does not begin with a number")))
}

pub struct Db(String);

impl Db {
    fn with<T>(&self, f: impl FnOnce(&mut Table, f64) -> T) -> Result<T, Error> {
        with(|state| {
            let now = state.now;
            state
                .stats
                .get_mut(&self.0)
                .map(|table| f(table, now))
                .ok_or_else(|| Error::Unknown(self.0.clone()))
        })
    }

    pub fn name(&self) -> String {
        self.0.clone()
    }

    pub fn add(&self, key: Key<'_>, field: &str, value: Value<'_>) -> Result<(), Error> {
        self.with(|table, now| table.add(now, &key, field, &value, 1))?
    }

    pub fn add_count(&self, key: Key<'_>, field: &str, value: Value<'_>, count: i32) -> Result<(), Error> {
        self.with(|table, now| match table.fields.get(field) {
            Some(FieldType::CountMin) => table.add(now, &key, field, &value, count),
            _ => Ok(()),
        })?
    }

    pub fn sub(&self, key: Key<'_>, field: &str, value: Value<'_>) -> Result<(), Error> {
        self.with(|table, now| match table.fields.get(field) {
            Some(FieldType::Int) => table.add(now, &key, field, &value, -1),
            _ => Ok(()),
        })?
    }

    pub fn get(&self, key: Key<'_>, field: &str) -> Result<i32, Error> {
        self.with(|table, now| table.get(now, &key, field, None))
    }

    pub fn get_value(&self, key: Key<'_>, field: &str, value: Value<'_>) -> Result<i32, Error> {
        self.with(|table, now| table.get(now, &key, field, Some(&value)))
    }

    pub fn current(&self, key: Key<'_>, field: &str, value: Option<Value<'_>>) -> Result<i32, Error> {
        self.with(|table, now| {
            let found = table.read(now, &key, field, value.as_ref());
            let unseen = i32::from(value.is_some() && table.fields.get(field) == Some(&FieldType::Hll));
            found.first().copied().unwrap_or(unseen)
        })
    }

    pub fn windows(&self, key: Key<'_>, field: &str, value: Option<Value<'_>>) -> Result<Vec<i32>, Error> {
        self.with(|table, now| table.read(now, &key, field, value.as_ref()))
    }

    pub fn batch(&self, operations: &[Operation<'_>]) -> Result<Vec<i32>, Error> {
        if operations.len() > 1000 {
            return Err(Error::Limit("1000 steps".to_owned()));
        }
        operations
            .iter()
            .map(|step| {
                let (key, value) = (step.key.clone(), step.value.clone());
                match step.action {
                    Action::Add => self.add(key, step.field, value.unwrap_or(Value::Number(1))).map(|()| 0),
                    Action::Sub => self.sub(key, step.field, value.unwrap_or(Value::Number(1))).map(|()| 0),
                    Action::Get => match value {
                        Some(value) => self.get_value(key, step.field, value),
                        None => self.get(key, step.field),
                    },
                    Action::Current => self.current(key, step.field, value),
                }
            })
            .collect()
    }

    pub fn reset(&self, key: Key<'_>) -> Result<(), Error> {
        self.with(|table, _| {
            let key = table.key(&key);
            for ((_, _), slots) in table.slots.iter_mut().filter(|((name, _), _)| *name == key) {
                slots.clear();
            }
        })
    }

    pub fn reset_field(&self, key: Key<'_>, field: &str) -> Result<(), Error> {
        self.with(|table, _| {
            let key = table.key(&key);
            if let Some(slots) = table.slots.get_mut(&(key, field.to_owned())) {
                slots.clear();
            }
        })
    }

    pub fn size(&self) -> Result<u32, Error> {
        self.with(|table, _| table.slots.keys().map(|(key, _)| key).collect::<BTreeSet<_>>().len() as u32)
    }

    pub fn address_key(&self, address: IpAddress) -> String {
        self.with(|table, _| table.key(&Key::Address(address))).unwrap_or_default()
    }
}

pub fn open(name: &str) -> Result<Db, Error> {
    if with(|state| state.stats.contains_key(name)) {
        Ok(Db(name.to_owned()))
    } else {
        Err(Error::Unknown(name.to_owned()))
    }
}
