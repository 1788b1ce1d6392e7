//! Counts over the last 300 seconds, as differences of running totals.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;
use prometheus::Histogram;
use prometheus::core::Metric;

/// The length of the window in seconds (wforce compatibility).
const SECONDS: u64 = 300;
/// Seconds between two rows: the window's start is this coarse.
const STEP: u64 = 10;

/// The totals at one moment.
#[derive(Clone, Default)]
pub(super) struct Row {
    pub(super) responses: [u64; 5],
    pub(super) commands: BTreeMap<String, u64>,
    pub(super) custom: BTreeMap<String, u64>,
}

/// Rows of the last 300 seconds, oldest first; the first one is what the totals are compared with.
#[derive(Default)]
pub(super) struct Window {
    rows: Mutex<VecDeque<(u64, Row)>>,
}

impl Window {
    /// Takes a row if it is time for one.
    pub(super) fn tick(&self, now: u64, row: impl FnOnce() -> Row) {
        let mut rows = self.rows.lock();
        if rows.back().is_some_and(|(taken, _)| now < taken + STEP) {
            return;
        }
        // All totals were 0 at the start, also those that have been counted up before the first row is taken.
        let row = if rows.is_empty() { Row::default() } else { row() };
        rows.push_back((now, row));
        // The newest row that is 300 seconds old or more is the window's start; the ones before it are done.
        while rows.get(1).is_some_and(|(taken, _)| taken + SECONDS <= now) {
            rows.pop_front();
        }
    }

    fn before<T: Default>(&self, pick: impl FnOnce(&Row) -> T) -> T {
        self.rows.lock().front().map(|(_, row)| pick(row)).unwrap_or_default()
    }

    pub(super) fn responses_before(&self) -> [u64; 5] {
        self.before(|row| row.responses)
    }

    pub(super) fn commands_since(&self, totals: BTreeMap<String, u64>) -> Vec<(String, u64)> {
        difference(totals, &self.before(|row| row.commands.clone()))
    }

    pub(super) fn custom_since(&self, totals: BTreeMap<String, u64>) -> Vec<(String, u64)> {
        difference(totals, &self.before(|row| row.custom.clone()))
    }
}

fn difference(totals: BTreeMap<String, u64>, before: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let since = |name: &str, total: u64| total.saturating_sub(before.get(name).copied().unwrap_or(0));
    totals.into_iter().map(|(name, total)| (name.clone(), since(&name, total))).collect()
}

/// How many observations fell into each bucket of a histogram with four bounds, the fifth being those above.
pub(super) fn buckets(histogram: &Histogram) -> [u64; 5] {
    let metric = histogram.metric();
    let histogram = metric.get_histogram();
    let mut below = 0;
    let mut counts = [0; 5];
    for (count, bucket) in counts.iter_mut().zip(histogram.get_bucket()) {
        *count = bucket.cumulative_count() - below;
        below = bucket.cumulative_count();
    }
    counts[4] = histogram.get_sample_count().saturating_sub(below);
    counts
}
