//! What is to run when; no clock, no tasks: whoever owns an agenda tells it the time and what ended.

use std::time::Duration;

use jiff::Timestamp;

use crate::{JobOptions, JobStatus, LastRun, Missed, Outcome, Schedule};

/// A run this much late still counts as on time: a busy machine, not a sleeping one.
const GRACE: Duration = Duration::from_mins(1);
/// Runs of one job that may go on at once, even if it may overlap itself.
const MOST_RUNNING: u32 = 8;

/// A run that is to start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The job's place in the agenda.
    pub job: usize,
    /// The time it was due, without jitter: the same on every daemon with this schedule.
    pub at: Timestamp,
}

/// Why a run was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Its time passed unnoticed: the machine slept, or its clock was set.
    Missed,
    /// The last run still ran.
    Running,
    /// Another daemon runs it.
    Elsewhere,
}

impl Skip {
    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Skip::Missed => "missed",
            Skip::Running => "running",
            Skip::Elsewhere => "elsewhere",
        }
    }
}

struct Job {
    status: JobStatus,
    /// When the next run is due, without and with jitter.
    next: Option<(Timestamp, Timestamp)>,
    /// A run was missed and is to be made up for.
    owed: bool,
}

/// All jobs.
#[derive(Default)]
pub struct Agenda {
    jobs: Vec<Job>,
}

impl Agenda {
    /// Adds a job and returns its place. The first run is the first time after `now`.
    pub fn add(&mut self, name: &str, schedule: Schedule, options: JobOptions) -> usize {
        let status = JobStatus {
            name: name.to_owned(),
            schedule,
            options,
            next: None,
            running: 0,
            runs: 0,
            failures: 0,
            skipped: 0,
            last: None,
        };
        self.jobs.push(Job { status, next: None, owed: false });
        self.jobs.len() - 1
    }

    /// Begins: each job gets its first time. `chance` gives a number from 0 to 1, for jitter.
    pub fn begin(&mut self, now: Timestamp, mut chance: impl FnMut() -> f64) {
        for job in &mut self.jobs {
            job.plan(now, chance());
        }
    }

    /// When there is something to do.
    pub fn next(&self) -> Option<Timestamp> {
        self.jobs.iter().filter_map(|job| job.next.map(|(_, start)| start)).min()
    }

    /// The jobs as they are.
    pub fn statuses(&self) -> Vec<JobStatus> {
        self.jobs.iter().map(|job| job.status.clone()).collect()
    }

    /// One of them.
    pub fn status(&self, job: usize) -> Option<&JobStatus> {
        self.jobs.get(job).map(|job| &job.status)
    }

    /// The runs that are to start, and the jobs whose runs are left out. Those that are to start count as running.
    pub fn due(&mut self, now: Timestamp, mut chance: impl FnMut() -> f64) -> (Vec<Due>, Vec<(usize, Skip)>) {
        let (mut due, mut skipped) = (Vec::new(), Vec::new());
        for (place, job) in self.jobs.iter_mut().enumerate() {
            let Some((at, start)) = job.next.filter(|(_, start)| *start <= now) else { continue };
            let late = now.duration_since(start).unsigned_abs();
            let waits = matches!(job.status.schedule, Schedule::Every(_)) && !job.status.options.overlap;
            job.plan(now, chance());
            if late > GRACE && job.status.options.missed == Missed::Skip {
                job.status.skipped += 1;
                skipped.push((place, Skip::Missed));
            } else if job.busy() {
                job.status.skipped += 1;
                job.owed = job.status.options.missed == Missed::RunOnce;
                skipped.push((place, Skip::Running));
            } else {
                job.status.running += 1;
                if waits {
                    // The next one counts from the end of this one.
                    job.unplan();
                }
                due.push(Due { job: place, at });
            }
        }
        (due, skipped)
    }

    /// A run by hand: counts as running like any other. False if the job already runs and may not overlap itself.
    pub fn start(&mut self, job: usize) -> bool {
        let Some(job) = self.jobs.get_mut(job).filter(|job| !job.busy()) else { return false };
        job.status.running += 1;
        true
    }

    /// A run ended. Returns a run that was missed meanwhile and is to be made up for now; it counts as running.
    pub fn ended(&mut self, place: usize, run: LastRun, now: Timestamp, chance: f64) -> Option<Due> {
        let job = self.jobs.get_mut(place)?;
        job.status.running = job.status.running.saturating_sub(1);
        if run.outcome == Outcome::Elsewhere {
            job.status.skipped += 1;
        } else {
            job.status.runs += 1;
            job.status.failures += u64::from(run.outcome != Outcome::Done);
            job.status.last = Some(run);
        }
        if job.next.is_none() {
            job.plan(now, chance);
        }
        if std::mem::take(&mut job.owed) && !job.busy() {
            job.status.running += 1;
            return Some(Due { job: place, at: now });
        }
        None
    }
}

impl Job {
    fn busy(&self) -> bool {
        self.status.running >= if self.status.options.overlap { MOST_RUNNING } else { 1 }
    }

    fn plan(&mut self, now: Timestamp, chance: f64) {
        let JobStatus { schedule, options, .. } = &self.status;
        let jitter = options.jitter.mul_f64(chance.clamp(0.0, 1.0));
        let at = schedule.next(now, &options.zone);
        self.next = at.map(|at| (at, at.checked_add(jitter).unwrap_or(at)));
        self.status.next = self.next.map(|(_, start)| start);
    }

    fn unplan(&mut self) {
        self.next = None;
        self.status.next = None;
    }
}

#[cfg(test)]
mod tests;
