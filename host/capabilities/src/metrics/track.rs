//! What trackalert counts: reports that wait, and background functions.

use std::time::Duration;

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// Reports between their arrival and the report function.
pub struct ReportMetrics {
    /// Reports that wait or are being looked at.
    pub waiting: IntGauge,
    /// Bytes they take.
    pub waiting_bytes: IntGauge,
    /// Reports refused because too many waited.
    pub refused: IntCounter,
    /// Reports that were looked at.
    pub processed: IntCounter,
    /// Reports that were taken and could not be looked at before the daemon ended.
    pub lost: IntCounter,
}

/// Background functions, each by `job`.
pub struct JobMetrics {
    pub(super) runs: IntCounterVec,
    pub(super) skipped: IntCounterVec,
    pub(super) running: IntGaugeVec,
    pub(super) seconds: GaugeVec,
    pub(super) last_success: GaugeVec,
}

/// The handles of one background function.
#[derive(Clone)]
pub struct Job {
    done: IntCounter,
    failed: IntCounter,
    running: IntGauge,
    seconds: Gauge,
    last_success: Gauge,
}

impl JobMetrics {
    /// The handles of the function of this name; at 0 from this call on.
    pub fn of(&self, name: &str) -> Job {
        Job {
            done: self.runs.with_label_values(&[name, "done"]),
            failed: self.runs.with_label_values(&[name, "failed"]),
            running: self.running.with_label_values(&[name]),
            seconds: self.seconds.with_label_values(&[name]),
            last_success: self.last_success.with_label_values(&[name]),
        }
    }

    /// A run was left out; `reason`: `missed`, `running` or `elsewhere`.
    pub fn skipped(&self, name: &str, reason: &str) {
        self.skipped.with_label_values(&[name, reason]).inc();
    }
}

impl Job {
    /// A run begins.
    pub fn began(&self) {
        self.running.inc();
    }

    /// It is over.
    pub fn over(&self) {
        self.running.dec();
    }

    /// It ended so. `now`: unix seconds.
    pub fn ended(&self, now: f64, took: Duration, well: bool) {
        self.seconds.set(took.as_secs_f64());
        if well {
            self.done.inc();
            self.last_success.set(now);
        } else {
            self.failed.inc();
        }
    }
}
