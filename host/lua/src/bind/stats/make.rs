//! How stats DBs are made.

use statsdb::{FieldKind, Schema};
use valkey::StatsOptions;

use crate::bind::{complain, doubt, effects};
use crate::convert::Fault;
use crate::settings::Made;
use crate::stack::{Args, Ret, State};

/// Makes one, or finds the one that has its name. `options`: which argument its options are.
pub(super) fn create<'a>(
    state: &'a State,
    args: &Args<'a>,
    shards: i32,
    options: i32,
) -> Result<Ret<'a>, Fault> {
    let (name, window_secs, windows) = (args.text(1)?.owned(), args.int(2)?, args.int(3)?);
    let options = if args.given(options) { Some(args.map(options)?.into_iter().collect()) } else { None };
    let fields = args.map(4)?.into_iter();
    let fields: Option<Vec<_>> = fields
        .map(|(field, kind)| {
            let kind = std::str::from_utf8(&kind).ok()?.parse::<FieldKind>().ok()?;
            Some((field, kind))
        })
        .collect();
    let fields = fields.unwrap_or_else(|| {
        // wforce compatibility: the DB exists then, but counts nothing. That is worth a line.
        let text =
            format!("{name}: a field has a type other than int, hll or countmin: the DB gets no fields");
        complain(state, text);
        Vec::new()
    });
    if window_secs <= 0 || windows <= 0 {
        let text =
            format!("{name}: {windows} windows of {window_secs} s: what is not positive is taken as 1");
        doubt(state, &text);
    }
    let (hll_bits, countmin) = state.host.settings.read(|values| (values.hll_bits, values.countmin));
    let schema = Schema {
        name,
        window_secs: u32::try_from(window_secs).unwrap_or(0),
        windows: u32::try_from(windows).unwrap_or(0),
        fields,
        shards: u32::try_from(shards).unwrap_or(0).max(1),
        // Windows begin at multiples of their length on every node, so that siblings count in the same ones.
        start: 0,
        hll_bits,
        countmin,
    };
    let name = schema.name.clone();
    let kept_back = effects::kept_back(state);
    if kept_back && state.host.caps.stats.get(&name).is_some_and(|live| !schema.counts_like(live.schema())) {
        let text = format!(
            "stats DB {name}: its windows or fields differ from those it was made with, and stay as they were until a restart"
        );
        doubt(state, &text);
    }
    let (db, made) =
        state.host.caps.stats.create_or_find(schema).map_err(|error| Fault::caught(error.to_string()))?;
    if made && kept_back {
        state.host.settings.note_made(Made::Db(db.clone()));
    }
    // Components that run are linked for where the counts are, and counts do not move.
    let late = state.host.settings.sealed() || kept_back && !state.host.settings.made_db(&db);
    if let Some(options) = options {
        match StatsOptions::parse(options) {
            Ok(_) if late && !db.is_outside() => {
                doubt(state, &format!("{name}: its counts stay in memory until a restart"));
            }
            Ok(options) => {
                db.will_be_outside();
                state.host.settings.change(|values| values.remote_stats.push((name, options)));
            }
            Err(error) => complain(state, format!("{name}: {error}: its counts are kept in memory")),
        }
    }
    if db.is_outside() {
        state.host.settings.note_waiting();
    }
    Ok(Ret::None)
}
