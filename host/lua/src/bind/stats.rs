//! Stats DBs.

mod make;

use std::ops::Deref;
use std::sync::Arc;

use bstr::{BStr, BString};
use capabilities::context::{self, Context};
use capabilities::stats::{Ask, Db, Found, OnUnreachable, Question, Step};
use login::AddrText;
use statsdb::{AddrKey, CountMinShape, NotANumber, clamp_hll_bits};

use self::make::create;
use super::wait::{Answer, Wait};
use super::{Role, effects, now};
use crate::convert::{Bytes, Fault};
use crate::settings::Complaint;
use crate::stack::{Args, HostFn, Ret, State, TextOrAddr};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("newStringStatsDB", |state, args| create(state, args, 1, 5)),
    ("newShardedStringStatsDB", |state, args| {
        let shards = args.int(5)?;
        create(state, args, shards, 6)
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
    ("getStringStatsDB", by_name),
    ("StringStatsDB:twAdd", add),
    ("StringStatsDB:twSub", sub),
    ("StringStatsDB:twGet", get),
    ("StringStatsDB:twGetCurrent", current),
    ("StringStatsDB:twGetWindows", windows),
    ("StringStatsDB:twReset", |state, args| {
        let db = db(args)?;
        if effects::kept_back(state) {
            return count_later(state, args, BString::default(), Ask::Reset);
        }
        let key = key(args, db)?;
        if db.remote().is_some() {
            return outside(state, args, &key, b"", Ask::Reset);
        }
        db.reset(now(state), &key);
        Ok(Ret::None)
    }),
    ("StringStatsDB:twResetField", |state, args| {
        let db = db(args)?;
        if effects::kept_back(state) {
            return count_later(state, args, args.text(3)?.owned(), Ask::ResetField);
        }
        let (key, field) = (key(args, db)?, args.text(3)?);
        if db.remote().is_some() {
            return outside(state, args, &key, &field, Ask::ResetField);
        }
        db.reset_field(now(state), &key, &field);
        Ok(Ret::None)
    }),
    ("StringStatsDB:twGetSize", |state, args| {
        let db = db(args)?;
        if db.remote().is_some() {
            return Wait::Stats(Asked::new(state, Want::Size(db.clone(), now(state)))).try_ret(args);
        }
        Ok(Ret::Number(db.len() as f64))
    }),
    ("StringStatsDB:twSetMaxSize", |state, args| {
        let (db, to) = (db(args)?, args.unsigned(2)?);
        set(state, db, move |db| db.set_max_size(to))
    }),
    ("StringStatsDB:twSetMaxBytes", |state, args| {
        let (db, to) = (db(args)?, args.unsigned64(2)?);
        set(state, db, move |db| db.set_max_bytes(to))
    }),
    ("StringStatsDB:twSetv4Prefix", |state, args| {
        let (db, to) = (db(args)?, args.byte(2)?);
        set(state, db, move |db| db.set_v4_prefix(to))
    }),
    ("StringStatsDB:twSetv6Prefix", |state, args| {
        let (db, to) = (db(args)?, args.byte(2)?);
        set(state, db, move |db| db.set_v6_prefix(to))
    }),
    ("StringStatsDB:twGetv4Prefix", |_, args| Ok(Ret::Number(f64::from(db(args)?.v4_prefix())))),
    ("StringStatsDB:twGetv6Prefix", |_, args| Ok(Ret::Number(f64::from(db(args)?.v6_prefix())))),
    ("StringStatsDB:twEnableReplication", |state, args| set(state, db(args)?, Db::enable_replication)),
    ("StringStatsDB:twGetName", |_, args| Ok(Ret::Bytes(db(args)?.name()))),
    ("StringStatsDB:twSetExpireSleep", |_, args| {
        db(args)?;
        args.unsigned(2)?;
        Ok(Ret::None)
    }),
];

/// Changes a DB's own settings.
fn set<'a>(state: &State, db: &Db, change: impl FnOnce(&Db) + Send + 'static) -> Result<Ret<'a>, Fault> {
    if effects::kept_back(state) {
        let db = db.clone();
        return effects::once(state, 0, move |_| change(&db));
    }
    change(db);
    Ok(Ret::None)
}

/// Changes a count of the call's first argument when the file that is read again has turned out to be good.
#[cold]
fn count_later<'a>(state: &'a State, args: &Args<'a>, field: BString, ask: Ask) -> Result<Ret<'a>, Fault> {
    let db = db(args)?.clone();
    // The prefixes are changed only then, too.
    let (text, addr) = match args.text_or_addr(2)? {
        TextOrAddr::Text(text) => (text.owned(), None),
        TextOrAddr::Addr(addr) => (BString::default(), Some(addr)),
    };
    let step = Step { key: text, field, ask };
    if db.is_bad(&step) {
        return Err(Fault::caught(NotANumber.to_string()));
    }
    let counted = match &step.ask {
        Ask::Add { value } | Ask::AddCount { value, .. } | Ask::Sub { value } => value.len(),
        _ => 0,
    };
    let bytes = step.key.len() + step.field.len() + counted + size_of::<Step>();
    effects::later(state, bytes, move |caps| {
        let key = addr.map_or(step.key, |addr| db.addr_key(&addr).to_vec().into());
        if let Err(error) = db.in_memory(caps.clock.now(), &Step { key, ..step }) {
            caps.log
                .warn(format!("stats DB {}: a change of the configuration's is lost: {error}", db.name()));
        }
    })
}

/// Asks a DB that is kept outside, in the call that has it as its first argument.
#[cold]
fn outside<'a>(
    state: &'a State,
    args: &Args<'a>,
    key: &[u8],
    field: &[u8],
    ask: Ask,
) -> Result<Ret<'a>, Fault> {
    let db = db(args)?.clone();
    let steps = vec![Step { key: key.into(), field: field.into(), ask }];
    let question = Question { db, now: now(state), steps };
    Wait::Stats(Asked::new(state, Want::Counts(question))).try_ret(args)
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
    let count = if args.given(5) { Some(args.int(5)?) } else { None };
    let kept_back = effects::kept_back(state);
    if kept_back || db.remote().is_some() {
        let value = value.to_vec().into();
        let ask = match count {
            Some(count) => Ask::AddCount { value, count },
            None => Ask::Add { value },
        };
        if kept_back {
            return count_later(state, args, field.owned(), ask);
        }
        return outside(state, args, &key, &field, ask);
    }
    if let Some(count) = count {
        db.add_count(now(state), &key, &field, &value, count);
    } else {
        db.add(now(state), &key, &field, &value).map_err(|error| Fault::caught(error.to_string()))?;
    }
    Ok(Ret::None)
}

fn sub<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let db = db(args)?;
    let (key, field, value) = (key(args, db)?, args.text(3)?, args.text(4)?);
    if effects::kept_back(state) {
        return count_later(state, args, field.owned(), Ask::Sub { value: value.owned() });
    }
    if db.remote().is_some() {
        return outside(state, args, &key, &field, Ask::Sub { value: value.owned() });
    }
    db.sub(now(state), &key, &field, &value).map_err(|error| Fault::caught(error.to_string()))?;
    Ok(Ret::None)
}

fn get<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let db = db(args)?;
    let (key, field) = (key(args, db)?, args.text(3)?);
    let value = value_if_given(args)?;
    if db.remote().is_some() {
        let ask = value.map_or(Ask::Get, |value| Ask::GetValue { value: value.to_vec().into() });
        return outside(state, args, &key, &field, ask);
    }
    let count = match value {
        Some(value) => db.get_value(now(state), &key, &field, &value),
        None => db.get(now(state), &key, &field),
    };
    Ok(Ret::Number(f64::from(count)))
}

fn current<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let db = db(args)?;
    let (key, field, value) = (key(args, db)?, args.text(3)?, value_if_given(args)?);
    if db.remote().is_some() {
        let value = value.map(|value| value.to_vec().into());
        return outside(state, args, &key, &field, Ask::Current { value });
    }
    Ok(Ret::Number(f64::from(db.current(now(state), &key, &field, value.as_deref()))))
}

fn windows<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let db = db(args)?;
    let (key, field, value) = (key(args, db)?, args.text(3)?, value_if_given(args)?);
    if db.remote().is_some() {
        let value = value.map(|value| value.to_vec().into());
        return outside(state, args, &key, &field, Ask::Windows { value });
    }
    Ok(Ret::Ints(db.windows(now(state), &key, &field, value.as_deref())))
}

/// Something asked of a DB that is kept outside.
pub struct Asked {
    want: Want,
    runtime: tokio::runtime::Handle,
}

enum Want {
    /// Counts.
    Counts(Question),
    /// How many keys there are, at this time.
    Size(Db, u64),
}

impl Asked {
    fn new(state: &State, want: Want) -> Asked {
        Asked { want, runtime: state.host.runtime.clone() }
    }

    /// Asks; the future may be polled anywhere.
    pub(super) async fn answer(self) -> Answer {
        self.want.answer(context::current()).await
    }

    /// The same, blocking the thread.
    pub(super) fn block(self) -> Answer {
        let context = context::current();
        let (done, answer) = std::sync::mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            // The receiver waits below: there is nobody else to tell.
            let _ = done.send(self.want.answer(context).await);
        });
        answer.recv().unwrap_or(Answer::Nothing)
    }
}

impl Want {
    async fn answer(self, context: Option<Arc<Context>>) -> Answer {
        match self {
            Want::Counts(Question { db, now, steps }) => match db.ask(context.as_deref(), now, steps).await {
                Ok(mut found) => match found.pop() {
                    Some(Found::Number(number)) => Answer::Number(number.into()),
                    Some(Found::List(list)) => Answer::Ints(list),
                    Some(Found::Done) | None => Answer::Nothing,
                },
                Err(error) => Answer::Ends(error.to_string()),
            },
            Want::Size(db, now) => {
                let Some(remote) = db.remote() else { return Answer::Number(db.len() as f64) };
                match (remote.size(now).await, remote.on_unreachable()) {
                    (Ok(size), _) => Answer::Number(size as f64),
                    (Err(why), OnUnreachable::Closed) => Answer::Ends(why.to_string()),
                    (Err(_), OnUnreachable::Open) => Answer::Number(0.0),
                    (Err(_), OnUnreachable::Local) => Answer::Number(db.len() as f64),
                }
            }
        }
    }
}

/// A name that there is not gives a DB onto nothing; in the file itself it is a mistake.
fn by_name<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let name = args.text(1)?;
    let (dbs, settings) = (&state.host.caps.stats, &state.host.settings);
    if state.role == Role::Config && !settings.sealed() && dbs.get(&name).is_none() {
        let text = format!("getStringStatsDB: no stats DB named \"{}\"", BStr::new(&*name));
        settings.change(|values| values.complaints.add(Complaint { text: text.into(), place: args.place() }));
    }
    Ok(Ret::Stats(dbs.get_or_none(&name)))
}
