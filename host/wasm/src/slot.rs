//! A policy by name: its present version, what happens when it fails, and how it is replaced.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use capabilities::context;
use capabilities::context::Step;
use capabilities::metrics::ComponentMetrics;
use capabilities::{Capabilities, Level};
use login::Decision;
use parking_lot::Mutex;
use policy::{Call, Component, ComponentError, Failure, Hook, Progress, Reply, Stop};

use crate::error::{LoadError, Trouble};
use crate::instance::{Instance, Pool, Recipe};
use crate::load::now;
use crate::options::OnError;

/// Calls of a new version during which a trap brings the old one back.
const PROBATION: u32 = 20;
/// Lines that say the same come at most this often.
const EVERY: Duration = Duration::from_secs(1);

/// A version of a policy with its instances.
pub(crate) struct Version {
    pub(crate) recipe: Recipe,
    pub(crate) pool: Pool,
    /// Calls that are left of its probation; only a version that replaced another has one.
    probation: AtomicU32,
    /// What it replaced.
    before: Mutex<Option<Arc<Version>>>,
}

impl Version {
    pub(crate) fn new(recipe: Recipe) -> Version {
        Version { recipe, pool: Pool::default(), probation: AtomicU32::new(0), before: Mutex::new(None) }
    }
}

/// A policy by name.
pub(crate) struct Slot {
    pub(crate) name: Arc<str>,
    pub(crate) path: PathBuf,
    pub(crate) current: ArcSwap<Version>,
    /// One reload at a time.
    pub(crate) reloading: Mutex<Seen>,
    capabilities: Arc<Capabilities>,
    metrics: ComponentMetrics,
    on_error: OnError,
    quarantine_after: u32,
    /// Traps in a row.
    traps: AtomicU32,
    quarantined: AtomicBool,
    /// The hooks that the configuration uses, a bit each.
    required: AtomicU8,
    pub(crate) calls: AtomicU64,
}

/// The file as it was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(pub(crate) Option<(SystemTime, u64)>);

impl Seen {
    pub(crate) fn of(path: &std::path::Path) -> Seen {
        let metadata = std::fs::metadata(path).ok();
        Seen(metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len()))))
    }
}

impl Slot {
    pub(crate) fn new(recipe: Recipe, path: PathBuf, seen: Seen) -> Slot {
        let common = recipe.common.clone();
        Slot {
            name: common.name.clone(),
            path,
            reloading: Mutex::new(seen),
            metrics: common.capabilities.metrics.component(&common.name),
            capabilities: common.capabilities.clone(),
            on_error: common.options.on_error,
            quarantine_after: common.options.quarantine,
            current: ArcSwap::from_pointee(Version::new(recipe)),
            traps: AtomicU32::new(0),
            quarantined: AtomicBool::new(false),
            required: AtomicU8::new(0),
            calls: AtomicU64::new(0),
        }
    }

    /// Puts a version in place of the present one. In-flight calls end on theirs.
    pub(crate) fn replace(&self, recipe: Recipe) -> Result<(), LoadError> {
        let required = self.required.load(Ordering::Relaxed);
        if let Some(gone) =
            Hook::ALL.iter().find(|hook| required & bit(**hook) != 0 && !recipe.exports.has(**hook))
        {
            return Err(LoadError::HookGone { hook: gone.name() });
        }
        let version = Version::new(recipe);
        let old = self.current.load_full();
        version.probation.store(PROBATION, Ordering::Relaxed);
        // One step back, not a history.
        *old.before.lock() = None;
        old.pool.shrink(true);
        *version.before.lock() = Some(old);
        self.current.store(Arc::new(version));
        self.release();
        Ok(())
    }

    /// Asks it again after a quarantine.
    fn release(&self) {
        self.traps.store(0, Ordering::Relaxed);
        if self.quarantined.swap(false, Ordering::Relaxed) {
            self.metrics.quarantined.set(0);
            self.capabilities.log.notice(format!("policy {}: out of quarantine", self.name));
        }
    }

    /// Once in a while.
    pub(crate) fn tick(&self) {
        let version = self.current.load();
        version.pool.shrink(false);
        let (instances, memory) = version.pool.count();
        // A configuration that was read again has other slots with the same names.
        self.metrics.quarantined.set(i64::from(self.quarantined.load(Ordering::Relaxed)));
        self.metrics.instances.set(i64::try_from(instances).unwrap_or(i64::MAX));
        self.metrics.memory.set(i64::try_from(memory).unwrap_or(i64::MAX));
    }

    /// A line for people.
    pub(crate) fn line(&self) -> String {
        let version = self.current.load();
        let (instances, memory) = version.pool.count();
        let hooks: Vec<&str> = Hook::ALL
            .iter()
            .filter(|hook| version.recipe.exports.has(**hook))
            .map(|hook| hook.name())
            .collect();
        let state =
            match (self.quarantined.load(Ordering::Relaxed), version.probation.load(Ordering::Relaxed)) {
                (true, _) => "quarantined",
                (false, 0) => "fine",
                _ => "on probation",
            };
        format!(
            "{} ({}): {state}, {} calls, {instances} instances, {} KiB, hooks: {}",
            self.name,
            self.path.display(),
            self.calls.load(Ordering::Relaxed),
            memory >> 10,
            hooks.join(" ")
        )
    }

    /// Runs a call on a version and takes care of the instance.
    async fn run(
        &self,
        version: &Arc<Version>,
        call: &Call,
        began: Instant,
        stop: &Arc<Stop>,
    ) -> (Result<Reply, Trouble>, Option<u64>) {
        let guard = match self.instance(version, stop).await {
            Ok(guard) => guard,
            Err(trouble) => return (Err(trouble), None),
        };
        let mut guard = guard;
        let Some(instance) = guard.instance.as_mut() else {
            return (Err(Trouble::told("its instance is gone".to_owned())), None);
        };
        let (result, fuel) = version.recipe.run(instance, call, began, Some(stop)).await;
        let options = &version.recipe.common.options;
        let dead = result.as_ref().is_err_and(|trouble| trouble.trap);
        if !dead && !options.fresh {
            guard.give_back(options.max_calls);
        }
        (result, fuel)
    }

    async fn instance(&self, version: &Arc<Version>, stop: &Arc<Stop>) -> Result<Lent, Trouble> {
        let instance = if let Some(instance) = version.pool.take() {
            instance
        } else {
            let instance = Box::new(Box::pin(version.recipe.start(Some(stop))).await?);
            version.pool.made();
            self.metrics.started.inc();
            instance
        };
        Ok(Lent { instance: Some(instance), version: version.clone() })
    }

    /// What a call came to: counts it, notes it, and turns trouble into the answer that the operator chose.
    fn settle(
        &self,
        version: &Arc<Version>,
        call: &Call,
        began: Instant,
        outcome: (Result<Reply, Trouble>, Option<u64>),
    ) -> Result<Reply, Failure> {
        let (result, fuel) = outcome;
        let took = began.elapsed();
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.metrics.calls.inc();
        self.metrics.micros.inc_by(u64::try_from(took.as_micros()).unwrap_or(0));
        if let Some(fuel) = fuel {
            self.metrics.fuel.inc_by(fuel);
            context::used_fuel(fuel);
        }
        let told = result.as_ref().err().map(|trouble| trouble.text.clone());
        let answer = match result {
            Ok(reply) => {
                if self.traps.load(Ordering::Relaxed) != 0 {
                    self.traps.store(0, Ordering::Relaxed);
                }
                Self::prove(version);
                Ok(reply)
            }
            Err(trouble) => {
                self.failed(version, call, &trouble);
                self.answer(call, &trouble)
            }
        };
        self.note(call, &answer, told, (took, fuel));
        answer
    }

    /// Notes what a call came to, for whoever wants to know; `trouble`: it failed.
    fn note(
        &self,
        call: &Call,
        answer: &Result<Reply, Failure>,
        trouble: Option<String>,
        (took, fuel): (Duration, Option<u64>),
    ) {
        if !matches!(call, Call::Allow(_) | Call::Shadow(_)) {
            return;
        }
        context::note(|| {
            let (status, log) = match answer {
                Ok(Reply::Decision(decision)) => (Some(decision.status), decision.log.clone()),
                _ => (None, bstr::BString::default()),
            };
            let failed = trouble.is_some();
            let log = trouble.map_or(log, Into::into);
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            Step::Member { name: self.name.to_string(), status, log, failed, micros, fuel }
        });
    }

    /// A good call on a version: it may end its probation, and then the old version can go.
    fn prove(version: &Version) {
        if version.probation.load(Ordering::Relaxed) == 0 {
            return;
        }
        let left =
            version.probation.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left == Ok(1) {
            *version.before.lock() = None;
        }
    }

    /// Counts, logs, goes back to the old version, or puts it into quarantine.
    fn failed(&self, version: &Arc<Version>, call: &Call, trouble: &Trouble) {
        self.metrics.failed(trouble.kind);
        let text = format!(
            "policy {}: {} failed ({}): {}",
            self.name,
            &*call.function(),
            trouble.kind,
            trouble.text
        );
        let log = &self.capabilities.log;
        log.limited(&format!("component {} {}", self.name, trouble.kind), EVERY, Level::Err, text);
        if !trouble.trap {
            return;
        }
        if version.probation.load(Ordering::Relaxed) > 0
            && let Some(before) = version.before.lock().take()
        {
            let current = self.current.load_full();
            if Arc::ptr_eq(&current, version) {
                self.current.store(before);
                self.metrics.rolled_back.inc();
                log.error(format!(
                    "policy {}: the new version trapped on its first calls: back to the old one",
                    self.name
                ));
            }
            return;
        }
        // A version that is no longer in use says nothing about the present one.
        if !Arc::ptr_eq(&self.current.load(), version) {
            return;
        }
        let traps = self.traps.fetch_add(1, Ordering::Relaxed) + 1;
        if self.quarantine_after > 0
            && traps >= self.quarantine_after
            && !self.quarantined.swap(true, Ordering::Relaxed)
        {
            self.metrics.quarantined.set(1);
            version.pool.shrink(true);
            log.error(format!(
                "policy {}: {traps} traps in a row: in quarantine, it is not asked until it is loaded again (reloadPolicy(\"{}\"))",
                self.name, self.name
            ));
        }
    }

    /// The answer that the operator chose for a call that has none of its own.
    fn answer(&self, call: &Call, trouble: &Trouble) -> Result<Reply, Failure> {
        match call {
            Call::Allow(_) | Call::Shadow(_) => Ok(match self.on_error {
                OnError::Next => Reply::Pass,
                OnError::Allow => Reply::Decision(self.decision(0)),
                OnError::Deny => Reply::Decision(self.decision(-1)),
            }),
            Call::Report(_) => Ok(Reply::Done),
            Call::Reset { .. } => Ok(Reply::Flag(false)),
            Call::Canonicalize(_) => Ok(Reply::Pass),
            // Who runs a background function wants to know.
            Call::Custom(..) | Call::CustomGet(_) | Call::Background { .. } | Call::Console(_) => {
                Err(trouble.failure(&self.name))
            }
        }
    }

    fn decision(&self, status: i32) -> Decision {
        Decision { status, log: format!("policy {} failed", self.name).into(), ..Decision::default() }
    }
}

fn bit(hook: Hook) -> u8 {
    1 << hook as u8
}

/// An instance out of the pool; gone unless it is given back.
struct Lent {
    instance: Option<Box<Instance>>,
    version: Arc<Version>,
}

impl Lent {
    fn give_back(&mut self, max_calls: u64) {
        if let Some(instance) = self.instance.take() {
            self.version.pool.give_back(instance, max_calls);
        }
    }
}

impl Drop for Lent {
    /// Also of a call that was dropped while it waited: what it left behind is nobody's business.
    fn drop(&mut self) {
        if self.instance.take().is_some() {
            self.version.pool.gone();
        }
    }
}

impl Component for Slot {
    fn name(&self) -> &str {
        &self.name
    }

    fn require(&self, hook: Hook) -> Result<(), ComponentError> {
        if !self.current.load().recipe.exports.has(hook) {
            let text = format!(
                "the policy \"{}\" does not export the hook {}: export portcullis:policy/{}@{}, or use another policy",
                self.name,
                hook.name(),
                hook.name(),
                crate::VERSION
            );
            return Err(ComponentError(text));
        }
        self.required.fetch_or(bit(hook), Ordering::Relaxed);
        Ok(())
    }

    fn start(self: Arc<Self>, call: &Call, stop: &Arc<Stop>) -> Progress {
        if self.quarantined.load(Ordering::Relaxed) {
            let trouble = Trouble { kind: "quarantine", text: "in quarantine".to_owned(), trap: false };
            let answer = self.answer(call, &trouble);
            self.note(call, &answer, Some(trouble.text), (Duration::ZERO, None));
            return Progress::Finished(answer);
        }
        let version = self.current.load_full();
        let began = Instant::now();
        if version.recipe.waits {
            let (call, stop) = (call.clone(), stop.clone());
            return Progress::Suspended(Box::pin(async move {
                let outcome = self.run(&version, &call, began, &stop).await;
                self.settle(&version, &call, began, outcome)
            }));
        }
        let outcome = now(self.run(&version, call, began, stop));
        Progress::Finished(self.settle(&version, call, began, outcome))
    }
}
