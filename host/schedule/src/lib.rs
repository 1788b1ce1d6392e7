//! Scheduled jobs: cron and interval schedules, each job run one at a time, once per cluster if asked.
//!
//! [`Cron`] and [`Interval`] read the text of a configuration; [`Schedule::next`] computes with a time that is an argument.
//! [`Agenda`] decides what is to start, without a clock of its own; [`Scheduler`] runs an agenda on tokio; [`Jobs`] is the
//! scheduler's place in a daemon, for those that look at jobs or start one.
#![forbid(unsafe_code)]

mod agenda;
mod caught;
mod cron;
mod interval;
mod jobs;
mod options;
mod scheduler;
mod status;
mod table;

pub use agenda::{Agenda, Due, JobId, Skip};
pub use cron::{Cron, CronError};
pub use interval::{Interval, IntervalError};
pub use jobs::Jobs;
pub use options::{JobOptions, Missed, OptionError};
pub use scheduler::{BoxFuture, Leases, Outcome, Refusal, Scheduler, Work};
pub use status::{JobStatus, LastRun, Planned};
pub use table::{JobRow, table, timestamp, unix_seconds};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// When a job is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At times of the calendar.
    Cron(Cron),
    /// Some time after the last run ended.
    Every(Interval),
    /// Never by itself.
    ByHand,
}

impl Schedule {
    /// The first time after `after`; none if the calendar has no more.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Schedule::Cron(cron) => cron.next(after, zone),
            Schedule::Every(interval) => after.checked_add(interval.duration()).ok(),
            Schedule::ByHand => None,
        }
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Schedule::Cron(cron) => write!(f, "cron {cron}"),
            Schedule::Every(interval) => write!(f, "every {interval}"),
            Schedule::ByHand => f.write_str("by hand"),
        }
    }
}
