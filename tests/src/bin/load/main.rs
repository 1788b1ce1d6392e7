//! A load generator for `make bench`: logins from many addresses over keep-alive connections, half of them reported,
//! half asked about.
//!
//! `load ADDR --pid PID [--seconds N] [--connections N] [--keys N] [--rate N] [--warm N] [--password P] [--fill]
//! [--reload]`
//!
//! Without `--rate` every connection sends its next request when it has the answer to its last (what the server can
//! do at most). With it, requests are due at fixed times whatever the server does, and a latency counts from the time a
//! request was due, so that a stall is seen by every request it delays. Prints one JSON object: requests, rate,
//! latency percentiles in microseconds, and the CPU nanoseconds of the server process a request (all its threads, from
//! the kernel's scheduler statistics).
//!
//! With `--reload` it asks the server in the middle of the time to load its policies again, and tells how long that took and
//! what the latencies were in the second that began then.
//!
//! With `--track` all requests are reports to a trackalert, and beside them custom endpoints of it ask its report store
//! ([`track`]).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a tool of the tests")]

mod http;
mod track;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use http::{answer, post};

struct Options {
    addr: SocketAddr,
    pid: Option<u32>,
    seconds: f64,
    connections: usize,
    keys: u64,
    rate: Option<f64>,
    warm: f64,
    password: String,
    /// Reports every key once, in order, instead of running for a time.
    fill: bool,
    /// Has the policies loaded again in the middle.
    reload: bool,
    /// Reports to a trackalert, and questions beside them.
    track: bool,
}

impl Options {
    /// Microseconds from the start before which nothing counts.
    fn counted_from(&self) -> u64 {
        if self.fill { 0 } else { (self.warm * 1e6) as u64 }
    }
}

fn options() -> Options {
    let mut options = Options {
        addr: SocketAddr::from(([127, 0, 0, 1], 8084)),
        pid: None,
        seconds: 10.0,
        connections: 64,
        keys: 100_000,
        rate: None,
        warm: 2.0,
        password: "secret".to_owned(),
        fill: false,
        reload: false,
        track: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--pid" => options.pid = Some(value().parse().unwrap()),
            "--seconds" => options.seconds = value().parse().unwrap(),
            "--connections" => options.connections = value().parse().unwrap(),
            "--keys" => options.keys = value().parse().unwrap(),
            "--rate" => options.rate = Some(value().parse().unwrap()),
            "--warm" => options.warm = value().parse().unwrap(),
            "--password" => options.password = value(),
            "--fill" => options.fill = true,
            "--reload" => options.reload = true,
            "--track" => options.track = true,
            addr => options.addr = addr.parse().expect("an address"),
        }
    }
    options
}

/// Nanoseconds that all threads of a process have run.
fn cpu_ns(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the server process");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

/// The request of login number `key`, as Dovecot sends it. One login in eight fails.
fn request(out: &mut Vec<u8>, authorization: &str, key: u64, report: bool, failed: bool) {
    let command = if report { "report" } else { "allow" };
    let (a, b, c) = ((key >> 16) & 0xff, (key >> 8) & 0xff, key & 0xff);
    let first = 11 + (key >> 24);
    let hash = key % 4093;
    let mut body = format!(
        "{{\"device_id\":\"\",\"login\":\"user{key}@example.com\",\"protocol\":\"imap\",\"pwhash\":\"{hash:04x}\",\
         \"remote\":\"{first}.{a}.{b}.{c}\",\"session_id\":\"YruWW9ZgfpR/AAAB\""
    );
    if report {
        body.push_str(if failed { ",\"success\":false" } else { ",\"success\":true" });
        body.push_str(",\"policy_reject\":false");
    }
    body.push_str(",\"tls\":false}");
    post(out, command, authorization, body.as_bytes());
}

/// Has the policies loaded again; the milliseconds it took, and whether all of them were.
async fn reload(options: &Options, authorization: &str) -> (u128, bool) {
    let mut stream = TcpStream::connect(options.addr).await.expect("a connection");
    let request = format!(
        "POST /command/reloadPolicies HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nAuthorization: Basic {authorization}\r\n\r\n{{}}"
    );
    let began = Instant::now();
    stream.write_all(request.as_bytes()).await.expect("to send");
    let fine = answer(&mut stream, &mut Vec::with_capacity(4096)).await;
    (began.elapsed().as_millis(), fine)
}

#[derive(Clone, Copy)]
struct Sample {
    /// Microseconds from the start.
    at: u64,
    /// Microseconds.
    latency: u32,
}

/// What one connection did: its answers, and how many were not 200.
type Done = (Vec<Sample>, u64);

/// When the requests of a connection are due.
struct Pace {
    start: Instant,
    end: Instant,
    /// Between two requests; none: the next follows the last answer.
    gap: Option<Duration>,
    due: Instant,
}

impl Pace {
    /// Of connection `number` of `of`, which make `rate` requests a second together.
    fn new(options: &Options, start: Instant, number: usize, of: usize, rate: Option<f64>) -> Self {
        let gap = rate.map(|rate| Duration::from_secs_f64(of as f64 / rate));
        let share = number as f64 / of as f64;
        Self {
            start,
            end: start + Duration::from_secs_f64(options.warm + options.seconds),
            gap,
            due: start + gap.map_or(Duration::ZERO, |gap| gap.mul_f64(share)),
        }
    }

    /// Waits until the next request is due, and says when that was.
    async fn next(&mut self) -> Instant {
        let Some(gap) = self.gap else { return Instant::now() };
        self.due += gap;
        // The generator has a core of its own; timers of the runtime would be a millisecond late.
        while Instant::now() < self.due {
            tokio::task::yield_now().await;
        }
        self.due
    }
}

/// Sends what `make` writes, one request after the other, until the time is over or `make` says that there are no more.
async fn connection(
    options: Rc<Options>,
    mut pace: Pace,
    mut make: impl FnMut(&mut Vec<u8>) -> bool,
) -> Done {
    let mut stream = TcpStream::connect(options.addr).await.expect("a connection");
    stream.set_nodelay(true).unwrap();
    let (mut out, mut buffer) = (Vec::new(), Vec::with_capacity(4096));
    let (mut samples, mut bad) = (Vec::new(), 0);
    loop {
        out.clear();
        if !make(&mut out) || (!options.fill && Instant::now() >= pace.end) {
            return (samples, bad);
        }
        let begin = pace.next().await;
        stream.write_all(&out).await.expect("to send");
        if !answer(&mut stream, &mut buffer).await {
            bad += 1;
        }
        let now = Instant::now();
        samples.push(Sample {
            at: now.duration_since(pace.start).as_micros() as u64,
            latency: now.duration_since(begin).as_micros() as u32,
        });
    }
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn new(seed: usize) -> Self {
        Self(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed as u64 + 1))
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// What connection `number` sends to a wforce.
fn logins(
    options: &Rc<Options>,
    authorization: &Rc<str>,
    number: usize,
) -> impl FnMut(&mut Vec<u8>) -> bool + use<> {
    let (options, authorization) = (options.clone(), authorization.clone());
    let (mut dice, mut next) = (Dice::new(number), number as u64);
    move |out| {
        if options.fill {
            let key = next;
            next += options.connections as u64;
            request(out, &authorization, key, true, true);
            return key < options.keys;
        }
        let random = dice.roll();
        let key = random % options.keys;
        request(out, &authorization, key, (random >> 40) & 1 == 0, key.is_multiple_of(8));
        true
    }
}

/// Requests, rate and latencies.
fn figures(options: &Options, samples: &[Sample], bad: u64, seconds: f64) -> Value {
    let from = options.counted_from();
    let mut latencies: Vec<u32> =
        samples.iter().filter(|sample| sample.at >= from).map(|sample| sample.latency).collect();
    latencies.sort_unstable();
    let count = latencies.len().max(1);
    let at = |share: f64| percentile(&latencies, share);
    json!({
        "requests": count, "bad": bad, "per_second": (count as f64 / seconds).round(),
        "p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99), "p999_us": at(0.999), "max_us": at(1.0),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Rc::new(options());
    let authorization: Rc<str> =
        base64::engine::general_purpose::STANDARD.encode(format!("wforce:{}", options.password)).into();
    let local = tokio::task::LocalSet::new();
    let start = Instant::now();
    if options.track {
        println!("{}", local.run_until(track::run(&options, &authorization, start)).await);
        return;
    }
    let connections: Vec<_> = (0..options.connections)
        .map(|number| {
            let pace = Pace::new(&options, start, number, options.connections, options.rate);
            local.spawn_local(connection(options.clone(), pace, logins(&options, &authorization, number)))
        })
        .collect();
    let (mut samples, mut bad, mut cpu) = (Vec::new(), 0, 0);
    let reloaded = options.reload.then(|| {
        let (options, authorization) = (options.clone(), authorization.clone());
        let at = start + Duration::from_secs_f64(options.warm + options.seconds / 2.0);
        local.spawn_local(async move {
            tokio::time::sleep_until(at.into()).await;
            let at = start.elapsed().as_micros() as u64;
            (at, reload(&options, &authorization).await)
        })
    });
    let measure = async {
        if let Some(pid) = options.pid {
            tokio::time::sleep_until((start + Duration::from_secs_f64(options.warm)).into()).await;
            let before = cpu_ns(pid);
            tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
            cpu = cpu_ns(pid) - before;
        }
        for connection in connections {
            let (more, wrong) = connection.await.unwrap();
            samples.extend(more);
            bad += wrong;
        }
    };
    local.run_until(measure).await;
    let reloaded = match reloaded {
        Some(task) => Some(local.run_until(task).await.unwrap()),
        None => None,
    };
    let seconds = if options.fill { start.elapsed().as_secs_f64() } else { options.seconds };
    let mut result = figures(&options, &samples, bad, seconds);
    result["cpu_ns_per_request"] = json!(cpu / result["requests"].as_u64().unwrap());
    if let Some((moment, (took, fine))) = reloaded {
        let within = |from: u64, to: u64| {
            let within = samples.iter().filter(|sample| (from..to).contains(&sample.at));
            let mut latencies: Vec<u32> = within.map(|sample| sample.latency).collect();
            latencies.sort_unstable();
            percentile(&latencies, 0.99)
        };
        result["reload_ms"] = json!(took);
        result["reloaded"] = json!(fine);
        result["p99_before_us"] = json!(within(options.counted_from(), moment));
        result["p99_reload_us"] = json!(within(moment, moment + 1_000_000));
    }
    println!("{result}");
}

/// Of sorted latencies.
fn percentile(sorted: &[u32], share: f64) -> u32 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}
