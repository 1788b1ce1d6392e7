//! What a configuration says about a job besides its schedule.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::{Interval, IntervalError};

/// What becomes of a run whose time passed while it could not start: the last one still ran, or the machine slept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// It is left out.
    #[default]
    Skip,
    /// One run makes up for all that were missed.
    RunOnce,
}

/// Options of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOptions {
    /// Where cron times are local.
    pub zone: TimeZone,
    /// Each run starts up to this much later, by chance.
    pub jitter: Duration,
    /// A run that takes longer is stopped.
    pub deadline: Duration,
    /// Whether it may start while its last run still runs.
    pub overlap: bool,
    /// What becomes of missed runs.
    pub missed: Missed,
    /// Whether only one of the daemons that share a report store runs it.
    pub once_per_cluster: bool,
}

/// Why an option cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No such option.
    #[error(
        "there is no option \"{0}\": jobs have timezone, jitter, deadline, overlap, missed and once_per_cluster"
    )]
    Unknown(String),
    /// A switch is neither on nor off.
    #[error("{0} must be \"true\" or \"false\", not \"{1}\"")]
    Switch(&'static str, String),
    /// Not one of the policies.
    #[error("missed must be \"skip\" or \"run once\", not \"{0}\"")]
    Missed(String),
    /// No time.
    #[error("{0}: {1}")]
    Time(&'static str, IntervalError),
    /// A deadline of nothing stops every run.
    #[error("a deadline must be at least a second")]
    NoTime,
    /// The system knows no such zone.
    #[error("the system knows no time zone \"{0}\" (names are like Europe/Amsterdam or UTC)")]
    Zone(String),
}

impl Default for JobOptions {
    fn default() -> JobOptions {
        JobOptions {
            zone: TimeZone::system(),
            jitter: Duration::ZERO,
            deadline: Duration::from_hours(1),
            overlap: false,
            missed: Missed::Skip,
            once_per_cluster: false,
        }
    }
}

impl JobOptions {
    /// Sets one option from text, as a configuration has it. Times are seconds (`90`), or intervals with a colon (`0:05`).
    ///
    /// # Errors
    /// The option is unknown or its value makes no sense.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        match name {
            "timezone" => {
                self.zone = TimeZone::get(value).map_err(|_| OptionError::Zone(value.to_owned()))?;
            }
            "jitter" => self.jitter = time("jitter", value)?,
            "deadline" => {
                let deadline = time("deadline", value)?;
                if deadline.is_zero() {
                    return Err(OptionError::NoTime);
                }
                self.deadline = deadline;
            }
            "overlap" => self.overlap = switch("overlap", value)?,
            "once_per_cluster" => self.once_per_cluster = switch("once_per_cluster", value)?,
            "missed" => {
                self.missed = match value {
                    "skip" => Missed::Skip,
                    "run once" | "run_once" => Missed::RunOnce,
                    other => return Err(OptionError::Missed(other.to_owned())),
                };
            }
            other => return Err(OptionError::Unknown(other.to_owned())),
        }
        Ok(())
    }

    /// The zone's name, as the console shows it.
    pub fn zone_name(&self) -> String {
        self.zone.iana_name().map_or_else(|| "local".to_owned(), str::to_owned)
    }
}

fn switch(name: &'static str, value: &str) -> Result<bool, OptionError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(OptionError::Switch(name, other.to_owned())),
    }
}

fn time(name: &'static str, value: &str) -> Result<Duration, OptionError> {
    if value.contains(':') {
        return Interval::seconds(value)
            .map(Duration::from_secs)
            .map_err(|error| OptionError::Time(name, error));
    }
    // The longest time is that of intervals.
    let seconds = value.parse().ok().filter(|seconds: &u64| *seconds <= 10 * 366 * 86_400);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| OptionError::Time(name, IntervalError::Form(value.to_owned())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn options_are_read_from_text() {
        let mut options = JobOptions::default();
        for (name, value) in [
            ("timezone", "Europe/Amsterdam"),
            ("jitter", "90"),
            ("deadline", "0:05"),
            ("overlap", "true"),
            ("missed", "run once"),
            ("once_per_cluster", "true"),
        ] {
            options.set(name, value).unwrap();
        }
        assert_eq!(options.zone_name(), "Europe/Amsterdam");
        assert_eq!((options.jitter, options.deadline), (Duration::from_secs(90), Duration::from_mins(5)));
        assert!(options.overlap && options.once_per_cluster && options.missed == Missed::RunOnce);
    }

    #[test]
    fn nonsense_is_told() {
        let mut options = JobOptions::default();
        let told = [
            ("timezone", "Nowhere/Town"),
            ("jitter", "soon"),
            ("deadline", "0"),
            ("overlap", "1"),
            ("x", "y"),
        ]
        .map(|(name, value)| options.set(name, value).unwrap_err().to_string());
        for (text, part) in
            told.iter().zip(["Nowhere/Town", "soon", "at least a second", "\"true\"", "no option \"x\""])
        {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(options, JobOptions::default());
    }
}
