//! When the call that runs on this thread has to be answered, for engines that can end parts of it before.

use std::cell::Cell;
use std::time::Instant;

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The end of the budget of the call that runs on this thread; `None`: this is no policy thread in a call.
pub fn current() -> Option<Instant> {
    DEADLINE.get()
}

/// Until it is dropped, the thread is in a call with this deadline.
#[must_use]
pub struct Until(Option<Instant>);

/// The thread is in a call with this deadline.
pub fn enter(deadline: Instant) -> Until {
    Until(DEADLINE.replace(Some(deadline)))
}

impl Drop for Until {
    fn drop(&mut self) {
        DEADLINE.set(self.0);
    }
}
