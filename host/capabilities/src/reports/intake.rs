//! The way of reports into the store: a bounded queue, and tasks that bring what waits in batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reports::{Report, ReportStore, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::ReportsError;
use crate::log::{Level, Log};
use crate::metrics::StoreMetrics;

/// Reports in one batch.
const BATCH: usize = 1000;
/// Between two attempts while the store does not take any.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So often a store is tried while somebody waits for an answer; then they are told, and bring the report again themselves.
const TRIES: u32 = 3;

/// A report on its way.
struct Taken {
    report: Report,
    /// Who wants to know when it is kept.
    done: Option<oneshot::Sender<Result<(), StoreError>>>,
}

/// The queue.
pub(super) struct Intake {
    queue: mpsc::Sender<Taken>,
    waiting: Arc<Waiting>,
    /// Whether whoever brings a report waits until it is kept.
    patient: bool,
}

#[derive(Default)]
struct Waiting {
    count: AtomicUsize,
    fewer: Notify,
}

/// What the tasks need.
struct Bringer {
    store: Arc<dyn ReportStore>,
    queue: Mutex<mpsc::Receiver<Taken>>,
    waiting: Arc<Waiting>,
    log: Arc<Log>,
    metrics: StoreMetrics,
}

impl Intake {
    /// Starts so many tasks. `size`: reports that may wait.
    pub(super) fn start(
        store: &Arc<dyn ReportStore>,
        (size, tasks, patient): (usize, usize, bool),
        (log, metrics): (&Arc<Log>, &StoreMetrics),
        runtime: &Handle,
    ) -> Intake {
        let (queue, receiver) = mpsc::channel(size.max(1));
        let waiting = Arc::new(Waiting::default());
        let bringer = Arc::new(Bringer {
            store: store.clone(),
            queue: Mutex::new(receiver),
            waiting: waiting.clone(),
            log: log.clone(),
            metrics: metrics.clone(),
        });
        for _ in 0..tasks.max(1) {
            runtime.spawn(bring(bringer.clone()));
        }
        Intake { queue, waiting, patient }
    }

    /// Takes a report. If the store keeps what it was given over the death of the process, this returns when that is so;
    /// else at once.
    pub(super) async fn take(&self, report: Report) -> Result<(), ReportsError> {
        let place = self.queue.try_reserve().map_err(|_| ReportsError::Full)?;
        self.waiting.count.fetch_add(1, Ordering::Relaxed);
        if !self.patient {
            place.send(Taken { report, done: None });
            return Ok(());
        }
        let (done, kept) = oneshot::channel();
        place.send(Taken { report, done: Some(done) });
        Ok(kept.await.map_err(|_| StoreError::Closed)??)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.count.load(Ordering::Relaxed)
    }

    /// Waits until nothing waits any more, for a while; says how many still do.
    pub(super) async fn drain(&self, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        while self.waiting() > 0 {
            let fewer = self.waiting.fewer.notified();
            if self.waiting() == 0 || tokio::time::timeout_at(deadline, fewer).await.is_err() {
                break;
            }
        }
        self.waiting()
    }
}

async fn bring(bringer: Arc<Bringer>) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        // One task at a time waits for reports; the others bring what they have meanwhile.
        let count = bringer.queue.lock().await.recv_many(&mut batch, BATCH).await;
        if count == 0 {
            return;
        }
        let (reports, done): (Vec<Report>, Vec<_>) =
            batch.drain(..).map(|taken| (taken.report, taken.done)).unzip();
        bringer.store(reports, done).await;
        bringer.waiting.count.fetch_sub(count, Ordering::Relaxed);
        bringer.waiting.fewer.notify_waiters();
    }
}

impl Bringer {
    /// Brings a batch, again and again until the store took it or refused it for good, or until everybody who waits for
    /// it has been told that it cannot.
    async fn store(&self, reports: Vec<Report>, done: Vec<Option<oneshot::Sender<Result<(), StoreError>>>>) {
        let mut pause = PAUSE;
        let mut tries = 0;
        let count = reports.len();
        let waited_for = done.iter().all(Option::is_some);
        let result = loop {
            match self.store.ingest(reports.clone()).await {
                Ok(()) => break Ok(()),
                Err(StoreError::Refused { count: refused, reason }) => break Err((refused, reason)),
                Err(StoreError::Closed) => return,
                Err(error) => {
                    let text = format!("reports cannot be stored, trying again: {error}");
                    self.log.limited("reports not stored", Duration::from_secs(10), Level::Err, text);
                    tries += 1;
                    if waited_for && tries >= TRIES {
                        for done in done.into_iter().flatten() {
                            let _ = done.send(Err(StoreError::Unavailable(error.to_string())));
                        }
                        self.metrics.reports("unavailable", count);
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        };
        let refused = match &result {
            Ok(()) => 0,
            Err((refused, reason)) => {
                let text = format!("{refused} reports were refused by the report store: {reason}");
                self.log.limited("reports refused", Duration::from_secs(10), Level::Warning, text);
                *refused
            }
        };
        self.metrics.reports("stored", count.saturating_sub(refused));
        self.metrics.reports("refused", refused);
        for done in done.into_iter().flatten() {
            // Which of a batch were refused the engine does not say; a batch of one is told exactly.
            let told = match &result {
                Err((refused, reason)) if *refused == count => {
                    Err(StoreError::Refused { count: 1, reason: reason.clone() })
                }
                _ => Ok(()),
            };
            // Who does not wait any more does not get it.
            let _ = done.send(told);
        }
    }
}
