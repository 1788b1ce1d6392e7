//! Counters that the configuration declares (`addCustomStat`) and policies increment.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::context;
use crate::metrics::{Counted, Metrics};

/// The declared counters. Counting takes no lock. Undeclared names are ignored: they were never shown anywhere.
pub struct CustomStats {
    metrics: Arc<Metrics>,
    declared: ArcSwap<HashMap<Vec<u8>, Counted>>,
    declaring: Mutex<()>,
}

impl CustomStats {
    /// None declared yet; they are shown by `metrics`.
    pub fn new(metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Arc::clone(metrics), declared: ArcSwap::default(), declaring: Mutex::new(()) }
    }

    /// Declares a counter; it starts at 0 and is shown from now on. Declaring it again changes nothing.
    pub fn declare(&self, name: &[u8]) {
        let _one_writer = self.declaring.lock();
        let declared = self.declared.load();
        if declared.contains_key(name) {
            return;
        }
        let mut more = HashMap::clone(&declared);
        more.insert(name.to_vec(), self.metrics.custom_stat(&String::from_utf8_lossy(name)));
        self.declared.store(Arc::new(more));
    }

    /// Adds one; whether the name is declared. A call that must change nothing does not count.
    pub fn increment(&self, name: &[u8]) -> bool {
        let declared = self.declared.load();
        let Some(counter) = declared.get(name) else { return false };
        if !context::is_apart() {
            counter.increment();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::log::Log;

    #[test]
    fn declared_names_are_counted_and_shown() {
        let metrics = Arc::new(Metrics::new("wforce", &Log::discard()).unwrap());
        let stats = CustomStats::new(&metrics);
        assert!(!stats.increment(b"mine"));
        stats.declare(b"mine");
        stats.declare(b"b\xff");
        assert!(stats.increment(b"mine"));
        stats.declare(b"mine");
        assert!(stats.increment(b"mine"));
        assert_eq!(metrics.custom_stats(), [("b\u{fffd}".to_owned(), 0), ("mine".to_owned(), 2)]);
        let text = String::from_utf8(metrics.render()).unwrap();
        assert!(text.contains("wforce_custom_stats_total{metric=\"mine\"} 2\n"));
    }
}
