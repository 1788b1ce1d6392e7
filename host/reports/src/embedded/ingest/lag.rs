//! Days whose indexes lack something that the log has: they are written again from there.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::super::catalog::disk;
use super::super::day::{folder_name, number_of};
use super::super::journal::{Index, Record};
use super::{Ingest, commit};
use crate::StoreError;

impl Ingest {
    pub(super) fn log(&self) -> PathBuf {
        self.catalog.settings.folder.join("journal")
    }

    /// Writes records to the log, and notes whether it takes any.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<(), StoreError> {
        // Writing nothing says nothing about the log.
        if records.is_empty() {
            return Ok(());
        }
        let result = self.journal.append(records, self.catalog.settings.sync_batches);
        self.note_log(result)
    }

    /// Notes whether the log takes reports.
    pub(super) fn note_log(&self, result: std::io::Result<()>) -> Result<(), StoreError> {
        let result = result.map_err(|error| disk(&self.log(), &error));
        *self.counts.refusing.lock() = result.as_ref().err().map(ToString::to_string);
        result
    }

    /// Begins the log anew, unless a day has yet to get something from it.
    pub(super) fn clear_or_complain(&mut self) {
        self.counts.pending.store(0, Ordering::Relaxed);
        if self.lagging.is_empty()
            && let Err(error) = self.journal.clear()
        {
            (self.catalog.settings.complain)(&format!(
                "The log of reports {} cannot be emptied, trying again: {error}",
                self.log().display()
            ));
        }
        self.count_waiting();
    }

    /// The day's index lacks something that the log has: it is written again from there.
    pub(super) fn lag(&mut self, number: i64, error: &StoreError) {
        self.writers.remove(&number);
        let error = error.to_string();
        if self.lagging.get(&number) != Some(&error) {
            (self.catalog.settings.complain)(&format!(
                "The reports of {} wait in the log, trying again: {error}",
                folder_name(number)
            ));
        }
        self.lagging.insert(number, error);
        self.count_waiting();
    }

    /// An error if this day lags.
    pub(super) fn up_to_date(&self, number: i64) -> Result<(), StoreError> {
        match self.lagging.get(&number) {
            Some(error) => Err(disk(&self.log(), &format!("{} waits there: {error}", folder_name(number)))),
            None => Ok(()),
        }
    }

    /// An error if any day lags.
    pub(super) fn behind(&self) -> Result<(), StoreError> {
        self.lagging.keys().try_for_each(|number| self.up_to_date(*number))
    }

    /// How many reports wait in the log.
    pub(super) fn count_waiting(&self) {
        let waiting = self.lagging.keys().map(|day| self.journal.count(*day)).sum();
        self.counts.waiting.store(waiting, Ordering::Relaxed);
        self.counts.lagging.store(self.lagging.len() as u64, Ordering::Relaxed);
    }

    /// Gives up days that may not be kept any longer: nobody could write them before that.
    pub(super) fn expire(&mut self) {
        let keep = self.catalog.settings.keep_days.max(1);
        let oldest = number_of(Timestamp::now().as_millisecond()) - i64::from(keep);
        let kept = self.lagging.split_off(&(oldest + 1));
        for number in std::mem::replace(&mut self.lagging, kept).into_keys() {
            (self.catalog.settings.complain)(&format!(
                "{} reports of {} that waited in the log are dropped: they are older than {keep} days now",
                self.journal.count(number),
                folder_name(number)
            ));
        }
    }

    /// Rewrites a log that has become long with only what days that lag have yet to get from it.
    pub(super) fn shorten(&mut self) {
        if self.lagging.is_empty() || !self.journal.is_long(self.catalog.settings.log_rewrite) {
            return;
        }
        let days: BTreeSet<i64> = self.lagging.keys().copied().collect();
        let complain = Arc::clone(&self.catalog.settings.complain);
        if let Err(error) = self.journal.rewrite(&days, &|text| complain(text)) {
            complain(&format!(
                "The log of reports {} cannot be rewritten, trying again: {error}",
                self.log().display()
            ));
        }
    }

    /// Gives the days that lag what the log has for them, each by itself: one that cannot be written keeps no other from it.
    /// `index`: what the log has, if that is known.
    pub(super) fn catch_up(&mut self, mut index: Option<Index>) {
        for (number, before) in std::mem::take(&mut self.lagging) {
            if let Err(error) = self.catch_up_day(number, &mut index) {
                if error.to_string() == before {
                    // It was told.
                    self.lagging.insert(number, before);
                }
                self.lag(number, &error);
            }
        }
        self.count_waiting();
    }

    /// The log is read for the first day that can be opened: while there is none, an attempt costs little.
    fn catch_up_day(&mut self, number: i64, index: &mut Option<Index>) -> Result<(), StoreError> {
        if self.journal.count(number) == 0 {
            return Ok(());
        }
        // Where the day is damaged the first attempt sets it aside.
        let day = match self.writer(number) {
            Ok(open) => Arc::clone(&open.day),
            Err(_) => Arc::clone(&self.writer(number)?.day),
        };
        let log = self.log();
        let unread = |error: std::io::Error| disk(&log, &error);
        let known = if let Some(known) = index.take() {
            known
        } else {
            let complain = Arc::clone(&self.catalog.settings.complain);
            self.journal.index(&|text| complain(text)).map_err(unread)?
        };
        let places = index.insert(known).remove(&number).unwrap_or_default();
        let committed = day.committed().map_err(|error| disk(&day.folder, &error))?;
        for place in places.iter().filter(|place| place.number > committed) {
            match self.journal.record(place).map_err(unread)? {
                Record::Report(report) => self.add(&report)?,
                Record::Confirm(id, as_) => {
                    // Its report may be one of the records before it.
                    commit(self.writer(number)?, place.number - 1)?;
                    self.replace(&id, as_)?;
                }
            }
        }
        let last = self.journal.last();
        commit(self.writer(number)?, last)
    }
}
