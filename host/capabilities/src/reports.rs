//! The long memory: weeks of reports, and typed questions about them.
//!
//! The store itself is `host/reports`; this is its place in a daemon. Reports come in complete with place, network owner
//! and device, through a bounded queue. Questions have limits.

mod complaints;
mod enrich;
mod error;
mod intake;
pub mod question;
mod settings;
mod trace;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::reports::{
    Answer, Confirmation, ElasticStore, EmbeddedStore, Health, Ids, Limits, Query, ReportId, ReportStore,
    StoreStats,
};
use arc_swap::ArcSwapOption;
use login::Login;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::Capabilities;
use crate::context::Context;
use crate::log::Log;
use crate::metrics::{Metrics, StoreMetrics};
use crate::troubles::Troubles;
pub use ::reports::{Asker, Lease, StoreError};
pub use enrich::Databases;
pub use error::{ReportsError, SettingsError};
use intake::Intake;
pub use question::Which;
pub use settings::{Engine, Settings};
pub use trace::{note, note_each};

/// Between two samples of the store's numbers.
const SAMPLES: Duration = Duration::from_secs(5);
/// The name of the trouble of a store that is not ready.
const TROUBLE: &str = "reports";

/// The report store of this daemon, if it has one.
pub struct Reports {
    log: Arc<Log>,
    metrics: StoreMetrics,
    settings: Mutex<Option<Settings>>,
    open: ArcSwapOption<Open>,
    ids: Ids,
    troubles: Arc<Troubles>,
}

/// A store that works.
struct Open {
    store: Arc<dyn ReportStore>,
    intake: Intake,
    limits: Limits,
    databases: Databases,
    /// Several daemons can share it.
    shared: bool,
}

impl Reports {
    pub(crate) fn new(log: Arc<Log>, metrics: &Metrics, troubles: Arc<Troubles>) -> Self {
        Self {
            log,
            metrics: metrics.report_store(),
            settings: Mutex::default(),
            open: ArcSwapOption::empty(),
            ids: Ids::new(),
            troubles,
        }
    }

    /// Says which store there is to be; the last call counts. Nothing is opened yet.
    ///
    /// # Errors
    /// The options make no sense.
    pub fn configure(&self, engine: &str, options: Value) -> Result<(), SettingsError> {
        self.choose(Settings::read(engine, options)?);
        Ok(())
    }

    /// The same with settings that were read before.
    pub fn choose(&self, settings: Settings) {
        *self.settings.lock() = Some(settings);
    }

    /// Whether the configuration names a store.
    pub fn configured(&self) -> bool {
        self.settings.lock().is_some()
    }

    /// Whether the store that the configuration names could be made, without opening it.
    ///
    /// # Errors
    /// A URL, a key or a certificate that cannot be used.
    pub fn check(&self) -> Result<(), StoreError> {
        match self.settings.lock().as_ref().map(|settings| &settings.engine) {
            Some(Engine::Elastic(elastic)) => ElasticStore::check(elastic),
            Some(Engine::Embedded(embedded)) => {
                let folder = &embedded.folder;
                files::writable_folder(folder).map_err(|error| StoreError::Disk {
                    place: folder.display().to_string(),
                    reason: error.to_string(),
                })
            }
            None => Ok(()),
        }
    }

    /// Where the store is that the configuration names, if it names one.
    pub fn described(&self) -> Option<String> {
        self.settings.lock().as_ref().map(|settings| match &settings.engine {
            Engine::Embedded(embedded) => format!("embedded, in {}", embedded.folder.display()),
            Engine::Elastic(elastic) => format!("elasticsearch, at {}", elastic.hosts.join(", ")),
        })
    }

    /// Opens the store that the configuration names; nothing happens if it names none. It reads files, so not on a thread
    /// that serves requests.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn start(self: &Arc<Self>, runtime: &Handle) -> Result<(), StoreError> {
        let Some(settings) = self.settings.lock().clone() else { return Ok(()) };
        // A store on the disk keeps what it took at once; one behind a network may be away for hours, which those who
        // report logins must not notice.
        let (store, tasks, patient): (Arc<dyn ReportStore>, usize, bool) = match &settings.engine {
            Engine::Embedded(embedded) => {
                let mut embedded = (**embedded).clone();
                embedded.complain = complaints::to_log(self.log.clone());
                (Arc::new(EmbeddedStore::open(&embedded)?), 1, true)
            }
            Engine::Elastic(elastic) => {
                let mut elastic = (**elastic).clone();
                elastic.complain = complaints::to_log(self.log.clone());
                let _inside = runtime.enter();
                (Arc::new(ElasticStore::new(elastic)?), 2, false)
            }
        };
        self.open_with(store, &settings, (tasks, patient), runtime);
        runtime.spawn(sample(self.clone(), settings.engine.name()));
        Ok(())
    }

    fn open_with(
        &self,
        store: Arc<dyn ReportStore>,
        settings: &Settings,
        (tasks, patient): (usize, bool),
        runtime: &Handle,
    ) {
        let intake =
            Intake::start(&store, (settings.queue, tasks, patient), (&self.log, &self.metrics), runtime);
        let (limits, databases) = (settings.limits, settings.databases.clone());
        let shared = matches!(settings.engine, Engine::Elastic(_));
        self.open.store(Some(Arc::new(Open { store, intake, limits, databases, shared })));
    }

    /// Whether the store that is open is one that several daemons can share.
    pub fn shared(&self) -> bool {
        self.open.load().as_ref().is_some_and(|open| open.shared)
    }

    /// Whether there is a store that questions can be asked.
    pub fn is_open(&self) -> bool {
        self.open.load().is_some()
    }

    fn opened(&self) -> Result<Arc<Open>, ReportsError> {
        self.open.load_full().ok_or(ReportsError::NoStore)
    }

    /// Answers a question. `left`: the time that the asking call still has; the configured limit holds as well. Needs a
    /// tokio runtime; no thread of it is blocked.
    ///
    /// # Errors
    /// [`ReportsError`].
    pub async fn query(&self, query: &Query, left: Option<Duration>) -> Result<Answer, ReportsError> {
        self.query_of(Asker::Request, query, left).await
    }

    /// The same of somebody: the questions of background functions make way for others.
    ///
    /// # Errors
    /// [`ReportsError`].
    pub async fn query_of(
        &self,
        asker: Asker,
        query: &Query,
        left: Option<Duration>,
    ) -> Result<Answer, ReportsError> {
        let open = self.opened()?;
        let began = Instant::now();
        let answer = open.store.query(query, open.limits(asker, left)).await;
        self.metrics.question(kind(query), answer.is_ok(), began.elapsed());
        Ok(answer?)
    }

    /// Answers several questions in their order, or none; see [`ReportStore::query_each`].
    ///
    /// # Errors
    /// [`ReportsError`].
    pub async fn query_each_of(
        &self,
        asker: Asker,
        queries: &[Query],
        left: Option<Duration>,
    ) -> Result<Vec<Answer>, ReportsError> {
        let open = self.opened()?;
        let began = Instant::now();
        let answers = open.store.query_each(queries, open.limits(asker, left)).await;
        self.metrics.questions(queries.iter().map(kind), answers.is_ok(), began.elapsed());
        Ok(answers?)
    }

    /// Answers a search in Elasticsearch's own language.
    ///
    /// # Errors
    /// [`ReportsError`].
    pub async fn search(
        &self,
        asker: Asker,
        index: &str,
        body: &[u8],
        left: Option<Duration>,
    ) -> Result<Vec<u8>, ReportsError> {
        let open = self.opened()?;
        let began = Instant::now();
        let answer = open.store.search(index, body, open.limits(asker, left)).await;
        self.metrics.question("search", answer.is_ok(), began.elapsed());
        Ok(answer?)
    }

    /// Notes what the user said about a report. False if there is no such report.
    ///
    /// # Errors
    /// [`ReportsError`].
    pub async fn confirm(&self, id: &ReportId, confirmation: Confirmation) -> Result<bool, ReportsError> {
        Ok(self.opened()?.store.confirm(id, confirmation).await?)
    }

    /// Takes or prolongs a lease; see [`ReportStore::lease`].
    ///
    /// # Errors
    /// [`ReportsError`].
    pub async fn lease(&self, name: &str, holder: &str, ttl: Duration) -> Result<Lease, ReportsError> {
        Ok(self.opened()?.store.lease(name, holder, ttl).await?)
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// [`ReportsError`].
    pub async fn release(&self, name: &str, holder: &str) -> Result<(), ReportsError> {
        Ok(self.opened()?.store.release(name, holder).await?)
    }

    /// Whether the store can work.
    ///
    /// # Errors
    /// [`ReportsError`].
    pub async fn health(&self) -> Result<Health, ReportsError> {
        Ok(self.opened()?.store.health().await?)
    }

    /// Numbers about the store.
    ///
    /// # Errors
    /// [`ReportsError`].
    pub async fn stats(&self) -> Result<StoreStats, ReportsError> {
        Ok(self.opened()?.store.stats().await?)
    }

    /// Waits until what was taken is stored and visible to questions, for a while. Says how many reports still wait.
    pub async fn flush(&self, patience: Duration) -> usize {
        let Ok(open) = self.opened() else { return 0 };
        let deadline = tokio::time::Instant::now() + patience;
        let left = open.intake.drain(patience).await;
        match tokio::time::timeout_at(deadline, open.store.flush()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => self.log.error(format!("the report store: {error}")),
        }
        left
    }

    /// Ends the work of the store: what waits is stored, as far as `patience` allows; questions find no store afterwards.
    pub async fn stop(&self, patience: Duration) {
        let left = self.flush(patience).await;
        if left > 0 {
            self.log.error(format!("{left} reports could not be stored before the end"));
        }
        self.open.store(None);
    }
}

impl Open {
    fn limits(&self, asker: Asker, left: Option<Duration>) -> Limits {
        let time = left.map_or(self.limits.time, |left| left.min(self.limits.time));
        Limits { time, asker, ..self.limits }
    }
}

impl Capabilities {
    /// Has the report store take a login, complete with what the databases know of its address and device. With an embedded
    /// store it returns when the report would survive the death of the process; with others when it is in the queue. Its
    /// id; `None` without a store. `now`: unix milliseconds, for logins without a time.
    ///
    /// # Errors
    /// [`ReportsError::Full`]: too many reports wait, this one was not taken. Others: it was not stored, and why.
    pub async fn take_report(&self, login: &Login, now: i64) -> Result<Option<ReportId>, ReportsError> {
        let Ok(open) = self.reports.opened() else { return Ok(None) };
        let ids = &self.reports.ids;
        let report = enrich::report(login, now, ids, &open.databases, &self.geoip, &self.devices);
        let id = report.id.clone();
        let taken = open.intake.take(report).await;
        if matches!(taken, Err(ReportsError::Full)) {
            self.reports.metrics.reports("full", 1);
        }
        taken.map(|()| Some(id))
    }
}

/// Whose the questions of a call in this context are.
pub fn asker(context: Option<&Context>) -> Asker {
    if context.is_some_and(Context::is_job) { Asker::Job } else { Asker::Request }
}

fn kind(query: &Query) -> &'static str {
    match query {
        Query::Logins { .. } | Query::Oldest { .. } => "logins",
        Query::Any { .. } => "any",
        Query::Seen { .. } => "seen",
        Query::FirstLast { .. } => "first_last",
        Query::Count { .. } => "count",
        Query::Top { .. } => "top",
        Query::Significant { .. } => "significant",
        Query::Histogram { .. } => "histogram",
    }
}

/// Keeps the metrics up to date for as long as the store is open.
async fn sample(reports: Arc<Reports>, engine: &'static str) {
    let mut samples = tokio::time::interval(SAMPLES);
    samples.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut said: Vec<String> = Vec::new();
    loop {
        samples.tick().await;
        let Ok(open) = reports.opened() else { return };
        let (Ok(stats), Ok(health)) = (open.store.stats().await, open.store.health().await) else { continue };
        reports.metrics.sample(engine, open.intake.waiting(), &stats, &health);
        if health.ready {
            reports.troubles.over(TROUBLE);
        } else {
            reports
                .troubles
                .set(TROUBLE, "the report store does not take or does not show all of them (see the log)");
        }
        if health.complaints != said {
            for complaint in &health.complaints {
                reports.log.warn(format!("report store: {complaint}"));
            }
            said = health.complaints;
        }
    }
}

#[cfg(test)]
mod tests;
