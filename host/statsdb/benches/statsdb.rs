//! What the stats DB costs: `cargo bench -p portcullis-statsdb [-- add|memory|growth|pause]`.
//!
//! Without an argument each figure is taken in a process of its own, because memory that an earlier one used and gave
//! back would make the next one look better than it is. Pin it to one core (`taskset -c 1`) for steady figures.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use portcullis_statsdb::{CountMinShape, FieldKind, Schema, StatsDb};

const NOW: u64 = 1_700_000_000;
/// Each figure is the best of this many runs, the others being disturbed by whatever else the machine does.
const RUNS: usize = 5;

fn main() {
    let parts: [(&str, fn()); 4] = [("add", add), ("memory", memory), ("growth", growth), ("pause", pause)];
    let asked = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    match asked.and_then(|asked| parts.iter().find(|(name, _)| *name == asked)) {
        Some((_, part)) => part(),
        None => {
            for (name, _) in parts {
                let me = std::env::current_exe().unwrap();
                let status = std::process::Command::new(me).arg(name).status().unwrap();
                assert!(status.success(), "{name} failed");
            }
        }
    }
}

fn db(fields: &[(&str, FieldKind)], shards: u32) -> StatsDb {
    let fields = fields.iter().map(|(name, kind)| ((*name).into(), *kind)).collect();
    let db = StatsDb::new(Schema {
        name: "bench".into(),
        window_secs: 600,
        windows: 6,
        fields,
        shards,
        start: NOW,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    })
    .unwrap();
    db.set_max_size(u32::MAX);
    db
}

/// A fixed permutation of the 32-bit numbers, as keys in no order.
fn scatter(n: u32) -> u32 {
    let n = (n ^ (n >> 16)).wrapping_mul(0x7feb_352d);
    let n = (n ^ (n >> 15)).wrapping_mul(0x846c_a68b);
    n ^ (n >> 16)
}

fn key(n: u32) -> Vec<u8> {
    format!("{}/32", std::net::Ipv4Addr::from(scatter(n))).into_bytes()
}

/// The keys of a run, one after the other in memory: a request's key is warm when it gets to the database.
struct Order(Vec<(u8, [u8; 18])>);

impl Order {
    /// `ops` keys of the first `keys` ones, in no order.
    fn new(ops: u32, keys: u32) -> Self {
        let one = |n: u32| {
            let (text, mut name) = (key(scatter(n.wrapping_add(77)) % keys), [0; 18]);
            name[..text.len()].copy_from_slice(&text);
            (text.len() as u8, name)
        };
        Self((0..ops).map(one).collect())
    }

    /// The time of `run` on each of them.
    fn time(&self, mut run: impl FnMut(&[u8])) -> Duration {
        best(|| {
            let begin = Instant::now();
            self.0.iter().for_each(|(len, name)| run(&name[..usize::from(*len)]));
            begin.elapsed()
        })
    }
}

fn best(mut run: impl FnMut() -> Duration) -> Duration {
    (0..RUNS).map(|_| run()).min().unwrap()
}

fn per_op(time: Duration, ops: u32) -> String {
    let ns = time.as_secs_f64() * 1e9 / f64::from(ops);
    format!("{ns:6.1} ns, {:5.2} million/s", 1e3 / ns)
}

/// Adding to int keys that exist, beside the same keys in a plain `HashMap` behind a `Mutex`.
fn add() {
    const OPS: u32 = 2_000_000;
    println!("add to an existing int key (best of {RUNS}), baseline: Mutex<HashMap<Vec<u8>, i64>>");
    for keys in [1u32, 1000, 100_000] {
        let order = Order::new(OPS, keys);
        let mut baseline = HashMap::new();
        (0..keys).for_each(|n| _ = baseline.insert(key(n), 0i64));
        let baseline = parking_lot::Mutex::new(baseline);
        let base = order.time(|name| {
            if let Some(count) = baseline.lock().get_mut(name) {
                *count += black_box("1").parse::<i64>().unwrap();
            }
        });
        for shards in [1, 16] {
            let db = db(&[("count", FieldKind::Int)], shards);
            (0..keys).for_each(|n| db.add(NOW, &key(n), b"count", b"1").unwrap());
            let time = order.time(|name| db.add(NOW, name, b"count", b"1").unwrap());
            let ratio = time.as_secs_f64() / base.as_secs_f64();
            println!(
                "  {keys:>6} keys, {shards:>2} shards: {}; {ratio:.2} times the baseline",
                per_op(time, OPS)
            );
        }
    }
}

/// Resident memory of a million keys.
fn memory() {
    const KEYS: u32 = 1_000_000;
    println!("memory of {KEYS} keys such as 203.0.113.7/32, 6 windows (growth of the resident set)");
    let one = |title: &str, kind, values: &[&str]| {
        let before = resident();
        let db = db(&[("field", kind)], 1);
        for n in 0..KEYS {
            let key = key(n);
            for value in values {
                db.add(NOW, &key, b"field", value.as_bytes()).unwrap();
            }
        }
        let after = resident();
        println!(
            "  {title}: {:.1} bytes a key (the database itself says {:.1})",
            (after - before) as f64 / f64::from(KEYS),
            db.memory_bytes() as f64 / f64::from(KEYS)
        );
        std::mem::forget(db);
    };
    one("one hll field, 3 values in one window", FieldKind::Hll, &["aaaa", "bbbb", "cccc"]);
    one("one int field, one window", FieldKind::Int, &["1"]);
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Cost of each operation by number of keys, beside random reads of as much memory.
fn growth() {
    const OPS: u32 = 500_000;
    println!("cost by number of keys, random keys (best of {RUNS})");
    for keys in [1_000u32, 10_000, 100_000, 1_000_000, 10_000_000] {
        let db = db(&[("count", FieldKind::Int), ("distinct", FieldKind::Hll)], 1);
        let begin = Instant::now();
        for n in 0..keys {
            db.add(NOW, &key(n), b"count", b"1").unwrap();
        }
        let insert = begin.elapsed();
        let order = Order::new(OPS, keys);
        let add = order.time(|name| db.add(NOW, name, b"count", b"1").unwrap());
        let get = order.time(|name| _ = black_box(db.get(NOW, name, b"count")));
        // One chain of dependent reads over as much memory as the records take: the price of a miss.
        let links = (db.memory_bytes() / 64).next_power_of_two() / 2;
        let mut chain = vec![[0u64; 8]; links.max(16)];
        let len = chain.len() as u64;
        for (n, link) in (0u64..).zip(&mut chain) {
            link[0] = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n >> 7)
                .wrapping_mul(2_862_933_555_777_941_757)
                >> 20;
        }
        let miss = best(|| {
            let begin = Instant::now();
            let mut at = 0u64;
            for n in 0..u64::from(OPS) {
                at = chain[((at + n) % len) as usize][0];
            }
            black_box(at);
            begin.elapsed()
        });
        println!(
            "  {keys:>8} keys: make key and insert {}; add {}; get {}; a miss {:.1} ns",
            per_op(insert, keys).trim(),
            per_op(add, OPS).trim(),
            per_op(get, OPS).trim(),
            miss.as_secs_f64() * 1e9 / f64::from(OPS),
        );
    }
}

/// The longest single operation while a database grows to ten million keys, then evicts; and the longest of as many
/// short computations that touch no memory, because what interrupts those interrupts the others just as well.
fn pause() {
    const KEYS: u32 = 10_000_000;
    println!("single operations by their time, on the way to {KEYS} keys and with as many evictions");
    let db = db(&[("count", FieldKind::Int)], 1);
    db.set_max_size(KEYS);
    let add = |n| db.add(NOW, &key(n), b"count", b"1").unwrap();
    times("growing", 0..KEYS, add);
    times("evicting", KEYS..2 * KEYS, add);
    drop(db);
    let blocks = std::cell::RefCell::new(Vec::with_capacity(KEYS as usize));
    times("allocating as much", 0..KEYS, |n| blocks.borrow_mut().push(vec![n as u8; 80]));
    times("computing", 0..KEYS, |n| _ = black_box((0..300).fold(n, |n, _| scatter(n))));
}

fn times(title: &str, range: std::ops::Range<u32>, run: impl Fn(u32)) {
    const LIMITS: [u128; 8] = [50, 100, 200, 500, 1000, 2000, 5000, 10_000];
    let mut over = [0u32; LIMITS.len()];
    let mut longest = Duration::ZERO;
    for n in range {
        if n % 10_000 == 0 {
            // Real-time scheduling (`chrt -f 1`) keeps other processes out, but is cut off if it never rests.
            std::thread::park_timeout(Duration::from_millis(3));
        }
        let begin = Instant::now();
        run(n);
        let time = begin.elapsed();
        longest = longest.max(time);
        for (over, limit) in over.iter_mut().zip(LIMITS) {
            *over += u32::from(time.as_micros() > limit);
        }
    }
    let over: Vec<String> =
        LIMITS.iter().zip(over).map(|(limit, n)| format!("{n} over {limit} us")).collect();
    println!("  {title}: longest {longest:?}; {}", over.join(", "));
}
