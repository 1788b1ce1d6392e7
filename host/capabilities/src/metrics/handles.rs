//! What is counted with: handles that were looked up once.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// A counter that also has a count over the last 300 seconds. Cheap to clone; keep it where it is counted.
#[derive(Clone, Debug)]
pub struct Counted(pub(super) IntCounter);

impl Counted {
    /// Adds one.
    pub fn increment(&self) {
        self.0.inc();
    }

    /// The count since the start.
    pub fn total(&self) -> u64 {
        self.0.get()
    }
}

/// The answers of `allow`, by what decided them.
pub struct AllowStatus {
    pub(super) allowed: Counted,
    pub(super) blacklisted: Counted,
    pub(super) denied: Counted,
    pub(super) tarpitted: Counted,
    pub(super) whitelisted: Counted,
}

impl AllowStatus {
    /// A policy's answer: 0 allowed, below denied, above tarpitted.
    pub fn policy(&self, status: i32) {
        match status {
            0 => self.allowed.increment(),
            ..0 => self.denied.increment(),
            _ => self.tarpitted.increment(),
        }
    }

    /// A blacklist hit, which counts as denied, too.
    pub fn blacklisted(&self) {
        self.blacklisted.increment();
        self.denied.increment();
    }

    /// A whitelist hit.
    pub fn whitelisted(&self) {
        self.whitelisted.increment();
    }
}

/// The handles of one DNS resolver.
#[derive(Clone)]
pub struct DnsMetrics {
    /// Look-ups asked for.
    pub queries: IntCounter,
    /// How long they took, in seconds.
    pub seconds: Histogram,
}

/// The handles of the shadow policy.
#[derive(Clone)]
pub struct ShadowMetrics {
    pub(super) compared: IntCounterVec,
    pub(super) dropped: IntCounter,
}

impl ShadowMetrics {
    /// Both have answered about a login: `allow`, `deny`, `wait` or `failed`.
    pub fn compared(&self, live: &str, shadow: &str) {
        self.compared.with_label_values(&[live, shadow]).inc();
    }

    /// A login was not asked about: the shadow was behind.
    pub fn dropped(&self) {
        self.dropped.inc();
    }
}

/// The handles of the state directory.
pub(super) struct StateMetrics {
    pub(super) saves: IntCounter,
    pub(super) failures: IntCounter,
    pub(super) failing: IntGauge,
    pub(super) last: IntGauge,
    pub(super) bytes: IntGauge,
    pub(super) milliseconds: IntGauge,
}

/// What is counted of the sessions between siblings, in wforce.
pub struct SessionMetrics {
    /// `portcullis_session_state{sibling}`.
    pub state: IntGaugeVec,
    /// `portcullis_session_backlog{sibling}`.
    pub backlog: IntGaugeVec,
    /// `portcullis_session_opened_total{sibling}`.
    pub opened: IntCounterVec,
    /// `portcullis_session_resumed_total{sibling}`.
    pub resumed: IntCounterVec,
    /// `portcullis_session_gaps_total{sibling}`.
    pub gaps: IntCounterVec,
    /// `portcullis_session_repairs_total{sibling}`.
    pub repairs: IntCounterVec,
    /// `portcullis_session_repaired_keys_total{sibling}`.
    pub repaired_keys: IntCounterVec,
    /// `portcullis_session_rejected_total{sibling,reason}`.
    pub rejected: IntCounterVec,
    /// `portcullis_session_packets_ignored_total{sibling}`.
    pub packets_ignored: IntCounterVec,
    /// `portcullis_session_too_long_total{what}`: `entry` or `key`.
    pub too_long: IntCounterVec,
    /// `portcullis_session_journal_bytes`.
    pub journal_bytes: IntGauge,
    /// `portcullis_session_journal_overflowed_total`.
    pub journal_overflowed: IntCounter,
}

/// Families whose series appear when there is something to count (siblings, webhooks); the parts that fill them hold
/// their handles.
pub struct Families {
    /// `webhook_events_total{id,status,url}`.
    pub webhook_events: IntCounterVec,
    /// `custom_webhook_events_total{id,status,url}`.
    pub custom_webhook_events: IntCounterVec,
    /// `portcullis_webhook_dropped_total{hook}`: `1`, or `custom 1`.
    pub webhook_dropped: IntCounterVec,
    /// `portcullis_webhook_retries_total{hook}`.
    pub webhook_retries: IntCounterVec,
    /// `portcullis_webhook_waiting{hook}`.
    pub webhook_waiting: IntGaugeVec,
    /// `portcullis_report_sink_messages_total{address,name,status}`.
    pub report_sinks: IntCounterVec,
    /// `replication_sent_total{sibling,status}`.
    pub replication_sent: IntCounterVec,
    /// `replication_rcvd_total{sibling,status}`.
    pub replication_received: IntCounterVec,
    /// `replication_send_queue_error_total{sibling}`.
    pub replication_send_queue_errors: IntCounterVec,
    /// `replication_rcvd_queue_error_total{sibling}`.
    pub replication_receive_queue_errors: IntCounterVec,
    /// `replication_tcp_connfailed_total{sibling}`.
    pub replication_connects_failed: IntCounterVec,
    /// `repl_send_queue_size{sibling}`.
    pub replication_send_queue_size: IntGaugeVec,
    /// `redis_wlbl_updates_total{type}`.
    pub redis_updates: IntCounterVec,
    /// `redis_wlbl_connfailed_total{type}`.
    pub redis_connects_failed: IntCounterVec,
    /// `portcullis_redis_wlbl_waiting{type}`.
    pub redis_waiting: IntGaugeVec,
    /// `portcullis_redis_wlbl_lost_total{type}`.
    pub redis_lost: IntCounterVec,
    /// `portcullis_alerts_total{result}`.
    pub alerts: IntCounterVec,
    /// `portcullis_alert_deliveries_total{channel,status}`.
    pub alert_deliveries: IntCounterVec,
    /// `portcullis_alert_retries_total{channel}`.
    pub alert_retries: IntCounterVec,
    /// `portcullis_alerts_waiting{channel}`.
    pub alerts_waiting: IntGaugeVec,
    /// `portcullis_confirmations_total{answer}`.
    pub confirmations: IntCounterVec,
}
