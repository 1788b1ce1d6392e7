//! A version of a policy, and the one it replaced for as long as it has to prove itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::instance::{Pool, Recipe};

/// Calls of a new version during which a trap brings the old one back.
const PROBATION: u32 = 20;

/// A version of a policy with its instances.
pub(crate) struct Version {
    pub(crate) recipe: Recipe,
    pub(crate) pool: Pool,
    /// Calls that are left of its probation; only a version that replaced another has one.
    probation: AtomicU32,
    /// What comes back if it traps during that.
    before: Mutex<Option<Arc<Version>>>,
}

impl Version {
    /// The first one.
    pub(crate) fn new(recipe: Recipe) -> Version {
        Version { recipe, pool: Pool::default(), probation: AtomicU32::new(0), before: Mutex::new(None) }
    }

    /// One that takes the place of another, which comes back if the new one traps on its first calls. The other changes nothing
    /// by that: it may still be in use.
    pub(crate) fn after(recipe: Recipe, old: &Arc<Version>, wanted: impl Fn(&Version) -> bool) -> Version {
        let version = Version::new(recipe);
        version.follow(old, wanted);
        version
    }

    /// The same for a version that nobody has called yet; `wanted`: whether this one would do.
    pub(crate) fn follow(&self, old: &Arc<Version>, wanted: impl Fn(&Version) -> bool) {
        // One step back, not a history; and that to a version that has proved itself.
        let before = old.before.lock().clone();
        let (before, left) = if self.recipe.is_like(&old.recipe) {
            // Nothing new: it goes on where the old one was.
            (before, old.probation.load(Ordering::Relaxed))
        } else {
            (Some(before.unwrap_or_else(|| old.clone())), PROBATION)
        };
        let before = before.filter(|before| wanted(before));
        self.probation.store(if before.is_some() { left } else { 0 }, Ordering::Relaxed);
        *self.before.lock() = before;
    }

    /// Another has taken its place.
    pub(crate) fn retire(&self) {
        *self.before.lock() = None;
        self.pool.shrink(true);
    }

    /// Whether it still has to prove itself.
    pub(crate) fn is_on_probation(&self) -> bool {
        self.probation.load(Ordering::Relaxed) > 0
    }

    /// A good call: it may end its probation, and then the old version can go.
    pub(crate) fn prove(&self) {
        if !self.is_on_probation() {
            return;
        }
        let left =
            self.probation.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left == Ok(1) {
            *self.before.lock() = None;
        }
    }

    /// What comes back now that it trapped, if it is on probation.
    pub(crate) fn give_up(&self) -> Option<Arc<Version>> {
        if self.is_on_probation() { self.before.lock().take() } else { None }
    }

    /// Lets go of instances that were not used for long, also those of the version before.
    pub(crate) fn shrink(&self) {
        self.pool.shrink(false);
        if let Some(before) = &*self.before.lock() {
            before.pool.shrink(false);
        }
    }
}
