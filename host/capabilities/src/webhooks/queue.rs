//! What waits for one hook, and what is not done yet of all hooks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus::IntGauge;
use tokio::sync::{Notify, mpsc};

use super::event::Fired;

/// Bytes of events that may wait for one hook, whatever their number.
const MOST_BYTES: usize = 64 << 20;

/// What a delivery tells.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    Event(Arc<Fired>),
    /// A custom hook's text, sent as it is.
    Text(Bytes),
}

impl Payload {
    fn weight(&self) -> usize {
        match self {
            Payload::Event(fired) => fired.weight,
            Payload::Text(text) => text.len() + 64,
        }
    }
}

/// Counts what is not delivered or given up yet.
pub(super) struct Ledger {
    /// Deliveries that wait, of all hooks.
    gauge: IntGauge,
    /// How many may wait for one hook.
    limit: AtomicUsize,
    outstanding: AtomicUsize,
    idle: Notify,
}

impl Ledger {
    pub(super) fn new(gauge: IntGauge, limit: usize) -> Ledger {
        Ledger {
            gauge,
            limit: AtomicUsize::new(limit),
            outstanding: AtomicUsize::new(0),
            idle: Notify::new(),
        }
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Acquire)
    }

    /// A delivery is over, well or not.
    pub(super) fn done(&self) {
        if self.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }

    /// Waits until nothing is outstanding.
    pub(super) async fn idle(&self) {
        loop {
            let notified = self.idle.notified();
            if self.outstanding() == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// The queue of one hook.
pub(super) struct Queue {
    sender: mpsc::UnboundedSender<Payload>,
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Payload>>>,
    /// In the queue, or in a pause before another attempt.
    waiting: AtomicUsize,
    bytes: AtomicUsize,
    gauge: IntGauge,
}

impl Queue {
    /// `gauge`: how many wait for this hook.
    pub(super) fn new(gauge: IntGauge) -> Queue {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (waiting, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Queue { sender, receiver: Mutex::new(Some(receiver)), waiting, bytes, gauge }
    }

    /// The other end; there is one.
    pub(super) fn take_receiver(&self) -> Option<mpsc::UnboundedReceiver<Payload>> {
        self.receiver.lock().take()
    }

    /// False, and nothing happens, if there is no room.
    pub(super) fn push(&self, payload: Payload, ledger: &Ledger) -> bool {
        let limit = ledger.limit.load(Ordering::Relaxed);
        // Some more may slip in on other threads at the same moment: it is the order of magnitude that counts.
        if self.waiting.load(Ordering::Relaxed) >= limit || self.bytes.load(Ordering::Relaxed) > MOST_BYTES {
            return false;
        }
        self.wait(&payload, ledger);
        ledger.outstanding.fetch_add(1, Ordering::AcqRel);
        // The receiver is kept here or by the task that serves the hook, which ends with the runtime only.
        if let Err(mpsc::error::SendError(payload)) = self.sender.send(payload) {
            self.leave(&payload, ledger);
            ledger.done();
            return false;
        }
        true
    }

    /// It waits (again).
    pub(super) fn wait(&self, payload: &Payload, ledger: &Ledger) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(payload.weight(), Ordering::Relaxed);
        self.gauge.inc();
        ledger.gauge.inc();
    }

    /// It does not wait any more.
    pub(super) fn leave(&self, payload: &Payload, ledger: &Ledger) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(payload.weight(), Ordering::Relaxed);
        self.gauge.dec();
        ledger.gauge.dec();
    }
}
