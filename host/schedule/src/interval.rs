//! Intervals as wforce writes them: hours first, `H[:MM[:SS]]`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// No interval is longer: ten years of hours.
const MOST_HOURS: u64 = 10 * 366 * 24;

/// A time between two runs; never nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(Duration);

/// Why a text is no interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// It is not of the form.
    #[error(
        "\"{0}\" is no interval: write hours, then minutes and seconds of two digits each, as in 24, 5:30 or 00:00:10"
    )]
    Form(String),
    /// It would run without pause.
    #[error("an interval of nothing would run without pause")]
    Nothing,
    /// Longer than ten years.
    #[error("\"{0}\" is longer than ten years")]
    TooLong(String),
}

impl Interval {
    /// How long it is.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// Reads the seconds of a text, nothing included: what `durationToSeconds` does.
    ///
    /// Hours come first: `10` is ten hours. Minutes and seconds have exactly two digits and carry over above 59; a fraction
    /// of a second is dropped; a single `h` or `:` may end the hours. wforce reads anything after the hours as if it were not
    /// there, so that `30m` is thirty hours; that is an error here.
    ///
    /// # Errors
    /// The text is of another form.
    pub fn seconds(text: &str) -> Result<u64, IntervalError> {
        let form = || IntervalError::Form(text.chars().take(40).collect());
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let trimmed = text.trim_matches([' ', '\t']);
        let (hours, rest) = match trimmed.split_once(':') {
            Some((hours, rest)) => (hours, rest),
            None => (trimmed.strip_suffix('h').unwrap_or(trimmed), ""),
        };
        if !digits(hours) {
            return Err(form());
        }
        let two = |part: &str| if part.len() == 2 && digits(part) { part.parse().ok() } else { None };
        let (minutes, seconds): (u64, u64) = match rest.split_once(':') {
            _ if rest.is_empty() => (0, 0),
            None => (two(rest).ok_or_else(form)?, 0),
            Some((minutes, seconds)) => {
                let whole = match seconds.split_once('.') {
                    Some((whole, fraction)) if digits(fraction) => whole,
                    Some(_) => return Err(form()),
                    None => seconds,
                };
                (two(minutes).ok_or_else(form)?, two(whole).ok_or_else(form)?)
            }
        };
        let hours: u64 = hours
            .parse()
            .ok()
            .filter(|hours| *hours <= MOST_HOURS)
            .ok_or_else(|| IntervalError::TooLong(text.chars().take(40).collect()))?;
        Ok(hours * 3600 + minutes * 60 + seconds)
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Interval, IntervalError> {
        match Interval::seconds(text)? {
            0 => Err(IntervalError::Nothing),
            seconds => Ok(Interval(Duration::from_secs(seconds))),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hours_come_first() {
        for (text, seconds) in [
            ("10", 36_000),
            ("24", 86_400),
            ("5:01", 18_060),
            ("100:00:00", 360_000),
            ("00:00:01", 1),
            ("0:90", 5400),
            ("0:00:99", 99),
            ("00:00:01.9", 1),
            ("3h", 10_800),
            ("3:", 10_800),
            (" 1 ", 3600),
            ("0", 0),
        ] {
            assert_eq!(Interval::seconds(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in
            ["", "-1", "1:2:3", "1:2", "30m", "3hours", ":30", "1:00:0", "1:00:00:00", "1.5", "a", "0:00:1x"]
        {
            assert!(matches!(Interval::seconds(text), Err(IntervalError::Form(_))), "{text}");
        }
        for text in ["99999999", "99999999999999999999999"] {
            assert!(matches!(Interval::seconds(text), Err(IntervalError::TooLong(_))), "{text}");
        }
        assert_eq!("0:00".parse::<Interval>(), Err(IntervalError::Nothing));
    }

    #[test]
    fn what_is_shown_reads_the_same() {
        for text in ["00:00:01", "24", "5:30:07"] {
            let interval: Interval = text.parse().unwrap();
            assert_eq!(interval.to_string().parse(), Ok(interval));
        }
    }
}
