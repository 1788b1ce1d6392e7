//! Days whose indexes lack something that the log has: they are written again from there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::catalog::disk;
use super::super::day::folder_name;
use super::super::journal::Record;
use super::{Ingest, commit};
use crate::StoreError;

impl Ingest {
    pub(super) fn log(&self) -> PathBuf {
        self.catalog.settings.folder.join("journal")
    }

    /// Begins the log anew, unless a day has yet to get something from it.
    pub(super) fn clear_or_complain(&mut self) {
        self.counts.pending.store(0, Ordering::Relaxed);
        if self.lagging.is_empty() {
            self.counts.waiting.store(0, Ordering::Relaxed);
            if let Err(error) = self.journal.clear() {
                (self.catalog.settings.complain)(&format!(
                    "The log of reports {} cannot be emptied, trying again: {error}",
                    self.log().display()
                ));
            }
        }
        self.counts.lagging.store(self.lagging.len() as u64, Ordering::Relaxed);
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
        self.counts.lagging.store(self.lagging.len() as u64, Ordering::Relaxed);
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

    /// Gives the days that lag what the log has for them, each by itself: one that cannot be written keeps no other from it.
    pub(super) fn catch_up(&mut self, records: Vec<(u64, Record)>) {
        let mut days: BTreeMap<i64, Vec<(u64, Record)>> = BTreeMap::new();
        for (number, record) in records {
            days.entry(record.day()).or_default().push((number, record));
        }
        let mut waiting = 0;
        for (number, before) in std::mem::take(&mut self.lagging) {
            let records = days.remove(&number).unwrap_or_default();
            let count = records.len() as u64;
            if let Err(error) = self.catch_up_day(number, records) {
                if error.to_string() == before {
                    // It was told.
                    self.lagging.insert(number, before);
                }
                self.lag(number, &error);
                waiting += count;
            }
        }
        self.counts.waiting.store(waiting, Ordering::Relaxed);
    }

    fn catch_up_day(&mut self, number: i64, records: Vec<(u64, Record)>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        // Where the day is damaged the first attempt sets it aside.
        let day = match self.writer(number) {
            Ok(open) => Arc::clone(&open.day),
            Err(_) => Arc::clone(&self.writer(number)?.day),
        };
        let committed = day.committed().map_err(|error| disk(&day.folder, &error))?;
        for (at, record) in records.into_iter().filter(|(at, _)| *at > committed) {
            match record {
                Record::Report(report) => self.add(&report)?,
                Record::Confirm(id, as_) => {
                    // Its report may be one of the records before it.
                    commit(self.writer(number)?, at - 1)?;
                    self.replace(&id, as_)?;
                }
            }
        }
        let last = self.journal.last();
        commit(self.writer(number)?, last)
    }
}
