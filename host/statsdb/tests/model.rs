//! Random operations against a model that is too simple to be wrong.
#![allow(clippy::unwrap_used)]

mod common;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use common::{START, schema};
use portcullis_statsdb::StatsDb;
use proptest::prelude::*;

const SECS: u64 = 10;
const WINDOWS: u64 = 4;

/// A key: its fields' windows. A field that exists may have no windows.
#[derive(Default)]
struct Key {
    ints: Option<BTreeMap<u64, i32>>,
    sets: Option<BTreeMap<u64, BTreeSet<u16>>>,
    counts: Option<BTreeMap<u64, BTreeMap<u16, i32>>>,
}

/// Keys, and their names from the least to the most recently written.
#[derive(Default)]
struct Model {
    keys: HashMap<u8, Key>,
    order: Vec<u8>,
    max: usize,
}

impl Model {
    fn write(&mut self, key: u8) -> &mut Key {
        match self.order.iter().position(|other| *other == key) {
            Some(at) => _ = self.order.remove(at),
            None => self.trim(1),
        }
        self.order.push(key);
        self.keys.entry(key).or_default()
    }

    fn trim(&mut self, room: usize) {
        while self.order.len() + room > self.max {
            let oldest = self.order.remove(0);
            self.keys.remove(&oldest);
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Wait(u64),
    Add(u8, i32),
    Sub(u8, i32),
    NoNumber(u8),
    Insert(u8, u16, u16),
    Count(u8, u16, i32),
    Touch(u8),
    Reset(u8),
    ResetField(u8),
    MaxSize(u32),
    /// The key goes through its travelling form: int fields survive that exactly.
    Travel(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let key = 0u8..12;
    prop_oneof![
        2 => (0u64..25).prop_map(Op::Wait),
        1 => (20u64..60).prop_map(Op::Wait),
        4 => (key.clone(), any::<i32>()).prop_map(|(k, n)| Op::Add(k, n)),
        1 => (key.clone(), any::<i32>()).prop_map(|(k, n)| Op::Sub(k, n)),
        1 => key.clone().prop_map(Op::NoNumber),
        4 => (key.clone(), 0u16..300, 1u16..40).prop_map(|(k, v, n)| Op::Insert(k, v, n)),
        4 => (key.clone(), 0u16..3, -5i32..50).prop_map(|(k, v, n)| Op::Count(k, v, n)),
        1 => key.clone().prop_map(Op::Touch),
        1 => key.clone().prop_map(Op::Reset),
        1 => key.clone().prop_map(Op::ResetField),
        1 => (1u32..15).prop_map(Op::MaxSize),
        1 => key.prop_map(Op::Travel),
    ]
}

fn alive<T>(windows: &BTreeMap<u64, T>, window: u64) -> impl DoubleEndedIterator<Item = (u64, &T)> {
    windows.range((window + 1).saturating_sub(WINDOWS)..=window).map(move |(w, t)| (window - w, t))
}

fn check(db: &StatsDb, model: &Model, now: u64) {
    let window = (now - START) / SECS;
    assert_eq!(db.len(), model.order.len());
    let order: Vec<Vec<u8>> = db.dump().map(|state| state.key.into()).collect();
    assert_eq!(order, model.order.iter().map(|key| vec![*key]).collect::<Vec<_>>());
    for key in 0..12u8 {
        let name = [key];
        let Some(expected) = model.keys.get(&key) else {
            assert_eq!(db.stats_of(now, &name), None);
            continue;
        };
        let mut stats = Vec::new();
        if let Some(counts) = &expected.counts {
            let total = |values: &BTreeMap<u16, i32>| values.values().fold(0i32, |a, b| a.wrapping_add(*b));
            let mut windows = vec![0; WINDOWS as usize];
            alive(counts, window).for_each(|(age, values)| windows[age as usize] = total(values));
            assert_eq!(db.windows(now, &name, b"c", None), windows);
            stats.push(("c".into(), windows.iter().sum::<i32>()));
        }
        if let Some(sets) = &expected.sets {
            let mut windows = vec![0; WINDOWS as usize];
            alive(sets, window).for_each(|(age, values)| windows[age as usize] = values.len() as i32);
            let union: BTreeSet<_> = alive(sets, window).flat_map(|(_, values)| values).collect();
            // Beyond 256 values in one window the count is an estimate; tests of the estimate are elsewhere.
            if windows.iter().all(|&count| count <= 256) {
                assert_eq!(db.windows(now, &name, b"h", None), windows);
                assert_eq!(db.get(now, &name, b"h"), union.len() as i32);
                let with = |age: u32| {
                    let values = sets.get(&window.wrapping_sub(u64::from(age)));
                    values.map_or(1, |values| values.len() as i32 + i32::from(!values.contains(&7)))
                };
                assert_eq!(db.current(now, &name, b"h", Some(b"7")), with(0));
            }
            stats.push(("h".into(), db.get(now, &name, b"h")));
        }
        if let Some(ints) = &expected.ints {
            let mut windows = vec![0i32; WINDOWS as usize];
            alive(ints, window).for_each(|(age, n)| windows[age as usize] = *n);
            assert_eq!(db.windows(now, &name, b"i", None), windows);
            assert_eq!(db.current(now, &name, b"i", None), windows[0]);
            stats.push(("i".into(), windows.iter().fold(0, |sum, n| sum.wrapping_add(*n))));
        }
        assert_eq!(db.stats_of(now, &name).unwrap(), stats);
    }
}

fn run(ops: Vec<Op>) {
    let db = StatsDb::new(schema(SECS as u32, WINDOWS as u32, 1)).unwrap();
    let mut model = Model { max: 1000, ..Model::default() };
    let mut now = START;
    for op in ops {
        let window = (now - START) / SECS;
        match op {
            Op::Wait(secs) => now += secs,
            Op::Add(key, n) | Op::Sub(key, n) => {
                let ints = model.write(key).ints.get_or_insert_default();
                let count = ints.entry(window).or_default();
                if let Op::Add(..) = op {
                    *count = count.wrapping_add(n);
                    db.add(now, &[key], b"i", n.to_string().as_bytes()).unwrap();
                } else {
                    *count = count.wrapping_sub(n);
                    db.sub(now, &[key], b"i", n.to_string().as_bytes()).unwrap();
                }
            }
            Op::NoNumber(key) => {
                model.write(key).ints.get_or_insert_default();
                db.add(now, &[key], b"i", b"none").unwrap_err();
            }
            Op::Insert(key, from, many) => {
                let set = model.write(key).sets.get_or_insert_default().entry(window).or_default();
                for value in from..from + many {
                    set.insert(value);
                    db.add(now, &[key], b"h", value.to_string().as_bytes()).unwrap();
                }
            }
            Op::Count(key, value, n) => {
                let counts = model.write(key).counts.get_or_insert_default();
                *counts.entry(window).or_default().entry(value).or_default() += n;
                db.add_count(now, &[key], b"c", value.to_string().as_bytes(), n);
            }
            Op::Touch(key) => {
                model.write(key).ints.get_or_insert_default();
                db.add_count(now, &[key], b"i", b"1", 1);
            }
            Op::Reset(key) => {
                if let Some(key) = model.keys.get_mut(&key) {
                    key.ints.iter_mut().for_each(BTreeMap::clear);
                    key.sets.iter_mut().for_each(BTreeMap::clear);
                    key.counts.iter_mut().for_each(BTreeMap::clear);
                }
                db.reset(now, &[key]);
            }
            Op::ResetField(key) => {
                if let Some(sets) = model.keys.get_mut(&key).and_then(|key| key.sets.as_mut()) {
                    sets.clear();
                }
                db.reset_field(now, &[key], b"h");
            }
            Op::MaxSize(max) => {
                model.max = max as usize;
                model.trim(0);
                db.set_max_size(max);
            }
            Op::Travel(key) => {
                if let Some(state) = db.dump().find(|state| *state.key == [key]) {
                    let fields: Vec<_> = state.fields.into_iter().filter(|field| field.name != "h").collect();
                    db.restore_key(now, &[key], &fields).unwrap();
                    if !fields.is_empty() {
                        model.write(key);
                    }
                }
            }
        }
        check(&db, &model, now);
    }
    // Nothing is left behind: what the counters of bytes say of no keys is nothing.
    db.set_max_bytes(0);
    assert_eq!((db.len(), db.memory_bytes()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn behaves_like_the_model(ops in proptest::collection::vec(op(), 1..60)) {
        run(ops);
    }
}
