//! Dates and times of the clock on the wall that a cron line names.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

/// A rare date (29 February on a given weekday) comes within 40 years.
const YEARS: i16 = 41;

/// Five sets of numbers, as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) days: u64,
    pub(super) months: u64,
    pub(super) weekdays: u64,
    /// The hour is not fixed.
    pub(super) every_hour: bool,
}

/// The same minute if this is one without seconds, else the next.
pub(super) fn whole_minute(time: DateTime) -> Option<DateTime> {
    let whole = time.with().second(0).subsec_nanosecond(0).build().ok()?;
    if whole == time { Some(whole) } else { whole.checked_add(1.minute()).ok() }
}

fn has(bits: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| bits.checked_shr(number).unwrap_or(0) & 1 == 1)
}

/// The smallest member that is at least `from`.
fn at_least(bits: u64, from: i8) -> Option<i8> {
    let rest = bits & u64::MAX.checked_shl(u32::try_from(from).ok()?).unwrap_or(0);
    (rest != 0).then(|| rest.trailing_zeros() as i8)
}

impl Calendar {
    /// Whether some month has some of the days.
    pub(super) fn possible(&self) -> bool {
        let longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        (1..=12).any(|month: i8| {
            has(self.months, month)
                && at_least(self.days, 1).is_some_and(|day| day <= longest[month as usize - 1])
        })
    }

    /// The minute that follows.
    #[allow(clippy::unused_self, reason = "reads as a question to the calendar")]
    pub(super) fn minute_after(&self, time: DateTime) -> Option<DateTime> {
        time.with().second(0).subsec_nanosecond(0).build().ok()?.checked_add(1.minute()).ok()
    }

    /// The first time that is not before `from`, a whole minute.
    pub(super) fn first_from(&self, from: DateTime) -> Option<DateTime> {
        if self.holds(from.date())
            && let Some(time) = self.first_time(from.hour(), from.minute())
        {
            return Some(from.date().at(time.0, time.1, 0, 0));
        }
        let first = self.first_time(0, 0)?;
        let mut date = from.date().tomorrow().ok()?;
        let last = from.year().saturating_add(YEARS);
        while date.year() <= last {
            if !has(self.months, date.month()) {
                date = date.last_of_month().tomorrow().ok()?;
            } else if self.holds(date) {
                return Some(date.at(first.0, first.1, 0, 0));
            } else {
                date = date.tomorrow().ok()?;
            }
        }
        None
    }

    fn holds(&self, date: Date) -> bool {
        has(self.months, date.month())
            && has(self.days, date.day())
            && has(self.weekdays, date.weekday().to_sunday_zero_offset())
    }

    /// The first hour and minute of a day that are not before these.
    fn first_time(&self, hour: i8, minute: i8) -> Option<(i8, i8)> {
        if has(self.hours, hour)
            && let Some(minute) = at_least(self.minutes, minute)
        {
            return Some((hour, minute));
        }
        Some((at_least(self.hours, hour + 1)?, at_least(self.minutes, 0)?))
    }
}
