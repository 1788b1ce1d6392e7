//! What a policy call costs that asks a stats DB in a server, beside the same in memory. `scripts/bench redis_stats` runs it.
//!
//! A call of a typical policy: three writes and five reads, of three keys.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement's own output"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use capabilities::stats::{Ask, Db, Step};
use capabilities::{Capabilities, Log, Options};
use portcullis_valkey::{StatsOptions, StatsStore};
use statsdb::{CountMinShape, FieldKind, Schema};

const CALLS: u64 = 20_000;
const AT_ONCE: u64 = 64;

fn steps(call: u64) -> Vec<Step> {
    let (login, ip) = (format!("user{}", call % 10_000), format!("192.0.2.{}/32", call % 250));
    let pair = format!("{ip} {login}");
    let step = |key: &str, field: &str, ask: Ask| Step { key: key.into(), field: field.into(), ask };
    let value = || call.to_string().into();
    vec![
        step(&login, "fails", Ask::Add { value: "1".into() }),
        step(&ip, "who", Ask::Add { value: value() }),
        step(&pair, "who", Ask::Add { value: (call % 7).to_string().into() }),
        step(&login, "fails", Ask::Get),
        step(&login, "fails", Ask::Current { value: None }),
        step(&ip, "who", Ask::Get),
        step(&pair, "who", Ask::Get),
        step(&ip, "fails", Ask::Get),
    ]
}

fn db(caps: &Arc<Capabilities>, name: &str) -> Db {
    let fields = [("fails", FieldKind::Int), ("who", FieldKind::Hll)];
    let schema = Schema {
        name: name.into(),
        window_secs: 600,
        windows: 6,
        fields: fields.map(|(name, kind)| (name.into(), kind)).to_vec(),
        shards: 1,
        start: 0,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    };
    caps.stats.create(schema).unwrap()
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// CPU milliseconds of this process.
fn cpu(caps: &Capabilities) -> u64 {
    let cpu = caps.metrics.stats().cpu;
    cpu.user_msec + cpu.sys_msec
}

struct Figures {
    p50: Duration,
    p99: Duration,
    each: Duration,
    cpu_micros: f64,
}

async fn measure(caps: &Capabilities, db: &Db, at_once: u64, batch: bool) -> Figures {
    let (began, before) = (Instant::now(), cpu(caps));
    let workers: Vec<_> = (0..at_once)
        .map(|worker| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut took = Vec::new();
                for call in (worker..CALLS).step_by(usize::try_from(at_once).unwrap()) {
                    let since = Instant::now();
                    if batch {
                        db.ask(None, now(), steps(call)).await.unwrap();
                    } else {
                        for step in steps(call) {
                            db.ask(None, now(), vec![step]).await.unwrap();
                        }
                    }
                    took.push(since.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for worker in workers {
        took.extend(worker.await.unwrap());
    }
    took.sort();
    let calls = u32::try_from(CALLS).unwrap();
    Figures {
        p50: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
        each: began.elapsed() / calls,
        cpu_micros: (cpu(caps) - before) as f64 * 1000.0 / f64::from(calls),
    }
}

fn main() {
    let url = std::env::args().nth(1).expect("the URL of a server");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let options = Options { log: Log::discard(), metrics_prefix: "wforce".into(), regexes: None };
    let caps = Capabilities::new(options).unwrap();
    let memory = db(&caps, "memory");
    let outside = db(&caps, "outside");
    let options = [("backend", url.as_str()), ("timeout_ms", "10000")];
    let options: BTreeMap<_, _> = options.map(|(name, value)| (name.into(), value.into())).into();
    let options = StatsOptions::parse(options).unwrap();
    let store = StatsStore::start(&caps, &outside, options, runtime.handle()).unwrap();
    assert!(runtime.block_on(store.connected(Duration::from_secs(5))), "no connection to {url}");
    println!("| call of 8 steps | calls at once | p50 | p99 | for each call | CPU of the daemon |");
    println!("|---|---|---|---|---|---|");
    for (name, db, at_once, batch) in [
        ("memory", &memory, 1, true),
        ("server, one by one", &outside, 1, false),
        ("server, batch", &outside, 1, true),
        ("server, one by one", &outside, AT_ONCE, false),
        ("server, batch", &outside, AT_ONCE, true),
    ] {
        let figures = runtime.block_on(measure(&caps, db, at_once, batch));
        let micros = |time: Duration| format!("{:.1} µs", time.as_nanos() as f64 / 1000.0);
        println!(
            "| {name} | {at_once} | {} | {} | {} | {:.1} µs |",
            micros(figures.p50),
            micros(figures.p99),
            micros(figures.each),
            figures.cpu_micros
        );
    }
}
