//! Nodes that count, tell, lose, repeat and start again, drawn by lot: in the end all of them know the truth.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_statsdb::Amount;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Wait(u64),
    Add(usize, u8, i32),
    Insert(usize, u8, u16),
    Count(usize, u8, u16, i32),
    Reset(usize, u8),
    /// A node says what it knows of a key; it arrives later, or never, or twice.
    Say(usize, u8),
    Hear(usize, usize),
    /// A node ends and starts again from what it had saved just before, or an operation earlier.
    Restart(usize, bool),
}

fn op() -> impl Strategy<Value = Op> {
    let (node, key) = (0usize..3, 0u8..3);
    prop_oneof![
        1 => (0u64..12).prop_map(Op::Wait),
        6 => (node.clone(), key.clone(), -50i32..100).prop_map(|(node, k, n)| Op::Add(node, k, n)),
        3 => (node.clone(), key.clone(), 0u16..400).prop_map(|(node, k, v)| Op::Insert(node, k, v)),
        2 => (node.clone(), key.clone(), 0u16..5, -5i32..9).prop_map(|(node, k, v, n)| Op::Count(node, k, v, n)),
        1 => (node.clone(), key.clone()).prop_map(|(node, k)| Op::Reset(node, k)),
        4 => (node.clone(), key).prop_map(|(node, k)| Op::Say(node, k)),
        6 => (node.clone(), any::<prop::sample::Index>()).prop_map(|(node, i)| Op::Hear(node, i.index(1000))),
        1 => (node, any::<bool>()).prop_map(|(node, told)| Op::Restart(node, told)),
    ]
}

/// What should come out if nothing was reset and nothing lost: sums, values and totals by key and window.
#[derive(Default)]
struct Truth {
    ints: BTreeMap<(u8, u64), i32>,
    sets: BTreeMap<(u8, u64), BTreeSet<u16>>,
    counts: BTreeMap<(u8, u64), i32>,
}

fn run(ops: Vec<Op>) {
    let mut nodes = [node(100), node(200), node(300)];
    let mut truth = Truth::default();
    let mut air: Vec<KeyShare> = Vec::new();
    let (mut now, mut boots, mut resets) = (START, 0, false);
    for op in ops {
        let window = now / u64::from(SECS);
        match op {
            Op::Wait(secs) => now += secs,
            Op::Add(node, key, n) => {
                add(&nodes[node], now, &[key], n);
                *truth.ints.entry((key, window)).or_default() += n;
            }
            Op::Insert(node, key, value) => {
                nodes[node].add(now, &[key], b"h", value.to_string().as_bytes()).unwrap();
                truth.sets.entry((key, window)).or_default().insert(value);
            }
            Op::Count(node, key, value, n) => {
                nodes[node].add_count(now, &[key], b"c", value.to_string().as_bytes(), n);
                *truth.counts.entry((key, window)).or_default() += n;
            }
            Op::Reset(node, key) => {
                resets = true;
                nodes[node].reset(now, &[key]);
            }
            Op::Say(node, key) => air.extend(nodes[node].share(now, &[key], Scope::Nodes)),
            Op::Hear(node, index) => {
                if !air.is_empty() {
                    let share = travel(&air[index % air.len()]);
                    nodes[node].merge(now, &share, &same(&nodes[node]), Room::Make);
                }
            }
            Op::Restart(which, told) => {
                // What was saved is older than what was told, or the other way round.
                let save = |db: &StatsDb| -> Vec<KeyShare> {
                    (0..3u8).filter_map(|key| db.share(now, &[key], Scope::Everything)).collect()
                };
                let saved = save(&nodes[which]);
                if told {
                    tell(&nodes[which], &nodes[(which + 1) % 3], now);
                }
                boots += 1;
                nodes[which] = node(1000 + boots);
                for share in if told { Vec::new() } else { saved } {
                    nodes[which].merge(now, &share, &same(&nodes[which]), Room::Make);
                }
            }
        }
    }
    for _ in 0..2 {
        for (from, to) in [(0, 1), (1, 2), (2, 0), (0, 2), (2, 1), (1, 0)] {
            tell(&nodes[from], &nodes[to], now);
        }
    }
    let [a, b, c] = &nodes;
    assert_eq!(digests(a, now), digests(b, now));
    assert_eq!(digests(b, now), digests(c, now));
    for key in 0..3u8 {
        for field in [&b"i"[..], b"h", b"c"] {
            let windows: Vec<_> = nodes.iter().map(|db| db.windows(now, &[key], field, None)).collect();
            let sums: Vec<_> = windows.iter().map(|windows| windows.iter().sum::<i32>()).collect();
            if field == b"h" && sums.iter().any(|sum| *sum > 200) {
                continue;
            }
            assert!(sums.windows(2).all(|two| two[0] == two[1]), "{key} {field:?} {windows:?}");
        }
        if resets {
            continue;
        }
        for age in 0..u64::from(WINDOWS) {
            let window = (key, now / u64::from(SECS) - age);
            let of =
                |field: &[u8]| a.windows(now, &[key], field, None).get(age as usize).copied().unwrap_or(0);
            assert_eq!(of(b"i"), truth.ints.get(&window).copied().unwrap_or(0));
            assert_eq!(of(b"c"), truth.counts.get(&window).copied().unwrap_or(0));
            assert_eq!(of(b"h"), truth.sets.get(&window).map_or(0, BTreeSet::len) as i32);
        }
    }
    for db in nodes {
        db.set_max_bytes(0);
        assert_eq!((db.len(), db.memory_bytes()), (0, 0));
    }
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        any::<i32>().prop_map(Amount::Int),
        proptest::collection::vec(any::<u8>(), 0..80).prop_map(Amount::Sketch),
        proptest::collection::vec(any::<u64>(), 0..5).prop_map(Amount::Values),
        (any::<bool>(), proptest::collection::vec(any::<u8>(), 16))
            .prop_map(|(shared, values)| Amount::Registers { shared, bits: 4, values }),
    ]
}

#[test]
fn a_count_that_is_nothing_again_reaches_who_heard_of_it() {
    run(vec![Op::Count(1, 2, 3, -1), Op::Say(1, 2), Op::Count(1, 2, 3, 1), Op::Hear(2, 0)]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn nodes_converge_to_the_truth(ops in proptest::collection::vec(op(), 1..60)) {
        run(ops);
    }

    #[test]
    fn whatever_arrives_the_database_goes_on(
        parts in proptest::collection::vec(
            (0u16..5, -9i64..9, any::<u64>(), any::<u64>(), amount()), 0..8
        ),
        resets in proptest::collection::vec((0u16..4, 0u64..(START * 2000), any::<u64>()), 0..3),
    ) {
        let db = node(100);
        let window = i64::from(db.window(START));
        let parts = parts.into_iter().map(|(field, step, origin, version, amount)| {
            let window = (window + step) as u32;
            portcullis_statsdb::Part { field, window, origin, version, amount }
        });
        let resets = resets.into_iter().map(|(field, time_ms, origin)| {
            let field = if field == 3 { portcullis_statsdb::ALL_FIELDS } else { field };
            (field, portcullis_statsdb::Reset { time_ms, origin })
        });
        let share = KeyShare { key: "k".into(), resets: resets.collect(), parts: parts.collect() };
        let share = travel(&share);
        db.merge(START, &share, &same(&db), Room::Make);
        let first = digests(&db, START);
        // Once more makes no difference.
        let again = db.merge(START, &share, &same(&db), Room::Make);
        prop_assert!(again == Merged::Known, "{again:?}");
        prop_assert_eq!(digests(&db, START), first);
        add(&db, START, b"k", 1);
        db.reset(START, b"k");
        db.set_max_bytes(0);
        prop_assert_eq!(db.memory_bytes(), 0);
    }
}
