//! Two databases of one schema, read as if everything written to either had been written to one.

use crate::db::asked;
use crate::view::{Answer, Asked, View};
use crate::{FieldKind, StatsDb, countmin};

/// A database and what was written beside it. Both must have been created with the same windows and fields, and at the
/// same time: a field that only one of them has counts as missing.
#[derive(Clone, Copy)]
pub struct Together<'a> {
    /// The one that is asked about fields.
    pub base: &'a StatsDb,
    /// What was written beside it.
    pub beside: &'a StatsDb,
}

impl Together<'_> {
    fn read<R>(
        &self,
        now: u64,
        key: &[u8],
        field: &[u8],
        read: impl Fn(View<'_>) -> R,
    ) -> (Option<R>, Option<R>) {
        let of = |db: &StatsDb| {
            let (number, _) = db.layout().field(field)?;
            db.read(now, key, number, &read)
        };
        (of(self.base), of(self.beside))
    }

    fn one(&self, now: u64, key: &[u8], field: &[u8], read: impl Fn(View<'_>) -> Answer) -> i32 {
        match self.read(now, key, field, read) {
            (Some(base), Some(beside)) => base.join(beside).number(),
            (Some(only), None) | (None, Some(only)) => only.number(),
            (None, None) => 0,
        }
    }

    fn kind(&self, field: &[u8]) -> Option<FieldKind> {
        self.base.layout().field(field).map(|(_, kind)| kind)
    }

    /// As [`StatsDb::get`].
    pub fn get(&self, now: u64, key: &[u8], field: &[u8]) -> i32 {
        self.one(now, key, field, |view| view.sum(Asked::Nothing))
    }

    /// As [`StatsDb::get_value`].
    pub fn get_value(&self, now: u64, key: &[u8], field: &[u8], value: &[u8]) -> i32 {
        match self.kind(field) {
            Some(FieldKind::CountMin) => {
                let asked = Asked::Count(countmin::hash(value));
                self.one(now, key, field, |view| view.sum(asked))
            }
            _ => 0,
        }
    }

    /// As [`StatsDb::current`].
    pub fn current(&self, now: u64, key: &[u8], field: &[u8], value: Option<&[u8]>) -> i32 {
        let Some(kind) = self.kind(field) else { return 0 };
        self.one(now, key, field, |view| view.now(asked(kind, value)))
    }

    /// As [`StatsDb::windows`].
    pub fn windows(&self, now: u64, key: &[u8], field: &[u8], value: Option<&[u8]>) -> Vec<i32> {
        let Some(kind) = self.kind(field) else { return Vec::new() };
        let answers = match self.read(now, key, field, |view| view.each(asked(kind, value))) {
            (Some(base), Some(beside)) => {
                base.into_iter().zip(beside).map(|(one, other)| one.join(other)).collect()
            }
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => Vec::new(),
        };
        answers.into_iter().map(Answer::number).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::{CountMinShape, Schema};

    fn db() -> StatsDb {
        let fields = [("i", FieldKind::Int), ("h", FieldKind::Hll), ("c", FieldKind::CountMin)];
        StatsDb::new(Schema {
            name: "x".into(),
            window_secs: 10,
            windows: 3,
            fields: fields.map(|(name, kind)| (name.into(), kind)).into(),
            shards: 1,
            start: 1000,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        })
        .unwrap()
    }

    proptest! {
        /// Whatever is written where, both together read like one database that was written everything.
        #[test]
        fn reads_like_one(writes in prop::collection::vec((any::<bool>(), 0u64..40, 0..3u8, 0..6u8), 0..60), later in 0u64..50) {
            let (base, beside, all) = (db(), db(), db());
            let mut writes = writes;
            writes.sort_by_key(|write| write.1);
            for (which, at, field, value) in writes {
                let field = [b"i", b"h", b"c"][usize::from(field)];
                let value = value.to_string();
                for db in [if which { &base } else { &beside }, &all] {
                    db.add(1000 + at, b"k", field, value.as_bytes()).unwrap();
                }
            }
            let both = Together { base: &base, beside: &beside };
            let now = 1040 + later;
            for field in [b"i", b"h", b"c"] {
                prop_assert_eq!(both.get(now, b"k", field), all.get(now, b"k", field));
                prop_assert_eq!(both.windows(now, b"k", field, None), all.windows(now, b"k", field, None));
                for value in [None, Some(&b"3"[..])] {
                    prop_assert_eq!(both.current(now, b"k", field, value), all.current(now, b"k", field, value));
                }
                // Sketches have hashes of their own: values that collide in one need not in the other.
                if field != b"c" {
                    prop_assert_eq!(both.get_value(now, b"k", field, b"3"), all.get_value(now, b"k", field, b"3"));
                }
            }
        }
    }

    #[test]
    fn unknown_fields_and_keys_are_nothing() {
        let (base, beside) = (db(), db());
        let both = Together { base: &base, beside: &beside };
        beside.add(1000, b"k", b"i", b"5").unwrap();
        assert_eq!((both.get(1000, b"k", b"i"), both.get(1000, b"k", b"nosuch")), (5, 0));
        assert!(both.windows(1000, b"other", b"i", None).is_empty());
        assert_eq!(both.get(1000, b"other", b"i"), 0);
    }
}
