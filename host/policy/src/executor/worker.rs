//! A policy thread: takes a call and an engine, runs the one on the other, gives both back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{self, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use capabilities::Context;
use parking_lot::Mutex;

use super::Shared;
use super::queue::{Engine, Job, Parker, Work};
use super::ticket::Ticket;
use super::watchdog::{Running, Slot, Verdict};
use crate::call::{FunctionName, Progress, Reply, Suspended};
use crate::{Failure, FailureKind, deadline};

/// Stack of a policy thread, in bytes; only what is used costs memory. Lua limits its own recursion, also where it goes
/// through C functions (`string.gsub` calling a function that calls `string.gsub`), and through coroutines by the memory
/// limit of the state. Those limits must be reached before the stack's end, which would end the process.
pub(super) const STACK: usize = 512 << 20;

/// A call that was suspended, with the engine it keeps.
pub(crate) struct Task {
    shared: Weak<Shared>,
    /// None while it runs, and after its end.
    body: Mutex<Option<Body>>,
    /// Woken while it ran.
    again: AtomicBool,
}

struct Body {
    rest: Suspended,
    engine: Engine,
    call: Bound,
}

/// What stays with a call from start to end.
#[derive(Clone)]
pub(super) struct Bound {
    pub(super) ticket: Arc<Ticket>,
    pub(super) function: FunctionName,
    /// How long it may take, in milliseconds.
    pub(super) budget: u64,
    /// When it must be answered, in the watchdog's milliseconds.
    pub(super) deadline: u64,
    /// What host functions find on the thread while it runs.
    pub(super) context: Option<Arc<Context>>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let Some(shared) = self.shared.upgrade() else { return };
        self.again.store(true, Ordering::SeqCst);
        if self.body.lock().is_some() && self.again.swap(false, Ordering::SeqCst) {
            shared.queue.lock().push_resumed(self);
            shared.wake_worker();
        }
        // Else it is being polled right now: its thread looks at the flag when it puts the body back.
    }
}

/// Starts one more policy thread.
pub(super) fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let worker = Worker { shared: shared.clone(), slot: shared.watchdog.new_slot() };
    thread::Builder::new().name("policy".into()).stack_size(STACK).spawn(move || worker.run())?;
    Ok(())
}

struct Worker {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
}

/// How a turn on an engine ended, and what the watchdog thought of it.
enum End {
    /// The engine is free again.
    Free(Engine, Verdict),
    /// The engine is gone; one with this number is to be built.
    Spoilt((usize, u64), Verdict),
    /// The call waits and keeps its engine.
    Suspended(Verdict),
    /// The watchdog gave this thread up while it was in the call.
    Abandoned,
}

impl Worker {
    fn run(self) {
        // Suspended calls are polled here and use the runtime's timers and sockets.
        let runtime = self.shared.options.runtime.clone();
        let _inside = runtime.enter();
        let shared = self.shared.clone();
        let parker = Parker::here();
        let mut queue = shared.queue.lock();
        loop {
            if let Some(work) = queue.take(shared.cores) {
                drop(queue);
                let end = match work {
                    Work::Start(job, engine) => self.start(job, engine),
                    Work::Resume(task) => self.resume(&task, Verdict::default()),
                };
                if let End::Abandoned = end {
                    self.slot.flush();
                    self.slot.leave();
                    return;
                }
                if let End::Spoilt((number, generation), _) = end {
                    shared.rebuild(number, generation);
                }
                queue = shared.queue.lock();
                let verdict = match end {
                    End::Free(engine, verdict) => {
                        if let Some(stale) = queue.give_back(engine) {
                            drop(queue);
                            drop(stale);
                            queue = shared.queue.lock();
                        }
                        verdict
                    }
                    End::Spoilt(_, verdict) | End::Suspended(verdict) => verdict,
                    End::Abandoned => return,
                };
                // The watchdog has taken slow calls off the count already.
                if !verdict.slow {
                    queue.leave();
                }
                continue;
            }
            drop(queue);
            let flushed = self.slot.flush();
            queue = shared.queue.lock();
            if flushed {
                continue;
            }
            if queue.stopped() {
                return;
            }
            // What came between the two locks is seen here, so that nobody has to wake this thread for it.
            if !queue.has_work(shared.cores) {
                queue.park(&parker);
                drop(queue);
                parker.wait();
                queue = shared.queue.lock();
            }
        }
    }

    fn start(&self, job: Job, mut engine: Engine) -> End {
        let Job { call, ticket, since, context, .. } = job;
        let watchdog = &self.shared.watchdog;
        let now = watchdog.now();
        let budget = self.shared.budget(&call);
        let deadline = since + budget;
        let bound = Bound { ticket, function: call.function(), budget, deadline, context };
        if self.shared.too_late(&call, since, now) {
            // What is left of its budget would hardly do, and an engine that is stopped half way has to be built again.
            self.answer(&bound, Err(no_engine(budget)));
            return End::Free(engine, Verdict::default());
        }
        self.slot.begin(Running::new(&engine, &bound, now, Verdict::default()));
        // It may have gone to sleep since, seeing neither the job nor the call.
        watchdog.now();
        let progress = {
            let _entered = bound.context.as_ref().map(Context::enter);
            let _until = deadline::enter(watchdog.instant(bound.deadline));
            catch_unwind(AssertUnwindSafe(|| engine.policy.start(call)))
        };
        let Some(verdict) = self.slot.end() else { return End::Abandoned };
        match progress {
            Ok(Progress::Finished(result)) => self.finish(result, engine, &bound, verdict),
            Ok(Progress::Suspended(rest)) => {
                if verdict.interrupted {
                    drop(rest);
                    return self.finish(Err(time_budget(budget)), engine, &bound, verdict);
                }
                let rest = within(rest, &self.shared, &bound);
                let task = Arc::new(Task {
                    shared: Arc::downgrade(&self.shared),
                    body: Mutex::new(Some(Body { rest, engine, call: bound })),
                    again: AtomicBool::new(false),
                });
                // This poll tells it whom to wake, and belongs to the same turn.
                self.resume(&task, verdict)
            }
            Err(_) => self.panicked(&engine, &bound, verdict),
        }
    }

    /// `before`: of the part of this turn that is over.
    fn resume(&self, task: &Arc<Task>, before: Verdict) -> End {
        let Some(Body { mut rest, engine, call }) = task.body.lock().take() else {
            return End::Suspended(before);
        };
        let watchdog = &self.shared.watchdog;
        self.slot.begin(Running::new(&engine, &call, watchdog.now(), before));
        watchdog.now();
        let waker = Waker::from(task.clone());
        let mut task_context = task::Context::from_waker(&waker);
        let polled = {
            let _entered = call.context.as_ref().map(Context::enter);
            let _until = deadline::enter(watchdog.instant(call.deadline));
            catch_unwind(AssertUnwindSafe(|| rest.as_mut().poll(&mut task_context)))
        };
        let Some(verdict) = self.slot.end() else { return End::Abandoned };
        match polled {
            Ok(Poll::Ready(result)) => {
                drop(rest);
                self.finish(result, engine, &call, verdict)
            }
            Ok(Poll::Pending) if verdict.interrupted => {
                // The deadline fell between its last step and here: the hook is set, so the engine must go.
                drop(rest);
                let over = time_budget(call.budget);
                self.finish(Err(over), engine, &call, verdict)
            }
            Ok(Poll::Pending) => {
                *task.body.lock() = Some(Body { rest, engine, call });
                if task.again.swap(false, Ordering::SeqCst) {
                    self.shared.queue.lock().push_resumed(task.clone());
                }
                End::Suspended(verdict)
            }
            Err(_) => self.panicked(&engine, &call, verdict),
        }
    }

    fn finish(
        &self,
        result: Result<Reply, Failure>,
        mut engine: Engine,
        call: &Bound,
        verdict: Verdict,
    ) -> End {
        let mut spoilt =
            verdict.interrupted || result.as_ref().is_err_and(|failure| failure.kind.spoils_state());
        if spoilt && engine.number >= self.shared.engines {
            spoilt = !engine.policy.recover();
        }
        let result = match result {
            Err(failure) if verdict.interrupted => Err(stopped(call.budget, &failure)),
            other => other,
        };
        self.answer(call, result);
        if spoilt {
            End::Spoilt((engine.number, engine.generation), verdict)
        } else {
            End::Free(engine, verdict)
        }
    }

    fn panicked(&self, engine: &Engine, call: &Bound, verdict: Verdict) -> End {
        let text = "the server failed inside this policy call; its error output says where";
        self.answer(call, Err(Failure::new(FailureKind::Internal, text)));
        End::Spoilt((engine.number, engine.generation), verdict)
    }

    fn answer(&self, call: &Bound, result: Result<Reply, Failure>) {
        call.ticket.finish(result);
        if self.slot.answered(call.ticket.clone()) {
            self.slot.flush();
        }
    }
}

/// Ends a suspended call at its deadline.
fn within(rest: Suspended, shared: &Shared, call: &Bound) -> Suspended {
    let left = Duration::from_millis(call.deadline.saturating_sub(shared.watchdog.now()));
    let over = time_budget(call.budget);
    Box::pin(async move {
        match tokio::time::timeout(left, rest).await {
            Ok(result) => result,
            Err(_) => Err(over),
        }
    })
}

/// The documented error of a call that found no engine in time; the budget in milliseconds.
pub(super) fn no_engine(budget: u64) -> Failure {
    Failure::new(FailureKind::Busy, format!("no policy state was free in time (the budget is {budget} ms)"))
}

/// The documented error of a call that used up its time, with where it was stopped if the engine tells.
fn stopped(budget: u64, failure: &Failure) -> Failure {
    let mut over = time_budget(budget).at(failure.place.clone());
    if let Some(line_end) = failure.reason.iter().position(|byte| *byte == b'\n') {
        over.reason.extend_from_slice(&failure.reason[line_end..]);
    }
    over
}

/// The documented error of a call that used up its time.
pub(super) fn time_budget(budget: u64) -> Failure {
    Failure::new(FailureKind::Time, format!("policy time budget of {budget} ms exceeded"))
}
