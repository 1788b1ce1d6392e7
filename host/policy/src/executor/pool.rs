//! Builds engines in place of those that overran their budget, on a thread of its own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::queue::Engine;
use super::worker::STACK;
use super::{Events, Shared};
use crate::call::{BuildError, Policy, PolicySource};

/// Between two tries when a configuration does not load any more.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) struct Pool {
    /// What builds, and of which configuration it is.
    source: Mutex<(Arc<dyn PolicySource>, u64)>,
    events: Arc<dyn Events>,
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Default)]
struct Orders {
    /// Numbers of the engines to build, and of which configuration they were.
    wanted: VecDeque<(usize, u64)>,
    stopped: bool,
}

impl Pool {
    pub(super) fn new(source: Arc<dyn PolicySource>, events: Arc<dyn Events>) -> Pool {
        Pool { source: Mutex::new((source, 0)), events, orders: Mutex::default(), changed: Condvar::new() }
    }

    pub(super) fn events(&self) -> &dyn Events {
        &*self.events
    }

    /// Builds the engines of this configuration from now on; gives its number.
    pub(super) fn change(&self, source: Arc<dyn PolicySource>) -> u64 {
        let mut current = self.source.lock();
        current.0 = source;
        current.1 += 1;
        current.1
    }

    /// Has an engine with this number built in place of one of this configuration.
    pub(super) fn rebuild(&self, number: usize, generation: u64) {
        self.orders.lock().wanted.push_back((number, generation));
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.orders.lock().stopped = true;
        self.changed.notify_one();
    }

    /// The next engine to build; None at the end.
    fn next(&self) -> Option<(usize, u64)> {
        let mut orders = self.orders.lock();
        loop {
            if orders.stopped {
                return None;
            }
            if let Some(order) = orders.wanted.pop_front() {
                return Some(order);
            }
            self.changed.wait(&mut orders);
        }
    }

    /// None: the configuration has been replaced, and all its engines with it.
    fn build(&self, generation: u64) -> Option<Result<Box<dyn Policy>, BuildError>> {
        let (source, current) = self.source.lock().clone();
        (current == generation).then(|| Self::build_from(&*source))
    }

    fn build_from(source: &dyn PolicySource) -> Result<Box<dyn Policy>, BuildError> {
        let built = catch_unwind(AssertUnwindSafe(|| source.build()));
        built.unwrap_or_else(|_| Err(BuildError("the server failed while it built a policy state".into())))
    }
}

/// Starts the builder.
pub(super) fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let shared = shared.clone();
    thread::Builder::new().name("policy-builder".into()).stack_size(STACK).spawn(move || run(&shared))?;
    Ok(())
}

fn run(shared: &Shared) {
    let pool = &shared.pool;
    while let Some((number, generation)) = pool.next() {
        let Some(built) = pool.build(generation) else { continue };
        match built {
            Ok(policy) => {
                let engine = Engine::new(number, generation, policy);
                // Dropped here if the configuration has been replaced meanwhile.
                let _stale = shared.queue.lock().give_back(engine);
                pool.events.replaced();
                shared.wake_worker();
            }
            Err(error) => {
                pool.events.not_replaced(&error);
                let mut orders = pool.orders.lock();
                orders.wanted.push_back((number, generation));
                if !orders.stopped {
                    pool.changed.wait_for(&mut orders, RETRY);
                }
            }
        }
    }
}
