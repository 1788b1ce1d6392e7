//! When a cluster is looked at again, of which something was found to be away, or not.

use std::time::Duration;

use super::parts::{ALL, Set};

/// Pauses between two attempts to connect, or between two looks.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(50);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// After so many looks in a row at a cluster none of whose nodes answers, it is connected to anew.
const SILENT: u32 = 3;

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The parts that do not answer.
    pub away: Set,
    /// Whether the rows of sketches are known, or not needed.
    pub seeded: bool,
}

impl State {
    /// Whether nothing is missing.
    pub(super) fn is_whole(self) -> bool {
        self.away == 0 && self.seeded
    }
}

/// What comes after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A look after this pause.
    Again(Duration),
    /// A look as soon as something breaks, but not before this pause is over.
    WhenBroken(Duration),
    /// The connection is of no use any more.
    GiveUp,
}

/// Looks one after the other.
#[derive(Debug, Default)]
pub(super) struct Pace {
    looks: u32,
    pause: Duration,
    silent: u32,
}

impl Pace {
    /// What comes after this was found.
    pub(super) fn after(&mut self, state: State) -> Next {
        let first = self.looks == 0;
        self.looks = self.looks.saturating_add(1);
        self.silent = if state.away == ALL { self.silent + 1 } else { 0 };
        if self.silent == SILENT {
            return Next::GiveUp;
        }
        if state.is_whole() {
            self.pause = Duration::ZERO;
            // A server that is only slow is not asked all the time on top of that.
            return Next::WhenBroken(if first { Duration::ZERO } else { FIRST_PAUSE });
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        Next::Again(self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: State = State { away: 0, seeded: true };

    #[test]
    fn what_is_away_is_looked_at_less_and_less_often_until_it_is_back() {
        let mut pace = Pace::default();
        assert_eq!(pace.after(WHOLE), Next::WhenBroken(Duration::ZERO));
        let unseeded = State { away: 0, seeded: false };
        let partly = State { away: 1, seeded: true };
        for (state, pause) in [(partly, 50), (unseeded, 100), (partly, 200)] {
            assert_eq!(pace.after(state), Next::Again(Duration::from_millis(pause)));
        }
        for _ in 0..9 {
            pace.after(partly);
        }
        assert_eq!(pace.after(partly), Next::Again(LONGEST_PAUSE));
        pace.after(WHOLE);
        assert_eq!(pace.after(partly), Next::Again(FIRST_PAUSE));
    }

    #[test]
    fn a_slow_server_has_a_rest_before_it_is_looked_at_again() {
        let mut pace = Pace::default();
        pace.after(WHOLE);
        assert_eq!(pace.after(WHOLE), Next::WhenBroken(FIRST_PAUSE));
    }

    #[test]
    fn a_cluster_that_says_nothing_is_given_up() {
        let (mut pace, silent) = (Pace::default(), State { away: ALL, seeded: true });
        let looks = [silent, silent, WHOLE, silent, silent, silent].map(|state| pace.after(state));
        assert_eq!(looks.map(|next| next == Next::GiveUp), [false, false, false, false, false, true]);
    }
}
