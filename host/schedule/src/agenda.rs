//! What is to run when; no clock, no tasks: whoever owns an agenda tells it the time and what ended.

use std::time::Duration;

use jiff::Timestamp;

use crate::{JobOptions, JobStatus, LastRun, Missed, Outcome, Planned, Schedule};

/// A run this much late still counts as on time: a busy machine, not a sleeping one.
const GRACE: Duration = Duration::from_mins(1);
/// Runs of one function that may go on at once, even if it may overlap itself.
const MOST_RUNNING: u32 = 8;

/// Tells jobs apart; that of a job that is gone is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobId(u64);

/// A run that is to start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The job.
    pub job: JobId,
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
    /// Every reason.
    pub const ALL: [Skip; 3] = [Skip::Missed, Skip::Running, Skip::Elsewhere];

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
    id: JobId,
    status: JobStatus,
    /// When the next run is due, without and with jitter.
    next: Option<(Timestamp, Timestamp)>,
    /// A run was missed and is to be made up for.
    owed: bool,
    /// Another configuration took over while it ran: it goes when its last run ends.
    gone: bool,
}

/// All jobs. Several may be schedules of one function, which then counts as running for all of them.
#[derive(Default)]
pub struct Agenda {
    jobs: Vec<Job>,
    ids: u64,
}

impl Agenda {
    /// Adds a job. It is not due before [`Agenda::begin`].
    pub fn add(&mut self, name: &str, schedule: Schedule, options: JobOptions) -> JobId {
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
        self.ids += 1;
        let id = JobId(self.ids);
        self.jobs.push(Job { id, status, next: None, owed: false, gone: false });
        id
    }

    /// Begins: each job gets its first time. `chance` gives a number from 0 to 1, for jitter.
    pub fn begin(&mut self, now: Timestamp, mut chance: impl FnMut() -> f64) {
        for job in &mut self.jobs {
            job.plan(now, chance());
        }
    }

    /// These are the jobs from now on, in this order. One that was there already, with the same schedule and options, goes on
    /// as if nothing had happened; runs of others end as they are.
    pub fn replace(&mut self, planned: &[Planned], now: Timestamp, mut chance: impl FnMut() -> f64) {
        let mut old = std::mem::take(&mut self.jobs);
        for Planned { name, schedule, options } in planned {
            let same = old.iter().position(|job| {
                let JobStatus { name: known, schedule: when, options: how, .. } = &job.status;
                !job.gone && known == name && when == schedule && how == options
            });
            if let Some(at) = same {
                self.jobs.push(old.remove(at));
            } else {
                self.add(name, schedule.clone(), options.clone());
                if let Some(job) = self.jobs.last_mut() {
                    job.plan(now, chance());
                }
            }
        }
        for mut job in old {
            if job.status.running > 0 {
                job.unplan();
                (job.owed, job.gone) = (false, true);
                self.jobs.push(job);
            }
        }
    }

    /// When there is something to do.
    pub fn next(&self) -> Option<Timestamp> {
        self.jobs.iter().filter_map(|job| job.next.map(|(_, start)| start)).min()
    }

    /// The jobs as they are.
    pub fn statuses(&self) -> Vec<JobStatus> {
        self.jobs.iter().filter(|job| !job.gone).map(|job| job.status.clone()).collect()
    }

    /// One of them.
    pub fn status(&self, id: JobId) -> Option<&JobStatus> {
        self.jobs.iter().find(|job| job.id == id).map(|job| &job.status)
    }

    /// The first job of a function.
    pub fn find(&self, name: &str) -> Option<JobId> {
        self.jobs.iter().find(|job| !job.gone && job.status.name == name).map(|job| job.id)
    }

    /// Whether a job may not start now: runs of its function go on.
    fn busy(&self, place: usize) -> bool {
        let status = &self.jobs[place].status;
        let same = self.jobs.iter().filter(|job| job.status.name == status.name);
        let running: u32 = same.map(|job| job.status.running).sum();
        running >= if status.options.overlap { MOST_RUNNING } else { 1 }
    }

    /// The runs that are to start, and the jobs whose runs are left out. Those that are to start count as running.
    pub fn due(&mut self, now: Timestamp, mut chance: impl FnMut() -> f64) -> (Vec<Due>, Vec<(JobId, Skip)>) {
        let (mut due, mut skipped) = (Vec::new(), Vec::new());
        for place in 0..self.jobs.len() {
            let Some((at, start)) = self.jobs[place].next.filter(|(_, start)| *start <= now) else {
                continue;
            };
            let busy = self.busy(place);
            let job = &mut self.jobs[place];
            let late = now.duration_since(start).unsigned_abs();
            let waits = matches!(job.status.schedule, Schedule::Every(_)) && !job.status.options.overlap;
            job.plan(now, chance());
            if late > GRACE && job.status.options.missed == Missed::Skip {
                job.status.skipped += 1;
                skipped.push((job.id, Skip::Missed));
            } else if busy {
                job.status.skipped += 1;
                job.owed = job.status.options.missed == Missed::RunOnce;
                skipped.push((job.id, Skip::Running));
            } else {
                job.status.running += 1;
                if waits {
                    // The next one counts from the end of this one.
                    job.unplan();
                }
                due.push(Due { job: job.id, at });
            }
        }
        (due, skipped)
    }

    /// A run by hand: counts as running like any other. False if there is no such job, or its function runs already and may
    /// not overlap itself.
    pub fn start(&mut self, id: JobId) -> bool {
        let Some(place) = self.jobs.iter().position(|job| job.id == id) else { return false };
        let free = !self.busy(place);
        self.jobs[place].status.running += u32::from(free);
        free
    }

    /// A run ended. Returns a run that was missed meanwhile and is to be made up for now; it counts as running.
    pub fn ended(&mut self, id: JobId, run: LastRun, now: Timestamp, chance: f64) -> Option<Due> {
        let place = self.jobs.iter().position(|job| job.id == id)?;
        let job = &mut self.jobs[place];
        job.status.running = job.status.running.saturating_sub(1);
        if run.outcome == Outcome::Elsewhere {
            job.status.skipped += 1;
        } else {
            job.status.runs += 1;
            job.status.failures += u64::from(run.outcome != Outcome::Done);
            job.status.last = Some(run);
        }
        let name = job.status.name.clone();
        if job.gone {
            if job.status.running == 0 {
                self.jobs.remove(place);
            }
        } else if job.next.is_none() {
            job.plan(now, chance);
        }
        let owed = |at: &usize| self.jobs[*at].owed && self.jobs[*at].status.name == name && !self.busy(*at);
        let place = (0..self.jobs.len()).find(owed)?;
        let job = &mut self.jobs[place];
        job.owed = false;
        job.status.running += 1;
        Some(Due { job: job.id, at: now })
    }
}

impl Job {
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
