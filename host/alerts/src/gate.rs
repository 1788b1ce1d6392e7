//! Whether an alert is told: not twice, and not too many.

use std::collections::{HashMap, VecDeque};

use capabilities::alerts::Taken;

use crate::settings::Limits;

/// Seconds over which alerts are counted.
const HOUR: u64 = 3600;
/// Different alerts whose last telling is remembered; the oldest are forgotten first.
const MOST_REMEMBERED: usize = 200_000;

/// Whom or what an alert is about, and its reason.
type Key = (String, String);

/// What was told lately. Time is an argument, unix seconds; should it go back, what is remembered holds longer.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Since when each alert holds back others like it.
    recent: HashMap<Key, u64>,
    /// The same in the order of telling.
    order: VecDeque<(u64, Key)>,
    /// Tellings of the last hour, oldest first.
    told: VecDeque<(u64, String)>,
    /// Their number by subject.
    of_subject: HashMap<String, u32>,
}

impl Gate {
    /// Whether to tell; then it counts as told.
    pub(crate) fn admit(&mut self, now: u64, subject: &str, reason: &str, limits: &Limits) -> Taken {
        self.pass(now, limits);
        let key = (subject.to_owned(), reason.to_owned());
        if self.recent.contains_key(&key) {
            return Taken::Duplicate;
        }
        let of_subject = self.of_subject.get(subject).copied().unwrap_or_default();
        if self.told.len() >= limits.per_hour as usize
            || (!subject.is_empty() && of_subject >= limits.per_login)
        {
            return Taken::Limited;
        }
        if limits.window > 0 {
            if self.order.len() >= MOST_REMEMBERED {
                self.forget_first();
            }
            self.recent.insert(key.clone(), now);
            self.order.push_back((now, key));
        }
        self.told.push_back((now, subject.to_owned()));
        *self.of_subject.entry(subject.to_owned()).or_default() += 1;
        Taken::Queued
    }

    /// Nobody could be told of what was admitted then: it holds back nothing like it any more. It still counts against the
    /// limits, so that what cannot be told is not tried without end.
    pub(crate) fn untold(&mut self, then: u64, subject: &str, reason: &str) {
        let key = (subject.to_owned(), reason.to_owned());
        if self.recent.get(&key) == Some(&then) {
            self.recent.remove(&key);
        }
    }

    /// Forgets what is over.
    fn pass(&mut self, now: u64, limits: &Limits) {
        while self.order.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= u64::from(limits.window)) {
            self.forget_first();
        }
        while self.told.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= HOUR) {
            let Some((_, subject)) = self.told.pop_front() else { break };
            if let Some(count) = self.of_subject.get_mut(&subject) {
                *count -= 1;
                if *count == 0 {
                    self.of_subject.remove(&subject);
                }
            }
        }
    }

    fn forget_first(&mut self) {
        if let Some((at, key)) = self.order.pop_front()
            && self.recent.get(&key) == Some(&at)
        {
            self.recent.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_is_told_once_a_window() {
        let (mut gate, limits) = (Gate::default(), Limits { window: 100, ..Limits::default() });
        assert_eq!(gate.admit(1000, "ada", "country", &limits), Taken::Queued);
        assert_eq!(gate.admit(1099, "ada", "country", &limits), Taken::Duplicate);
        assert_eq!(gate.admit(1099, "ada", "device", &limits), Taken::Queued);
        assert_eq!(gate.admit(1099, "bob", "country", &limits), Taken::Queued);
        assert_eq!(gate.admit(1100, "ada", "country", &limits), Taken::Queued);
    }

    #[test]
    fn what_nobody_could_be_told_of_is_told_again() {
        let (mut gate, limits) = (Gate::default(), Limits { window: 100, per_login: 3, ..Limits::default() });
        assert_eq!(gate.admit(1000, "ada", "country", &limits), Taken::Queued);
        gate.untold(999, "ada", "country");
        assert_eq!(gate.admit(1010, "ada", "country", &limits), Taken::Duplicate);
        gate.untold(1000, "ada", "country");
        assert_eq!(gate.admit(1050, "ada", "country", &limits), Taken::Queued);
        // The end of the first one's window is not that of the second.
        assert_eq!(gate.admit(1101, "ada", "country", &limits), Taken::Duplicate);
        gate.untold(1050, "ada", "country");
        assert_eq!(gate.admit(1102, "ada", "country", &limits), Taken::Queued);
        gate.untold(1102, "ada", "country");
        assert_eq!(gate.admit(1103, "ada", "country", &limits), Taken::Limited);
    }

    #[test]
    fn one_login_cannot_use_up_everybodys_alerts() {
        let limits = Limits { window: 0, per_login: 2, per_hour: 4, ..Limits::default() };
        let mut gate = Gate::default();
        let mut admit = |now, subject| gate.admit(now, subject, "r", &limits);
        assert_eq!(
            [admit(0, "ada"), admit(1, "ada"), admit(2, "ada")],
            [Taken::Queued, Taken::Queued, Taken::Limited]
        );
        assert_eq!(
            [admit(3, "bob"), admit(4, "cyd"), admit(5, "dan")],
            [Taken::Queued, Taken::Queued, Taken::Limited]
        );
        assert_eq!(admit(3600, "ada"), Taken::Queued);
        assert_eq!(admit(3600, "ada"), Taken::Limited);
    }

    proptest! {
        #[test]
        fn no_hour_has_more_than_allowed(
            steps in prop::collection::vec((0_u64..900, 0_u8..4, 0_u8..3), 1..200),
        ) {
            let limits = Limits { window: 1200, per_login: 3, per_hour: 6, ..Limits::default() };
            let (mut gate, mut now, mut told) = (Gate::default(), 0, Vec::new());
            for (wait, subject, reason) in steps {
                now += wait;
                let (subject, reason) = (format!("s{subject}"), format!("r{reason}"));
                if gate.admit(now, &subject, &reason, &limits) == Taken::Queued {
                    told.push((now, subject, reason));
                }
                let lately: Vec<_> = told.iter().filter(|(at, ..)| now - at < HOUR).collect();
                prop_assert!(lately.len() <= 6);
                for (at, subject, reason) in &lately {
                    prop_assert!(lately.iter().filter(|(_, other, _)| other == subject).count() <= 3);
                    let same = told.iter().filter(|(t, s, r)| t.abs_diff(*at) < 1200 && (s, r) == (subject, reason));
                    prop_assert_eq!(same.count(), 1);
                }
            }
            prop_assert!(gate.of_subject.values().map(|count| *count as usize).sum::<usize>() == gate.told.len());
        }
    }
}
