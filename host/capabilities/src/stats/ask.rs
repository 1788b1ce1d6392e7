//! Steps on a stats DB, wherever it keeps its counts.

use std::sync::Arc;

use bstr::BString;
use statsdb::outside::parse_int;
use statsdb::{FieldKind, NotANumber};

use super::Db;
use super::remote::{Ask, AskError, Found, OnUnreachable, Remote, Step};
use crate::context::Context;

/// Steps that are done without a pause.
const AT_ONCE: usize = 8;

/// What a policy call asks of a DB that is kept outside.
#[derive(Clone)]
pub struct Question {
    /// The DB.
    pub db: Db,
    /// Unix seconds.
    pub now: u64,
    /// What is asked.
    pub steps: Vec<Step>,
}

impl Db {
    /// Keeps the counts there from now on; false if they are kept somewhere already.
    pub fn keep_in(&self, remote: Arc<dyn Remote>) -> bool {
        self.remote_place().set(remote).is_ok()
    }

    /// Does the steps, in order. The first one that fails ends it; those before it stay done.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask(
        &self,
        context: Option<&Context>,
        now: u64,
        mut steps: Vec<Step>,
    ) -> Result<Vec<Found>, AskError> {
        let bad = steps.iter().position(|step| self.is_bad(step));
        if let Some(bad) = bad {
            steps.truncate(bad);
        }
        let found = if let Some(remote) = self.remote() {
            self.ask_outside(remote, context, now, steps).await?
        } else {
            steps.iter().map(|step| self.here(now, step)).collect::<Result<_, _>>()?
        };
        if bad.is_some() { Err(NotANumber.into()) } else { Ok(found) }
    }

    /// Does a step with the counts in memory, and tells the observers if those are the DB's own.
    ///
    /// # Errors
    /// See [`Db::add`].
    pub fn in_memory(&self, now: u64, step: &Step) -> Result<Found, NotANumber> {
        if self.is_outside() { on(self.local(), now, step) } else { self.here(now, step) }
    }

    /// The fields that a key has with their sums, sorted by name, wherever they are kept; `None`: there is no such key, or
    /// it cannot be reached.
    pub async fn all_of(&self, now: u64, key: BString) -> Option<Vec<(BString, i32)>> {
        let Some(remote) = self.remote() else { return self.stats_of(now, &key) };
        match remote.all_of(now, key.clone()).await {
            Ok(fields) => Some(fields).filter(|fields| !fields.is_empty()),
            Err(_) if remote.on_unreachable() == OnUnreachable::Local => self.stats_of(now, &key),
            Err(_) => None,
        }
    }

    /// Whether a step would fail, whatever was counted.
    pub fn is_bad(&self, step: &Step) -> bool {
        let (Ask::Add { value } | Ask::Sub { value }) = &step.ask else { return false };
        self.kind(&step.field) == Some(FieldKind::Int) && parse_int(value).is_err()
    }

    pub(super) fn kind(&self, field: &[u8]) -> Option<FieldKind> {
        let mut fields = self.schema().fields.iter();
        fields.find(|(name, _)| name == field).map(|(_, kind)| *kind)
    }

    /// In the context of the call, if it has one.
    async fn ask_outside(
        &self,
        remote: &Arc<dyn Remote>,
        context: Option<&Context>,
        now: u64,
        steps: Vec<Step>,
    ) -> Result<Vec<Found>, AskError> {
        let Some(context) = context else { return self.ask_remote(remote, now, steps).await };
        if context.overlay().is_some() {
            return self.ask_over(remote, context, now, steps).await;
        }
        let found = self.ask_remote(remote, now, steps.clone()).await?;
        steps.iter().zip(&found).for_each(|(step, found)| context.stats_noted(self, step, found));
        Ok(found)
    }

    async fn ask_remote(
        &self,
        remote: &Arc<dyn Remote>,
        now: u64,
        steps: Vec<Step>,
    ) -> Result<Vec<Found>, AskError> {
        if steps.is_empty() {
            return Ok(Vec::new());
        }
        let kept = steps.clone();
        match remote.ask(now, self.max_size(), steps).await {
            Ok(found) => Ok(found),
            Err(why) => match remote.on_unreachable() {
                OnUnreachable::Open => Ok(kept.iter().map(|step| step.ask.nothing()).collect()),
                OnUnreachable::Closed => Err(why.into()),
                OnUnreachable::Local => Ok(self.ask_local(now, &kept).await?),
            },
        }
    }

    /// Does the steps with the counts in memory, telling nobody. Now and then whoever waits gets a turn: a call that has no more
    /// time ends there.
    async fn ask_local(&self, now: u64, steps: &[Step]) -> Result<Vec<Found>, NotANumber> {
        let mut found = Vec::with_capacity(steps.len());
        for some in steps.chunks(AT_ONCE) {
            if !found.is_empty() {
                tokio::task::yield_now().await;
            }
            for step in some {
                found.push(on(self.local(), now, step)?);
            }
        }
        Ok(found)
    }

    /// Does a step in the context of the call on this thread, for a DB in memory.
    ///
    /// # Errors
    /// See [`Db::add`].
    pub fn here(&self, now: u64, step: &Step) -> Result<Found, NotANumber> {
        let (key, field) = (&step.key, &step.field);
        Ok(match &step.ask {
            Ask::Add { value } => self.add(now, key, field, value).map(|()| Found::Done)?,
            Ask::Sub { value } => self.sub(now, key, field, value).map(|()| Found::Done)?,
            Ask::AddCount { value, count } => {
                self.add_count(now, key, field, value, *count);
                Found::Done
            }
            Ask::Get => Found::Number(self.get(now, key, field)),
            Ask::GetValue { value } => Found::Number(self.get_value(now, key, field, value)),
            Ask::Current { value } => {
                Found::Number(self.current(now, key, field, value.as_ref().map(|v| &v[..])))
            }
            Ask::Windows { value } => {
                Found::List(self.windows(now, key, field, value.as_ref().map(|v| &v[..])))
            }
            Ask::Reset => {
                self.reset(now, key);
                Found::Done
            }
            Ask::ResetField => {
                self.reset_field(now, key, field);
                Found::Done
            }
        })
    }

    /// What a call finds and does that must not change anything: its writes go into its overlay, and its reads find both.
    async fn ask_over(
        &self,
        remote: &Arc<dyn Remote>,
        context: &Context,
        now: u64,
        steps: Vec<Step>,
    ) -> Result<Vec<Found>, AskError> {
        let reads: Vec<Step> = steps.iter().filter(|step| step.ask.reads()).cloned().collect();
        let mut outside = self.ask_remote(remote, now, reads).await?.into_iter();
        let mut all = Vec::with_capacity(steps.len());
        for step in &steps {
            let outside = if step.ask.reads() { outside.next() } else { None };
            all.push(context.stats_over(self, now, step, outside)?);
        }
        Ok(all)
    }
}

/// Does a step on a DB in memory.
pub(super) fn on(db: &statsdb::StatsDb, now: u64, step: &Step) -> Result<Found, NotANumber> {
    let (key, field) = (&step.key, &step.field);
    Ok(match &step.ask {
        Ask::Add { value } => db.add(now, key, field, value).map(|()| Found::Done)?,
        Ask::Sub { value } => db.sub(now, key, field, value).map(|()| Found::Done)?,
        Ask::AddCount { value, count } => {
            db.add_count(now, key, field, value, *count);
            Found::Done
        }
        Ask::Get => Found::Number(db.get(now, key, field)),
        Ask::GetValue { value } => Found::Number(db.get_value(now, key, field, value)),
        Ask::Current { value } => Found::Number(db.current(now, key, field, value.as_ref().map(|v| &v[..]))),
        Ask::Windows { value } => Found::List(db.windows(now, key, field, value.as_ref().map(|v| &v[..]))),
        Ask::Reset => {
            db.reset(now, key);
            Found::Done
        }
        Ask::ResetField => {
            db.reset_field(now, key, field);
            Found::Done
        }
    })
}

/// Two counts of the same field, counted in different places. Of distinct values only the larger number is certain.
pub(super) fn both(kind: Option<FieldKind>, one: Found, other: Found) -> Found {
    let number = |one: i32, other: i32| {
        if kind == Some(FieldKind::Hll) { one.max(other) } else { one.wrapping_add(other) }
    };
    match (one, other) {
        (Found::Number(one), Found::Number(other)) => Found::Number(number(one, other)),
        (Found::List(one), Found::List(other)) if one.is_empty() => Found::List(other),
        (Found::List(mut one), Found::List(other)) => {
            one.iter_mut().zip(other).for_each(|(one, other)| *one = number(*one, other));
            Found::List(one)
        }
        (one, _) => one,
    }
}

#[cfg(test)]
mod tests;
