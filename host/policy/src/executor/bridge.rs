//! Between a runtime thread and the policy threads: one task on each runtime thread that makes calls, which gathers
//! what goes over and back. Waking a thread costs more than a call; so all calls of one turn share one wake-up.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use super::Shared;
use super::ticket::Ticket;

#[derive(Default)]
pub(crate) struct Bridge {
    /// Calls with a result whose callers are not awake yet.
    answered: Mutex<Vec<Arc<Ticket>>>,
    jobs_waiting: AtomicBool,
    stopped: AtomicBool,
    waker: Mutex<Option<Waker>>,
    /// Set while the task has been woken and has not looked yet: spares every further wake-up.
    woken: AtomicBool,
}

thread_local! {
    /// The bridges of this runtime thread, one for each executor (there is one but in tests).
    static HERE: RefCell<Vec<(Weak<Shared>, Arc<Bridge>)>> = const { RefCell::new(Vec::new()) };
}

impl Bridge {
    /// The bridge of the runtime thread this runs on; None outside of any runtime.
    pub(super) fn here(shared: &Arc<Shared>) -> Option<Arc<Bridge>> {
        HERE.with_borrow_mut(|here| {
            let known = here.iter().find(|(owner, _)| std::ptr::eq(owner.as_ptr(), Arc::as_ptr(shared)));
            if let Some((_, bridge)) = known
                && !bridge.stopped.load(Ordering::Relaxed)
            {
                return Some(bridge.clone());
            }
            let runtime = tokio::runtime::Handle::try_current().ok()?;
            let bridge = Arc::new(Bridge::default());
            here.retain(|(owner, bridge)| {
                owner.strong_count() > 0 && !bridge.stopped.load(Ordering::Relaxed)
            });
            here.push((Arc::downgrade(shared), bridge.clone()));
            shared.bridges.lock().push(Arc::downgrade(&bridge));
            runtime.spawn(run(Arc::downgrade(shared), Guard(bridge.clone())));
            Some(bridge)
        })
    }

    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Some(waker) = &*self.waker.lock()
        {
            waker.wake_by_ref();
        }
    }

    /// A job is queued and a policy thread could be woken for it: once the present turn of the runtime is over.
    pub(super) fn jobs_waiting(&self) {
        if !self.jobs_waiting.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake();
    }
}

/// Wakes the callers of these calls; empties `tickets`.
pub(super) fn answer(tickets: &mut Vec<Arc<Ticket>>) {
    // One bridge mostly; its lock is short.
    for ticket in tickets.iter() {
        let taken = ticket.bridge().is_some_and(|bridge| {
            let mut answered = bridge.answered.lock();
            // Looked at under the lock: `Guard` empties the list after it has set this.
            let alive = !bridge.stopped.load(Ordering::Acquire);
            if alive {
                answered.push(ticket.clone());
            }
            alive
        });
        if !taken {
            ticket.wake();
        }
    }
    for ticket in tickets.drain(..) {
        if let Some(bridge) = ticket.bridge() {
            bridge.wake();
        }
    }
}

/// Marks the bridge as gone when its task ends, also when its runtime drops it.
struct Guard(Arc<Bridge>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Release);
        for ticket in self.0.answered.lock().drain(..) {
            ticket.wake();
        }
    }
}

/// The task. Ends with the executor or its runtime.
async fn run(shared: Weak<Shared>, guard: Guard) {
    let bridge = &guard.0;
    let mut batch: Vec<Arc<Ticket>> = Vec::new();
    while !bridge.stopped.load(Ordering::Acquire) {
        poll_fn(|context| {
            {
                let mut waker = bridge.waker.lock();
                match &mut *waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
            }
            // Whoever comes after this line wakes us again; whoever came before is seen by the checks below.
            bridge.woken.store(false, Ordering::SeqCst);
            std::mem::swap(&mut *bridge.answered.lock(), &mut batch);
            let ready = !batch.is_empty()
                || bridge.jobs_waiting.load(Ordering::SeqCst)
                || bridge.stopped.load(Ordering::SeqCst);
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        for ticket in batch.drain(..) {
            ticket.wake();
        }
        if bridge.jobs_waiting.load(Ordering::Acquire) {
            // Requests that are ready in this turn queue their jobs first; then one wake-up serves them all.
            tokio::task::yield_now().await;
            bridge.jobs_waiting.store(false, Ordering::SeqCst);
            let Some(shared) = shared.upgrade() else { return };
            shared.wake_worker();
        }
    }
}
