//! One instance of a component, and the stack of those that wait for a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use policy::{Call, Reply, Stop};
use ring::digest::SHA256_OUTPUT_LEN;
use wasmtime::component::InstancePre;
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::engine::Engine;
use crate::error::Trouble;
use crate::hooks::{Exports, Functions};
use crate::lower::Nothing;
use crate::state::{Common, HOST_CALL_BYTES, State};

/// An instance that was not used for so long is let go.
const IDLE: Duration = Duration::from_secs(30);
/// The same for one that runs a background function: it may remember what it looked at, and its next run may be an hour off.
const IDLE_JOB: Duration = Duration::from_mins(125);
/// What an instance's start may take: a language runtime has to come up.
const START: Duration = Duration::from_secs(10);
/// What stays of a call's budget when a component has to end, so that its answer is there in time.
const RESERVE: Duration = Duration::from_millis(20);
/// Fuel of a call that has no limit but is counted.
const NO_LIMIT: u64 = u64::MAX / 2;

/// A linked component, from which instances are made.
pub(crate) struct Recipe {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Exports,
    pub(crate) common: Arc<Common>,
    /// The SHA-256 of its file.
    pub(crate) hash: [u8; SHA256_OUTPUT_LEN],
    /// Its calls may wait for something outside.
    pub(crate) waits: bool,
    pub(crate) wasi: bool,
    /// Its calls may wait for stats DBs.
    pub(crate) stats_wait: bool,
}

/// An instance.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    pub(crate) functions: Functions,
    nothing: Nothing,
    calls: u64,
    /// When its last call began.
    used: Instant,
    /// It runs background functions, and nothing else: what it remembers of one is there in the next run.
    job: bool,
}

impl Recipe {
    /// Whether another is made of the same file with the same options.
    pub(crate) fn is_like(&self, other: &Recipe) -> bool {
        self.hash == other.hash && self.common.options == other.common.options
    }

    /// Makes an instance.
    pub(crate) async fn start(&self, stop: Option<&Arc<Stop>>) -> Result<Instance, Trouble> {
        let mut state = State::new(self.common.clone(), self.engine.clone(), self.wasi);
        state.stats_wait = self.stats_wait;
        let mut store = Store::new(&self.engine.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.set_max_component_handles(self.common.options.handles.saturating_add(16));
        // At each tick: is there time left?
        store.epoch_deadline_callback(|store| {
            let over = store.data().is_over();
            Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
        });
        store.set_epoch_deadline(1);
        if self.engine.metered {
            // Coming up is not the call's to pay for.
            store.set_fuel(NO_LIMIT).map_err(|error| trouble(&error, &store))?;
        }
        let now = Instant::now();
        let deadline = within_budget(now, START);
        store.data_mut().begin(None, (now, deadline), stop);
        let instance = if self.waits {
            Box::pin(until(deadline, self.pre.instantiate_async(&mut store))).await
        } else {
            self.pre.instantiate(&mut store)
        };
        let instance = instance.map_err(|error| trouble(&error, &store))?;
        let functions = Functions::of(&self.exports, &instance, &mut store);
        Ok(Instance {
            store,
            functions,
            nothing: Nothing::default(),
            calls: 0,
            used: Instant::now(),
            job: false,
        })
    }

    /// Runs a call, whose time began then, in an instance; tells the fuel it used, if that is counted.
    pub(crate) async fn run(
        &self,
        instance: &mut Instance,
        call: &Call,
        began: Instant,
        stop: Option<&Arc<Stop>>,
    ) -> (Result<Reply, Trouble>, Option<u64>) {
        let login = match call {
            Call::Allow(login) | Call::Shadow(login) | Call::Report(login) => Some(login.clone()),
            _ => None,
        };
        instance.calls += 1;
        instance.used = began;
        instance.job |= matches!(call, Call::Background { .. });
        let options = &self.common.options;
        let store = &mut instance.store;
        let most = match call {
            // A job has a deadline of its own: that of its schedule.
            Call::Background { deadline, .. } => *deadline,
            _ => Duration::from_millis(options.deadline_ms),
        };
        let deadline = within_budget(began, most);
        store.data_mut().begin(login, (began, deadline), stop);
        store.set_epoch_deadline(1);
        let fuel = options.fuel.unwrap_or(NO_LIMIT);
        if self.engine.metered
            && let Err(error) = store.set_fuel(fuel)
        {
            return (Err(trouble(&error, store)), None);
        }
        let calling = instance.functions.call(store, &instance.nothing, call, self.waits);
        let result = if self.waits { Box::pin(until(deadline, calling)).await } else { calling.await };
        let used = self.engine.metered.then(|| fuel.saturating_sub(store.get_fuel().unwrap_or(0)));
        let result = match result {
            Ok(reply) => reply.map_err(Trouble::told),
            Err(error) => Err(trouble(&error, store)),
        };
        store.data_mut().end();
        (result, used)
    }
}

/// When something that may take so long has to end: in time for the answer of the call it is part of.
pub(crate) fn within_budget(now: Instant, most: Duration) -> Instant {
    let own = now + most;
    policy::deadline::current().map_or(own, |call| {
        let left = call.saturating_duration_since(now);
        own.min(now + left.saturating_sub(RESERVE.min(left / 4)))
    })
}

/// Code that runs sees its deadline by itself; this one is for code that sleeps in a host function.
async fn until<T>(deadline: Instant, run: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    tokio::time::timeout_at(deadline.into(), run).await.unwrap_or_else(|_| Err(Trap::Interrupt.into()))
}

fn trouble(error: &wasmtime::Error, store: &Store<State>) -> Trouble {
    Trouble::of(error, store.data().granted)
}

/// Instances that wait for their next call, the one used last on top.
#[derive(Default)]
pub(crate) struct Pool {
    /// Boxed, as an instance is large and changes hands several times in a call.
    #[expect(clippy::vec_box, reason = "see above")]
    idle: Mutex<Vec<Box<Instance>>>,
    live: AtomicUsize,
}

impl Pool {
    /// The instance for a call: the one used last of its kind.
    pub(crate) fn take(&self, call: &Call) -> Option<Box<Instance>> {
        let job = matches!(call, Call::Background { .. });
        let mut idle = self.idle.lock();
        // Mostly the one on top. Any may become one for background functions, but none goes back.
        let at = idle.iter().rposition(|instance| instance.job == job);
        let at = at.or_else(|| idle.len().checked_sub(1).filter(|_| job))?;
        Some(idle.remove(at))
    }

    /// An instance was made.
    pub(crate) fn made(&self) {
        self.live.fetch_add(1, Ordering::Relaxed);
    }

    /// An instance is gone.
    pub(crate) fn gone(&self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }

    /// Keeps an instance for its next call; false: it has served its time.
    pub(crate) fn give_back(&self, instance: Box<Instance>, max_calls: u64) -> bool {
        if instance.calls >= max_calls {
            self.gone();
            return false;
        }
        self.idle.lock().push(instance);
        true
    }

    /// Instances there are, and the memory of those that wait.
    pub(crate) fn count(&self) -> (usize, usize) {
        let memory = self.idle.lock().iter().map(|instance| instance.store.data().limits.used).sum();
        (self.live.load(Ordering::Relaxed), memory)
    }

    /// Lets go of those that were not used for long; of all, if there is no time to wait.
    pub(crate) fn shrink(&self, all: bool) {
        let mut gone = Vec::new();
        {
            let mut idle = self.idle.lock();
            let idle_for = |job| if job { IDLE_JOB } else { IDLE };
            let stale = |instance: &mut Box<Instance>| instance.used.elapsed() >= idle_for(instance.job);
            gone.extend(idle.extract_if(.., |instance| all || stale(instance)));
        }
        for _ in &gone {
            self.gone();
        }
    }
}
