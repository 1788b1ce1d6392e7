//! The thread that looks at running calls every few milliseconds, and the executor's coarse clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Shared;
use super::bridge;
use super::queue::Engine;
use super::ticket::Ticket;
use super::worker::{self, Bound, no_engine, time_budget};
use crate::call::{FunctionName, Interrupt};
use crate::{Failure, FailureKind};

/// How often it looks while calls run.
const TICK: Duration = Duration::from_millis(2);
/// A call that runs longer than this no longer keeps others from starting.
const SLOW_MS: u64 = 2;
/// What an interrupted call gets to end; then its thread is given up. A hook takes microseconds to be seen, unless the
/// call is inside a C function.
const GRACE_MS: u64 = 50;
/// Results a thread collects before it wakes their callers.
const BATCH: usize = 64;
/// Ticks without any call after which it goes to sleep.
const IDLE_TICKS: u32 = 50;
/// A watchdog that has not looked for so long, with calls running, is stuck itself.
const STUCK_MS: u64 = 5_000;
/// Threads given up at the same time, at most; beyond it a stuck call's thread is waited for rather than fill memory
/// with threads. (Its client is answered all the same.)
const MAX_ABANDONED: usize = 128;

/// What the watchdog did to a call.
#[derive(Clone, Copy, Default)]
pub(crate) struct Verdict {
    /// It was taken off the count of active threads.
    pub(super) slow: bool,
    /// Its engine was stopped.
    pub(super) interrupted: bool,
}

/// A call on a policy thread.
pub(crate) struct Running {
    ticket: Arc<Ticket>,
    function: FunctionName,
    interrupt: Arc<dyn Interrupt>,
    engine: usize,
    generation: u64,
    since: u64,
    budget: u64,
    deadline: u64,
    verdict: Verdict,
    /// Its client has been told that the time is over, though it still runs.
    told: bool,
}

impl Running {
    /// `verdict`: of the part of this turn that is over.
    pub(super) fn new(engine: &Engine, call: &Bound, now: u64, verdict: Verdict) -> Running {
        Running {
            ticket: call.ticket.clone(),
            function: call.function.clone(),
            interrupt: engine.interrupt.clone(),
            engine: engine.number,
            generation: engine.generation,
            since: now,
            budget: call.budget,
            deadline: call.deadline,
            verdict,
            told: false,
        }
    }
}

/// A policy thread as the watchdog sees it.
#[derive(Default)]
pub(crate) struct Slot {
    running: Mutex<Option<Running>>,
    /// Results whose callers the thread wakes with its next batch; the watchdog does, if its next call is slow.
    answered: Mutex<Vec<Arc<Ticket>>>,
    /// The thread was given up, and has come back from its call after all.
    left: AtomicBool,
}

impl Slot {
    pub(super) fn begin(&self, running: Running) {
        *self.running.lock() = Some(running);
    }

    /// None: the thread was given up.
    pub(super) fn end(&self) -> Option<Verdict> {
        self.running.lock().take().map(|running| running.verdict)
    }

    /// Keeps a result for the next batch; true if the batch is large enough.
    pub(super) fn answered(&self, ticket: Arc<Ticket>) -> bool {
        let mut answered = self.answered.lock();
        answered.push(ticket);
        answered.len() >= BATCH
    }

    /// Wakes the callers of what is kept; false if there was nothing.
    pub(super) fn flush(&self) -> bool {
        let mut answered = std::mem::take(&mut *self.answered.lock());
        let any = !answered.is_empty();
        bridge::answer(&mut answered);
        any
    }

    /// The given-up thread is back and about to end.
    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    #[cfg(test)]
    pub(super) fn interrupt_for_test(&self) {
        if let Some(running) = &*self.running.lock() {
            running.interrupt.interrupt();
        }
    }
}

pub(crate) struct Watchdog {
    origin: Instant,
    /// Milliseconds since `origin`, up to date to a tick while the watchdog is awake.
    now: AtomicU64,
    asleep: AtomicBool,
    thread: Mutex<Option<Thread>>,
    slots: Mutex<Vec<Arc<Slot>>>,
}

impl Watchdog {
    pub(super) fn new() -> Watchdog {
        Watchdog {
            origin: Instant::now(),
            now: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            thread: Mutex::new(None),
            slots: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn new_slot(&self) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        self.slots.lock().push(slot.clone());
        slot
    }

    /// The time in milliseconds; wakes the watchdog, since whoever asks is about to start something.
    pub(super) fn now(&self) -> u64 {
        if self.asleep.load(Ordering::SeqCst) {
            self.refresh();
            self.wake();
        }
        self.now.load(Ordering::Relaxed)
    }

    /// A time in its milliseconds as everybody else counts it.
    pub(super) fn instant(&self, millis: u64) -> Instant {
        self.origin + Duration::from_millis(millis)
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.lock().clone()
    }

    /// Whether it sleeps because nothing runs, or has looked lately.
    pub(super) fn alive(&self) -> bool {
        let now = self.origin.elapsed().as_millis() as u64;
        self.asleep.load(Ordering::SeqCst) || now.saturating_sub(self.now.load(Ordering::Relaxed)) < STUCK_MS
    }

    fn refresh(&self) -> u64 {
        let now = self.origin.elapsed().as_millis() as u64;
        self.now.store(now, Ordering::Relaxed);
        now
    }

    pub(super) fn wake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }
}

/// Starts the watchdog.
pub(super) fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let mine = shared.clone();
    let handle = thread::Builder::new().name("watchdog".into()).spawn(move || run(&mine))?;
    *shared.watchdog.thread.lock() = Some(handle.thread().clone());
    Ok(())
}

fn run(shared: &Arc<Shared>) {
    let watchdog = &shared.watchdog;
    let mut idle = 0;
    let mut lost = Vec::new();
    loop {
        let now = watchdog.refresh();
        let busy = look(shared, now, &mut lost);
        if shared.queue.lock().stopped() {
            fail_waiting(shared);
            for bridge in shared.bridges.lock().drain(..).filter_map(|bridge| bridge.upgrade()) {
                bridge.stop();
            }
            return;
        }
        idle = if busy { 0 } else { idle + 1 };
        if idle < IDLE_TICKS {
            thread::park_timeout(TICK);
            continue;
        }
        watchdog.asleep.store(true, Ordering::SeqCst);
        // Something may have started before the line above was seen.
        if look(shared, now, &mut lost) {
            watchdog.asleep.store(false, Ordering::SeqCst);
        } else {
            while watchdog.asleep.load(Ordering::SeqCst) && !shared.queue.lock().stopped() {
                thread::park();
            }
        }
        idle = 0;
    }
}

/// A call whose thread was given up.
struct Lost {
    slot: Arc<Slot>,
    interrupt: Arc<dyn Interrupt>,
}

/// One look at everything; true if there was anything.
fn look(shared: &Arc<Shared>, now: u64, lost: &mut Vec<Lost>) -> bool {
    // A call that is stuck inside a C function may come out of it one day, and must not loop on then.
    lost.retain(|call| {
        let gone = call.slot.left.load(Ordering::Acquire);
        if !gone {
            call.interrupt.interrupt();
        }
        !gone
    });
    let mut busy = !lost.is_empty();
    let slots = shared.watchdog.slots.lock().clone();
    for slot in &slots {
        busy |= look_at(shared, slot, now, lost);
    }
    let mut late = Vec::new();
    let waiting = {
        let mut queue = shared.queue.lock();
        queue.overdue(now, shared.longest_wait(), &mut late);
        busy |= queue.active() > 0;
        queue.waiting()
    };
    let budget = shared.options.budget.as_millis() as u64;
    for ticket in &late {
        ticket.finish(Err(no_engine(budget)));
    }
    bridge::answer(&mut late);
    if waiting {
        shared.wake_worker();
    }
    busy || waiting
}

/// One look at one thread; true if it is in a call.
fn look_at(shared: &Arc<Shared>, slot: &Arc<Slot>, now: u64, lost: &mut Vec<Lost>) -> bool {
    let mut running = slot.running.lock();
    let Some(call) = &mut *running else { return false };
    let long = now.saturating_sub(call.since) > SLOW_MS;
    if long && !call.verdict.slow {
        call.verdict.slow = true;
        shared.queue.lock().leave();
    }
    if now >= call.deadline {
        call.verdict.interrupted = true;
        // At each look: the policy may have taken the hook away (`debug.sethook`), and LuaJIT may lose it to a finalizer
        // or a trace that ends at the same moment.
        call.interrupt.interrupt();
    }
    let stuck = now >= call.deadline + GRACE_MS;
    if stuck && !call.told {
        call.told = true;
        call.ticket.finish(Err(time_budget(call.budget)));
        bridge::answer(&mut vec![call.ticket.clone()]);
    }
    let give_up = stuck && call.verdict.slow && lost.len() < MAX_ABANDONED;
    let call = if give_up { running.take() } else { None };
    drop(running);
    if long {
        // The results of earlier calls must not wait for this one.
        slot.flush();
    }
    if let Some(call) = call {
        shared.watchdog.slots.lock().retain(|other| !Arc::ptr_eq(other, slot));
        shared.pool.events().abandoned(&call.function);
        shared.rebuild(call.engine, call.generation);
        lost.push(Lost { slot: slot.clone(), interrupt: call.interrupt });
        // Without a thread in its place the executor goes on with one less; the system is out of threads then.
        let _ = worker::spawn(shared);
    }
    true
}

fn fail_waiting(shared: &Shared) {
    let mut late = Vec::new();
    shared.queue.lock().drain(&mut late);
    for ticket in &late {
        ticket.finish(Err(Failure::new(FailureKind::Busy, "the server is shutting down")));
    }
    bridge::answer(&mut late);
}
