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
    source: Arc<dyn PolicySource>,
    events: Arc<dyn Events>,
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Default)]
struct Orders {
    /// Numbers of the engines to build.
    wanted: VecDeque<usize>,
    stopped: bool,
}

impl Pool {
    pub(super) fn new(source: Arc<dyn PolicySource>, events: Arc<dyn Events>) -> Pool {
        Pool { source, events, orders: Mutex::default(), changed: Condvar::new() }
    }

    pub(super) fn events(&self) -> &dyn Events {
        &*self.events
    }

    /// Has an engine with this number built.
    pub(super) fn rebuild(&self, number: usize) {
        self.orders.lock().wanted.push_back(number);
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.orders.lock().stopped = true;
        self.changed.notify_one();
    }

    /// The next engine to build; None at the end.
    fn next(&self) -> Option<usize> {
        let mut orders = self.orders.lock();
        loop {
            if orders.stopped {
                return None;
            }
            if let Some(number) = orders.wanted.pop_front() {
                return Some(number);
            }
            self.changed.wait(&mut orders);
        }
    }

    fn build(&self) -> Result<Box<dyn Policy>, BuildError> {
        let built = catch_unwind(AssertUnwindSafe(|| self.source.build()));
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
    while let Some(number) = pool.next() {
        match pool.build() {
            Ok(policy) => {
                shared.queue.lock().give_back(Engine::new(number, policy));
                pool.events.replaced();
                shared.wake_worker();
            }
            Err(error) => {
                pool.events.not_replaced(&error);
                let mut orders = pool.orders.lock();
                orders.wanted.push_back(number);
                if !orders.stopped {
                    pool.changed.wait_for(&mut orders, RETRY);
                }
            }
        }
    }
}
