//! An agenda on tokio: starts what is due, holds leases, takes note of what came of it.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot, watch};

use crate::caught::{Panic, caught};
use crate::{Agenda, Due, JobId, JobStatus, LastRun, Planned, Schedule, Skip};

/// What a [`Work`] returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How often the clock is looked at while nothing is due: it may have been set.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A run that was told to end at its deadline gets this long to say so.
const LAST_WORD: Duration = Duration::from_secs(5);
/// Clocks of daemons that share a store differ by less.
const CLOCKS_DIFFER: Duration = Duration::from_mins(10);

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended well.
    Done,
    /// It raised an error, ran out of time, or could not start.
    Failed(String),
    /// Another daemon had the lease, so it did not run here.
    Elsewhere,
}

/// Why a job cannot be run by hand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none of this name.
    #[error("there is no background function \"{0}\"")]
    Unknown(String),
    /// It runs, and may not overlap itself.
    #[error("\"{0}\" is running already")]
    Running(String),
    /// The daemon starts or ends.
    #[error("no job can be started: the daemon starts or ends")]
    Stopped,
}

/// The world of a scheduler.
pub trait Work: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Runs a background function, which must end within this time. The error is for the operator.
    fn run<'a>(&'a self, job: &'a str, deadline: Duration) -> BoxFuture<'a, Result<(), String>>;

    /// Takes or prolongs a lease; false if another daemon has it. The error is for the operator.
    fn lease<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<bool, String>>;

    /// Gives a lease back.
    fn release<'a>(&'a self, name: &'a str) -> BoxFuture<'a, ()>;

    /// A run ended.
    fn ended(&self, job: &str, run: &LastRun);

    /// A run was left out.
    fn skipped(&self, job: &str, why: Skip);
}

/// Who may run what; shared by the daemons that ask the same store.
pub trait Leases: Send + Sync + 'static {
    /// Takes or prolongs a lease for this long; false if another daemon has it. The error is for the operator.
    fn take<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<bool, String>>;

    /// Gives a lease back; one that another daemon has stays.
    fn release<'a>(&'a self, name: &'a str) -> BoxFuture<'a, ()>;
}

/// Runs an agenda; clones share it.
#[derive(Clone)]
pub struct Scheduler {
    inner: Arc<Inner>,
}

struct Inner {
    agenda: Mutex<Agenda>,
    work: Arc<dyn Work>,
    runtime: Handle,
    /// Runs that may go on at once.
    runners: Semaphore,
    /// The agenda was changed.
    changed: Notify,
    /// True once it has been stopped.
    stopped: watch::Sender<bool>,
    /// Runs that go on.
    running: watch::Sender<usize>,
    random: RandomState,
    drawn: AtomicU64,
}

impl Scheduler {
    /// Makes a scheduler, which does nothing until [`Scheduler::start`]. `runners`: how many runs go on at once, at least one;
    /// further ones wait for their turn, which counts as running.
    pub fn new(agenda: Agenda, work: Arc<dyn Work>, runtime: Handle, runners: usize) -> Scheduler {
        let inner = Inner {
            agenda: Mutex::new(agenda),
            work,
            runtime,
            runners: Semaphore::new(runners.clamp(1, Semaphore::MAX_PERMITS)),
            changed: Notify::new(),
            stopped: watch::Sender::new(false),
            running: watch::Sender::new(0),
            random: RandomState::new(),
            drawn: AtomicU64::new(0),
        };
        Scheduler { inner: Arc::new(inner) }
    }

    /// Begins: times count from now on.
    pub fn start(&self) {
        let inner = &self.inner;
        inner.agenda.lock().begin(inner.work.now(), || inner.chance());
        inner.runtime.spawn(turn(inner.clone()));
    }

    /// These are the jobs from now on; see [`Agenda::replace`].
    pub fn replace(&self, planned: &[Planned]) {
        let inner = &self.inner;
        inner.agenda.lock().replace(planned, inner.work.now(), || inner.chance());
        inner.changed.notify_one();
    }

    /// All jobs as they are.
    pub fn statuses(&self) -> Vec<JobStatus> {
        self.inner.agenda.lock().statuses()
    }

    /// Runs a job now, whatever its schedule; the receiver tells what came of it. Leases are not asked for: who does it by
    /// hand means this daemon.
    ///
    /// # Errors
    /// There is no such job, it runs already and may not overlap itself, or the daemon ends.
    pub fn run_by_hand(&self, name: &str) -> Result<oneshot::Receiver<LastRun>, Refusal> {
        let inner = &self.inner;
        if *inner.stopped.borrow() {
            return Err(Refusal::Stopped);
        }
        let mut agenda = inner.agenda.lock();
        let job = agenda.find(name).ok_or_else(|| Refusal::Unknown(name.to_owned()))?;
        if !agenda.start(job) {
            return Err(Refusal::Running(name.to_owned()));
        }
        drop(agenda);
        let (told, result) = oneshot::channel();
        inner.spawn(job, None, Some(told));
        Ok(result)
    }

    /// Starts nothing any more, and waits for what runs, but not longer than this. Returns how many runs still go on.
    pub async fn stop(&self, patience: Duration) -> usize {
        self.inner.stopped.send_replace(true);
        let mut running = self.inner.running.subscribe();
        let ended = running.wait_for(|running| *running == 0);
        // Running out of patience is no error: the count tells.
        let _ = tokio::time::timeout(patience, ended).await;
        *self.inner.running.borrow()
    }
}

/// A run among those that the end waits for.
struct Counted(Arc<Inner>);

impl Counted {
    fn one_more(inner: &Arc<Inner>) -> Counted {
        inner.running.send_modify(|running| *running += 1);
        Counted(inner.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

/// A run that the agenda counts as running; it ends there in any case, or its function would never run again.
struct Going<'a> {
    inner: &'a Arc<Inner>,
    job: JobId,
    began: Timestamp,
    clock: Instant,
    over: bool,
}

impl Going<'_> {
    fn ended(mut self, outcome: Outcome) -> LastRun {
        self.over(outcome)
    }

    fn over(&mut self, outcome: Outcome) -> LastRun {
        self.over = true;
        let run = LastRun { began: self.began, took: self.clock.elapsed(), outcome };
        self.inner.over(self.job, run.clone());
        run
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.over(Outcome::Failed("it was broken off by a panic of the scheduler".to_owned()));
        }
    }
}

/// Starts what is due, for ever.
async fn turn(inner: Arc<Inner>) {
    let mut stopped = inner.stopped.subscribe();
    loop {
        let now = inner.work.now();
        let (due, skipped) = inner.agenda.lock().due(now, || inner.chance());
        for (job, why) in skipped {
            if let Some(name) = inner.name(job) {
                inner.work.skipped(&name, why);
            }
        }
        for Due { job, at } in due {
            inner.spawn(job, Some(at), None);
        }
        let next = inner.agenda.lock().next();
        let wait = next.map_or(LOOK_EVERY, |next| {
            let left = next.duration_since(inner.work.now());
            Duration::try_from(left).unwrap_or_default().min(LOOK_EVERY)
        });
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = inner.changed.notified() => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

impl Inner {
    /// A number from 0 to 1.
    fn chance(&self) -> f64 {
        let drawn = self.random.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed));
        drawn as f64 / u64::MAX as f64
    }

    fn name(&self, job: JobId) -> Option<String> {
        self.agenda.lock().status(job).map(|status| status.name.clone())
    }

    /// One run on its way; `at`: when it was due, if not by hand.
    fn spawn(self: &Arc<Self>, job: JobId, at: Option<Timestamp>, told: Option<oneshot::Sender<LastRun>>) {
        let counted = Counted::one_more(self);
        self.runtime.spawn(async move {
            if let Some(run) = counted.0.run(job, at).await {
                // Whoever asked may have lost interest.
                let _ = told.map(|told| told.send(run));
            }
        });
    }

    async fn run(self: &Arc<Self>, job: JobId, at: Option<Timestamp>) -> Option<LastRun> {
        let status = self.agenda.lock().status(job)?.clone();
        let mut going =
            Going { inner: self, job, began: self.work.now(), clock: Instant::now(), over: false };
        // Never closed, so it never fails.
        let _runner = self.runners.acquire().await.ok()?;
        (going.began, going.clock) = (self.work.now(), Instant::now());
        let outcome = match at.filter(|_| status.options.once_per_cluster) {
            None => self.run_here(&status).await,
            Some(at) => match self.lease(&status, at).await {
                Ok(true) => {
                    let outcome = self.run_here(&status).await;
                    self.release(&status).await;
                    outcome
                }
                Ok(false) => Outcome::Elsewhere,
                Err(error) => Outcome::Failed(format!("the lease cannot be had: {error}")),
            },
        };
        let run = going.ended(outcome);
        if run.outcome == Outcome::Elsewhere {
            self.work.skipped(&status.name, Skip::Elsewhere);
        } else {
            self.work.ended(&status.name, &run);
        }
        Some(run)
    }

    /// A run is over, whatever came of it.
    fn over(self: &Arc<Self>, job: JobId, run: LastRun) {
        let again = self.agenda.lock().ended(job, run, self.work.now(), self.chance());
        if let Some(Due { job, at }) = again
            && !*self.stopped.borrow()
        {
            self.spawn(job, Some(at), None);
        }
    }

    async fn run_here(&self, status: &JobStatus) -> Outcome {
        let deadline = status.options.deadline;
        let run = self.work.run(&status.name, deadline);
        match caught(tokio::time::timeout(deadline + LAST_WORD, run)).await {
            Ok(Ok(Ok(()))) => Outcome::Done,
            Ok(Ok(Err(error))) => Outcome::Failed(error),
            Ok(Err(_)) => Outcome::Failed(format!("not ended {} s after its deadline", LAST_WORD.as_secs())),
            // Its lease is given back like any other's.
            Err(Panic(message)) => Outcome::Failed(format!("it panicked: {message}")),
        }
    }

    /// While it runs nobody else runs it, and nobody else runs what was due at this time.
    async fn lease(&self, status: &JobStatus, at: Timestamp) -> Result<bool, String> {
        let deadline = status.options.deadline;
        if let Schedule::Cron(_) = status.schedule {
            let this_time = format!("job/{}/{}", status.name, at.as_second());
            if !self.work.lease(&this_time, deadline + CLOCKS_DIFFER).await? {
                return Ok(false);
            }
        }
        self.work.lease(&format!("job/{}", status.name), deadline + LAST_WORD).await
    }

    /// Others may run it again: at once, or after the better part of the interval.
    async fn release(&self, status: &JobStatus) {
        let name = format!("job/{}", status.name);
        match status.schedule {
            Schedule::Every(interval) => {
                // Without the store the old lease simply runs out.
                let _ = self.work.lease(&name, interval.duration().mul_f64(0.9)).await;
            }
            Schedule::Cron(_) | Schedule::ByHand => self.work.release(&name).await,
        }
    }
}

#[cfg(test)]
mod tests;
