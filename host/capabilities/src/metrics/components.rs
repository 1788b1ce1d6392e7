//! What is counted of each WebAssembly policy.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// The families, each by `policy`.
#[derive(Clone)]
pub(super) struct Components {
    pub(super) calls: IntCounterVec,
    pub(super) micros: IntCounterVec,
    pub(super) fuel: IntCounterVec,
    /// By `kind`, too.
    pub(super) failures: IntCounterVec,
    pub(super) started: IntCounterVec,
    pub(super) rolled_back: IntCounterVec,
    pub(super) instances: IntGaugeVec,
    pub(super) memory: IntGaugeVec,
    pub(super) quarantined: IntGaugeVec,
}

impl Components {
    pub(super) fn of(&self, policy: &str) -> ComponentMetrics {
        let label = [policy];
        ComponentMetrics {
            calls: self.calls.with_label_values(&label),
            micros: self.micros.with_label_values(&label),
            fuel: self.fuel.with_label_values(&label),
            started: self.started.with_label_values(&label),
            rolled_back: self.rolled_back.with_label_values(&label),
            instances: self.instances.with_label_values(&label),
            memory: self.memory.with_label_values(&label),
            quarantined: self.quarantined.with_label_values(&label),
            failures: self.failures.clone(),
            policy: policy.to_owned(),
        }
    }
}

/// The handles of one policy.
#[derive(Clone)]
pub struct ComponentMetrics {
    /// Calls.
    pub calls: IntCounter,
    /// Microseconds in them, waiting included.
    pub micros: IntCounter,
    /// Fuel used, where it is counted.
    pub fuel: IntCounter,
    /// Instances started.
    pub started: IntCounter,
    /// New versions that were taken back.
    pub rolled_back: IntCounter,
    /// Instances alive.
    pub instances: IntGauge,
    /// Bytes of linear memory of the instances that wait.
    pub memory: IntGauge,
    /// 1 while it is in quarantine.
    pub quarantined: IntGauge,
    failures: IntCounterVec,
    policy: String,
}

impl ComponentMetrics {
    /// A call failed. `kind`: `trap`, `time`, `memory`, `fuel`, `stack`, `host_calls`, `error`.
    pub fn failed(&self, kind: &str) {
        self.failures.with_label_values(&[&self.policy, kind]).inc();
    }
}
