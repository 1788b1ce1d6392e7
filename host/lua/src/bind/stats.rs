//! Stats DBs.

use std::ops::Deref;

use capabilities::stats::Db;
use login::AddrText;
use statsdb::{AddrKey, CountMinShape, FieldKind, Schema, clamp_hll_bits};

use super::now;
use crate::convert::{Bytes, Fault};
use crate::stack::{Args, HostFn, Ret, State, TextOrAddr};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("newStringStatsDB", |state, args| create(state, args, 1)),
    ("newShardedStringStatsDB", |state, args| {
        let shards = args.int(5)?;
        create(state, args, shards)
    }),
    ("setHLLBits", |state, args| {
        let bits = clamp_hll_bits(i64::from(args.unsigned(1)?));
        state.host.settings.change(|values| values.hll_bits = bits);
        Ok(Ret::None)
    }),
    ("setCountMinBits", |state, args| {
        let shape = CountMinShape::clamped(args.float(1)?, args.float(2)?)
            .map_err(|error| Fault::caught(format!("setCountMinBits: {error}")))?;
        state.host.settings.change(|values| values.countmin = shape);
        Ok(Ret::None)
    }),
    ("getStringStatsDB", |state, args| Ok(Ret::Stats(state.host.caps.stats.get_or_none(&args.text(1)?)))),
    ("StringStatsDB:twAdd", add),
    ("StringStatsDB:twSub", sub),
    ("StringStatsDB:twGet", get),
    ("StringStatsDB:twGetCurrent", current),
    ("StringStatsDB:twGetWindows", windows),
    ("StringStatsDB:twReset", |state, args| {
        let db = db(args)?;
        db.reset(now(state), &key(args, db)?);
        Ok(Ret::None)
    }),
    ("StringStatsDB:twResetField", |state, args| {
        let db = db(args)?;
        db.reset_field(now(state), &key(args, db)?, &args.text(3)?);
        Ok(Ret::None)
    }),
    ("StringStatsDB:twGetSize", |_, args| Ok(Ret::Number(db(args)?.len() as f64))),
    ("StringStatsDB:twSetMaxSize", |_, args| {
        db(args)?.set_max_size(args.unsigned(2)?);
        Ok(Ret::None)
    }),
    ("StringStatsDB:twSetMaxBytes", |_, args| {
        db(args)?.set_max_bytes(args.unsigned64(2)?);
        Ok(Ret::None)
    }),
    ("StringStatsDB:twSetv4Prefix", |_, args| {
        db(args)?.set_v4_prefix(args.byte(2)?);
        Ok(Ret::None)
    }),
    ("StringStatsDB:twSetv6Prefix", |_, args| {
        db(args)?.set_v6_prefix(args.byte(2)?);
        Ok(Ret::None)
    }),
    ("StringStatsDB:twGetv4Prefix", |_, args| Ok(Ret::Number(f64::from(db(args)?.v4_prefix())))),
    ("StringStatsDB:twGetv6Prefix", |_, args| Ok(Ret::Number(f64::from(db(args)?.v6_prefix())))),
    ("StringStatsDB:twEnableReplication", |_, args| {
        db(args)?.enable_replication();
        Ok(Ret::None)
    }),
    ("StringStatsDB:twGetName", |_, args| Ok(Ret::Bytes(db(args)?.name()))),
    ("StringStatsDB:twSetExpireSleep", |_, args| {
        db(args)?;
        args.unsigned(2)?;
        Ok(Ret::None)
    }),
];

fn create<'a>(state: &'a State, args: &Args<'a>, shards: i32) -> Result<Ret<'a>, Fault> {
    let (name, window_secs, windows) = (args.text(1)?.owned(), args.int(2)?, args.int(3)?);
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
        super::complain(state, text);
        Vec::new()
    });
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
    state.host.caps.stats.create(schema).map_err(|error| Fault::caught(error.to_string()))?;
    Ok(Ret::None)
}

fn db<'a>(args: &Args<'a>) -> Result<&'a Db, Fault> {
    args.object::<Db>(1)
}

/// A key or value where it lies, or the text of an address on the stack.
enum Text<'a, A> {
    Lua(Bytes<'a>),
    Addr(A),
}

impl<A: Deref<Target = [u8]>> Deref for Text<'_, A> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Text::Lua(text) => text,
            Text::Addr(text) => text,
        }
    }
}

/// Argument 2: text as it is, an address as its network under the DB's prefixes.
fn key<'a>(args: &Args<'a>, db: &Db) -> Result<Text<'a, AddrKey>, Fault> {
    Ok(match args.text_or_addr(2)? {
        TextOrAddr::Text(text) => Text::Lua(text),
        TextOrAddr::Addr(addr) => Text::Addr(db.addr_key(&addr)),
    })
}

/// Argument 4: text as it is, an address as its plain text.
fn value<'a>(args: &Args<'a>) -> Result<Text<'a, AddrText>, Fault> {
    Ok(match args.text_or_addr(4)? {
        TextOrAddr::Text(text) => Text::Lua(text),
        TextOrAddr::Addr(addr) => Text::Addr(addr.text()),
    })
}

fn value_if_given<'a>(args: &Args<'a>) -> Result<Option<Text<'a, AddrText>>, Fault> {
    if args.given(4) { value(args).map(Some) } else { Ok(None) }
}

fn add<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let db = db(args)?;
    let (key, field, value) = (key(args, db)?, args.text(3)?, value(args)?);
    if args.given(5) {
        db.add_count(now(state), &key, &field, &value, args.int(5)?);
    } else {
        db.add(now(state), &key, &field, &value).map_err(|error| Fault::caught(error.to_string()))?;
    }
    Ok(Ret::None)
}

fn sub<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let db = db(args)?;
    let (key, field, value) = (key(args, db)?, args.text(3)?, args.text(4)?);
    db.sub(now(state), &key, &field, &value).map_err(|error| Fault::caught(error.to_string()))?;
    Ok(Ret::None)
}

fn get<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let db = db(args)?;
    let (key, field) = (key(args, db)?, args.text(3)?);
    let count = match value_if_given(args)? {
        Some(value) => db.get_value(now(state), &key, &field, &value),
        None => db.get(now(state), &key, &field),
    };
    Ok(Ret::Number(f64::from(count)))
}

fn current<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let db = db(args)?;
    let (key, field, value) = (key(args, db)?, args.text(3)?, value_if_given(args)?);
    Ok(Ret::Number(f64::from(db.current(now(state), &key, &field, value.as_deref()))))
}

fn windows<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let db = db(args)?;
    let (key, field, value) = (key(args, db)?, args.text(3)?, value_if_given(args)?);
    Ok(Ret::Ints(db.windows(now(state), &key, &field, value.as_deref())))
}
