//! What a configuration says about background functions and the reports that wait.

use schedule::{JobOptions, Planned, Schedule};

use super::{Complaint, Place, Values};

/// A schedule of a background function.
#[derive(Clone, Debug)]
pub struct Job {
    /// Function, times and options.
    pub planned: Planned,
    /// The call that said so, if Lua knows its line.
    pub place: Option<Place>,
}

/// How much may wait to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportQueue {
    /// Reports.
    pub reports: usize,
    /// Bytes of all of them.
    pub bytes: usize,
}

impl Default for ReportQueue {
    fn default() -> Self {
        ReportQueue { reports: 20_000, bytes: 128 << 20 }
    }
}

impl Values {
    /// The jobs: every schedule, and every background function that has none, to be run by hand.
    pub fn planned(&self) -> Vec<Planned> {
        let mut planned: Vec<Planned> = self.jobs.iter().map(|job| job.planned.clone()).collect();
        for name in &self.background {
            if !planned.iter().any(|job| job.name == *name) {
                let options = JobOptions::default();
                planned.push(Planned { name: name.clone(), schedule: Schedule::ByHand, options });
            }
        }
        planned
    }

    /// Schedules of functions that there are not.
    pub(crate) fn unknown_jobs(&self) -> Vec<Complaint> {
        let unknown = self.jobs.iter().filter(|job| !self.background.contains(&job.planned.name));
        unknown
            .map(|job| Complaint {
                text: format!(
                    "a schedule names the background function \"{}\", which setBackground does not set",
                    job.planned.name
                )
                .into(),
                place: job.place.clone(),
            })
            .collect()
    }
}
