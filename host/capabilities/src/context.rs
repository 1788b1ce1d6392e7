//! What goes with one policy call besides its arguments: a trace of what it asked, or a place for its writes.
//!
//! Most calls have no context, and a host function then pays for one look at a flag of its thread. A call that has one
//! *enters* it on the thread that runs the call, each time it runs; so it reaches every host function whatever the
//! policy is written in.

mod overlay;
mod step;
mod trace;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

pub use overlay::Overlay;
pub use step::{Missing, Read, Step};
pub use trace::{MAX_STEPS, Timed, Trace};

/// The context of one call.
#[derive(Default)]
pub struct Context {
    trace: Option<Trace>,
    overlay: Option<Arc<Overlay>>,
    job: bool,
}

thread_local! {
    /// Whether the call on this thread has a context. Apart from the context itself, because this one needs no destructor
    /// and costs a plain load.
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
    static CURRENT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
}

impl Context {
    /// Records what the call asks.
    pub fn traced() -> Self {
        Self { trace: Some(Trace::default()), ..Self::default() }
    }

    /// Keeps the call's writes to itself: they go into the overlay, and reads see it over what is live.
    #[must_use]
    pub fn over(mut self, overlay: Arc<Overlay>) -> Self {
        self.overlay = Some(overlay);
        self
    }

    /// Of a background function: nobody waits for its end.
    pub fn of_job() -> Self {
        Self { job: true, ..Self::default() }
    }

    /// Whether the call is a background function's.
    pub fn is_job(&self) -> bool {
        self.job
    }

    /// The record, if there is one.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// Where writes go, if not where everybody's go.
    pub fn overlay(&self) -> Option<&Arc<Overlay>> {
        self.overlay.as_ref()
    }

    /// Notes a step if there is a record.
    pub fn note(&self, step: impl FnOnce() -> Step) {
        if let Some(trace) = &self.trace {
            trace.push(step());
        }
    }

    /// Makes it the context of the calls on this thread until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> Entered {
        let before = CURRENT.with_borrow_mut(|current| current.replace(Arc::clone(self)));
        ACTIVE.set(true);
        Entered { before }
    }
}

/// While it lives, the thread has a context.
pub struct Entered {
    before: Option<Arc<Context>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        ACTIVE.set(self.before.is_some());
        // Outside of the borrow: dropping a context drops what it recorded.
        let _over = CURRENT.with_borrow_mut(|current| std::mem::replace(current, self.before.take()));
    }
}

/// The context of the call on this thread.
#[inline]
pub fn current() -> Option<Arc<Context>> {
    if ACTIVE.get() { CURRENT.with_borrow(Clone::clone) } else { None }
}

/// Notes a step of the call on this thread if somebody wants to know.
#[inline]
pub fn note(step: impl FnOnce() -> Step) {
    if ACTIVE.get()
        && let Some(context) = current()
    {
        context.note(step);
    }
}

/// A component has used this much fuel for the call on this thread.
#[inline]
pub fn used_fuel(fuel: u64) {
    if ACTIVE.get()
        && let Some(context) = current()
        && let Some(trace) = context.trace()
    {
        trace.used_fuel(fuel);
    }
}

/// Whether the call on this thread must leave everything outside of itself as it is: webhooks, counters.
#[inline]
pub fn is_apart() -> bool {
    ACTIVE.get() && current().is_some_and(|context| context.overlay.is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn step(name: &str) -> Step {
        Step::Dns { question: name.to_owned(), answers: Vec::new() }
    }

    #[test]
    fn a_thread_without_a_context_notes_nothing() {
        assert!(current().is_none() && !is_apart());
        note(|| panic!("nobody wants to know"));
    }

    #[test]
    fn contexts_nest_and_end_with_their_guards() {
        let (outer, inner) = (Arc::new(Context::traced()), Arc::new(Context::default()));
        let inner_over = Arc::new(Context::default().over(Arc::default()));
        {
            let _outer = outer.enter();
            note(|| step("one"));
            {
                let _inner = inner.enter();
                note(|| panic!("the inner one has no trace"));
                let _apart = inner_over.enter();
                assert!(is_apart());
            }
            assert!(!is_apart());
            note(|| step("two"));
        }
        assert!(current().is_none());
        assert_eq!(outer.trace().unwrap().steps().len(), 2);
        assert_eq!(Arc::strong_count(&outer), 1);
    }
}
