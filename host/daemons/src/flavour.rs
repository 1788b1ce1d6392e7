//! What one daemon does differently from the others.

use std::future::Future;
use std::sync::Arc;

use api::Backend;
use capabilities::Daemon;
use lua::Settings;

use crate::start::Started;

/// A daemon's own parts; everything else is in [`crate::serve`].
pub trait Flavour: Sized + Send + Sync + 'static {
    /// Which daemon it is.
    const DAEMON: Daemon;

    /// What its HTTP commands ask.
    type Backend: Backend;

    /// Makes its parts from what was loaded; nothing runs yet. Called inside the runtime.
    ///
    /// # Errors
    /// What the operator is told; the daemon does not start.
    fn new(started: &Started) -> Result<Self, String>;

    /// What its HTTP commands ask.
    fn backend(&self) -> Arc<Self::Backend>;

    /// Starts what works beside the requests. The process is in the background already if it goes there, and nobody has
    /// been told yet that it is ready.
    ///
    /// # Errors
    /// What the operator is told; the daemon ends.
    fn begin(&self, started: &Started) -> impl Future<Output = Result<(), String>> + Send {
        let _ = started;
        std::future::ready(Ok(()))
    }

    /// The configuration was read again: these are its settings from now on.
    fn reloaded(&self, started: &Started, settings: &Settings) {
        let _ = (started, settings);
    }

    /// Ends it; no request comes any more, policies still answer.
    fn end(&self, started: &Started) -> impl Future<Output = ()> + Send {
        let _ = started;
        std::future::ready(())
    }
}
