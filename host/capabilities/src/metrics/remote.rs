//! What is counted of each stats DB that is kept outside.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// The families, each by `db`.
#[derive(Clone)]
pub(super) struct RemoteFamilies {
    /// By `status`, too.
    pub(super) calls: IntCounterVec,
    pub(super) seconds: HistogramVec,
    pub(super) reachable: IntGaugeVec,
}

impl RemoteFamilies {
    pub(super) fn of(&self, db: &str) -> RemoteStats {
        let calls = |status: &str| self.calls.with_label_values(&[db, status]);
        RemoteStats {
            answered: calls("ok"),
            cached: calls("cached"),
            late: calls("timeout"),
            away: calls("away"),
            full: calls("full"),
            refused: calls("error"),
            seconds: self.seconds.with_label_values(&[db]),
            reachable: self.reachable.with_label_values(&[db]),
        }
    }
}

/// The handles of one DB.
#[derive(Clone, Debug)]
pub struct RemoteStats {
    /// Calls that the server answered.
    pub answered: IntCounter,
    /// Calls answered with what was read a moment ago.
    pub cached: IntCounter,
    /// Calls that it did not answer in time.
    pub late: IntCounter,
    /// Calls while there was no connection.
    pub away: IntCounter,
    /// Calls while too many waited.
    pub full: IntCounter,
    /// Calls that it refused, or whose connection broke.
    pub refused: IntCounter,
    /// How long its answers took.
    pub seconds: Histogram,
    /// 1 while there is a connection.
    pub reachable: IntGauge,
}
