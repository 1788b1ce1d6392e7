//! The families: names, labels and help texts.

mod prefixed;
mod siblings;
mod trackalert;

use std::sync::Arc;
use std::time::Instant;

use prometheus::{HistogramOpts, HistogramVec, Registry};

use super::components::Components;
use super::remote::RemoteFamilies;
use super::window::Window;
use super::{AllowStatus, Counted, Families, Metrics, MetricsError, ShadowMetrics, StateMetrics};
use crate::lists::{Colour, Kind};
use crate::log::Log;
use prefixed::Prefixed;
use siblings::sessions;
use trackalert::{report_store, track};

/// The `cmd` values of wforce, at 0 from the start. wforce compatibility: `delBLEntry` is missing, and `f_name` stands for
/// custom POST endpoints without ever moving.
const WFORCE_COMMANDS: [&str; 19] = [
    "addBLEntry",
    "addWLEntry",
    "delWLEntry",
    "getBL",
    "getWL",
    "getDBStats",
    "allow",
    "report",
    "reset",
    "stats",
    "ping",
    "syncDBs",
    "syncDone",
    "dumpEntries",
    "addSibling",
    "removeSibling",
    "setSiblings",
    "readyz",
    "livez",
];

/// The same for trackalert.
const TRACKALERT_COMMANDS: [&str; 4] = ["report", "stats", "readyz", "livez"];

/// What is counted of each WebAssembly policy.
fn components(ours: &Prefixed<'_>) -> Result<Components, prometheus::Error> {
    let policy = ["policy"];
    Ok(Components {
        calls: ours.counters("component_calls_total", &policy, "Calls of a WebAssembly policy")?,
        micros: ours.counters("component_microseconds_total", &policy, "Microseconds in these calls")?,
        fuel: ours.counters("component_fuel_total", &policy, "Fuel used, where it is counted")?,
        failures: ours.counters(
            "component_failures_total",
            &["policy", "kind"],
            "Calls of a WebAssembly policy that failed",
        )?,
        started: ours.counters("component_instances_started_total", &policy, "Instances started")?,
        rolled_back: ours.counters(
            "component_rollbacks_total",
            &policy,
            "New versions that trapped on their first calls and were taken back",
        )?,
        instances: ours.gauges("component_instances", "policy", "Instances alive")?,
        memory: ours.gauges("component_memory_bytes", "policy", "Linear memory of waiting instances")?,
        quarantined: ours.gauges("component_quarantined", "policy", "1 while a policy is in quarantine")?,
    })
}

/// What is counted of stats DBs that are kept outside.
fn remote_stats(ours: &Prefixed<'_>) -> Result<RemoteFamilies, prometheus::Error> {
    let buckets = vec![0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1.0];
    let seconds =
        HistogramOpts::new(ours.name("stats_db_remote_seconds"), "How long the servers of stats DBs took")
            .buckets(buckets);
    Ok(RemoteFamilies {
        calls: ours.counters(
            "stats_db_remote_calls_total",
            &["db", "status"],
            "Calls on stats DBs that are kept in a server",
        )?,
        seconds: ours.add(HistogramVec::new(seconds, &["db"])?)?,
        reachable: ours.gauges(
            "stats_db_remote_reachable",
            "db",
            "1 while a stats DB's server is connected",
        )?,
    })
}

/// Families without series, or with few.
fn families(
    hooks: &Prefixed<'_>,
    cluster: &Prefixed<'_>,
    ours: &Prefixed<'_>,
) -> Result<Families, prometheus::Error> {
    let hook = ["id", "status", "url"];
    Ok(Families {
        webhook_events: hooks.counters("webhook_events_total", &hook, "Webhook deliveries")?,
        custom_webhook_events: cluster.counters(
            "custom_webhook_events_total",
            &hook,
            "Custom webhook deliveries",
        )?,
        webhook_dropped: ours.counters(
            "webhook_dropped_total",
            &["hook"],
            "Webhook events lost because the hook's queue was full",
        )?,
        webhook_retries: ours.counters(
            "webhook_retries_total",
            &["hook"],
            "Webhook attempts that failed and are made again",
        )?,
        webhook_waiting: ours.gauges("webhook_waiting", "hook", "Webhook deliveries that wait, by hook")?,
        report_sinks: ours.counters(
            "report_sink_messages_total",
            &["address", "name", "status"],
            "Datagrams to report sinks",
        )?,
        replication_sent: cluster.counters(
            "replication_sent_total",
            &["sibling", "status"],
            "Replication messages sent",
        )?,
        replication_received: cluster.counters(
            "replication_rcvd_total",
            &["sibling", "status"],
            "Replication messages received",
        )?,
        replication_send_queue_errors: cluster.counters(
            "replication_send_queue_error_total",
            &["sibling"],
            "Replication messages lost because the send queue was full",
        )?,
        replication_receive_queue_errors: cluster.counters(
            "replication_rcvd_queue_error_total",
            &["sibling"],
            "Replication messages lost because the receive queue was full",
        )?,
        replication_connects_failed: cluster.counters(
            "replication_tcp_connfailed_total",
            &["sibling"],
            "Failed TCP connects to siblings",
        )?,
        replication_send_queue_size: cluster.gauges(
            "repl_send_queue_size",
            "sibling",
            "Replication messages waiting to be sent",
        )?,
        redis_updates: cluster.counters(
            "redis_wlbl_updates_total",
            &["type"],
            "List entries written to Redis, failed attempts included",
        )?,
        redis_connects_failed: cluster.counters(
            "redis_wlbl_connfailed_total",
            &["type"],
            "Failed connects to Redis",
        )?,
        redis_waiting: ours.gauges("redis_wlbl_waiting", "type", "Changes of lists that wait for Redis")?,
        redis_lost: ours.counters(
            "redis_wlbl_lost_total",
            &["type"],
            "Changes of lists that Redis refused or for which there was no room to wait",
        )?,
        alerts: ours.counters("alerts_total", &["result"], "Alerts of policies, by what became of them")?,
        alert_deliveries: ours.counters(
            "alert_deliveries_total",
            &["channel", "status"],
            "Alerts delivered to a channel, or given up",
        )?,
        alert_retries: ours.counters(
            "alert_retries_total",
            &["channel"],
            "Attempts to deliver an alert that failed and are made again",
        )?,
        alerts_waiting: ours.gauges("alerts_waiting", "channel", "Alerts on their way to a channel")?,
        confirmations: ours.counters(
            "confirmations_total",
            &["answer"],
            "Answers of users to \"was this you?\"",
        )?,
    })
}

/// Makes and registers everything.
pub(super) fn register(prefix: &str, log: Arc<Log>) -> Result<Metrics, MetricsError> {
    let registry = Registry::new();
    let theirs = Prefixed { registry: &registry, prefix };
    let ours = Prefixed { registry: &registry, prefix: "portcullis" };

    // What a daemon does not do has handles all the same, in a registry that nobody reads.
    let hidden = Registry::new();
    let only = |shown: bool| Prefixed { registry: if shown { &registry } else { &hidden }, prefix };
    let (wforce, cluster) = (only(prefix == "wforce"), only(prefix != "trackalert"));

    // Present but never moving, as in wforce.
    theirs.gauge("web_queue_size", "HTTP requests waiting for a worker (always 0)")?;
    theirs.histogram(
        "worker_queue_duration_seconds",
        "Time HTTP requests waited for a worker (never observed)",
    )?;

    let status = wforce.counters("allow_status_total", &["status"], "Answers of the allow command")?;
    let status = |name: &str| Counted(status.with_label_values(&[name]));
    let allow_status = AllowStatus {
        allowed: status("allowed"),
        blacklisted: status("blacklisted"),
        denied: status("denied"),
        tarpitted: status("tarpitted"),
        whitelisted: status("whitelisted"),
    };
    let (reports, jobs) =
        track(&Prefixed { registry: only(prefix == "trackalert").registry, prefix: "portcullis" })?;
    let families = families(&theirs, &cluster, &ours)?;
    for list in ["bl", "wl"] {
        families.redis_updates.with_label_values(&[list]);
        families.redis_connects_failed.with_label_values(&[list]);
    }
    let device_cache = ours.counters(
        "device_cache_total",
        &["result"],
        "Device strings, by whether their attributes were cached",
    )?;
    let metrics = Metrics {
        commands: theirs.counters("commands_total", &["cmd"], "Commands received")?,
        other_commands: ours.counters(
            "other_commands_total",
            &["cmd"],
            "Commands received that the commands_total family leaves out",
        )?,
        custom_stats: theirs.counters(
            "custom_stats_total",
            &["metric"],
            "Custom stats counted by policies",
        )?,
        dns_queries: theirs.counters("dns_queries_total", &["resolver"], "DNS look-ups")?,
        dns_seconds: theirs.histograms(
            "dns_query_response_seconds",
            "resolver",
            "Duration of DNS look-ups",
        )?,
        list_entries: [
            cluster.gauges("bl_entries", "type", "Blacklist entries")?,
            cluster.gauges("wl_entries", "type", "Whitelist entries")?,
        ],
        policy_failures: ours.counters(
            "policy_failures_total",
            &["function", "kind"],
            "Failed policy calls",
        )?,
        policy_replaced: ours.counter("policy_replaced_total", "Policy engines replaced after a failure")?,
        log_dropped: ours
            .counter("log_lines_dropped_total", "Log lines lost to a full queue or a stuck syslog")?,
        components: components(&ours)?,
        sessions: sessions(&Prefixed { registry: wforce.registry, prefix: "portcullis" })?,
        remote_stats: remote_stats(&ours)?,
        report_store: report_store(&ours)?,
        state: StateMetrics {
            saves: ours.counter("state_saves_total", "Snapshots of the state directory")?,
            failures: ours.counter("state_save_failures_total", "Snapshots that could not be written")?,
            failing: ours
                .gauge("state_failing", "Whether the last attempt to save the state failed: 1 if it did")?,
            last: ours.gauge("state_last_save_timestamp_seconds", "When the last snapshot was completed")?,
            bytes: ours.gauge("state_bytes", "Size of the last snapshot")?,
            milliseconds: ours.gauge("state_save_milliseconds", "How long the last snapshot took")?,
        },
        recording_dropped: ours
            .counter("recording_lines_dropped_total", "Lines left out of the recording for replay")?,
        shadow: ShadowMetrics {
            compared: ours.counters(
                "shadow_total",
                &["live", "shadow"],
                "Logins that the shadow policy was asked about, by both verdicts",
            )?,
            dropped: ours.counter("shadow_dropped_total", "Logins the shadow policy was too slow for")?,
        },
        stats_db_keys: ours.gauge("stats_db_keys", "Keys in all stats DBs")?,
        stats_db_bytes: ours.gauge("stats_db_bytes", "Memory of all stats DBs in bytes")?,
        response_seconds: theirs
            .histogram("worker_response_duration_seconds", "Handler time of HTTP requests")?,
        active_http_connections: theirs.gauge("active_http_connections", "Open HTTP connections")?,
        webhook_queue_size: theirs.gauge("webhook_queue_size", "Webhook deliveries waiting")?,
        replication_receive_queue_size: cluster
            .gauge("repl_recv_queue_size", "Received replication messages waiting")?,
        replication_unknown_senders: Prefixed { registry: cluster.registry, prefix: "portcullis" }.counter(
            "replication_unknown_senders_total",
            "Replication packets and connections from addresses that are no sibling's",
        )?,
        sync_fields_skipped: Prefixed { registry: cluster.registry, prefix: "portcullis" }.counter(
            "sync_fields_skipped_total",
            "Fields of keys that a start-up sync left out because they fit in no message",
        )?,
        replication_refused: Prefixed { registry: cluster.registry, prefix: "portcullis" }.counters(
            "replication_connections_refused_total",
            &["reason"],
            "Connections of replication that were refused or closed: full, address_full, slow",
        )?,
        device_cache_hits: device_cache.with_label_values(&["hit"]),
        device_cache_misses: device_cache.with_label_values(&["miss"]),
        window: Window::default(),
        custom_names: parking_lot::Mutex::default(),
        command_names: parking_lot::Mutex::default(),
        started: Instant::now(),
        allow_status,
        reports,
        jobs,
        families,
        log,
        registry,
    };
    if prefix == "trackalert" {
        for command in TRACKALERT_COMMANDS {
            metrics.command(command);
        }
    } else if prefix == "wforce" {
        for command in WFORCE_COMMANDS {
            metrics.command(command);
        }
        metrics.other_command("delBLEntry");
        metrics.commands.with_label_values(&["f_name"]);
        metrics.name_allow_status();
    }
    for kind in Kind::ALL {
        metrics.set_list_entries(Colour::Black, kind, 0);
        metrics.set_list_entries(Colour::White, kind, 0);
    }
    Ok(metrics)
}
