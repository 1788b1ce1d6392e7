//! The way through the reports: where a run goes on, and where it ends.

use portcullis::reports::{self, Field, Position, Report};
use portcullis::{Result, clock, info, warning};

use crate::{Scan, TRUSTED};

/// Reports of one question: what a policy holds of them at once.
pub const MOST: u32 = 1_000;
/// Logins that are looked at together.
pub const TOGETHER: usize = 200;
/// Seconds before the end of the last run in which reports are looked for once more: those that showed in the store late.
pub const OVERLAP: f64 = 15.0;

/// How far the runs of this instance have come.
#[derive(Debug)]
pub struct Walk {
    /// What is wanted of each login.
    fields: &'static [Field],
    done: Option<Done>,
}

/// What was looked at.
#[derive(Debug, Clone)]
struct Done {
    /// Everything before this time...
    t: f64,
    /// ...and, where a run ended for its time was over or in an error, what comes up to the report of this id at that time.
    id: Option<String>,
    /// Up to where that run was to come.
    end: f64,
}

impl Walk {
    /// One that has not begun, of logins of which these fields are wanted beside user, address and time.
    #[must_use]
    pub fn new(fields: &'static [Field]) -> Self {
        Self { fields, done: None }
    }

    /// Whether the next run has to leave something out, because the last one is too long ago.
    #[must_use]
    pub fn skips(&self, scan: &Scan) -> bool {
        self.skipped(scan.end(), scan) > 0.0
    }

    /// Seconds that a run which ends there leaves out.
    fn skipped(&self, end: f64, scan: &Scan) -> f64 {
        self.done.as_ref().map_or(0.0, |done| (end - done.t - scan.most()).max(0.0))
    }

    /// Where a run that ends there begins.
    fn begin(&self, end: f64, scan: &Scan) -> Done {
        let (skipped, most) = (self.skipped(end, scan), scan.most());
        if skipped > 0.0 {
            warning!(
                "the last run here came to {:.0} s ago, and one looks back {most:.0} s at most: {skipped:.0} s were left out",
                skipped + most
            );
            return Done { t: end - most, id: None, end };
        }
        match &self.done {
            Some(done) if done.t <= end + OVERLAP => match done.id {
                Some(_) if done.t <= done.end - OVERLAP => done.clone(),
                // Of before this some may still show.
                _ => Done { t: done.t - OVERLAP, id: None, end },
            },
            // There was none, or the clock was put back since.
            _ => Done { t: end - f64::from(scan.window), id: None, end },
        }
    }

    /// Calls `each` with the successful logins since the last run, oldest first and [`TOGETHER`] at a time, until all were
    /// looked at or the time of the run is over. They come page by page: where thousands log in each second all of them would
    /// not fit into a policy's memory. After an error the next run goes on with the same logins.
    ///
    /// # Errors
    ///
    /// If the store does not answer, or `each` fails.
    pub fn successes(&mut self, scan: &Scan, mut each: impl FnMut(&[Report]) -> Result<()>) -> Result<()> {
        let (started, end) = (clock::monotonic(), scan.end());
        let begin = self.begin(end, scan);
        let mut filter = reports::since(begin.t);
        (filter.until, filter.success, filter.confirmations) = (Some(end), Some(true), Some(TRUSTED));
        let Done { mut t, mut id, .. } = begin;
        loop {
            let after = id.as_deref().map(|id| Position { t, id });
            let page = reports::find_oldest(filter.clone(), after, MOST, Some(self.fields))?;
            for some in page.chunks(TOGETHER) {
                each(some)?;
                let Some(last) = some.last() else { continue };
                (t, id) = (last.t, Some(last.id.clone()));
                self.done = Some(Done { t, id: id.clone(), end });
                if clock::monotonic() - started >= f64::from(scan.seconds) {
                    info!(
                        "the time of this run is over, {:.0} s behind: the next one goes on there",
                        end - t
                    );
                    return Ok(());
                }
            }
            if page.len() < MOST as usize {
                self.done = Some(Done { t: end, id: None, end });
                return Ok(());
            }
        }
    }
}
