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
use crate::instance::{Instance, Recipe};
use crate::load::now;
use crate::options::{OnError, Options};
use crate::version::Version;

/// Lines that say the same come at most this often.
const EVERY: Duration = Duration::from_secs(1);

/// A policy by name.
pub(crate) struct Slot {
    pub(crate) name: Arc<str>,
    pub(crate) path: PathBuf,
    pub(crate) current: ArcSwap<Version>,
    /// One reload at a time.
    pub(crate) reloading: Mutex<Seen>,
    capabilities: Arc<Capabilities>,
    metrics: ComponentMetrics,
    /// As they were configured; a version of before that came back may have others.
    pub(crate) options: Options,
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
            options: common.options.clone(),
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
        let old = self.current.load_full();
        let version = Version::after(recipe, &old, |before| self.can_go_back(before));
        self.current.store(Arc::new(version));
        old.retire();
        self.release();
        Ok(())
    }

    /// Takes the place of the policy that had its name in the configuration of before. Nothing of that changes: it may still be
    /// called, and go on if the new configuration cannot be used after all.
    pub(crate) fn follow(&self, old: &Slot) {
        // It begins outside of quarantine; the metric, which has the name only, would say so a second later.
        self.metrics.quarantined.set(0);
        if !old.quarantined.load(Ordering::Relaxed) {
            self.current.load().follow(&old.current.load_full(), |before| self.can_go_back(before));
        }
    }

    /// Whether a version of before would do: one in quarantine would not, nor one without a hook that is in use.
    fn can_go_back(&self, before: &Version) -> bool {
        let required = self.required.load(Ordering::Relaxed);
        !self.quarantined.load(Ordering::Relaxed)
            && Hook::ALL.iter().all(|hook| required & bit(*hook) == 0 || before.recipe.exports.has(*hook))
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
        version.shrink();
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
        let state = match (self.quarantined.load(Ordering::Relaxed), version.is_on_probation()) {
            (true, _) => "quarantined",
            (false, false) => "fine",
            (false, true) => "on probation",
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
        let guard = match self.instance(version, call, stop).await {
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
        if let Some(kept) = instance.store.data().leaked() {
            let text = format!(
                "policy {}: an instance with {kept} handles makes way for a new one: its calls open and keep more and more \
                 (open a DB once, or drop it after the call)",
                self.name
            );
            let log = &self.capabilities.log;
            log.limited(&format!("leak {}", self.name), Duration::from_secs(10), Level::Warning, text);
        } else if !dead && !options.fresh {
            guard.give_back(options.max_calls);
        }
        (result, fuel)
    }

    async fn instance<'a>(
        &self,
        version: &'a Version,
        call: &Call,
        stop: &Arc<Stop>,
    ) -> Result<Lent<'a>, Trouble> {
        let instance = if let Some(instance) = version.pool.take(call) {
            instance
        } else {
            let instance = Box::new(Box::pin(version.recipe.start(Some(stop))).await?);
            version.pool.made();
            self.metrics.started.inc();
            instance
        };
        Ok(Lent { instance: Some(instance), version })
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
                version.prove();
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
        if let Some(before) = version.give_up() {
            let with = if before.recipe.common.options == self.options { "" } else { " with its options" };
            if Arc::ptr_eq(&self.current.compare_and_swap(version, before), version) {
                self.metrics.rolled_back.inc();
                log.error(format!(
                    "policy {}: the new version trapped on its first calls: back to the old one{with}",
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
        let most = self.options.quarantine;
        if most > 0 && traps >= most && !self.quarantined.swap(true, Ordering::Relaxed) {
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
            Call::Allow(_) | Call::Shadow(_) => Ok(match self.options.on_error {
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
struct Lent<'a> {
    instance: Option<Box<Instance>>,
    version: &'a Version,
}

impl Lent<'_> {
    fn give_back(&mut self, max_calls: u64) {
        if let Some(instance) = self.instance.take() {
            self.version.pool.give_back(instance, max_calls);
        }
    }
}

impl Drop for Lent<'_> {
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
