//! What waits and what is free; everything the executor's one short lock guards.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};

use capabilities::Context;

use super::homes::Homes;
use super::ticket::Ticket;
use super::worker::Task;
use crate::call::{Call, Interrupt, Policy};

/// A call that waits for an engine.
pub(crate) struct Job {
    pub(super) call: Call,
    /// The one engine it must run on, if any.
    pub(super) engine: Option<usize>,
    pub(super) ticket: Arc<Ticket>,
    /// Arrival, in the watchdog's milliseconds.
    pub(super) since: u64,
    /// What host functions find on the thread while it runs.
    pub(super) context: Option<Arc<Context>>,
}

/// An engine with its number and stop handle.
pub(crate) struct Engine {
    pub(super) number: usize,
    /// Of which configuration it is; see [`Queue::replace`].
    pub(super) generation: u64,
    pub(super) policy: Box<dyn Policy>,
    pub(super) interrupt: Arc<dyn Interrupt>,
}

impl Engine {
    pub(super) fn new(number: usize, generation: u64, policy: Box<dyn Policy>) -> Engine {
        let interrupt = policy.interrupt();
        Engine { number, generation, policy, interrupt }
    }
}

/// What a policy thread does next.
pub(crate) enum Work {
    Start(Job, Engine),
    Resume(Arc<Task>),
}

/// Where one policy thread waits.
pub(crate) struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Parker {
    /// For the thread this runs on.
    pub(super) fn here() -> Arc<Parker> {
        Arc::new(Parker { thread: thread::current(), woken: AtomicBool::new(false) })
    }

    pub(super) fn wait(&self) {
        while !self.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }

    pub(super) fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

pub(crate) struct Queue {
    jobs: VecDeque<Job>,
    /// Background functions that wait for an engine; few. They may wait longer than others.
    background: VecDeque<Job>,
    homes: Homes,
    /// Jobs that need a certain engine; few (console lines).
    bound: Vec<Job>,
    /// Suspended calls that can go on.
    resumed: VecDeque<Arc<Task>>,
    /// Free engines, the one used last at the end.
    free: Vec<Engine>,
    /// The engine that serves only calls bound to it, while it is free.
    aside: Option<Engine>,
    /// Counts the configurations.
    generation: u64,
    /// Engines for any call; the one kept aside has the next number.
    shared_engines: usize,
    /// Threads in calls that the watchdog has not found slow.
    active: usize,
    /// Threads with nothing to do, the one that ran last at the end: it is woken first, so that at low load one thread
    /// and one engine stay together, and with them their memory.
    parked: Vec<Arc<Parker>>,
    stopped: bool,
}

impl Queue {
    pub(super) fn new(engines: Vec<Box<dyn Policy>>, aside: Option<Box<dyn Policy>>) -> Queue {
        let shared_engines = engines.len();
        let free =
            engines.into_iter().enumerate().rev().map(|(number, policy)| Engine::new(number, 0, policy));
        Queue {
            jobs: VecDeque::new(),
            background: VecDeque::new(),
            homes: Homes::default(),
            bound: Vec::new(),
            resumed: VecDeque::new(),
            free: free.collect(),
            aside: aside.map(|policy| Engine::new(shared_engines, 0, policy)),
            generation: 0,
            shared_engines,
            active: 0,
            parked: Vec::new(),
            stopped: false,
        }
    }

    pub(super) fn push(&mut self, job: Job) {
        if job.engine.is_some() {
            self.bound.push(job);
        } else if matches!(job.call, Call::Background { .. }) {
            self.background.push_back(job);
        } else {
            self.jobs.push_back(job);
        }
    }

    pub(super) fn push_resumed(&mut self, task: Arc<Task>) {
        self.resumed.push_back(task);
    }

    /// The engine is free. One of an earlier configuration comes back at once: to be dropped, but not under the lock.
    #[must_use]
    pub(super) fn give_back(&mut self, engine: Engine) -> Option<Engine> {
        if engine.generation != self.generation {
            return Some(engine);
        }
        self.homes.over(engine.number);
        if self.is_aside(&engine) {
            self.aside = Some(engine);
        } else {
            self.free.push(engine);
        }
        None
    }

    /// The engine of this number and configuration is gone; another will come in its place.
    pub(super) fn lost(&mut self, number: usize, generation: u64) {
        if generation == self.generation {
            self.homes.lost(number);
        }
    }

    /// Puts the engines of a new configuration in place of all. Calls that run end on the old ones. Gives the free ones back, to
    /// be dropped outside of the lock.
    pub(super) fn replace(
        &mut self,
        generation: u64,
        engines: Vec<Box<dyn Policy>>,
        aside: Option<Box<dyn Policy>>,
    ) -> Vec<Engine> {
        self.generation = generation;
        self.homes.clear();
        let engines = engines.into_iter().enumerate().rev();
        let engines = engines.map(|(number, policy)| Engine::new(number, generation, policy)).collect();
        let mut old = std::mem::replace(&mut self.free, engines);
        let aside = aside.map(|policy| Engine::new(self.shared_engines, generation, policy));
        old.extend(std::mem::replace(&mut self.aside, aside));
        old
    }

    fn is_aside(&self, engine: &Engine) -> bool {
        engine.number >= self.shared_engines
    }

    /// A bound job whose engine is free: where it stands, and where the engine does (None: aside).
    fn bound_ready(&self) -> Option<(usize, Option<usize>)> {
        self.bound.iter().enumerate().find_map(|(at, job)| {
            if let Some(free) = self.free.iter().position(|engine| Some(engine.number) == job.engine) {
                return Some((at, Some(free)));
            }
            self.aside.as_ref().is_some_and(|engine| Some(engine.number) == job.engine).then_some((at, None))
        })
    }

    fn take_bound(&mut self) -> Option<Work> {
        if self.bound.is_empty() {
            return None;
        }
        let (at, free) = self.bound_ready()?;
        let engine = match free {
            Some(free) => self.free.remove(free),
            None => self.aside.take()?,
        };
        Some(Work::Start(self.bound.remove(at), engine))
    }

    /// The first background function that may run now: where it stands, and where its engine does.
    fn background_ready(&self) -> Option<(usize, usize)> {
        if self.free.is_empty() {
            return None;
        }
        self.background.iter().enumerate().find_map(|(at, job)| {
            let Call::Background { name, .. } = &job.call else { return None };
            self.homes.place(name, &self.free).map(|place| (at, place))
        })
    }

    fn take_any(&mut self) -> Option<Work> {
        // Whichever came first.
        let background = self.background_ready().filter(|(at, _)| {
            let since = self.background.get(*at).map(|job| job.since);
            self.jobs.front().is_none_or(|job| since <= Some(job.since))
        });
        if let Some((at, place)) = background
            && let Some(job) = self.background.remove(at)
        {
            let engine = self.free.remove(place);
            if let Call::Background { name, .. } = &job.call {
                self.homes.begin(name.clone(), engine.number);
            }
            return Some(Work::Start(job, engine));
        }
        if self.jobs.is_empty() {
            return None;
        }
        let engine = self.free.pop()?;
        let Some(job) = self.jobs.pop_front() else {
            self.free.push(engine);
            return None;
        };
        Some(Work::Start(job, engine))
    }

    /// Whether a thread may start something now.
    pub(super) fn has_work(&self, cores: usize) -> bool {
        !self.stopped
            && self.active < cores
            && (!self.resumed.is_empty()
                || (!self.jobs.is_empty() && !self.free.is_empty())
                || self.background_ready().is_some()
                || (!self.bound.is_empty() && self.bound_ready().is_some()))
    }

    /// Takes the next work; the thread counts as active until [`Queue::leave`].
    pub(super) fn take(&mut self, cores: usize) -> Option<Work> {
        if self.stopped || self.active >= cores {
            return None;
        }
        let resumed = self.resumed.pop_front().map(Work::Resume);
        let work = resumed.or_else(|| self.take_bound()).or_else(|| self.take_any())?;
        self.active += 1;
        Some(work)
    }

    /// The thread's call is over, or was found slow and stopped counting.
    pub(super) fn leave(&mut self) {
        debug_assert!(self.active > 0, "a turn was left twice");
        self.active = self.active.saturating_sub(1);
    }

    /// Takes out the jobs that found no engine for `limit` milliseconds. Jobs for one engine (console lines) wait for
    /// ten times that, background functions for as long as they may take: those are looked at when an engine is free.
    pub(super) fn overdue(&mut self, now: u64, limit: u64, into: &mut Vec<Arc<Ticket>>) {
        while self.jobs.front().is_some_and(|job| job.since + limit < now) {
            into.extend(self.jobs.pop_front().map(|job| job.ticket));
        }
        self.bound.retain(|job| {
            let keep = job.since + 10 * limit >= now;
            if !keep {
                into.push(job.ticket.clone());
            }
            keep
        });
    }

    pub(super) fn waiting(&self) -> bool {
        !(self.jobs.is_empty()
            && self.background.is_empty()
            && self.bound.is_empty()
            && self.resumed.is_empty())
    }

    pub(super) fn active(&self) -> usize {
        self.active
    }

    pub(super) fn any_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// The thread of this parker is about to wait in [`Parker::wait`].
    pub(super) fn park(&mut self, parker: &Arc<Parker>) {
        self.parked.push(parker.clone());
    }

    /// A parked thread to wake, if there is work for one.
    pub(super) fn unpark(&mut self, cores: usize) -> Option<Arc<Parker>> {
        if self.has_work(cores) { self.parked.pop() } else { None }
    }

    /// All parked threads, at the end.
    pub(super) fn unpark_all(&mut self) -> Vec<Arc<Parker>> {
        std::mem::take(&mut self.parked)
    }

    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// What waits when the executor stops.
    pub(super) fn drain(&mut self, into: &mut Vec<Arc<Ticket>>) {
        let jobs = self.jobs.drain(..).chain(self.background.drain(..)).chain(self.bound.drain(..));
        into.extend(jobs.map(|job| job.ticket));
    }

    #[cfg(test)]
    pub(super) fn free_engines(&self) -> usize {
        self.free.len()
    }
}
