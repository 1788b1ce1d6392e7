//! Runs policy calls on policy threads, each inside its budget.
//!
//! * A call takes one free engine, the one used last, and keeps it to its end. A background function comes back to the one
//!   it ran on before (see `homes.rs`).
//! * Requests that become ready in the same turn of the I/O runtime are handed over together: one wake-up of a
//!   policy thread for all of them, and one wake-up back (see `bridge.rs`). With a few microseconds a call, waking
//!   threads would otherwise cost more than the policy.
//! * No more policy threads run at once than there are cores, until the watchdog sees a call that takes long; it then
//!   lets another thread in, so that slow calls never hold up fast ones.
//! * At its deadline a call is interrupted. If even that does not end it (it is stuck inside a C function), its client
//!   is answered all the same, and thread and engine are written off and replaced.

mod bridge;
mod homes;
mod pool;
mod queue;
mod ticket;
mod watchdog;
mod worker;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{self, Poll};
use std::time::Duration;

use capabilities::Context;
use parking_lot::Mutex;

use crate::call::{BuildError, Call, Policy, PolicySource, Reply};
use crate::{Failure, FailureKind};
use bridge::Bridge;
use pool::Pool;
use queue::{Job, Queue};
use ticket::Ticket;
use watchdog::Watchdog;

/// What the executor needs to know.
#[derive(Clone)]
pub struct Options {
    /// Wall time from a call's arrival to its answer, waiting for an engine included.
    pub budget: Duration,
    /// The runtime whose timers and sockets suspended calls use.
    pub runtime: tokio::runtime::Handle,
}

/// Events the executor tells about, for logs and metrics.
pub trait Events: Send + Sync {
    /// An engine was thrown away and one more was built.
    fn replaced(&self) {}
    /// An engine could not be built; it will be tried again.
    fn not_replaced(&self, _error: &BuildError) {}
    /// The engine kept aside is lost; calls bound to it fail from now on.
    fn aside_lost(&self) {}
    /// A call did not even end by its interrupt; thread and engine are lost.
    fn abandoned(&self, _function: &str) {}
}

pub(crate) struct Shared {
    queue: Mutex<Queue>,
    bridges: Mutex<Vec<Weak<Bridge>>>,
    watchdog: Watchdog,
    pool: Pool,
    options: Options,
    engines: usize,
    /// Policy threads that may be in fast calls at one time.
    cores: usize,
}

/// The executor; clones share it.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
}

impl Executor {
    /// Starts threads over engines that are built already. The one kept aside, if any, serves only calls made with
    /// [`Executor::call_on`] and the number after the last of `engines`.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        engines: Vec<Box<dyn Policy>>,
        aside: Option<Box<dyn Policy>>,
        source: Arc<dyn PolicySource>,
        events: Arc<dyn Events>,
        options: Options,
    ) -> std::io::Result<Executor> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = engines.len();
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::new(engines, aside)),
            bridges: Mutex::new(Vec::new()),
            watchdog: Watchdog::new(),
            pool: Pool::new(source, events),
            options,
            engines: threads,
            cores,
        });
        // Without engines there is still the one kept aside.
        for _ in 0..threads.max(1) {
            worker::spawn(&shared)?;
        }
        watchdog::spawn(&shared)?;
        pool::spawn(&shared)?;
        Ok(Executor { shared })
    }

    /// Now, as the executor counts time: the start of a request's budget.
    pub fn now(&self) -> Moment {
        Moment(self.shared.watchdog.now())
    }

    /// Runs a call on any engine; its budget begins now.
    pub fn call(&self, call: Call) -> Pending {
        self.call_within(call, self.now())
    }

    /// Runs a call on any engine; its budget began then.
    pub fn call_within(&self, call: Call, since: Moment) -> Pending {
        Pending { shared: self.shared.clone(), stage: Stage::Fresh(call, None, since, None) }
    }

    /// The same in a context: host functions find it on the thread that runs the call.
    pub fn call_in(&self, context: Option<Arc<Context>>, call: Call, since: Moment) -> Pending {
        Pending { shared: self.shared.clone(), stage: Stage::Fresh(call, None, since, context) }
    }

    /// Runs a call on one engine, given by its number from 0; waits until that one is free.
    pub fn call_on(&self, engine: usize, call: Call) -> Pending {
        Pending { shared: self.shared.clone(), stage: Stage::Fresh(call, Some(engine), self.now(), None) }
    }

    /// Puts the engines of a new configuration in place of all. Calls that run end on the old ones, those that wait run on the
    /// new ones. There are as many as before: surplus ones are dropped, missing ones are built.
    ///
    /// # Errors
    /// A missing one could not be built; nothing has changed then.
    pub fn replace(
        &self,
        mut engines: Vec<Box<dyn Policy>>,
        aside: Option<Box<dyn Policy>>,
        source: Arc<dyn PolicySource>,
    ) -> Result<(), BuildError> {
        engines.truncate(self.shared.engines);
        while engines.len() < self.shared.engines {
            engines.push(source.build()?);
        }
        let generation = self.shared.pool.change(source);
        let old = self.shared.queue.lock().replace(generation, engines, aside);
        // Closing Lua states takes a while: not under the lock.
        drop(old);
        self.shared.wake_worker();
        Ok(())
    }

    /// How many engines serve any call.
    pub fn engines(&self) -> usize {
        self.shared.engines
    }

    /// Whether the watchdog still looks at the calls that run.
    pub fn alive(&self) -> bool {
        self.shared.watchdog.alive()
    }

    /// Ends the threads once their present calls are over. Calls that wait fail.
    pub fn stop(&self) {
        let parked = {
            let mut queue = self.shared.queue.lock();
            queue.stop();
            queue.unpark_all()
        };
        for parker in parked {
            parker.wake();
        }
        self.shared.watchdog.wake();
        self.shared.pool.stop();
    }
}

/// A point in time, in the executor's milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

enum Stage {
    Fresh(Call, Option<usize>, Moment, Option<Arc<Context>>),
    Queued(Arc<Ticket>),
    Over,
}

/// A call on its way; resolves to its reply.
pub struct Pending {
    shared: Arc<Shared>,
    stage: Stage,
}

impl Future for Pending {
    type Output = Result<Reply, Failure>;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Fresh(call, engine, Moment(since), context) => {
                let bridge = Bridge::here(&self.shared);
                let ticket = Ticket::new(task.waker().clone(), bridge);
                self.shared.enqueue(Job { call, engine, ticket: ticket.clone(), since, context });
                self.stage = Stage::Queued(ticket);
                Poll::Pending
            }
            Stage::Queued(ticket) => {
                if let Some(result) = ticket.take(task.waker()) {
                    return Poll::Ready(result);
                }
                self.stage = Stage::Queued(ticket);
                Poll::Pending
            }
            Stage::Over => Poll::Ready(Err(Failure::new(
                FailureKind::Internal,
                "a policy call was polled after its end",
            ))),
        }
    }
}

impl Shared {
    fn enqueue(&self, job: Job) {
        let mut queue = self.queue.lock();
        if queue.stopped() {
            drop(queue);
            job.ticket.finish(Err(Failure::new(FailureKind::Busy, "the server is shutting down")));
            job.ticket.wake();
            return;
        }
        let ticket = job.ticket.clone();
        queue.push(job);
        // A thread that is busy with fast calls takes this one too, so nobody needs waking.
        let wake = queue.active() < self.cores && queue.any_parked();
        drop(queue);
        if wake {
            match ticket.bridge() {
                Some(bridge) => bridge.jobs_waiting(),
                None => self.wake_worker(),
            }
        }
        // It may have gone to sleep between the job's time stamp and its place in the queue.
        self.watchdog.now();
    }

    /// How long a call may take, in milliseconds. A console line is an operator's, who may ask for much; a background
    /// function has a budget of its own.
    fn budget(&self, call: &Call) -> u64 {
        let budget = self.options.budget.as_millis() as u64;
        match call {
            Call::Console(_) => budget.max(10_000),
            Call::Background { deadline, .. } => deadline.as_millis() as u64,
            _ => budget,
        }
    }

    /// How long a call may wait for an engine, in milliseconds: what is left of its budget must do for it to run.
    fn longest_wait(&self) -> u64 {
        self.options.budget.as_millis() as u64 * 3 / 4
    }

    fn too_late(&self, call: &Call, since: u64, now: u64) -> bool {
        match call {
            Call::Console(_) => false,
            Call::Background { .. } => now >= since + self.budget(call),
            _ => now > since + self.longest_wait(),
        }
    }

    /// Replaces an engine that is gone.
    fn rebuild(&self, number: usize, generation: u64) {
        if number < self.engines {
            self.queue.lock().lost(number, generation);
            self.pool.rebuild(number, generation);
        } else {
            self.pool.events().aside_lost();
        }
    }

    /// Wakes a parked thread if there is a job that one may take now.
    fn wake_worker(&self) {
        let parker = self.queue.lock().unpark(self.cores);
        if let Some(parker) = parker {
            parker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
