//! What keeps two nodes from sharing the counts of a database that has the same name on both.

use std::fmt;

use bstr::{BStr, BString};
use login::clip::clip;

use super::codec::Outline;
use crate::layout::Layout;
use crate::{FieldKind, StatsDb};

/// Fields that are named, and bytes of a name.
const NAMED: usize = 8;
const LONGEST: usize = 100;

/// How a field differs.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Field {
    name: BString,
    theirs: Option<FieldKind>,
    ours: Option<FieldKind>,
}

/// How a sibling's database differs from the one of the same name here, as far as that keeps counts from being shared. Its text
/// goes on after `... differs: `.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mismatch {
    /// Seconds of a window there and here, if they differ: then nothing is shared.
    windows: Option<(u64, u64)>,
    /// The first fields that differ, in order of their names: those are not shared.
    fields: Vec<Field>,
    /// How many more there are.
    more: usize,
}

impl Mismatch {
    /// Compares a sibling's database with this one; `None`: all is shared.
    pub fn of(theirs: &Outline, db: &StatsDb) -> Option<Self> {
        let layout = db.layout();
        let window_secs = u64::from(theirs.window_secs.max(1));
        let windows = (window_secs != layout.window_secs).then_some((window_secs, layout.window_secs));
        let mut fields = differing(theirs, layout);
        fields.sort_by(|one, other| one.name.cmp(&other.name));
        let more = fields.len().saturating_sub(NAMED);
        fields.truncate(NAMED);
        (windows.is_some() || !fields.is_empty()).then_some(Self { windows, fields, more })
    }
}

fn differing(theirs: &Outline, layout: &Layout) -> Vec<Field> {
    // Their fields are in order of their names, too, but that is only what they say.
    let there: std::collections::HashMap<&BStr, FieldKind> =
        theirs.fields.iter().map(|(name, kind)| (BStr::new(name), *kind)).collect();
    let of_ours = layout.schema.fields.iter().map(|(name, kind)| Field {
        name: name.clone(),
        theirs: there.get(BStr::new(name)).copied(),
        ours: Some(*kind),
    });
    let only_there = theirs.fields.iter().filter(|(name, _)| layout.field(name).is_none());
    let only_there =
        only_there.map(|(name, kind)| Field { name: name.clone(), theirs: Some(*kind), ours: None });
    of_ours.filter(|field| field.theirs != field.ours).chain(only_there).collect()
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut next = |out: &mut fmt::Formatter<'_>| {
            if std::mem::take(&mut first) { Ok(()) } else { out.write_str("; ") }
        };
        if let Some((theirs, ours)) = self.windows {
            next(out)?;
            write!(out, "its windows are of {theirs} s there, of {ours} s here")?;
        }
        for Field { name, theirs, ours } in &self.fields {
            next(out)?;
            let kind = |kind: &Option<FieldKind>| kind.map_or("missing", FieldKind::name);
            let name = clip(name, LONGEST);
            write!(
                out,
                "the field \"{}\" is {} there, {} here",
                BStr::new(&*name),
                kind(theirs),
                kind(ours)
            )?;
        }
        if self.more > 0 {
            write!(out, "; and {} more fields", self.more)?;
        }
        match self.windows {
            Some(_) => out.write_str(": nothing of it is shared"),
            None => out.write_str(": that is not shared"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{CountMinShape, Schema};

    fn schema(window_secs: u32, fields: &[(&str, FieldKind)]) -> Schema {
        Schema {
            name: "db".into(),
            window_secs,
            windows: 2,
            fields: fields.iter().map(|(name, kind)| ((*name).into(), *kind)).collect(),
            shards: 1,
            start: 0,
            hll_bits: 6,
            countmin: CountMinShape::default(),
        }
    }

    #[test]
    fn what_is_not_shared_is_named() {
        use FieldKind::{CountMin, Hll, Int};
        let db = StatsDb::new(schema(60, &[("a", Int), ("b", Hll), ("c", CountMin)])).unwrap();
        let told = |window_secs, fields: &[(&str, FieldKind)]| {
            let outline = Outline::new(&schema(window_secs, fields));
            Mismatch::of(&outline, &db).map(|mismatch| mismatch.to_string())
        };
        assert_eq!(told(60, &[("a", Int), ("b", Hll), ("c", CountMin)]), None);
        let outline = Outline { windows: 100, ..Outline::new(db.schema()) };
        assert_eq!(Mismatch::of(&outline, &db), None, "older windows count where there are some");
        assert_eq!(
            told(600, &[("a", Int), ("b", Hll), ("c", CountMin)]).unwrap(),
            "its windows are of 600 s there, of 60 s here: nothing of it is shared"
        );
        assert_eq!(
            told(60, &[("a", Int), ("b", Int), ("d", Hll)]).unwrap(),
            "the field \"b\" is int there, hll here; the field \"c\" is missing there, countmin here; \
             the field \"d\" is hll there, missing here: that is not shared"
        );
        let names: Vec<String> = (10..40).map(|number| format!("f{number}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), Int)).collect();
        let text = told(61, &many).unwrap();
        assert!(
            text.starts_with("its windows are of 61 s there, of 60 s here; the field \"a\" is"),
            "{text}"
        );
        assert!(text.ends_with("; and 25 more fields: nothing of it is shared"), "{text}");
    }
}
