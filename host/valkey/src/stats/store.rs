//! A stats DB in a server: calls that wait for its connection.

mod connect;
mod index;
mod trouble;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bstr::BString;
use capabilities::Capabilities;
use capabilities::log::Level;
use capabilities::metrics::RemoteStats;
use capabilities::stats::{Answer, Db, Found, OnUnreachable, Remote, Step, Unreachable};
use parking_lot::Mutex;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use statsdb::outside::Rows;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::cache::Cache;
use super::options::StatsOptions;
use super::parts::{ALL, Parts, Set};
use super::plan::{Each, Moment, NoRows, PARTITIONS, Plan, Run, Senseless};
use crate::away::Away;
use crate::nodes::Nodes;
use crate::target::Mode;
use trouble::{advice, is_elsewhere, is_lost, is_split};

/// What the server runs; it does all steps of a call at once.
const SCRIPT: &str = include_str!("script.lua");
/// Lines that tell the same come at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A stats DB in a server.
pub struct StatsStore(Arc<Inner>);

struct Inner {
    name: BString,
    options: StatsOptions,
    plan: Plan,
    cache: Cache,
    /// The script's name in the server.
    digest: String,
    capabilities: Arc<Capabilities>,
    metrics: RemoteStats,
    runtime: Handle,
    /// The connection, while there is one.
    ready: Mutex<Option<Ready>>,
    connected: watch::Sender<bool>,
    broken: Notify,
    /// Of a cluster: what cannot be reached though the connection is there.
    parts: Parts,
    waiting: AtomicUsize,
    /// Indexes that are being written on their own.
    indexing: AtomicUsize,
    away: Away,
    /// It was told that some parts cannot be reached.
    partly: AtomicBool,
}

#[derive(Clone)]
struct Ready {
    nodes: Arc<Nodes>,
    /// What all daemons count sketches in. Not there while the node of a cluster that has it is away.
    rows: Arc<OnceLock<Rows>>,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Server(#[from] RedisError),
    #[error(transparent)]
    Senseless(#[from] Senseless),
    #[error(transparent)]
    NoRows(#[from] NoRows),
}

impl StatsStore {
    /// Keeps the DB's counts in the server from now on, and connects; `None` if they are kept somewhere already.
    pub fn start(
        capabilities: &Arc<Capabilities>,
        db: &Db,
        options: StatsOptions,
        runtime: &Handle,
    ) -> Option<StatsStore> {
        if db.remote().is_some() {
            return None;
        }
        // The redis crate takes the process's TLS provider; it may be there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let inner = Arc::new(Inner {
            name: db.name().to_owned(),
            plan: Plan::new(db.schema()),
            cache: Cache::new(options.staleness),
            digest: redis::Script::new(SCRIPT).get_hash().to_owned(),
            metrics: capabilities.metrics.remote_stats(&db.name().to_string()),
            options,
            capabilities: capabilities.clone(),
            runtime: runtime.clone(),
            ready: Mutex::default(),
            connected: watch::Sender::new(false),
            broken: Notify::new(),
            parts: Parts::default(),
            waiting: AtomicUsize::new(0),
            indexing: AtomicUsize::new(0),
            away: Away::default(),
            partly: AtomicBool::new(false),
        });
        let store = StatsStore(inner.clone());
        if !db.keep_in(Arc::new(StatsStore(inner.clone()))) {
            return None;
        }
        runtime.spawn(inner.connect());
        Some(store)
    }

    /// The DB's name.
    pub fn name(&self) -> &BString {
        &self.0.name
    }

    /// How its counts are kept.
    pub fn options(&self) -> &StatsOptions {
        &self.0.options
    }

    /// Waits until the server is there, but not longer than this. Whether it is.
    pub async fn connected(&self, at_most: Duration) -> bool {
        let mut connected = self.0.connected.subscribe();
        matches!(tokio::time::timeout(at_most, connected.wait_for(|connected| *connected)).await, Ok(Ok(_)))
    }
}

impl Inner {
    fn is_apart(&self) -> bool {
        self.options.target.mode == Mode::Cluster
    }

    /// The parts with these keys, if they are on several nodes.
    fn touched<'k>(&self, keys: impl IntoIterator<Item = &'k BString>) -> Set {
        if self.is_apart() { Plan::touched(keys) } else { 0 }
    }

    /// Runs something with the connection on these parts, within the time; what becomes of it is counted.
    async fn within<T>(
        self: Arc<Self>,
        touched: Set,
        work: impl AsyncFnOnce(&Arc<Self>, Ready) -> Result<T, Broken>,
    ) -> Result<T, Unreachable> {
        let Some(ready) = self.ready.lock().clone() else {
            self.metrics.away.inc();
            return Err(Unreachable::Away);
        };
        if self.parts.is_away(touched) {
            self.metrics.away.inc();
            return Err(Unreachable::Away);
        }
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= self.options.max_waiting {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.metrics.full.inc();
            return Err(Unreachable::Full);
        }
        let waits = Waits(&self.waiting);
        let since = Instant::now();
        let done = tokio::time::timeout(self.options.timeout, work(&self, ready)).await;
        drop(waits);
        match done {
            Ok(Ok(done)) => {
                self.metrics.answered.inc();
                self.metrics.seconds.observe(since.elapsed().as_secs_f64());
                Ok(done)
            }
            // The node that has them is away.
            Ok(Err(Broken::NoRows(_))) => {
                self.metrics.away.inc();
                Err(Unreachable::Away)
            }
            Ok(Err(broken)) => Err(self.complain(&broken, touched)),
            Err(_) => {
                self.metrics.late.inc();
                self.give_up("it does not answer in time", touched);
                Err(Unreachable::Timeout)
            }
        }
    }

    fn complain(&self, broken: &Broken, touched: Set) -> Unreachable {
        self.metrics.refused.inc();
        let advice = match broken {
            Broken::Server(error) if !self.is_apart() => advice(error),
            _ => "",
        };
        let text = format!("stats DB {}: {}: {broken}{advice}", self.name, self.options.target);
        self.capabilities.log.limited(&format!("stats DB {}", self.name), LOG_EVERY, Level::Err, &text);
        match broken {
            Broken::Server(error) if is_lost(error) && (self.is_apart() || !is_elsewhere(error)) => {
                self.give_up("the connection is lost", touched);
                if error.is_timeout() { Unreachable::Timeout } else { Unreachable::Away }
            }
            broken => Unreachable::Refused(format!("{broken}{advice}")),
        }
    }

    /// Without waiting any longer for this connection, or, of a cluster, for this part. Of several parts only a look at all of
    /// them tells which one it was.
    fn give_up(&self, why: &str, touched: Set) {
        if self.is_apart() {
            if touched.is_power_of_two() {
                self.parts.lose(touched);
            }
            self.broken.notify_one();
            return;
        }
        if self.ready.lock().take().is_some() {
            let text = format!("stats DB {}: {}: {why}", self.name, self.options.target);
            self.capabilities.log.limited(
                &format!("stats DB away {}", self.name),
                LOG_EVERY,
                Level::Err,
                &text,
            );
            self.metrics.reachable.set(0);
            self.connected.send_replace(false);
            self.broken.notify_one();
        }
    }

    async fn steps(
        self: &Arc<Self>,
        ready: Ready,
        moment: Moment,
        steps: &[Step],
    ) -> Result<Vec<Found>, Broken> {
        let mut found: Vec<Found> = steps.iter().map(|step| step.ask.nothing()).collect();
        let rows = ready.rows.get();
        // Puts answers where they belong. Keys that are on two nodes, because their slot moves, are asked for one by one.
        let mut settle = |run: Run, answers: Result<Value, RedisError>| match answers {
            Err(error) if is_split(&error) && !run.is_alone() => {
                Ok(self.plan.compile(moment, rows, run.steps(steps), Each::Key)?)
            }
            answers => {
                self.plan.read(&run, &answers?, &mut found)?;
                Ok::<_, Broken>(Vec::new())
            }
        };
        let each = if self.is_apart() { Each::Partition } else { Each::Call };
        let mut runs = self.plan.compile(moment, rows, steps.iter().enumerate(), each)?;
        if runs.len() == 1
            && let Some(run) = runs.pop()
        {
            let answers = self.run(&ready.nodes, &run).await;
            runs = settle(run, answers)?;
        }
        let mut all = JoinSet::new();
        loop {
            for run in runs {
                let (inner, nodes) = (self.clone(), ready.nodes.clone());
                all.spawn(async move { (inner.run(&nodes, &run).await, run) });
            }
            let Some(done) = all.join_next().await else { break };
            let (answers, run) = done.map_err(|_| Senseless)?;
            runs = settle(run, answers)?;
        }
        Ok(found)
    }

    /// Runs the script, which the server may not know yet.
    async fn run(self: &Arc<Self>, nodes: &Arc<Nodes>, run: &Run) -> Result<Value, RedisError> {
        let keys = run.of_script();
        let command = |name: &str, script: &str| {
            let mut command = redis::cmd(name);
            command.arg(script).arg(keys.len()).arg(keys).arg(&run.arguments);
            command
        };
        // All of them are in one slot, or there is only one server.
        let key = keys.first().map_or(&[][..], Vec::as_slice);
        let mut done = nodes.ask(key, &command("EVALSHA", &self.digest)).await;
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)) {
            done = nodes.ask(key, &command("EVAL", SCRIPT)).await;
        }
        if let (Ok(_), Some(words)) = (&done, run.of_index()) {
            self.clone().write_index(nodes, words);
        }
        if nodes.is_stale() {
            self.broken.notify_one();
        }
        done
    }

    async fn count(self: &Arc<Self>, ready: Ready, now: u64) -> Result<u64, Broken> {
        let oldest = now.saturating_sub(self.plan.life());
        let mut all = JoinSet::new();
        for partition in 0..PARTITIONS {
            let (nodes, index) = (ready.nodes.clone(), self.plan.index(partition));
            all.spawn(async move {
                let mut count = redis::cmd("ZCOUNT");
                count.arg(&index).arg(oldest).arg("+inf");
                Ok(redis::from_redis_value::<u64>(nodes.ask(&index, &count).await?)?)
            });
        }
        let mut sum = 0;
        while let Some(done) = all.join_next().await {
            sum += done.map_err(|_| Senseless)?.map_err(Broken::Server)?;
        }
        Ok(sum)
    }
}

/// A call, or an index, that waits, counted until it does not any more.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A number that nobody outside knows.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Does the work where the connection lives; the answer is awaited anywhere.
fn elsewhere<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = Result<T, Unreachable>> + Send + 'static,
) -> Answer<T> {
    let task = runtime.spawn(work);
    Box::pin(async move { task.await.unwrap_or(Err(Unreachable::Away)) })
}

impl Remote for StatsStore {
    fn ask(&self, now: u64, max_size: u32, steps: Vec<Step>) -> Answer<Vec<Found>> {
        let inner = self.0.clone();
        if let Some(found) = inner.cache.answers(&steps) {
            inner.metrics.cached.inc();
            return Box::pin(std::future::ready(Ok(found)));
        }
        let runtime = inner.runtime.clone();
        elsewhere(&runtime, async move {
            let asked = Instant::now();
            let moment = Moment { now, max_size };
            let work = async |inner: &Arc<Inner>, ready| inner.steps(ready, moment, &steps).await;
            let touched = inner.touched(steps.iter().map(|step| &step.key));
            let found = inner.clone().within(touched, work).await?;
            inner.cache.keep(asked, &steps, &found);
            Ok(found)
        })
    }

    fn all_of(&self, now: u64, key: BString) -> Answer<Vec<(BString, i32)>> {
        let inner = self.0.clone();
        let runtime = inner.runtime.clone();
        elsewhere(&runtime, async move {
            let run = inner.plan.all_of(Moment { now, max_size: 0 }, &key);
            let work = async |inner: &Arc<Inner>, ready: Ready| {
                let answer = inner.run(&ready.nodes, &run).await?;
                Ok(inner.plan.sums(now, &answer)?)
            };
            inner.clone().within(inner.touched([&key]), work).await
        })
    }

    fn size(&self, now: u64) -> Answer<u64> {
        let inner = self.0.clone();
        let runtime = inner.runtime.clone();
        elsewhere(&runtime, async move {
            let work = async |inner: &Arc<Inner>, ready| inner.count(ready, now).await;
            inner.clone().within(if inner.is_apart() { ALL } else { 0 }, work).await
        })
    }

    fn on_unreachable(&self) -> OnUnreachable {
        self.0.options.on_unreachable
    }

    fn place(&self) -> String {
        self.0.options.target.to_string()
    }
}
