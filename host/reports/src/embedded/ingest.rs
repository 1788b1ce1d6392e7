//! The thread that writes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

use jiff::Timestamp;
use tantivy::query::{BooleanQuery, Occur, Query, RangeQuery};
use tantivy::{DateTime, IndexWriter, Term};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::catalog::{Catalog, disk};
use super::day::{Day, number_of};
use super::journal::{Journal, Record};
use super::row::Rows;
use super::scan::{self, Deadline};
use super::schema::{FIELDS, acceptable};
use crate::{Confirmation, Report, ReportId, StoreError};

/// Days that may be written at the same time; each costs a heap of 15 MB.
const WRITERS: usize = 2;

/// What the thread is asked to do.
pub(super) enum Job {
    Reports {
        reports: Vec<Report>,
        permit: OwnedSemaphorePermit,
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    Confirm {
        id: ReportId,
        as_: Confirmation,
        done: oneshot::Sender<Result<bool, StoreError>>,
    },
    Flush(oneshot::Sender<Result<(), StoreError>>),
    /// The day goes away: its writer must not be used any more.
    Forget(i64, oneshot::Sender<()>),
}

/// What the thread counts.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) ingested: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) pending: AtomicU64,
}

/// The state of the thread.
pub(super) struct Ingest {
    pub(super) catalog: Arc<Catalog>,
    pub(super) journal: Journal,
    pub(super) counts: Arc<Counts>,
    /// Days that are no longer written, for maintenance.
    pub(super) idle: Sender<i64>,
    writers: BTreeMap<i64, Open>,
    /// Number of the last record of the log that the writers were given. A commit says this one, not the log's last: a
    /// writer may have to be closed in the middle of a batch.
    applied: u64,
}

struct Open {
    day: Arc<Day>,
    writer: IndexWriter,
    dirty: bool,
    used: Instant,
}

impl Ingest {
    pub(super) fn new(
        catalog: Arc<Catalog>,
        journal: Journal,
        counts: Arc<Counts>,
        idle: Sender<i64>,
    ) -> Self {
        Self { catalog, journal, counts, idle, writers: BTreeMap::new(), applied: 0 }
    }

    /// Puts what the log holds beyond the indexes into them.
    pub(super) fn replay(&mut self, records: Vec<(u64, Record)>) -> Result<(), StoreError> {
        let mut committed = BTreeMap::new();
        for day in self.catalog.all() {
            let number = day.committed().map_err(|error| disk(&day.folder, &error))?;
            self.journal.at_least(number);
            committed.insert(day.number, number);
        }
        self.applied = records.first().map_or(self.journal.last(), |(number, _)| number - 1);
        for (number, record) in records {
            let at = match &record {
                Record::Report(report) => report.at,
                Record::Confirm(id, _) => id.parts().map_or(0, |(at, _, _)| at),
            };
            if committed.get(&number_of(at)).is_none_or(|last| number > *last) {
                match record {
                    Record::Report(report) => self.add(&report)?,
                    Record::Confirm(id, as_) => {
                        // Its report may be one of the records before it.
                        self.commit_writers()?;
                        self.replace(&id, as_)?;
                    }
                }
            }
            self.applied = number;
        }
        self.commit()
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut due: Option<Instant> = None;
        loop {
            let every = self.catalog.settings.commit_every;
            let wait = due.map_or(every.max(std::time::Duration::from_secs(1)), |due| {
                due.saturating_duration_since(Instant::now())
            });
            match jobs.recv_timeout(wait) {
                Ok(job) => self.work(job),
                Err(RecvTimeoutError::Timeout) => self.rest(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let pending = self.counts.pending.load(Ordering::Relaxed);
            if pending == 0 {
                due = None;
                continue;
            }
            let when = *due.get_or_insert_with(|| Instant::now() + every);
            if Instant::now() >= when || pending >= self.catalog.settings.commit_at as u64 {
                self.commit_or_complain();
                due = None;
            }
        }
        self.commit_or_complain();
        for (_, open) in std::mem::take(&mut self.writers) {
            // Merges under way are finished, so that no half-merged segment is left on disk.
            let _ = open.writer.wait_merging_threads();
        }
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Reports { reports, permit, done } => {
                let result = self.take(reports);
                drop(permit);
                // Who does not wait for the answer does not get it.
                let _ = done.send(result);
            }
            Job::Confirm { id, as_, done } => {
                let _ = done.send(self.confirm(&id, as_));
            }
            Job::Flush(done) => {
                let _ = done.send(self.commit());
            }
            Job::Forget(number, done) => {
                self.writers.remove(&number);
                let _ = done.send(());
            }
        }
    }

    fn take(&mut self, reports: Vec<Report>) -> Result<(), StoreError> {
        let keep = i64::from(self.catalog.settings.keep_days.max(1));
        let today = number_of(Timestamp::now().as_millisecond());
        let oldest = today - keep;
        let (mut count, mut reason) = (0, String::new());
        let mut good = Vec::with_capacity(reports.len());
        for report in reports {
            if !acceptable(&report) {
                reason = format!("{} is no id of a report of that time", report.id);
            } else if number_of(report.at) <= oldest {
                reason = format!("report {} is older than {keep} days", report.id);
            } else if number_of(report.at) > today + 1 {
                // Its day would be kept until then.
                reason = format!("report {} is dated more than a day ahead", report.id);
            } else {
                good.push(Record::Report(Box::new(report)));
                continue;
            }
            count += 1;
        }
        let sync = self.catalog.settings.sync_batches;
        self.journal.append(&good, sync).map_err(|error| disk(&self.catalog.settings.folder, &error))?;
        if let Err(error) = self.apply(&good) {
            // They are in the log, so they are taken; whoever brought them must not bring them again.
            (self.catalog.settings.complain)(&format!("Reports cannot be indexed, trying again: {error}"));
            self.recover();
        }
        self.counts.ingested.fetch_add(good.len() as u64, Ordering::Relaxed);
        self.counts.refused.fetch_add(count as u64, Ordering::Relaxed);
        if count == 0 { Ok(()) } else { Err(StoreError::Refused { count, reason }) }
    }

    fn apply(&mut self, records: &[Record]) -> Result<(), StoreError> {
        for record in records {
            if let Record::Report(report) = record {
                self.add(report)?;
            }
            self.applied += 1;
        }
        Ok(())
    }

    fn add(&mut self, report: &Report) -> Result<(), StoreError> {
        let Some(document) = FIELDS.document(report) else { return Ok(()) };
        let open = self.writer(number_of(report.at))?;
        open.writer.add_document(document).map_err(|error| disk(&open.day.folder, &error))?;
        open.dirty = true;
        self.counts.pending.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn confirm(&mut self, id: &ReportId, as_: Confirmation) -> Result<bool, StoreError> {
        // The report may not be visible yet.
        self.commit()?;
        let record = [Record::Confirm(id.clone(), as_)];
        let sync = self.catalog.settings.sync_batches;
        self.journal.append(&record, sync).map_err(|error| disk(&self.catalog.settings.folder, &error))?;
        let found = self.replace(id, as_)?;
        self.applied = self.journal.last();
        self.commit()?;
        Ok(found)
    }

    /// Deletes the report and adds it again with another confirmation.
    fn replace(&mut self, id: &ReportId, as_: Confirmation) -> Result<bool, StoreError> {
        let Some((at, sequence, _)) = id.parts() else { return Ok(false) };
        let Some(day) = self.catalog.get(number_of(at)) else { return Ok(false) };
        let found = scan::by_id(&self.catalog, &day, id, &Deadline::never())?;
        let Some(mut report) = found else { return Ok(false) };
        report.confirmation = as_;
        let exactly = |term: Term| -> (Occur, Box<dyn Query>) {
            use std::ops::Bound::Included;
            (Occur::Must, Box::new(RangeQuery::new(Included(term.clone()), Included(term))))
        };
        let time = Term::from_field_date(FIELDS.at, DateTime::from_timestamp_millis(at));
        let query = BooleanQuery::new(vec![
            exactly(time),
            exactly(Term::from_field_u64(FIELDS.sequence, sequence.into())),
        ]);
        let open = self.writer(day.number)?;
        open.writer.delete_query(Box::new(query)).map_err(|error| disk(&day.folder, &error))?;
        open.dirty = true;
        self.add(&report)?;
        Ok(true)
    }

    /// The writer of a day, opened if it is not; then the one unused for longest is closed if there are too many.
    fn writer(&mut self, number: i64) -> Result<&mut Open, StoreError> {
        if !self.writers.contains_key(&number) {
            while self.writers.len() >= WRITERS {
                let Some(unused) =
                    self.writers.iter().min_by_key(|(_, open)| open.used).map(|(number, _)| *number)
                else {
                    break;
                };
                self.close(unused)?;
            }
            let day = self.catalog.get_or_make(number)?;
            let writer = {
                // Maintenance may be merging it; that takes seconds at most.
                let _ours = day.writing.lock();
                day.writer().map_err(|error| disk(&day.folder, &error))?
            };
            self.writers.insert(number, Open { day, writer, dirty: false, used: Instant::now() });
        }
        let open = self.writers.get_mut(&number).ok_or(StoreError::Closed)?;
        open.used = Instant::now();
        Ok(open)
    }

    fn close(&mut self, number: i64) -> Result<(), StoreError> {
        if let Some(mut open) = self.writers.remove(&number) {
            commit(&mut open, self.applied)?;
            open.writer.wait_merging_threads().map_err(|error| disk(&open.day.folder, &error))?;
            // Nobody to hear it: the store is being closed.
            let _ = self.idle.send(number);
        }
        Ok(())
    }

    /// Makes everything permanent and visible, and begins the log anew.
    fn commit(&mut self) -> Result<(), StoreError> {
        self.commit_writers()?;
        self.counts.pending.store(0, Ordering::Relaxed);
        self.journal.clear().map_err(|error| disk(&self.catalog.settings.folder, &error))
    }

    fn commit_writers(&mut self) -> Result<(), StoreError> {
        self.writers.values_mut().try_for_each(|open| commit(open, self.applied))
    }

    fn commit_or_complain(&mut self) {
        if let Err(error) = self.commit() {
            // The log still has everything; the writers may be beyond use, new ones begin where the log says.
            (self.catalog.settings.complain)(&format!("Reports cannot be written, trying again: {error}"));
            self.recover();
        }
    }

    /// After a failed commit: writers are opened anew and get what the log has.
    fn recover(&mut self) {
        let days: HashSet<i64> = self.writers.keys().copied().collect();
        self.writers.clear();
        let path = self.catalog.settings.folder.join("journal");
        let again = Journal::open(&path, &|text| (self.catalog.settings.complain)(text))
            .map_err(|error| disk(&path, &error));
        let result = again.and_then(|(journal, records)| {
            let last = self.journal.last();
            self.journal = journal;
            self.journal.at_least(last);
            self.replay(records)
        });
        if let Err(error) = result {
            (self.catalog.settings.complain)(&format!(
                "Reports of {} days wait in the log: {error}",
                days.len()
            ));
        }
    }

    /// A quiet moment: writers of other days than today's that were not used for a minute are closed.
    fn rest(&mut self) {
        let today = number_of(Timestamp::now().as_millisecond());
        let idle: Vec<i64> = self
            .writers
            .iter()
            .filter(|(number, open)| **number != today && open.used.elapsed().as_secs() >= 60)
            .map(|(number, _)| *number)
            .collect();
        for number in idle {
            if let Err(error) = self.close(number) {
                (self.catalog.settings.complain)(&format!("A day's index cannot be closed: {error}"));
            }
        }
    }
}

fn commit(open: &mut Open, last: u64) -> Result<(), StoreError> {
    if !open.dirty {
        return Ok(());
    }
    let result = open.writer.prepare_commit().and_then(|mut prepared| {
        prepared.set_payload(&last.to_string());
        prepared.commit()
    });
    let result = result.and_then(|_| open.day.reload());
    result.map_err(|error| disk(&open.day.folder, &error))?;
    open.dirty = false;
    Ok(())
}

/// Whether the columns of a row give this report.
pub(super) fn is_row(rows: &Rows, doc: tantivy::DocId, id: &ReportId) -> tantivy::Result<Option<Report>> {
    let report = rows.report(doc)?;
    Ok((report.id == *id).then_some(report))
}
