//! The thread that writes.

mod lag;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use tantivy::query::{BooleanQuery, Occur, Query, RangeQuery};
use tantivy::{DateTime, IndexWriter, Term};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::catalog::{Catalog, disk, is_damage};
use super::day::{Day, folder_name, number_of};
use super::journal::{Index, Journal, Record};
use super::row::Rows;
use super::scan::{self, Deadline};
use super::schema::{FIELDS, acceptable};
use crate::{Confirmation, Report, ReportId, StoreError};

/// Days that may be written at the same time; each costs a heap of 15 MB.
const WRITERS: usize = 2;
/// Between two attempts to write days that lag. It doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
    /// Reports that wait in the log because their day cannot be written.
    pub(super) waiting: AtomicU64,
    /// Days that cannot be written.
    pub(super) lagging: AtomicU64,
    /// Why the log takes no reports, while that is so.
    pub(super) refusing: Mutex<Option<String>>,
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
    /// Days whose indexes lack something that the log has, and why. They have no writer. The log is kept until there are
    /// none.
    lagging: BTreeMap<i64, String>,
    /// When they are tried again, and how long after that.
    again: Instant,
    pause: Duration,
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
        Self {
            catalog,
            journal,
            counts,
            idle,
            writers: BTreeMap::new(),
            applied: 0,
            lagging: BTreeMap::new(),
            again: Instant::now(),
            pause: PAUSE,
        }
    }

    /// Puts what the log holds beyond the indexes into them, after a start. Days that cannot be written yet lag.
    pub(super) fn replay(&mut self, index: Index) -> Result<(), StoreError> {
        for day in self.catalog.all() {
            match day.committed() {
                Ok(number) => self.journal.at_least(number),
                Err(error) if is_damage(&error) => self.catalog.set_aside(day.number, &error)?,
                Err(error) => return Err(disk(&day.folder, &error)),
            }
        }
        self.applied = self.journal.last();
        self.lagging = index.keys().map(|day| (*day, String::new())).collect();
        self.expire();
        self.catch_up(Some(index));
        self.clear_or_complain();
        Ok(())
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut due: Option<Instant> = None;
        loop {
            let every = self.catalog.settings.commit_every;
            let wait = due.map_or(every.max(Duration::from_secs(1)), |due| {
                due.saturating_duration_since(Instant::now())
            });
            match jobs.recv_timeout(wait) {
                Ok(job) => self.work(job),
                Err(RecvTimeoutError::Timeout) => self.rest(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let pending = self.counts.pending.load(Ordering::Relaxed);
            if pending == 0 && self.lagging.is_empty() {
                due = None;
                continue;
            }
            let when = *due.get_or_insert_with(|| Instant::now() + every);
            if Instant::now() >= when || pending >= self.catalog.settings.commit_at as u64 {
                self.commit();
                due = None;
            }
        }
        self.again = Instant::now();
        self.commit();
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
                self.again = Instant::now();
                self.commit();
                let _ = done.send(self.behind());
            }
            Job::Forget(number, done) => {
                self.writers.remove(&number);
                if self.lagging.remove(&number).is_some() {
                    // Perhaps the log was kept for this day alone.
                    self.commit();
                }
                let _ = done.send(());
            }
        }
    }

    fn take(&mut self, reports: Vec<Report>) -> Result<(), StoreError> {
        let keep = self.catalog.settings.keep_days.max(1);
        let today = number_of(Timestamp::now().as_millisecond());
        let oldest = today - i64::from(keep);
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
        self.append(&good)?;
        // They are in the log, so they are taken, also where their day's index cannot be written yet.
        self.apply(&good);
        self.counts.ingested.fetch_add(good.len() as u64, Ordering::Relaxed);
        self.counts.refused.fetch_add(count as u64, Ordering::Relaxed);
        if count == 0 { Ok(()) } else { Err(StoreError::Refused { count, reason }) }
    }

    /// Gives the writers records that were just appended to the log. Those of days that lag get them from there.
    fn apply(&mut self, records: &[Record]) {
        self.applied = self.journal.last() - records.len() as u64;
        for record in records {
            let day = record.day();
            if !self.lagging.contains_key(&day)
                && let Record::Report(report) = record
                && let Err(error) = self.add(report)
            {
                self.lag(day, &error);
            }
            self.applied += 1;
        }
        self.count_waiting();
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
        self.commit();
        let record = [Record::Confirm(id.clone(), as_)];
        let day = record[0].day();
        self.up_to_date(day)?;
        self.append(&record)?;
        let found = self.replace(id, as_);
        self.applied = self.journal.last();
        if let Err(error) = &found {
            self.lag(day, error);
        }
        self.commit();
        self.up_to_date(day)?;
        found
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

    /// The writer of a day, opened if it is not; then the one unused for longest is closed if there are too many. A day
    /// that turns out to be damaged is set aside, which is an error: what the log has for it is not in the new one yet.
    fn writer(&mut self, number: i64) -> Result<&mut Open, StoreError> {
        if !self.writers.contains_key(&number) {
            while self.writers.len() >= WRITERS {
                let Some(unused) =
                    self.writers.iter().min_by_key(|(_, open)| open.used).map(|(number, _)| *number)
                else {
                    break;
                };
                if let Err(error) = self.close(unused) {
                    self.lag(unused, &error);
                }
            }
            let opened = self.open(number).map_err(|error| {
                let folder = self.catalog.settings.folder.join(folder_name(number));
                let aside = if is_damage(&error) { self.catalog.set_aside(number, &error) } else { Ok(()) };
                aside.err().unwrap_or_else(|| disk(&folder, &error))
            })?;
            self.writers.insert(number, opened);
        }
        let open = self.writers.get_mut(&number).ok_or(StoreError::Closed)?;
        open.used = Instant::now();
        Ok(open)
    }

    fn open(&self, number: i64) -> tantivy::Result<Open> {
        let day = self.catalog.get_or_make(number)?;
        // What is added to a day that cannot be read would be set aside with it.
        self.catalog.check(&day)?;
        let writer = {
            // Maintenance may be merging it; that takes seconds at most.
            let _ours = day.writing.lock();
            day.writer()?
        };
        Ok(Open { day, writer, dirty: false, used: Instant::now() })
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

    /// Makes everything permanent and visible, as far as it can be, and begins the log anew if that is all of it.
    fn commit(&mut self) {
        let mut failed = Vec::new();
        for (number, open) in &mut self.writers {
            if let Err(error) = commit(open, self.applied) {
                failed.push((*number, error));
            }
        }
        for (number, error) in failed {
            self.lag(number, &error);
        }
        if !self.lagging.is_empty() && Instant::now() >= self.again {
            self.expire();
            self.catch_up(None);
            self.shorten();
            self.pause = if self.lagging.is_empty() { PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
            self.again = Instant::now() + self.pause;
        }
        self.clear_or_complain();
    }

    /// A quiet moment: writers of other days than today's that were not used for a minute are closed. Nobody may bring
    /// reports to a log that took none, so it is tried.
    fn rest(&mut self) {
        let refusing = self.counts.refusing.lock().is_some();
        if refusing {
            let result = self.journal.probe();
            // It was told, and is tried again.
            let _ = self.note_log(result);
        }
        let today = number_of(Timestamp::now().as_millisecond());
        let idle: Vec<i64> = self
            .writers
            .iter()
            .filter(|(number, open)| **number != today && open.used.elapsed().as_secs() >= 60)
            .map(|(number, _)| *number)
            .collect();
        for number in idle {
            if let Err(error) = self.close(number) {
                self.lag(number, &error);
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
