//! Reports between their arrival and the policy: taken at once, looked at by as many tasks as there are Lua states.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use capabilities::Level;
use capabilities::metrics::ReportMetrics;
use login::Login;
use lua::settings::ReportQueue;
use parking_lot::Mutex;
use policy::{Chain, FailureKind};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

/// Reports that are taken out of the queue together.
const BATCH: usize = 256;
/// When no Lua state was free in time, because jobs or requests had them all: the pause before the next try.
const PAUSE: Duration = Duration::from_millis(100);
/// Log lines that tell the same come at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A report cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many reports wait to be processed ({0}): try again later")]
pub(crate) struct Full(usize);

/// A report that was taken.
struct Waiting {
    login: Arc<Login>,
    weight: usize,
}

/// The queue and who works it off.
pub(crate) struct Intake {
    chain: Arc<Chain>,
    queue: mpsc::Sender<Waiting>,
    most_bytes: usize,
    waiting: Arc<Counts>,
    stop: watch::Sender<bool>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// What was taken and is not processed yet.
#[derive(Default)]
struct Counts {
    reports: AtomicUsize,
    bytes: AtomicUsize,
}

impl Intake {
    /// Begins to work off what is taken.
    pub(crate) fn start(chain: Arc<Chain>, queue: ReportQueue, runtime: &Handle) -> Intake {
        let (sender, receiver) = mpsc::channel(queue.reports.clamp(1, Semaphore::MAX_PERMITS));
        let (stop, stopped) = watch::channel(false);
        let waiting = Arc::new(Counts::default());
        let count = u32::try_from(chain.executor().engines()).unwrap_or(u32::MAX).max(1);
        let worker = Worker {
            states: Arc::new(Semaphore::new(count as usize)),
            count,
            chain: chain.clone(),
            waiting: waiting.clone(),
        };
        let worker = Mutex::new(Some(runtime.spawn(worker.run(receiver, stopped))));
        Intake { chain, queue: sender, most_bytes: queue.bytes, waiting, stop, worker }
    }

    fn metrics(&self) -> &ReportMetrics {
        &self.chain.capabilities().metrics.reports
    }

    /// Keeps a place for a report of this weight in bytes.
    ///
    /// # Errors
    /// So many wait that there is no room.
    pub(crate) fn place(&self, weight: usize) -> Result<Place, Full> {
        let bytes = self.waiting.bytes.fetch_add(weight, Ordering::Relaxed) + weight;
        // One that is larger than the room is taken if it is alone.
        let room = bytes <= self.most_bytes || bytes == weight;
        self.waiting.reports.fetch_add(1, Ordering::Relaxed);
        if room && let Ok(place) = self.queue.clone().try_reserve_owned() {
            self.metrics().waiting.inc();
            self.metrics().waiting_bytes.add(i64::try_from(weight).unwrap_or(i64::MAX));
            let (chain, waiting) = (self.chain.clone(), self.waiting.clone());
            return Ok(Place { chain, waiting, weight, permit: Some(place) });
        }
        self.waiting.bytes.fetch_sub(weight, Ordering::Relaxed);
        let full = Full(self.waiting.reports.fetch_sub(1, Ordering::Relaxed) - 1);
        self.metrics().refused.inc();
        let text = format!("{full}: reports are refused (setReportQueueSize, setNumLuaStates)");
        self.chain.capabilities().log.limited("report queue", LOG_EVERY, Level::Err, text);
        Err(full)
    }

    /// Takes nothing any more, and processes what waits, but not longer than this. Returns how many reports are lost.
    pub(crate) async fn finish(&self, patience: Duration) -> usize {
        self.stop.send_replace(true);
        let Some(worker) = self.worker.lock().take() else { return 0 };
        // That it takes too long, or failed, shows in what is left.
        let _ = tokio::time::timeout(patience, worker).await;
        let lost = self.waiting.reports.load(Ordering::Relaxed);
        self.metrics().lost.inc_by(lost as u64);
        lost
    }
}

/// Room for one report. Dropped without one, it is room for another.
pub(crate) struct Place {
    chain: Arc<Chain>,
    waiting: Arc<Counts>,
    weight: usize,
    permit: Option<mpsc::OwnedPermit<Waiting>>,
}

impl Place {
    /// Takes the report.
    pub(crate) fn take(mut self, login: Arc<Login>) {
        if let Some(place) = self.permit.take() {
            place.send(Waiting { login, weight: self.weight });
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.permit.is_some() {
            leave(&self.chain, &self.waiting, self.weight);
        }
    }
}

/// Works off the queue.
struct Worker {
    chain: Arc<Chain>,
    waiting: Arc<Counts>,
    /// One permit for each Lua state: more calls at once would only wait for one.
    states: Arc<Semaphore>,
    count: u32,
}

impl Worker {
    async fn run(self, mut queue: mpsc::Receiver<Waiting>, mut stopped: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                count = queue.recv_many(&mut batch, BATCH) => if count == 0 {
                    break;
                },
                _ = stopped.wait_for(|stopped| *stopped), if !queue.is_closed() => {
                    queue.close();
                    continue;
                }
            }
            self.process(&mut batch).await;
        }
        // Until the last call has ended.
        let _ = self.states.acquire_many(self.count).await;
    }

    /// One batch, in the order of arrival.
    async fn process(&self, batch: &mut Vec<Waiting>) {
        let asks = self.chain.hooks().report;
        for report in batch.drain(..) {
            if !asks {
                done(&self.chain, &self.waiting, report.weight);
                continue;
            }
            // Never closed, so it never fails.
            let Ok(state) = self.states.clone().acquire_owned().await else { return };
            tokio::spawn(look_at(self.chain.clone(), self.waiting.clone(), report, state));
        }
    }
}

/// Asks the policy about one report. That no Lua state was free is no reason to lose it.
async fn look_at(chain: Arc<Chain>, waiting: Arc<Counts>, report: Waiting, state: OwnedSemaphorePermit) {
    while let Err(failure) = chain.look_at(&report.login).await {
        if failure.kind != FailureKind::Busy {
            // It has been logged and counted.
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    done(&chain, &waiting, report.weight);
    drop(state);
}

fn done(chain: &Chain, waiting: &Counts, weight: usize) {
    leave(chain, waiting, weight);
    chain.capabilities().metrics.reports.processed.inc();
}

fn leave(chain: &Chain, waiting: &Counts, weight: usize) {
    waiting.reports.fetch_sub(1, Ordering::Relaxed);
    waiting.bytes.fetch_sub(weight, Ordering::Relaxed);
    let metrics = &chain.capabilities().metrics.reports;
    metrics.waiting.dec();
    metrics.waiting_bytes.sub(i64::try_from(weight).unwrap_or(i64::MAX));
}
