//! The one clock of what policies see: the system's, or one that only moves when it is told to.
//!
//! Everything whose result a policy or a client can tell from the time asks here: the arrival of logins, time windows,
//! list expiries. Tests and the tools for policy authors put a clock of their own into it. Budgets, timeouts and log time
//! stamps are about the machine and do not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The system's clock is in use.
const SYSTEM: u64 = u64::MAX;

/// The clock of one daemon. Reading it costs one load more than the system's.
#[derive(Debug)]
pub struct Clock {
    /// Microseconds since 1970, or [`SYSTEM`].
    stopped_at: AtomicU64,
}

impl Default for Clock {
    /// The system's clock.
    fn default() -> Self {
        Self { stopped_at: AtomicU64::new(SYSTEM) }
    }
}

impl Clock {
    /// Unix seconds.
    #[inline]
    pub fn now(&self) -> u64 {
        self.since_epoch().as_secs()
    }

    /// Unix seconds with their fraction.
    #[inline]
    pub fn precise(&self) -> f64 {
        self.since_epoch().as_secs_f64()
    }

    /// Time since 1970; nothing if the system's clock is before that.
    #[inline]
    pub fn since_epoch(&self) -> Duration {
        match self.stopped_at.load(Ordering::Relaxed) {
            SYSTEM => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            micros => Duration::from_micros(micros),
        }
    }

    /// Whether it only moves when it is told to.
    pub fn is_virtual(&self) -> bool {
        self.stopped_at.load(Ordering::Relaxed) != SYSTEM
    }

    /// Stops the clock at this time since 1970, to the microsecond; from now on only this and [`Clock::advance`] move it.
    pub fn set(&self, since_epoch: Duration) {
        self.stopped_at.store(micros(since_epoch), Ordering::Relaxed);
    }

    /// Moves a virtual clock forward; the system's goes its own way.
    pub fn advance(&self, by: Duration) {
        let forward = |at: u64| (at != SYSTEM).then(|| at.saturating_add(micros(by)).min(SYSTEM - 1));
        // Fails on the system's clock, which is meant.
        let _ = self.stopped_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, forward);
    }
}

fn micros(time: Duration) -> u64 {
    // Half of the range is 292 thousand years: sums stay below `SYSTEM`.
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(SYSTEM / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_clock_moves_by_itself_and_cannot_be_advanced() {
        let clock = Clock::default();
        let before = clock.since_epoch();
        clock.advance(Duration::from_hours(1000));
        assert!(!clock.is_virtual() && clock.since_epoch() < before + Duration::from_hours(999));
        assert!(clock.now() > 1_700_000_000);
    }

    #[test]
    fn a_virtual_clock_stands_still_until_it_is_moved() {
        let clock = Clock::default();
        clock.set(Duration::from_millis(1_500_500));
        assert!(clock.is_virtual());
        assert_eq!((clock.now(), clock.precise().to_bits()), (1500, 1500.5f64.to_bits()));
        clock.advance(Duration::from_millis(2500));
        assert_eq!(clock.now(), 1503);
        clock.set(Duration::from_secs(7));
        assert_eq!(clock.now(), 7);
    }

    #[test]
    fn the_end_of_time_is_not_the_system_s_clock() {
        let clock = Clock::default();
        clock.set(Duration::MAX);
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert!(clock.is_virtual());
    }
}
