//! What is counted of the report store.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};
use reports::{Health, StoreStats};

/// The handles of the report store.
#[derive(Clone)]
pub(crate) struct StoreMetrics {
    pub(super) taken: IntCounterVec,
    pub(super) waiting: IntGaugeVec,
    pub(super) reports: IntGaugeVec,
    pub(super) bytes: IntGaugeVec,
    pub(super) days: IntGaugeVec,
    pub(super) broken: IntGaugeVec,
    pub(super) ready: IntGaugeVec,
    pub(super) retries: IntGaugeVec,
    pub(super) queries: IntCounterVec,
    pub(super) seconds: HistogramVec,
}

impl StoreMetrics {
    /// Reports that became `stored`, `refused`, `full` or `unavailable`.
    pub(crate) fn reports(&self, result: &str, count: usize) {
        self.taken.with_label_values(&[result]).inc_by(count as u64);
    }

    /// A question and how long it took.
    pub(crate) fn question(&self, query: &str, answered: bool, took: Duration) {
        let result = if answered { "answered" } else { "failed" };
        self.queries.with_label_values(&[query, result]).inc();
        self.seconds.with_label_values(&[query]).observe(took.as_secs_f64());
    }

    /// Questions that were asked together, each of its kind; how long all took.
    pub(crate) fn questions<'a>(
        &self,
        queries: impl Iterator<Item = &'a str>,
        answered: bool,
        took: Duration,
    ) {
        let result = if answered { "answered" } else { "failed" };
        for query in queries {
            self.queries.with_label_values(&[query, result]).inc();
        }
        self.seconds.with_label_values(&["together"]).observe(took.as_secs_f64());
    }

    /// What the store says of itself.
    pub(crate) fn sample(&self, engine: &str, waiting: usize, stats: &StoreStats, health: &Health) {
        let set = |family: &IntGaugeVec, value: u64| {
            family.with_label_values(&[engine]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.waiting, waiting as u64);
        set(&self.reports, stats.reports);
        set(&self.bytes, stats.bytes);
        set(&self.days, stats.days);
        set(&self.broken, stats.broken_days);
        set(&self.ready, u64::from(health.ready));
        set(&self.retries, stats.retries);
    }
}
