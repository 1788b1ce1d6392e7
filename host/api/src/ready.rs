//! Whether the daemon is ready, and what it waits for if not.

use parking_lot::RwLock;

/// What is told where a reason was never given.
const STARTING: &str = "starting";

/// Shared by the server and whoever knows when the daemon is ready.
#[derive(Debug)]
pub struct Readiness(RwLock<Option<String>>);

impl Default for Readiness {
    /// Not ready.
    fn default() -> Self {
        Self(RwLock::new(Some(STARTING.into())))
    }
}

impl Readiness {
    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.0.read().is_none()
    }

    /// It is ready from now on. Whether it was not before.
    pub fn set(&self) -> bool {
        self.0.write().take().is_some()
    }

    /// It is not ready; `why` is told to those who ask.
    pub fn wait(&self, why: impl Into<String>) {
        *self.0.write() = Some(why.into());
    }

    /// What it waits for.
    pub fn waiting(&self) -> Option<String> {
        self.0.read().clone()
    }
}
