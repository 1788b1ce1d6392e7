//! The embedded engine: an index for each day on the local disk, nothing to install.

mod addresses;
mod answer;
mod catalog;
mod check;
mod columns;
mod condition;
mod day;
mod fold;
mod folder;
mod ingest;
mod journal;
mod keep;
mod lane;
pub(crate) mod outside;
mod pairs;
mod part;
mod reader;
mod row;
mod scan;
mod schema;
mod search;
mod settings;
mod sketch;
mod tally;
mod values;

use std::collections::HashMap;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    Answer, Answering, Asker, Confirmation, Health, Lease, Limits, Query, Report, ReportId, ReportStore,
    StoreError, StoreStats,
};
use answer::Asking;
use catalog::{Catalog, disk};
use ingest::{Counts, Ingest, Job};
use journal::Journal;
use keep::Keeper;
use lane::Lane;
use scan::Deadline;
pub use settings::{Complain, EmbeddedSettings};

/// How many times the time of a question one of a background function may take once it is worked on.
const JOB_PATIENCE: u32 = 5;

/// Makes a folder for this user alone: reports name people, and hold hashes of their passwords.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Reports on the local disk.
pub struct EmbeddedStore {
    catalog: Arc<Catalog>,
    counts: Arc<Counts>,
    room: Arc<Semaphore>,
    questions: Arc<Semaphore>,
    /// Where questions of background functions are worked on.
    behind: Lane,
    leases: Mutex<HashMap<String, (String, Instant)>>,
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    keeper: Option<Sender<keep::Wish>>,
    /// Held for as long as the store is open.
    _lock: File,
}

impl EmbeddedStore {
    /// Opens the store, or makes it. What a process took and had no time to index is indexed now.
    ///
    /// # Errors
    /// [`StoreError::Disk`]: the folder cannot be used, or another process uses it. Broken days are no error.
    pub fn open(settings: &EmbeddedSettings) -> Result<Self, StoreError> {
        let folder = settings.folder.clone();
        let failed = |error: &dyn ToString| disk(&folder, &error.to_string());
        make_folder(&folder).map_err(|error| failed(&error))?;
        let lock = File::create(folder.join("lock")).map_err(|error| failed(&error))?;
        lock.try_lock().map_err(|_| failed(&"another process uses this report store"))?;
        let catalog = Arc::new(Catalog::open(settings.clone())?);
        let complain = |text: &str| (settings.complain)(text);
        let (journal, index) = Journal::open(&folder.join("journal"), settings.log_limit, &complain)
            .map_err(|error| failed(&error))?;
        let counts = Arc::new(Counts::default());
        let (jobs, work) = mpsc::channel();
        let (wishes, idle) = mpsc::channel();
        let (idle_days, days) = mpsc::channel();
        let mut ingest = Ingest::new(Arc::clone(&catalog), journal, Arc::clone(&counts), idle_days);
        ingest.replay(index)?;
        let keeper = Keeper { catalog: Arc::clone(&catalog), jobs: jobs.clone(), idle: days };
        let threads = vec![
            Builder::new()
                .name("reports-ingest".into())
                .spawn(move || ingest.run(&work))
                .map_err(|error| failed(&error))?,
            Builder::new()
                .name("reports-keep".into())
                .spawn(move || keeper.run(&idle))
                .map_err(|error| failed(&error))?,
        ];
        Ok(Self {
            catalog,
            counts,
            room: Arc::new(Semaphore::new(settings.queue.max(1))),
            questions: Arc::new(Semaphore::new(settings.questions.max(1))),
            behind: Lane::start(settings.job_questions.max(1)).map_err(|error| failed(&error))?,
            leases: Mutex::default(),
            jobs: Some(jobs),
            threads,
            keeper: Some(wishes),
            _lock: lock,
        })
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        self.jobs.as_ref().ok_or(StoreError::Closed)?.send(job(done)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs on a thread of its own, as reading files blocks; only a few at a time, and apart from each other those that
    /// somebody waits for and those of background functions, which are many and long.
    async fn aside<T: Send + 'static>(
        &self,
        limits: Limits,
        work: impl FnOnce(&Asking<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if limits.asker == Asker::Job {
            let catalog = Arc::clone(&self.catalog);
            // With what others leave of the processor it takes longer.
            let time = limits.time.saturating_mul(JOB_PATIENCE);
            let limits = Limits { time, ..limits };
            return self
                .behind
                .run(move || work(&Asking { catalog: &catalog, limits, deadline: Deadline::after(time) }))
                .await;
        }
        let began = Instant::now();
        let waited = tokio::time::timeout(limits.time, Arc::clone(&self.questions).acquire_owned()).await;
        let turn = waited.map_err(|_| StoreError::TimeOut(limits.time))?.map_err(|_| StoreError::Closed)?;
        let catalog = Arc::clone(&self.catalog);
        let left = limits.time.saturating_sub(began.elapsed());
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&Asking { catalog: &catalog, limits, deadline: Deadline::after(left) })
        });
        task.await.map_err(|error| StoreError::Failed(error.to_string()))?
    }

    /// Drops days that are too old or too many now, and merges finished ones, instead of within a minute.
    ///
    /// # Errors
    /// [`StoreError::Disk`].
    pub async fn tidy(&self) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        self.keeper
            .as_ref()
            .ok_or(StoreError::Closed)?
            .send(keep::Wish(done))
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl ReportStore for EmbeddedStore {
    fn ingest(&self, reports: Vec<Report>) -> Answering<'_, ()> {
        Box::pin(async move {
            // A batch beyond the whole queue takes all of it.
            let room =
                u32::try_from(reports.len().min(self.catalog.settings.queue.max(1))).unwrap_or(u32::MAX);
            let permit =
                Arc::clone(&self.room).acquire_many_owned(room).await.map_err(|_| StoreError::Closed)?;
            self.ask(|done| Job::Reports { reports, permit, done }).await
        })
    }

    fn query<'a>(&'a self, query: &'a Query, limits: Limits) -> Answering<'a, Answer> {
        let query = query.clone();
        Box::pin(self.aside(limits, move |asking| asking.answer(&query)))
    }

    fn query_each<'a>(&'a self, queries: &'a [Query], limits: Limits) -> Answering<'a, Vec<Answer>> {
        let queries = queries.to_vec();
        Box::pin(self.aside(limits, move |asking| asking.answer_each(&queries)))
    }

    fn search<'a>(&'a self, _index: &'a str, body: &'a [u8], limits: Limits) -> Answering<'a, Vec<u8>> {
        let (body, now) = (body.to_vec(), jiff::Timestamp::now().as_millisecond());
        Box::pin(self.aside(limits, move |asking| asking.search(&body, now)))
    }

    fn confirm<'a>(&'a self, id: &'a ReportId, confirmation: Confirmation) -> Answering<'a, bool> {
        Box::pin(self.ask(move |done| Job::Confirm { id: id.clone(), as_: confirmation, done }))
    }

    fn lease<'a>(&'a self, name: &'a str, holder: &'a str, ttl: Duration) -> Answering<'a, Lease> {
        // Only this process can use the store, so only it can want the lease.
        Box::pin(async move {
            let now = Instant::now();
            let mut leases = self.leases.lock();
            leases.retain(|_, (_, until)| *until > now);
            if let Some((other, until)) = leases.get(name)
                && other != holder
            {
                return Ok(Lease::Taken { holder: other.clone(), left: until.duration_since(now) });
            }
            leases.insert(name.to_owned(), (holder.to_owned(), now + ttl));
            Ok(Lease::Held)
        })
    }

    fn release<'a>(&'a self, name: &'a str, holder: &'a str) -> Answering<'a, ()> {
        Box::pin(async move {
            let mut leases = self.leases.lock();
            if leases.get(name).is_some_and(|(other, _)| other == holder) {
                leases.remove(name);
            }
            Ok(())
        })
    }

    fn health(&self) -> Answering<'_, Health> {
        Box::pin(async move {
            let broken = self.catalog.broken.load(Ordering::Relaxed);
            let mut complaints = Vec::new();
            if broken > 0 {
                complaints.push(format!("{broken} broken daily indexes are set aside"));
            }
            let working = self.threads.iter().all(|thread| !thread.is_finished());
            if !working {
                complaints.push("a thread of the report store has ended".into());
            }
            let lagging = self.counts.lagging.load(Ordering::Relaxed);
            if lagging > 0 {
                complaints.push(format!("reports of {lagging} days cannot be written and wait in the log"));
            }
            let refusing = self.counts.refusing.lock().clone();
            let ready = working && lagging == 0 && refusing.is_none();
            complaints
                .extend(refusing.map(|why| format!("reports are refused, as the log takes none: {why}")));
            Ok(Health { ready, complaints, engine: "embedded".into() })
        })
    }

    fn stats(&self) -> Answering<'_, StoreStats> {
        Box::pin(async move {
            let days = self.catalog.all();
            Ok(StoreStats {
                reports: days.iter().map(|day| day.reports()).sum(),
                bytes: days.iter().map(|day| day.bytes()).sum(),
                days: days.len() as u64,
                broken_days: self.catalog.broken.load(Ordering::Relaxed),
                ingested: self.counts.ingested.load(Ordering::Relaxed),
                refused: self.counts.refused.load(Ordering::Relaxed),
                retries: 0,
                pending: self.counts.pending.load(Ordering::Relaxed)
                    + self.counts.waiting.load(Ordering::Relaxed),
            })
        })
    }

    fn flush(&self) -> Answering<'_, ()> {
        Box::pin(self.ask(Job::Flush))
    }
}

impl Drop for EmbeddedStore {
    /// Writes what is left and waits for it.
    fn drop(&mut self) {
        drop(self.keeper.take());
        drop(self.jobs.take());
        // The keeper first: it can still ask the ingest thread, which ends when nobody can.
        while let Some(thread) = self.threads.pop() {
            // A panic there was logged by the hook.
            let _ = thread.join();
        }
    }
}
