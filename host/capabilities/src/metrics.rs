//! Counters, gauges and histograms: wforce's families under wforce's names, and our own as `portcullis_*`.
//!
//! Everything counted on a request's way is a handle that was looked up once; counting is one atomic addition. The counts
//! of the last 300 seconds are differences of the same counters, so nothing is counted twice.

mod components;
mod families;
mod handles;
mod process;
mod remote;
mod store;
mod track;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus::{
    Encoder, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};

use crate::lists::{Colour, Kind};
use crate::log::Log;
pub use components::ComponentMetrics;
use handles::StateMetrics;
pub use handles::{AllowStatus, Counted, DnsMetrics, Families, SessionMetrics, ShadowMetrics};
pub use process::CpuTime;
pub use remote::RemoteStats;
pub(crate) use store::StoreMetrics;
pub use track::{Job, JobMetrics, ReportMetrics};
use window::Window;

/// A metric family could not be registered: the prefix is no metric name.
#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// All metrics of one daemon.
pub struct Metrics {
    registry: Registry,
    log: Arc<Log>,
    started: Instant,
    commands: IntCounterVec,
    other_commands: IntCounterVec,
    custom_stats: IntCounterVec,
    dns_queries: IntCounterVec,
    dns_seconds: HistogramVec,
    list_entries: [IntGaugeVec; 2],
    policy_failures: IntCounterVec,
    policy_replaced: IntCounter,
    log_dropped: IntCounter,
    shadow: ShadowMetrics,
    components: components::Components,
    /// What is counted of sessions between siblings.
    pub sessions: SessionMetrics,
    report_store: StoreMetrics,
    state: StateMetrics,
    remote_stats: remote::RemoteFamilies,
    recording_dropped: IntCounter,
    stats_db_keys: IntGauge,
    stats_db_bytes: IntGauge,
    response_seconds: Histogram,
    window: Window,
    custom_names: Mutex<BTreeMap<String, Counted>>,
    command_names: Mutex<BTreeMap<String, Counted>>,
    /// Answers of `allow`.
    pub allow_status: AllowStatus,
    /// Open HTTP connections, sampled every second.
    pub active_http_connections: IntGauge,
    /// Webhook deliveries waiting.
    pub webhook_queue_size: IntGauge,
    /// Received replication messages waiting.
    pub replication_receive_queue_size: IntGauge,
    /// Packets and connections of replication from addresses that are no sibling's.
    pub replication_unknown_senders: IntCounter,
    /// Fields that a start-up sync left out because they fit in no message.
    pub sync_fields_skipped: IntCounter,
    replication_refused: IntCounterVec,
    /// Device strings answered from the cache.
    pub device_cache_hits: IntCounter,
    /// Device strings that had to be parsed.
    pub device_cache_misses: IntCounter,
    /// Reports that wait, in trackalert.
    pub reports: ReportMetrics,
    /// Background functions.
    pub jobs: JobMetrics,
    /// Families filled by siblings, webhooks and persistence.
    pub families: Families,
}

/// What the `stats` command and the console say, in wforce's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Reports since the start.
    pub reports: u64,
    /// Allow questions since the start.
    pub allows: u64,
    /// Blacklist hits and policy denials since the start.
    pub denieds: u64,
    /// Seconds since the start.
    pub uptime: u64,
    /// CPU milliseconds of this process.
    pub cpu: CpuTime,
    /// [`Metrics::perf_stats`].
    pub perf: Vec<(String, u64)>,
    /// [`Metrics::command_stats`].
    pub commands: Vec<(String, u64)>,
    /// [`Metrics::custom_stats`].
    pub custom: Vec<(String, u64)>,
}

impl Metrics {
    /// Registers all families; the built-in commands are at 0 from the start. `prefix`: `wforce`, `trackalert` or
    /// `replfwd`.
    ///
    /// # Errors
    /// A prefix that is no metric name.
    pub fn new(prefix: &str, log: &Arc<Log>) -> Result<Self, MetricsError> {
        families::register(prefix, Arc::clone(log))
    }

    /// What is counted of the report store.
    pub(crate) fn report_store(&self) -> StoreMetrics {
        self.report_store.clone()
    }

    /// The handles of a stats DB that is kept outside.
    pub fn remote_stats(&self, db: &str) -> RemoteStats {
        self.remote_stats.of(db)
    }

    /// The handle of a built-in command or of a custom GET endpoint (`NAME_Get`), for `commands_total{cmd}`; at 0 from
    /// this call on.
    pub fn command(&self, name: &str) -> Counted {
        self.named(name, &self.commands)
    }

    /// The handle of a command that wforce's family leaves out (`delBLEntry`, custom POST endpoints), for
    /// `portcullis_other_commands_total{cmd}` and the command stats.
    pub fn other_command(&self, name: &str) -> Counted {
        self.named(name, &self.other_commands)
    }

    fn named(&self, name: &str, family: &IntCounterVec) -> Counted {
        let mut names = self.command_names.lock();
        let found =
            names.entry(name.to_owned()).or_insert_with(|| Counted(family.with_label_values(&[name])));
        found.clone()
    }

    /// The answers of `allow` show among the command stats of the last 300 seconds.
    fn name_allow_status(&self) {
        let status = &self.allow_status;
        let mut names = self.command_names.lock();
        for (name, counted) in [
            ("allow_allowed", &status.allowed),
            ("allow_blacklisted", &status.blacklisted),
            ("allow_denied", &status.denied),
            ("allow_tarpitted", &status.tarpitted),
            ("allow_whitelisted", &status.whitelisted),
        ] {
            names.insert(name.to_owned(), counted.clone());
        }
    }

    /// The handle of a declared custom stat; at 0 from this call on.
    pub fn custom_stat(&self, name: &str) -> Counted {
        let mut names = self.custom_names.lock();
        let found = names
            .entry(name.to_owned())
            .or_insert_with(|| Counted(self.custom_stats.with_label_values(&[name])));
        found.clone()
    }

    /// The handles of the WebAssembly policy of this name; at 0 from this call on.
    pub fn component(&self, policy: &str) -> ComponentMetrics {
        self.components.of(policy)
    }

    /// Lines left out of the recording.
    pub fn recording_dropped(&self) -> IntCounter {
        self.recording_dropped.clone()
    }

    /// The handles of the shadow policy.
    pub fn shadow(&self) -> ShadowMetrics {
        self.shadow.clone()
    }

    /// The handles of a resolver; at 0 from this call on.
    pub fn resolver(&self, name: &str) -> DnsMetrics {
        DnsMetrics {
            queries: self.dns_queries.with_label_values(&[name]),
            seconds: self.dns_seconds.with_label_values(&[name]),
        }
    }

    /// One answered request took this long in its handler.
    pub fn observe_response(&self, took: Duration) {
        self.response_seconds.observe(took.as_secs_f64());
    }

    /// A policy function failed. `function`: `allow`, `report`, `reset`, `canonicalize`, or a custom endpoint's name;
    /// `kind`: `error`, `bad_return`, `time_budget`, `memory_budget`, `busy`, `internal`.
    pub fn policy_failed(&self, function: &str, kind: &str) {
        self.policy_failures.with_label_values(&[function, kind]).inc();
    }

    /// An engine (Lua state or component) was thrown away and made anew after a failure.
    pub fn policy_replaced(&self) {
        self.policy_replaced.inc();
    }

    /// The size of one list.
    pub fn set_list_entries(&self, colour: Colour, kind: Kind, entries: usize) {
        let gauge = self.list_entries[colour as usize].with_label_values(&[kind.api_name()]);
        gauge.set(entries as i64);
    }

    /// Keys and bytes in all stats DBs together.
    pub fn set_stats_db_size(&self, keys: usize, bytes: usize) {
        self.stats_db_keys.set(keys as i64);
        self.stats_db_bytes.set(bytes as i64);
    }

    /// A connection of replication was refused or closed. `reason`: `full` (all siblings together have too many),
    /// `address_full` (their address has), `slow` (a packet that was begun did not come to its end).
    pub fn replication_refused(&self, reason: &str) {
        self.replication_refused.with_label_values(&[reason]).inc();
    }

    /// How many were refused or closed for this reason.
    pub fn replication_refused_total(&self, reason: &str) -> u64 {
        self.replication_refused.with_label_values(&[reason]).get()
    }

    /// A snapshot was completed. `now`: unix seconds.
    pub fn state_saved(&self, now: u64, took: Duration, bytes: u64) {
        self.state.saves.inc();
        self.state.failing.set(0);
        self.state.last.set(now as i64);
        self.state.bytes.set(bytes as i64);
        self.state.milliseconds.set(took.as_millis() as i64);
    }

    /// A snapshot could not be written.
    pub fn state_failed(&self) {
        self.state.failures.inc();
        self.state.failing.set(1);
    }

    /// Lets the 300-second counts advance; call it about every second. `now`: seconds of any steady count.
    pub fn tick(&self, now: u64) {
        self.window.tick(now, || window::Row {
            responses: window::buckets(&self.response_seconds),
            commands: totals(&self.command_names.lock()),
            custom: totals(&self.custom_names.lock()),
        });
    }

    /// Handler times of the last 300 seconds: `WTW_0_1` to `WTW_Slow` (always 0, wforce compatibility), then the counts of
    /// answers that took at most 1, 10, 100, 1000 ms and longer, as `WTR_0_1` to `WTR_Slow`.
    pub fn perf_stats(&self) -> Vec<(String, u64)> {
        let names = ["0_1", "1_10", "10_100", "100_1000", "Slow"];
        let now = window::buckets(&self.response_seconds);
        let before = self.window.responses_before();
        let waits = names.iter().map(|name| (format!("WTW_{name}"), 0));
        let runs = names.iter().zip(now).zip(before);
        waits
            .chain(runs.map(|((name, now), before)| (format!("WTR_{name}"), now.saturating_sub(before))))
            .collect()
    }

    /// Commands of the last 300 seconds by name, sorted, with the answers of `allow` as `allow_allowed` and so on.
    pub fn command_stats(&self) -> Vec<(String, u64)> {
        self.window.commands_since(totals(&self.command_names.lock()))
    }

    /// Custom stats of the last 300 seconds by name, sorted.
    pub fn custom_stats(&self) -> Vec<(String, u64)> {
        self.window.custom_since(totals(&self.custom_names.lock()))
    }

    /// Reports, allow questions and denials (blacklist hits included) since the start, as the console shows them.
    pub fn totals(&self) -> (u64, u64, u64) {
        (self.command_total("report"), self.command_total("allow"), self.allow_status.denied.total())
    }

    fn command_total(&self, name: &str) -> u64 {
        self.command_names.lock().get(name).map_or(0, Counted::total)
    }

    /// The lines logged every 300 seconds: `perf stats last 300 secs: NAME=N NAME=N ` (with the trailing blank), the same
    /// for `command stats`, and for `custom stats` if any are declared.
    pub fn summary(&self) -> Vec<String> {
        let line = |what: &str, counts: Vec<(String, u64)>| {
            counts.into_iter().fold(format!("{what} stats last 300 secs: "), |line, (name, count)| {
                line + &name + "=" + &count.to_string() + " "
            })
        };
        let mut lines = vec![line("perf", self.perf_stats()), line("command", self.command_stats())];
        let custom = self.custom_stats();
        if !custom.is_empty() {
            lines.push(line("custom", custom));
        }
        lines
    }

    /// Everything the `stats` command says.
    pub fn stats(&self) -> Stats {
        Stats {
            reports: self.command_total("report"),
            allows: self.command_total("allow"),
            denieds: self.allow_status.denied.total(),
            uptime: self.started.elapsed().as_secs(),
            cpu: CpuTime::of_this_process(),
            perf: self.perf_stats(),
            commands: self.command_stats(),
            custom: self.custom_stats(),
        }
    }

    /// All metrics in the Prometheus text format 0.0.4. Families without series are left out.
    pub fn render(&self) -> Vec<u8> {
        self.log_dropped.inc_by(self.log.dropped().saturating_sub(self.log_dropped.get()));
        let mut text = Vec::with_capacity(16 << 10);
        // Writing into memory does not fail, and gathered families are consistent.
        let _ = prometheus::TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}

fn totals(names: &BTreeMap<String, Counted>) -> BTreeMap<String, u64> {
    names.iter().map(|(name, counted)| (name.clone(), counted.total())).collect()
}

#[cfg(test)]
mod tests;
