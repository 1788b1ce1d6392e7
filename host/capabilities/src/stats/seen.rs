//! A stats DB in the context of a call: reads and changes are noted, or go over what is live instead of into it.

use bstr::BString;
use statsdb::{NotANumber, StatsDb, Together};

use super::Db;
use super::ask::{both, on};
use super::remote::{Ask, Found, Step as Ordered};
use crate::context::{Context, Missing, Read, Step};

impl Context {
    pub(super) fn stats_add(
        &self,
        db: &Db,
        now: u64,
        key: &[u8],
        field: &[u8],
        value: &[u8],
    ) -> Result<(), NotANumber> {
        self.note(|| change("add", db, &[key, field, value]));
        match self.overlay() {
            None => db.add_live(now, key, field, value),
            Some(overlay) => overlay.db(db.local()).map_or(Ok(()), |own| own.add(now, key, field, value)),
        }
    }

    pub(super) fn stats_sub(
        &self,
        db: &Db,
        now: u64,
        key: &[u8],
        field: &[u8],
        value: &[u8],
    ) -> Result<(), NotANumber> {
        self.note(|| change("sub", db, &[key, field, value]));
        match self.overlay() {
            None => db.sub_live(now, key, field, value),
            Some(overlay) => overlay.db(db.local()).map_or(Ok(()), |own| own.sub(now, key, field, value)),
        }
    }

    pub(super) fn stats_add_count(&self, db: &Db, now: u64, key: &[u8], field: &[u8], value: &[u8], n: i32) {
        self.note(|| change("add", db, &[key, field, value, n.to_string().as_bytes()]));
        match self.overlay() {
            None => db.add_count_live(now, key, field, value, n),
            Some(overlay) => {
                if let Some(own) = overlay.db(db.local()) {
                    own.add_count(now, key, field, value, n);
                }
            }
        }
    }

    /// `field`: only that one.
    pub(super) fn stats_reset(&self, db: &Db, now: u64, key: &[u8], field: Option<&[u8]>) {
        self.note(|| match field {
            Some(field) => change("reset", db, &[key, field]),
            None => change("reset", db, &[key]),
        });
        match (self.overlay(), field) {
            (Some(overlay), field) => overlay.reset(db.local(), now, key, field),
            (None, Some(field)) => db.reset_field_live(now, key, field),
            (None, None) => db.reset_live(now, key),
        }
    }

    /// Reads a field where this call has to look.
    fn look<R>(
        &self,
        db: &Db,
        now: u64,
        key: &[u8],
        field: &[u8],
        together: impl FnOnce(Together<'_>) -> R,
        alone: impl FnOnce(&StatsDb) -> R,
    ) -> R {
        match self.overlay() {
            None => alone(db.local()),
            Some(overlay) => overlay.read(db.local(), now, key, field, together, alone),
        }
    }

    pub(super) fn stats_get(&self, db: &Db, now: u64, key: &[u8], field: &[u8]) -> i32 {
        let found =
            self.look(db, now, key, field, |both| both.get(now, key, field), |db| db.get(now, key, field));
        self.note(|| read(db, key, field, None, Read::Sum(found)));
        found
    }

    pub(super) fn stats_get_value(&self, db: &Db, now: u64, key: &[u8], field: &[u8], value: &[u8]) -> i32 {
        let found = self.look(
            db,
            now,
            key,
            field,
            |both| both.get_value(now, key, field, value),
            |db| db.get_value(now, key, field, value),
        );
        self.note(|| read(db, key, field, Some(value), Read::Sum(found)));
        found
    }

    pub(super) fn stats_current(
        &self,
        db: &Db,
        now: u64,
        key: &[u8],
        field: &[u8],
        value: Option<&[u8]>,
    ) -> i32 {
        let found = self.look(
            db,
            now,
            key,
            field,
            |both| both.current(now, key, field, value),
            |db| db.current(now, key, field, value),
        );
        self.note(|| read(db, key, field, value, Read::Current(found)));
        found
    }

    pub(super) fn stats_windows(
        &self,
        db: &Db,
        now: u64,
        key: &[u8],
        field: &[u8],
        value: Option<&[u8]>,
    ) -> Vec<i32> {
        let found = self.look(
            db,
            now,
            key,
            field,
            |both| both.windows(now, key, field, value),
            |db| db.windows(now, key, field, value),
        );
        self.note(|| read(db, key, field, value, Read::Windows(found.clone())));
        found
    }
}

impl Context {
    /// Notes a step that was done outside.
    pub(super) fn stats_noted(&self, db: &Db, step: &Ordered, found: &Found) {
        let Ordered { key, field, ask } = step;
        let told =
            |value: Option<&BString>, told: Read| read(db, key, field, value.map(|value| &value[..]), told);
        self.note(|| match (ask, found) {
            (Ask::Add { value }, _) => change("add", db, &[key, field, value]),
            (Ask::AddCount { value, count }, _) => {
                change("add", db, &[key, field, value, count.to_string().as_bytes()])
            }
            (Ask::Sub { value }, _) => change("sub", db, &[key, field, value]),
            (Ask::Reset, _) => change("reset", db, &[key]),
            (Ask::ResetField, _) => change("reset", db, &[key, field]),
            (Ask::Windows { value }, Found::List(list)) => told(value.as_ref(), Read::Windows(list.clone())),
            (Ask::Windows { value }, _) => told(value.as_ref(), Read::Windows(Vec::new())),
            (Ask::Current { value }, found) => told(value.as_ref(), Read::Current(found.number())),
            (Ask::GetValue { value }, found) => told(Some(value), Read::Sum(found.number())),
            (Ask::Get, found) => told(None, Read::Sum(found.number())),
        });
    }

    /// Does a step whose writes go into the overlay; `outside`: what a read found outside.
    pub(super) fn stats_over(
        &self,
        db: &Db,
        now: u64,
        step: &Ordered,
        outside: Option<Found>,
    ) -> Result<Found, NotANumber> {
        let Some(overlay) = self.overlay() else { return Ok(outside.unwrap_or(Found::Done)) };
        let Ordered { key, field, ask } = step;
        let found = match (ask, outside) {
            (Ask::Reset, _) => {
                overlay.reset(db.local(), now, key, None);
                Found::Done
            }
            (Ask::ResetField, _) => {
                overlay.reset(db.local(), now, key, Some(field));
                Found::Done
            }
            (_, None) => match overlay.db(db.local()) {
                Some(own) => on(&own, now, step)?,
                None => Found::Done,
            },
            (_, Some(outside)) => overlay.read(
                db.local(),
                now,
                key,
                field,
                |seen| on(seen.beside, now, step).map(|own| both(db.kind(field), outside.clone(), own)),
                |seen| {
                    // Either nothing was written here, or it was reset and only what is here counts.
                    if std::ptr::eq(seen, db.local()) { Ok(outside.clone()) } else { on(seen, now, step) }
                },
            )?,
        };
        self.stats_noted(db, step, &found);
        Ok(found)
    }
}

fn read(db: &Db, key: &[u8], field: &[u8], value: Option<&[u8]>, read: Read) -> Step {
    let missing = match db.kind(field) {
        _ if db.stands_for().is_some() => Some(Missing::Db),
        None => Some(Missing::Field),
        Some(_) => None,
    };
    let name = db.stands_for().unwrap_or_else(|| db.name());
    let (db, key, field) = (name.to_owned(), key.into(), field.into());
    Step::Stats { db, key, field, value: value.map(BString::from), read, missing }
}

fn change(verb: &str, db: &Db, arguments: &[&[u8]]) -> Step {
    let arguments = arguments.iter().map(|text| BString::from(*text)).collect();
    Step::Change { what: format!("{verb} {}", db.name()), arguments }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::Arc;

    use statsdb::{CountMinShape, FieldKind, Schema};

    use super::*;
    use crate::Log;
    use crate::stats::StatsRegistry;

    fn db() -> Db {
        let fields = [("n", FieldKind::Int), ("who", FieldKind::Hll), ("c", FieldKind::CountMin)];
        let schema = Schema {
            name: "a".into(),
            window_secs: 60,
            windows: 2,
            fields: fields.map(|(name, kind)| (name.into(), kind)).into(),
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        };
        StatsRegistry::new(Log::discard()).unwrap().create(schema).unwrap()
    }

    #[test]
    fn reads_are_noted_with_what_they_told() {
        let db = db();
        db.add(1000, b"k", b"n", b"5").unwrap();
        let context = Arc::new(Context::traced());
        {
            let _entered = context.enter();
            db.add(1000, b"k", b"n", b"2").unwrap();
            assert_eq!(db.get(1000, b"k", b"n"), 7);
            assert_eq!(db.windows(1000, b"k", b"n", None), [7, 0]);
        }
        let told: Vec<String> =
            context.trace().unwrap().steps().iter().map(|timed| timed.step.to_string()).collect();
        assert_eq!(told, ["add a k n 2", "a: n of k = 7", "a: n of k = [7, 0]"]);
        assert_eq!(db.get(1000, b"k", b"n"), 7, "a trace changes nothing");
    }

    #[test]
    fn a_read_of_what_there_is_not_says_so() {
        let registry = StatsRegistry::new(Log::discard()).unwrap();
        let context = Arc::new(Context::traced());
        {
            let _entered = context.enter();
            assert_eq!(registry.get_or_none(b"typo").get(1000, b"k", b"n"), 0);
            let db = db();
            assert_eq!(db.current(1000, b"k", b"typo", None), 0);
            assert_eq!((db.windows(1000, b"k", b"typo", None), db.get(1000, b"k", b"n")), (vec![], 0));
        }
        let trace = context.trace().unwrap();
        let told: Vec<String> = trace.steps().iter().map(|timed| timed.step.to_string()).collect();
        assert_eq!(
            told,
            [
                "typo: n of k = 0 (there is no stats DB of this name)",
                "a: typo of k = 0 in this window (a has no such field)",
                "a: typo of k = [] (a has no such field)",
                "a: n of k = 0",
            ]
        );
        let mut json = Vec::new();
        trace.write_json(&mut json);
        let steps: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let missing: Vec<_> = steps.as_array().unwrap().iter().map(|step| step["missing"].as_str()).collect();
        assert_eq!(missing, [Some("db"), Some("field"), Some("field"), None]);
    }

    #[test]
    fn an_overlay_is_seen_over_what_is_live_and_by_nobody_else() {
        let db = db();
        db.add(1000, b"k", b"n", b"5").unwrap();
        db.add(1000, b"k", b"who", b"joe").unwrap();
        let context = Arc::new(Context::default().over(Arc::default()));
        {
            let _entered = context.enter();
            assert_eq!(db.get(1000, b"k", b"n"), 5, "before the first write");
            db.add(1000, b"k", b"n", b"2").unwrap();
            db.sub(1000, b"k", b"n", b"1").unwrap();
            db.add(1000, b"k", b"who", b"joe").unwrap();
            db.add(1000, b"k", b"who", b"jim").unwrap();
            db.add_count(1000, b"k", b"c", b"x", 3);
            assert_eq!(db.get(1000, b"k", b"n"), 6);
            assert_eq!(db.get(1000, b"k", b"who"), 2, "joe is one, wherever he was counted");
            assert_eq!(db.get_value(1000, b"k", b"c", b"x"), 3);
            assert_eq!(db.current(1000, b"k", b"n", None), 6);
        }
        assert_eq!((db.get(1000, b"k", b"n"), db.get(1000, b"k", b"who")), (5, 1));
        assert_eq!(db.get_value(1000, b"k", b"c", b"x"), 0);
        db.add(1000, b"k", b"n", b"10").unwrap();
        let _entered = context.enter();
        assert_eq!(db.get(1000, b"k", b"n"), 16, "what goes on live is seen");
    }

    #[test]
    fn a_reset_in_an_overlay_hides_what_is_live_as_long_as_that_counts() {
        let db = db();
        db.add(1000, b"k", b"n", b"5").unwrap();
        db.add(1000, b"k", b"who", b"joe").unwrap();
        let context = Arc::new(Context::default().over(Arc::default()));
        let _entered = context.enter();
        db.reset_field(1000, b"k", b"n");
        assert_eq!((db.get(1000, b"k", b"n"), db.get(1000, b"k", b"who")), (0, 1));
        db.add(1000, b"k", b"n", b"1").unwrap();
        assert_eq!(db.get(1010, b"k", b"n"), 1);
        db.reset(1010, b"k");
        assert_eq!((db.get(1010, b"k", b"n"), db.get(1010, b"k", b"who")), (0, 0));
        db.local().add(2000, b"k", b"n", b"9").unwrap();
        assert_eq!(db.get(2000, b"k", b"n"), 9, "the reset is long ago");
    }
}
