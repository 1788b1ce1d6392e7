#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::sync::atomic::{AtomicBool, Ordering};

use bstr::BString;
use statsdb::{CountMinShape, Schema, StatsDb};

use super::super::remote::{Answer, Unreachable};
use super::*;
use crate::Log;
use crate::stats::StatsRegistry;

/// A place outside that is a DB of its own, and can be away.
struct Elsewhere {
    db: StatsDb,
    away: AtomicBool,
    mode: OnUnreachable,
}

impl Elsewhere {
    fn answer<T: Send + 'static>(&self, found: T) -> Answer<T> {
        let away = self.away.load(Ordering::Relaxed);
        Box::pin(std::future::ready(if away { Err(Unreachable::Away) } else { Ok(found) }))
    }
}

impl Remote for Elsewhere {
    fn ask(&self, now: u64, _: u32, steps: Vec<Step>) -> Answer<Vec<Found>> {
        let done: Result<Vec<_>, _> = if self.away.load(Ordering::Relaxed) {
            Ok(Vec::new())
        } else {
            steps.iter().map(|step| on(&self.db, now, step)).collect()
        };
        self.answer(done.unwrap())
    }

    fn all_of(&self, now: u64, key: BString) -> Answer<Vec<(BString, i32)>> {
        self.answer(self.db.stats_of(now, &key).unwrap_or_default())
    }

    fn size(&self, _: u64) -> Answer<u64> {
        self.answer(self.db.len() as u64)
    }

    fn on_unreachable(&self) -> OnUnreachable {
        self.mode
    }

    fn place(&self) -> String {
        "elsewhere".to_owned()
    }
}

fn kept(mode: OnUnreachable) -> (Db, Arc<Elsewhere>) {
    let fields = [("n", FieldKind::Int), ("who", FieldKind::Hll)];
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
    let elsewhere =
        Arc::new(Elsewhere { db: StatsDb::new(schema.clone()).unwrap(), away: AtomicBool::new(false), mode });
    let db = StatsRegistry::new(Log::discard()).unwrap().create(schema).unwrap();
    assert!(db.keep_in(elsewhere.clone()));
    assert!(!db.keep_in(elsewhere.clone()), "once");
    (db, elsewhere)
}

fn step(field: &str, ask: Ask) -> Step {
    Step { key: "k".into(), field: field.into(), ask }
}

fn add(value: &str) -> Ask {
    Ask::Add { value: value.into() }
}

fn ask(db: &Db, context: Option<&Context>, steps: Vec<Step>) -> Result<Vec<Found>, AskError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(db.ask(context, 1000, steps))
}

#[test]
fn counts_are_kept_elsewhere_and_not_here() {
    let (db, elsewhere) = kept(OnUnreachable::Open);
    let found = ask(&db, None, vec![step("n", add("5")), step("n", Ask::Get)]);
    assert_eq!(found, Ok(vec![Found::Done, Found::Number(5)]));
    assert_eq!((db.len(), elsewhere.db.len()), (0, 1));
    let failed = ask(&db, None, vec![step("n", add("1")), step("n", add("x")), step("n", add("1"))]);
    assert_eq!(failed, Err(NotANumber.into()));
    assert_eq!(elsewhere.db.get(1000, b"k", b"n"), 6, "what came before stays done");
}

#[test]
fn what_a_call_gets_that_cannot_be_answered() {
    for (mode, expected) in [
        (OnUnreachable::Open, Ok(vec![Found::Done, Found::Number(0), Found::List(Vec::new())])),
        (OnUnreachable::Closed, Err(Unreachable::Away.into())),
        (OnUnreachable::Local, Ok(vec![Found::Done, Found::Number(5), Found::List(vec![5, 0])])),
    ] {
        let (db, elsewhere) = kept(mode);
        elsewhere.away.store(true, Ordering::Relaxed);
        let steps = vec![step("n", add("5")), step("n", Ask::Get), step("n", Ask::Windows { value: None })];
        assert_eq!(ask(&db, None, steps), expected, "{mode:?}");
        elsewhere.away.store(false, Ordering::Relaxed);
        assert_eq!(ask(&db, None, vec![step("n", Ask::Get)]), Ok(vec![Found::Number(0)]), "{mode:?}");
    }
}

#[test]
fn a_long_batch_over_what_is_here_can_be_ended() {
    let (db, elsewhere) = kept(OnUnreachable::Local);
    elsewhere.away.store(true, Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let batch = || db.ask(None, 1000, vec![step("n", add("1")); 1000]);
    let ended = runtime.block_on(async { tokio::time::timeout(std::time::Duration::ZERO, batch()).await });
    assert!(ended.is_err() && db.local().get(1000, b"k", b"n") < 1000);
    db.local().reset(1000, b"k");
    assert_eq!(runtime.block_on(batch()).unwrap().len(), 1000);
    assert_eq!(db.local().get(1000, b"k", b"n"), 1000);
}

#[test]
fn writes_of_a_call_that_must_change_nothing_are_seen_by_it_alone() {
    let (db, elsewhere) = kept(OnUnreachable::Open);
    elsewhere.db.add(1000, b"k", b"n", b"5").unwrap();
    elsewhere.db.add(1000, b"k", b"who", b"joe").unwrap();
    let apart = Context::traced().over(Arc::default());
    let see = |field: &str| ask(&db, Some(&apart), vec![step(field, Ask::Get)]).unwrap()[0].number();
    assert_eq!(see("n"), 5);
    ask(&db, Some(&apart), vec![step("n", add("2")), step("who", add("ann")), step("who", add("jim"))])
        .unwrap();
    assert_eq!((see("n"), see("who")), (7, 2));
    assert_eq!(elsewhere.db.get(1000, b"k", b"n"), 5);
    let windows = ask(&db, Some(&apart), vec![step("n", Ask::Windows { value: None })]);
    assert_eq!(windows, Ok(vec![Found::List(vec![7, 0])]));
    ask(&db, Some(&apart), vec![step("n", Ask::ResetField)]).unwrap();
    assert_eq!((see("n"), see("who")), (0, 2));
    ask(&db, Some(&apart), vec![step("", Ask::Reset), step("who", add("new"))]).unwrap();
    assert_eq!((see("n"), see("who")), (0, 1), "after a reset only what is here counts");
    assert_eq!((elsewhere.db.get(1000, b"k", b"n"), db.len()), (5, 0));
    let told = apart.trace().unwrap().steps().iter().map(|timed| timed.step.to_string()).collect::<Vec<_>>();
    assert_eq!(told[..3], ["a: n of k = 5", "add a k n 2", "add a k who ann"]);
}
