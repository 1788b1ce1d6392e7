//! Cron lines: five fields, and when they are due next.
//!
//! `minute hour day-of-month month day-of-week`, each a list of `*`, numbers, ranges and steps; months and days of the week
//! also by name; Sunday is 0 or 7. All five must hold, the two kinds of days included, as in wforce and unlike cron (which
//! takes either one if both are given): `0 4 1 * MON` is four o'clock on a first of the month that is a Monday.

mod calendar;
mod field;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use calendar::Calendar;

/// A cron line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    calendar: Calendar,
    text: String,
}

/// Why a text is no cron line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error("a cron line has five fields (minute hour day-of-month month day-of-week), this one has {0}")]
    Fields(usize),
    /// A field cannot be read.
    #[error("{field} \"{text}\": {reason}")]
    Field {
        /// Which one.
        field: &'static str,
        /// What it says.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// A word beginning with `@` that is not known.
    #[error(
        "\"{0}\" is unknown: there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"
    )]
    Word(String),
    /// A date like 31 February.
    #[error("no month it names has such a day: it would never run")]
    Never,
}

/// What the words stand for.
fn words(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => return None,
    })
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Cron, CronError> {
        let trimmed = text.trim();
        let line = if trimmed.starts_with('@') {
            words(trimmed).ok_or_else(|| CronError::Word(trimmed.chars().take(40).collect()))?
        } else {
            trimmed
        };
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(CronError::Fields(fields.len()));
        };
        let calendar = Calendar {
            minutes: field::MINUTE.read(minute)?,
            hours: field::HOUR.read(hour)?,
            days: field::DAY.read(day)?,
            months: field::MONTH.read(month)?,
            weekdays: field::WEEKDAY.read(weekday)?,
            // As it is written: `*/1` is an hour of its own each time, too.
            every_hour: hour.starts_with('*'),
        };
        if !calendar.possible() {
            return Err(CronError::Never);
        }
        Ok(Cron { calendar, text: trimmed.split_ascii_whitespace().collect::<Vec<_>>().join(" ") })
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cron {
    /// The first time after `after`, at second 0.
    ///
    /// When clocks go forward, times that are left out run at once when the new time begins; when they go back, times that
    /// come twice run the first time only. Lines whose hour begins with `*` just go on by the clock on the wall: nothing is
    /// lost or doubled that would not come an hour later anyway.
    ///
    /// None if the calendar ends (year 9999) first.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut from = Timestamp::from_second(after.as_second()).ok()?;
        // The clock on the wall moves in stretches of one offset each.
        let mut offset = zone.to_offset(from);
        let mut start = self.calendar.minute_after(offset.to_datetime(from))?;
        // What the wall showed already before the clock went back.
        let mut shown = zone.preceding(from).next().and_then(|change| {
            let before = zone.to_offset(change.timestamp() - jiff::SignedDuration::from_secs(1));
            (before > change.offset()).then(|| before.to_datetime(change.timestamp()))
        });
        // Daylight saving changes about twice a year, and a rare date is up to 40 years away.
        for _ in 0..400 {
            let change = zone.following(from).next();
            if let (Some(shown), false) = (shown, self.calendar.every_hour) {
                start = start.max(shown);
            }
            let found = self.calendar.first_from(start);
            let found = found.and_then(|civil| offset.to_timestamp(civil).ok());
            let Some(change) = change else { return found };
            if let Some(found) = found
                && found < change.timestamp()
            {
                return Some(found);
            }
            from = change.timestamp();
            let (before, now) = (offset.to_datetime(from), change.offset().to_datetime(from));
            if now > before && !self.calendar.every_hour {
                // Left out by the wall: due as soon as it goes on.
                if self.calendar.first_from(before).is_some_and(|civil| civil < now) {
                    return Some(from);
                }
            }
            shown = (now < before).then_some(before);
            offset = change.offset();
            start = calendar::whole_minute(now)?;
        }
        None
    }
}

#[cfg(test)]
mod tests;
