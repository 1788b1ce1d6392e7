//! The thread that keeps the store small: old days go, finished ones become one segment.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::catalog::{Catalog, disk};
use super::day::{Day, number_of};
use super::ingest::Job;
use super::scan::{self, Deadline};
use super::sketch::{Sketch, Sought};
use crate::StoreError;

/// Between two looks at what is too old.
const EVERY: Duration = Duration::from_mins(1);

/// Somebody wants it done now.
pub(super) struct Wish(pub(super) oneshot::Sender<Result<(), StoreError>>);

/// The state of the thread.
pub(super) struct Keeper {
    pub(super) catalog: Arc<Catalog>,
    pub(super) jobs: Sender<Job>,
    /// Days that the ingest thread writes no longer.
    pub(super) idle: Receiver<i64>,
}

impl Keeper {
    pub(super) fn run(self, wishes: &Receiver<Wish>) {
        loop {
            match wishes.recv_timeout(EVERY) {
                Ok(Wish(done)) => {
                    let _ = done.send(self.tidy());
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.tidy() {
                        (self.catalog.settings.complain)(&format!(
                            "The report store cannot be tidied: {error}"
                        ));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tidy(&self) -> Result<(), StoreError> {
        let today = number_of(Timestamp::now().as_millisecond());
        self.expire(today)?;
        // Which ones does not matter: all that are not written are looked at.
        while self.idle.try_recv().is_ok() {}
        // A day that cannot be tidied keeps no other from it; the first error is told.
        let mut result = Ok(());
        for day in self.catalog.all().iter().filter(|day| day.number < today) {
            day.grow_old();
            let merged = merge(day);
            result = result.and(merged);
        }
        let sketched = self.catalog.sketched(|day| {
            let made = self.sketch(day);
            result = std::mem::replace(&mut result, Ok(())).and(made);
            Ok(())
        });
        result.and(sketched)
    }

    /// Gives a finished day's segment a sketch, unless it has one. While there are several, others are on the way.
    fn sketch(&self, day: &Arc<Day>) -> Result<(), StoreError> {
        day.load_sketches();
        let [missing] = *day.unsketched() else { return Ok(()) };
        let failed = |error: std::io::Error| disk(&day.folder, &error);
        let mut made = None;
        scan::segments(&self.catalog, day, &Sought::default(), &Deadline::never(), |segment| {
            if segment.segment_id() == missing {
                made = Some(Sketch::build(segment, &Deadline::never())?);
            }
            Ok(())
        })?;
        // Nobody may ask it for long: what was read of it need not stay in memory.
        day.close();
        if let Some(sketch) = made {
            day.keep_sketch(missing, sketch).map_err(failed)?;
            day.drop_old_sketches().map_err(failed)?;
        }
        Ok(())
    }

    fn expire(&self, today: i64) -> Result<(), StoreError> {
        let settings = &self.catalog.settings;
        let days = self.catalog.all();
        let mut bytes: u64 = days.iter().map(|day| day.bytes()).sum();
        for day in days.iter().filter(|day| day.number < today) {
            let too_old = day.number <= today - i64::from(settings.keep_days.max(1));
            let too_much = settings.keep_bytes > 0 && bytes > settings.keep_bytes;
            if too_old || too_much {
                // Late reports may have made it larger since the sum.
                bytes = bytes.saturating_sub(day.bytes());
                let (done, forgotten) = oneshot::channel();
                self.jobs.send(Job::Forget(day.number, done)).map_err(|_| StoreError::Closed)?;
                forgotten.blocking_recv().map_err(|_| StoreError::Closed)?;
                self.catalog.drop_day(day.number)?;
            }
        }
        Ok(())
    }
}

/// Makes one segment of a day's many, unless somebody writes it.
fn merge(day: &Day) -> Result<(), StoreError> {
    let failed = |error: &tantivy::TantivyError| disk(&day.folder, error);
    let Some(_ours) = day.writing.try_lock() else { return Ok(()) };
    let segments = day.segments().map_err(|error| failed(&error))?;
    if segments.len() < 2 {
        // The writer may have merged them after its last commit.
        return if day.knows(&segments) { Ok(()) } else { day.reload().map_err(|error| failed(&error)) };
    }
    // The ingest thread has it open: another time.
    let Ok(mut writer) = day.writer() else { return Ok(()) };
    let merged = writer.merge(&segments).wait().map_err(|error| failed(&error))?;
    drop(merged);
    writer.garbage_collect_files().wait().map_err(|error| failed(&error))?;
    writer.wait_merging_threads().map_err(|error| failed(&error))?;
    day.reload().map_err(|error| failed(&error))
}
