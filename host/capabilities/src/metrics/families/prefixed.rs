//! Families of one prefix in one registry.

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

/// Upper bounds of every histogram, in seconds (wforce compatibility; `+Inf` comes by itself).
const BUCKETS: [f64; 4] = [0.001, 0.01, 0.1, 1.0];

/// Registers families under one prefix.
pub(super) struct Prefixed<'a> {
    pub(super) registry: &'a Registry,
    pub(super) prefix: &'a str,
}

impl Prefixed<'_> {
    pub(super) fn add<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    pub(super) fn name(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.add(IntCounter::new(self.name(name), help)?)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        labels: &[&str],
        help: &str,
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(Opts::new(self.name(name), help), labels)?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.add(IntGauge::new(self.name(name), help)?)
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        label: &str,
        help: &str,
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.add(IntGaugeVec::new(Opts::new(self.name(name), help), &[label])?)
    }

    pub(super) fn float_gauges(
        &self,
        name: &str,
        label: &str,
        help: &str,
    ) -> Result<GaugeVec, prometheus::Error> {
        self.add(GaugeVec::new(Opts::new(self.name(name), help), &[label])?)
    }

    pub(super) fn histogram(&self, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
        self.add(Histogram::with_opts(HistogramOpts::new(self.name(name), help).buckets(BUCKETS.to_vec()))?)
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        label: &str,
        help: &str,
    ) -> Result<HistogramVec, prometheus::Error> {
        let opts = HistogramOpts::new(self.name(name), help).buckets(BUCKETS.to_vec());
        self.add(HistogramVec::new(opts, &[label])?)
    }
}
