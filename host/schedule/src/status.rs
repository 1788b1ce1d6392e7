//! What is known of a job.

use std::time::Duration;

use jiff::Timestamp;

use crate::{JobOptions, Outcome, Schedule};

/// The last run of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What it came to.
    pub outcome: Outcome,
}

/// A job as a configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The background function.
    pub name: String,
    /// When it is due.
    pub schedule: Schedule,
    /// Its options.
    pub options: JobOptions,
}

/// A job and how it is doing.
#[derive(Clone, Debug)]
pub struct JobStatus {
    /// The background function.
    pub name: String,
    /// When it is due.
    pub schedule: Schedule,
    /// Its options.
    pub options: JobOptions,
    /// The next run, jitter included; none while a run goes on that the next one waits for.
    pub next: Option<Timestamp>,
    /// Runs going on.
    pub running: u32,
    /// Runs since the start.
    pub runs: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Runs that were left out: missed, still running, or another daemon's.
    pub skipped: u64,
    /// The last run that ended.
    pub last: Option<LastRun>,
}
