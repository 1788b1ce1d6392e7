//! One of two nodes for `scripts/bench replication` and `heal`: counts as fast as it is told to and says what it has.
//!
//! `pair OWN OTHER [--packets]`: hears siblings at `OWN` and has the sibling `OTHER` (`ip:port[:protocol]`). Commands come by
//! standard input, one a line; each is answered by one line of numbers:
//!
//! * `write OPS KEYS RATE`: counts so often, spread over so many keys, at so many a second (0: as fast as it goes) →
//!   seconds it took
//! * `heard OPS`: waits until so many changes were heard of → seconds it took
//! * `sum KEYS`: → the sum of all counts, and a digest of them
//! * `cpu`: → nanoseconds that all threads have run
//! * `status`: → changes sent, changes heard of, packets that found no room, 1 while the session is up
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool of the benchmarks, with threads of its own that may sleep"
)]

use std::io::BufRead as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use capabilities::stats::Db;
use capabilities::{Capabilities, Log, Options};
use portcullis_cluster::{Cluster, PeerConfig, Target};
use statsdb::{CountMinShape, FieldKind, Schema};
use wire::Key;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn key(number: u64) -> String {
    // As addresses are: 10.x.y.z/32.
    format!("10.{}.{}.{}/32", number >> 16 & 255, number >> 8 & 255, number & 255)
}

fn cpu() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

/// Counts `ops` times; the pace is kept every thousandth of a second.
fn write(db: &Db, ops: u64, keys: u64, rate: u64) {
    let texts: Vec<String> = (0..keys).map(key).collect();
    let (begin, mut dice) = (Instant::now(), 88_172_645_463_325_252_u64);
    for op in 0..ops {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let place = (dice % keys) as usize;
        db.add(now(), texts[place].as_bytes(), b"n", b"1").unwrap();
        if rate > 0 && op % (rate / 1000).max(1) == 0 {
            let due = Duration::from_secs_f64(op as f64 / rate as f64);
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
        }
    }
}

fn sum(db: &Db, keys: u64) -> (i64, u64) {
    let (now, mut sum, mut digest) = (now(), 0, 0u64);
    for number in 0..keys {
        let count = db.get(now, key(number).as_bytes(), b"n");
        sum += i64::from(count);
        digest = digest.wrapping_mul(31).wrapping_add(u64::from(count.unsigned_abs()));
    }
    (sum, digest)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options = Options { log: Log::discard(), metrics_prefix: "wforce".into(), regexes: None };
    let caps = Capabilities::new(options).unwrap();
    let schema = Schema {
        name: "db".into(),
        window_secs: 3600,
        windows: 6,
        fields: vec![("n".into(), FieldKind::Int)],
        shards: 16,
        start: 0,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    };
    let db = caps.stats.create(schema).unwrap();
    db.set_max_size(4_000_000);
    db.enable_replication();
    let cluster = Cluster::new(&caps);
    cluster.set_sessions(!words.iter().any(|word| word == "--packets"));
    cluster.context().security.set_key(Some(Key::from_bytes(&[7; 32]).unwrap()));
    let target = Target::parse(words[1].as_bytes()).unwrap();
    cluster.siblings().add(PeerConfig::new(target)).unwrap();
    cluster.start(Some(words[0].parse().unwrap()), 2).unwrap();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let begin = Instant::now();
        match words[0] {
            "write" => {
                write(&db, number(1), number(2), number(3));
                println!("{:.6}", begin.elapsed().as_secs_f64());
            }
            "heard" => {
                while cluster.siblings().rows()[0].received < number(1) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                println!("{:.6}", begin.elapsed().as_secs_f64());
            }
            "sum" => {
                let (sum, digest) = sum(&db, number(1));
                println!("{sum} {digest}");
            }
            "cpu" => println!("{}", cpu()),
            _ => {
                let row = cluster.siblings().rows().remove(0);
                println!("{} {} {} {}", row.sent, row.received, row.not_sent, u8::from(row.session));
            }
        }
    }
    cluster.stop();
}
