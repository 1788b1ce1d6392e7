//! What was sent to and received from a sibling.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use capabilities::metrics::Families;
use parking_lot::RwLock;
use prometheus::{IntCounter, IntGauge};

/// Good and bad ones.
#[derive(Debug, Default)]
struct Tally {
    good: AtomicU64,
    bad: AtomicU64,
}

/// The counts of one sibling since it was added, and the metrics that are counted beside them.
pub(crate) struct Counters {
    sent: Tally,
    received: Tally,
    handles: RwLock<Handles>,
}

/// A sibling's metrics. wforce compatibility: what is sent is counted under `ip:port`, what is received under the bare
/// `ip`, because a sender's port says nothing; every family has both labels from the start.
struct Handles {
    sent: [IntCounter; 2],
    received: [IntCounter; 2],
    send_queue_errors: IntCounter,
    receive_queue_errors: IntCounter,
    connects_failed: IntCounter,
    send_queue_size: IntGauge,
}

impl Handles {
    fn new(families: &Families, addr: SocketAddr) -> Self {
        let (full, bare) = (addr.to_string(), addr.ip().to_string());
        let both = |family: &prometheus::IntCounterVec, status: &str| {
            let label = |sibling: &str| family.with_label_values(&[sibling, status]);
            (label(&full), label(&bare))
        };
        let one = |family: &prometheus::IntCounterVec| {
            (family.with_label_values(&[&full]), family.with_label_values(&[&bare]))
        };
        families.replication_send_queue_size.with_label_values(&[&bare]);
        Self {
            sent: ["ok", "error"].map(|status| both(&families.replication_sent, status).0),
            received: ["ok", "error"].map(|status| both(&families.replication_received, status).1),
            send_queue_errors: one(&families.replication_send_queue_errors).0,
            receive_queue_errors: one(&families.replication_receive_queue_errors).1,
            connects_failed: one(&families.replication_connects_failed).0,
            send_queue_size: families.replication_send_queue_size.with_label_values(&[&full]),
        }
    }
}

impl Counters {
    pub(crate) fn new(families: &Families, addr: SocketAddr) -> Self {
        Self {
            sent: Tally::default(),
            received: Tally::default(),
            handles: RwLock::new(Handles::new(families, addr)),
        }
    }

    /// The sibling has another address now.
    pub(crate) fn moved(&self, families: &Families, addr: SocketAddr) {
        *self.handles.write() = Handles::new(families, addr);
    }

    pub(crate) fn sent(&self, count: u64) {
        if count == 0 {
            return;
        }
        self.sent.good.fetch_add(count, Ordering::Relaxed);
        self.handles.read().sent[0].inc_by(count);
    }

    pub(crate) fn not_sent(&self, count: u64) {
        self.sent.bad.fetch_add(count, Ordering::Relaxed);
        self.handles.read().sent[1].inc_by(count);
    }

    pub(crate) fn received(&self) {
        self.received.good.fetch_add(1, Ordering::Relaxed);
        self.handles.read().received[0].inc();
    }

    /// Changes that came in a session.
    pub(crate) fn received_many(&self, count: u64) {
        if count > 0 {
            self.received.good.fetch_add(count, Ordering::Relaxed);
            self.handles.read().received[0].inc_by(count);
        }
    }

    pub(crate) fn received_bad(&self) {
        self.received.bad.fetch_add(1, Ordering::Relaxed);
        self.handles.read().received[1].inc();
    }

    pub(crate) fn send_queue_full(&self, count: u64) {
        self.handles.read().send_queue_errors.inc_by(count);
    }

    pub(crate) fn receive_queue_full(&self, count: u64) {
        self.handles.read().receive_queue_errors.inc_by(count);
    }

    pub(crate) fn connect_failed(&self) {
        self.handles.read().connects_failed.inc();
    }

    pub(crate) fn waiting(&self, messages: usize) {
        self.handles.read().send_queue_size.set(messages as i64);
    }

    /// Sent, not sent, received, received but bad.
    pub(crate) fn totals(&self) -> [u64; 4] {
        [&self.sent.good, &self.sent.bad, &self.received.good, &self.received.bad]
            .map(|count| count.load(Ordering::Relaxed))
    }
}
