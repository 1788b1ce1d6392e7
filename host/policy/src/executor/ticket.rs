//! The place where a call's result waits for its caller. The first result counts.

use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;

use super::bridge::Bridge;
use crate::Failure;
use crate::call::Reply;

enum State {
    Waiting(Waker),
    /// The result, and the waker until it has been used.
    Finished(Result<Reply, Failure>, Option<Waker>),
    Taken,
}

pub(crate) struct Ticket {
    state: Mutex<State>,
    /// On the caller's runtime thread.
    bridge: Option<Arc<Bridge>>,
}

impl Ticket {
    pub(crate) fn new(waker: Waker, bridge: Option<Arc<Bridge>>) -> Arc<Ticket> {
        Arc::new(Ticket { state: Mutex::new(State::Waiting(waker)), bridge })
    }

    pub(crate) fn bridge(&self) -> Option<&Arc<Bridge>> {
        self.bridge.as_ref()
    }

    /// Stores the result unless there is one; does not wake the caller yet.
    pub(crate) fn finish(&self, result: Result<Reply, Failure>) {
        let mut state = self.state.lock();
        if let State::Waiting(waker) = &mut *state {
            let waker = std::mem::replace(waker, Waker::noop().clone());
            *state = State::Finished(result, Some(waker));
        }
    }

    /// Wakes the caller, once.
    pub(crate) fn wake(&self) {
        let waker = match &mut *self.state.lock() {
            State::Finished(_, waker) => waker.take(),
            State::Waiting(_) | State::Taken => None,
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The result if there is one; else `waker` is the one to wake.
    pub(crate) fn take(&self, waker: &Waker) -> Option<Result<Reply, Failure>> {
        let mut state = self.state.lock();
        match &mut *state {
            State::Waiting(old) => {
                old.clone_from(waker);
                None
            }
            State::Finished(..) => match std::mem::replace(&mut *state, State::Taken) {
                State::Finished(result, _) => Some(result),
                State::Waiting(_) | State::Taken => None,
            },
            State::Taken => None,
        }
    }
}
