//! `reports_bench FOLDER fill|ask|expire...`: the numbers of `docs/performance.md`. Prints one line of JSON for each.
//!
//! `fill` fills an embedded store with `REPORTS` (10 million) reports of `USERS` (200,000) users over `DAYS` (90) days, one
//! thread bringing batches; `ask` asks it while another task brings `RATE` (5,000) reports a second; `expire` lets half of the days
//! expire while reports come in. Memory is that of the whole process, with the allocator that the daemons have.
#![allow(clippy::print_stdout)]

mod traffic;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portcullis_reports::{
    Answer, EmbeddedSettings, EmbeddedStore, Field, Filter, Limits, Query, Range, Rank, ReportStore, Trait,
};
use serde_json::json;
use traffic::{DAY, Dice, Traffic};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A number of `/proc/self/status` in bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

fn disk(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => disk(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

fn quantiles(mut times: Vec<f64>) -> serde_json::Value {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len() as f64 - 1.0) * part) as usize).copied().unwrap_or_default();
    json!({"count": times.len(), "p50_ms": at(0.5), "p99_ms": at(0.99), "p999_ms": at(0.999), "max_ms": at(1.0)})
}

fn settings(folder: &Path, days: u64) -> EmbeddedSettings {
    EmbeddedSettings {
        keep_days: days as u32 + 2,
        open_days: number("OPEN_DAYS", 16) as usize,
        complain: Arc::new(|line| println!("{}", json!({"complaint": line}))),
        ..EmbeddedSettings::new(folder)
    }
}

/// Fills the store day by day, as time does.
async fn fill(folder: &Path, count: u64, users: u64, days: u64, end: i64) -> Result<(), Failure> {
    let store = EmbeddedStore::open(&settings(folder, days))?;
    let begin = end - days as i64 * DAY;
    let mut traffic = Traffic::new(1, users);
    let (start, cpu_before) = (Instant::now(), cpu());
    let (mut making, mut peak) = (0.0, 0);
    let step = (days as f64 * DAY as f64) / count as f64;
    for first in (0..count).step_by(1000) {
        // Making reports is not the store's work.
        let made_before = thread_cpu();
        let batch = (first..(first + 1000).min(count))
            .map(|number| traffic.report(begin + (number as f64 * step) as i64))
            .collect();
        making += thread_cpu() - made_before;
        store.ingest(batch).await?;
        if first % 1_000_000 == 0 {
            peak = peak.max(memory("VmRSS"));
            println!(
                "{}",
                json!({"filled": first, "seconds": start.elapsed().as_secs_f64(), "rss": memory("VmRSS")})
            );
        }
    }
    store.flush().await?;
    let (seconds, busy) = (start.elapsed().as_secs_f64(), cpu() - cpu_before - making);
    store.tidy().await?;
    let merged = cpu() - cpu_before - making;
    let bytes = disk(folder);
    println!(
        "{}",
        json!({"ingest": {"reports": count, "seconds": seconds, "per_second": count as f64 / seconds,
            "cpu_seconds": busy, "per_cpu_second": count as f64 / busy, "cpu_seconds_with_merges": merged,
            "bytes": bytes, "bytes_a_report": bytes as f64 / count as f64, "rss": memory("VmRSS"), "peak_rss": peak,
            "vm_hwm": memory("VmHWM")}})
    );
    Ok(())
}

/// CPU seconds of this thread so far.
fn thread_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|text| text.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

/// Brings reports at a steady rate; notes how long each batch took.
async fn bring(
    store: Arc<EmbeddedStore>,
    users: u64,
    rate: u64,
    stop: Arc<AtomicBool>,
    brought: Arc<AtomicU64>,
) -> Vec<f64> {
    let mut traffic = Traffic::new(2, users);
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let now = jiff::Timestamp::now().as_millisecond();
        let batch: Vec<_> = (0..rate / 20).map(|_| traffic.report(now)).collect();
        let count = batch.len() as u64;
        let began = Instant::now();
        if store.ingest(batch).await.is_ok() {
            brought.fetch_add(count, Ordering::Relaxed);
        }
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took
}

async fn time(store: &EmbeddedStore, query: &Query) -> Result<(f64, Answer), Failure> {
    let limits = Limits { time: Duration::from_mins(1), values: 20_000_000, ..Limits::default() };
    let began = Instant::now();
    let answer = store.query(query, limits).await?;
    Ok((began.elapsed().as_secs_f64() * 1000.0, answer))
}

/// Questions about a user, one after the other.
async fn seen(
    store: &EmbeddedStore,
    users: u64,
    days: u64,
    seconds: u64,
) -> Result<serde_json::Value, Failure> {
    let mut dice = Dice::new(3);
    let since = jiff::Timestamp::now().as_millisecond() - days as i64 * DAY;
    let (mut times, mut hits) = (Vec::new(), 0_u64);
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let login = Traffic::name(dice.roll(users) * (dice.roll(1000) + 1) / 1000);
        let with = match dice.roll(3) {
            0 => Trait::Country(["NL", "US", "XX"][dice.roll(3) as usize].into()),
            1 => Trait::Asn(3000 + dice.roll(480) as u32),
            _ => Trait::Device("imapc.family=Thunderbird".into()),
        };
        let query = Query::Seen { login, with, range: Range::since(since), filter: Filter::default() };
        let (took, answer) = time(store, &query).await?;
        times.push(took);
        hits += u64::from(matches!(answer, Answer::Seen { seen: true, .. }));
        // A thousand a second at most, as policies ask them: not a loop that takes a core of its own.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut line = quantiles(times);
    line["hits"] = hits.into();
    Ok(line)
}

/// What policies ask of users, "was there a good login before?": one by one, and 200 together, as shipped ones do. Other users
/// each time.
async fn together(store: &EmbeddedStore, users: u64, days: u64) -> Result<serde_json::Value, Failure> {
    const ROUNDS: u64 = 10;
    const TOGETHER: u64 = 200;
    let limits = Limits { time: Duration::from_mins(1), ..Limits::default() };
    let to = jiff::Timestamp::now().as_millisecond();
    let question = |user: u64| {
        let login = Some(Traffic::name(user % users));
        let filter = Filter { login, success: Some(true), ..Filter::default() };
        Query::Any { filter, range: Range { from: to - days as i64 * DAY, to } }
    };
    // A stride that meets no user twice.
    let some = |round: u64| (0..TOGETHER).map(move |number| question((round * TOGETHER + number) * 40_009));
    let (mut single, mut each) = (0.0, 0.0);
    for round in 0..ROUNDS {
        let queries: Vec<Query> = some(2 * round).collect();
        let began = Instant::now();
        for query in &queries {
            store.query(query, limits).await?;
        }
        single += began.elapsed().as_secs_f64();
        let queries: Vec<Query> = some(2 * round + 1).collect();
        let began = Instant::now();
        store.query_each(&queries, limits).await?;
        each += began.elapsed().as_secs_f64();
    }
    let micros = |seconds: f64| seconds * 1e6 / (ROUNDS * TOGETHER) as f64;
    Ok(json!({"one_by_one_us": micros(single), "together_us": micros(each), "ratio": single / each}))
}

/// Top lists over the last day.
async fn tops(store: &EmbeddedStore) -> Result<serde_json::Value, Failure> {
    let mut lines = serde_json::Map::new();
    let failed = Filter { success: Some(false), ..Filter::default() };
    for (name, by, rank, filter) in [
        ("ip_by_failures", Field::Ip, Rank::Failures, Filter::default()),
        ("ip_by_distinct_logins", Field::Ip, Rank::Distinct(Field::Login), failed),
        ("login_by_distinct_ips", Field::Login, Rank::Distinct(Field::Ip), Filter::default()),
        ("network_by_failures", Field::Network, Rank::Failures, Filter::default()),
        ("country_by_reports", Field::Country, Rank::Reports, Filter::default()),
    ] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let now = jiff::Timestamp::now().as_millisecond();
            let range = Range { from: now - DAY, to: now };
            let query = Query::Top { by, rank, filter: filter.clone(), range, limit: 100 };
            times.push(time(store, &query).await?.0);
        }
        lines.insert(name.into(), quantiles(times));
    }
    Ok(lines.into())
}

async fn ask(folder: &Path, users: u64, days: u64, rate: u64) -> Result<(), Failure> {
    let seconds = number("SECONDS", 30);
    let store = Arc::new(EmbeddedStore::open(&settings(folder, days))?);
    let count = store.stats().await?.reports;
    println!("{}", json!({"opened": {"reports": count, "rss": memory("VmRSS")}}));
    let stop = Arc::new(AtomicBool::new(false));
    let brought = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let bringer = tokio::spawn(bring(store.clone(), users, rate, stop.clone(), brought.clone()));
    // The first question of a day opens its index; that is not what a running daemon does.
    let first = seen(&store, users, days, 5).await?;
    let warm = seen(&store, users, days, seconds).await?;
    println!("{}", json!({"seen_while_ingesting": {"first_seconds": first, "then": warm}}));
    println!("{}", json!({"any_while_ingesting": together(&store, users, days).await?}));
    println!("{}", json!({"top_24h_while_ingesting": tops(&store).await?}));
    println!(
        "{}",
        json!({"memory": {"rss": memory("VmRSS"), "anonymous": memory("RssAnon"), "files": memory("RssFile"),
        "hwm": memory("VmHWM")}})
    );
    stop.store(true, Ordering::Relaxed);
    let took = bringer.await?;
    let per_second = brought.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    println!("{}", json!({"ingest_beside": {"batches": quantiles(took), "per_second": per_second}}));
    Ok(())
}

/// Retention while reports come in: half of the days go.
async fn expire(folder: &Path, users: u64, days: u64, rate: u64) -> Result<(), Failure> {
    let fewer = EmbeddedSettings { keep_days: days as u32 / 2, ..settings(folder, days) };
    let store = Arc::new(EmbeddedStore::open(&fewer)?);
    let days_before = store.stats().await?.days;
    let stop = Arc::new(AtomicBool::new(false));
    let brought = Arc::new(AtomicU64::new(0));
    let bringer = tokio::spawn(bring(store.clone(), users, rate, stop.clone(), brought.clone()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    store.tidy().await?;
    let retention = began.elapsed().as_secs_f64() * 1000.0;
    tokio::time::sleep(Duration::from_secs(3)).await;
    stop.store(true, Ordering::Relaxed);
    let batches = quantiles(bringer.await?);
    let days_after = store.stats().await?.days;
    println!(
        "{}",
        json!({"retention": {"days_before": days_before, "days_after": days_after, "took_ms": retention,
        "ingest_batches": batches}})
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: reports_bench FOLDER fill|ask|expire...")?;
    let folder = Path::new(&folder);
    let (count, users) = (number("REPORTS", 10_000_000), number("USERS", 200_000));
    let (days, rate) = (number("DAYS", 90), number("RATE", 5000));
    let now = jiff::Timestamp::now().as_millisecond();
    for what in arguments {
        match what.as_str() {
            "fill" => fill(folder, count, users, days, now).await?,
            "ask" => ask(folder, users, days, rate).await?,
            "expire" => expire(folder, users, days, rate).await?,
            other => return Err(format!("{other}: fill, ask or expire").into()),
        }
    }
    Ok(())
}
