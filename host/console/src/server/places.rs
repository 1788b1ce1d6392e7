//! The limited places of consoles, and who has to leave when they are all taken.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// All places of one control socket.
pub(super) struct Places {
    limit: usize,
    taken: Mutex<VecDeque<Taken>>,
}

/// Who sits on a place, oldest first in the list.
struct Taken {
    lost: Arc<Notify>,
    proven: bool,
}

/// A place, given back when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    lost: Arc<Notify>,
}

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, taken: Mutex::default() }
    }

    /// A place, if need be that of the oldest connection that has not proved to know the key. `None` when all have.
    pub(super) fn take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.taken.lock();
        if taken.len() >= self.limit {
            let stranger = taken.iter().position(|other| !other.proven)?;
            if let Some(other) = taken.remove(stranger) {
                other.lost.notify_one();
            }
        }
        let lost = Arc::new(Notify::new());
        taken.push_back(Taken { lost: Arc::clone(&lost), proven: false });
        Some(Place { places: Arc::clone(self), lost })
    }
}

impl Place {
    /// The one who sits here knows the key: nobody takes the place away any more. False when somebody just has.
    pub(super) fn prove(&self) -> bool {
        let mut taken = self.places.taken.lock();
        match taken.iter_mut().find(|one| Arc::ptr_eq(&one.lost, &self.lost)) {
            Some(mine) => {
                mine.proven = true;
                true
            }
            None => false,
        }
    }

    /// Waits until the place is taken away.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.lock().retain(|one| !Arc::ptr_eq(&one.lost, &self.lost));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[tokio::test]
    async fn the_oldest_stranger_makes_room() {
        let places = Arc::new(Places::new(2));
        let known = places.take().unwrap();
        assert!(known.prove());
        let stranger = places.take().unwrap();
        let newcomer = places.take().unwrap();
        stranger.lost().await;
        assert!(!stranger.prove());
        assert!(newcomer.prove());
        assert!(places.take().is_none(), "both places belong to consoles that know the key");
        drop(known);
        assert!(places.take().is_some());
    }

    #[test]
    fn a_limit_of_zero_lets_nobody_in() {
        assert!(Arc::new(Places::new(0)).take().is_none());
    }
}
