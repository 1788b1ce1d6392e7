//! The scheduler's place in a daemon.

use std::sync::OnceLock;

use tokio::sync::oneshot;

use crate::{JobStatus, LastRun, Refusal, Scheduler};

/// What console, HTTP and configuration know of the jobs. It is there before the scheduler is, and empty until then (and in
/// daemons that have none).
#[derive(Default)]
pub struct Jobs(OnceLock<Scheduler>);

impl Jobs {
    /// This is the scheduler. The first one stays.
    pub fn set(&self, scheduler: Scheduler) {
        // A second one would be a mistake of the program's.
        let _ = self.0.set(scheduler);
    }

    /// The scheduler, once there is one.
    pub fn scheduler(&self) -> Option<&Scheduler> {
        self.0.get()
    }

    /// All jobs as they are.
    pub fn statuses(&self) -> Vec<JobStatus> {
        self.0.get().map(Scheduler::statuses).unwrap_or_default()
    }

    /// See [`Scheduler::run_by_hand`].
    ///
    /// # Errors
    /// As there; [`Refusal::Stopped`] before there is a scheduler.
    pub fn run_by_hand(&self, name: &str) -> Result<oneshot::Receiver<LastRun>, Refusal> {
        self.0.get().ok_or(Refusal::Stopped)?.run_by_hand(name)
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Jobs").field(&self.0.get().is_some()).finish()
    }
}
