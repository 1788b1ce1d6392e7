//! The log of what was taken and is not in an index yet.
//!
//! A record is its length, its number and a hash, eight bytes each (little endian), and JSON. The hash is over all the rest
//! of it; records of the first version, whose hash was over the JSON alone, are still read. After a commit everything in it
//! is in an index, so it begins anew; while a day cannot be written it keeps that day's records. A record that was cut off by
//! the death of the process was promised to nobody.

mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Error, ErrorKind, Result, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::day::number_of;
use crate::{Confirmation, Report, ReportId};
use walk::{HEAD, LONGEST, Part, first, walk};
pub(super) use walk::{Lost, Place, frame};

/// Bytes that are written to see whether there is room again, and that are compared at once.
const TRIAL: usize = 64 << 10;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    Report(Box<Report>),
    Confirm(ReportId, Confirmation),
}

impl Record {
    pub(super) fn write(&self) -> Value {
        match self {
            Self::Report(report) => {
                let mut document = report.to_document();
                // Those of the document lack empty ones.
                document.insert(
                    "device_attrs".into(),
                    crate::report::attrs_value(&report.device_attrs, &Vec::new()).into(),
                );
                document.into()
            }
            Self::Confirm(id, confirmation) => json!({"confirm": id, "as": confirmation}),
        }
    }

    /// The day it belongs to.
    pub(super) fn day(&self) -> i64 {
        number_of(match self {
            Self::Report(report) => report.at,
            Self::Confirm(id, _) => id.parts().map_or(0, |(at, _, _)| at),
        })
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let document: Map<String, Value> = serde_json::from_slice(payload).ok()?;
        let text = |key: &str| document.get(key).and_then(Value::as_str);
        if let Some(id) = text("confirm") {
            return Some(Self::Confirm(ReportId::from_text(id), Confirmation::from_word(text("as")?)?));
        }
        let report = Report::from_document(ReportId::from_text(text("id")?), &document)?;
        Some(Self::Report(Box::new(report)))
    }
}

/// Where the records of each day are, in the order in which they came.
pub(super) type Index = BTreeMap<i64, Vec<Place>>;

/// All records of these bytes, and what of them cannot be read.
pub(super) fn read(bytes: &[u8]) -> (Vec<(u64, Record)>, Lost) {
    let mut records = Vec::new();
    let lost = walk(&bytes, &mut |place, payload| {
        let record = Record::read(payload);
        let known = record.is_some();
        records.extend(record.map(|record| (place.number, record)));
        known
    });
    // Bytes in memory can always be read.
    (records, lost.unwrap_or_default())
}

/// The file.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    next: u64,
    /// Bytes that count. There may be more in the file, of an append that failed.
    length: u64,
    /// Whether there are more.
    torn: bool,
    /// Bytes that it may have; beyond that nothing is taken.
    limit: u64,
    /// How many records it has of each day.
    days: BTreeMap<i64, u64>,
    /// Bytes that were left when it was last rewritten.
    rewritten: u64,
    /// What of it could not be read when it was read last, which the operator was told.
    lost: Lost,
}

impl Journal {
    /// Opens the log, or makes it. `complain` is told of what cannot be read, and a file with damage in the middle is kept
    /// beside it. `limit`: bytes that it may have.
    pub(super) fn open(path: &Path, limit: u64, complain: &dyn Fn(&str)) -> Result<(Self, Index)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match std::fs::remove_file(unfinished(path)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut journal = Self {
            path: path.to_owned(),
            length: file.metadata()?.len(),
            file,
            buffer: Vec::new(),
            next: 1,
            torn: false,
            limit,
            days: BTreeMap::new(),
            rewritten: 0,
            lost: Lost::default(),
        };
        let (index, lost) = journal.walk()?;
        let aside = lost.is_damage().then(|| keep(path));
        if let Some(text) = lost.told(path, aside.as_ref()) {
            complain(&text);
        }
        journal.length -= lost.end;
        journal.file.set_len(journal.length)?;
        journal.lost = lost.without_end();
        let numbers = index.values().flatten().map(|place| place.number);
        journal.next = numbers.max().map_or(1, |number| number + 1);
        Ok((journal, index))
    }

    fn walk(&mut self) -> Result<(Index, Lost)> {
        let mut index = Index::new();
        let lost = walk(&Part(&self.file, self.length), &mut |place, payload| {
            let record = Record::read(payload);
            if let Some(record) = &record {
                index.entry(record.day()).or_default().push(place);
            }
            record.is_some()
        })?;
        self.days = index.iter().map(|(day, places)| (*day, places.len() as u64)).collect();
        Ok((index, lost))
    }

    /// Looks through it again, from the file that is open: there may be no descriptor for another. What cannot be read is
    /// told once.
    pub(super) fn index(&mut self, complain: &dyn Fn(&str)) -> Result<Index> {
        let (index, lost) = self.walk()?;
        if lost != self.lost
            && let Some(text) = lost.told(&self.path, None)
        {
            complain(&text);
        }
        self.lost = lost;
        Ok(index)
    }

    /// One of the records of an index that is not older than the last rewriting.
    pub(super) fn record(&self, place: &Place) -> Result<Record> {
        Record::read(&self.payload(place)?).ok_or_else(|| damaged(place))
    }

    fn payload(&self, place: &Place) -> Result<Vec<u8>> {
        let mut bytes = vec![0; HEAD + place.length as usize];
        self.file.read_exact_at(&mut bytes, place.at)?;
        match first(&bytes) {
            Some((number, payload)) if number == place.number => Ok(payload.to_vec()),
            _ => Err(damaged(place)),
        }
    }

    /// Later records have numbers above this.
    pub(super) fn at_least(&mut self, number: u64) {
        self.next = self.next.max(number + 1);
    }

    /// The number of the last record.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    /// How many records it has of a day.
    pub(super) fn count(&self, day: i64) -> u64 {
        self.days.get(&day).copied().unwrap_or_default()
    }

    /// Appends records. When it returns they survive the death of the process, with `sync` also that of the machine. On an
    /// error none of them counts.
    pub(super) fn append(&mut self, records: &[Record], sync: bool) -> Result<()> {
        self.buffer.clear();
        let mut next = self.next;
        for record in records {
            let payload = record.write().to_string();
            if payload.len() > LONGEST {
                return Err(Error::new(ErrorKind::InvalidInput, "a report is longer than 1 MiB"));
            }
            frame(&mut self.buffer, next, payload.as_bytes());
            next += 1;
        }
        let result = self.write(sync);
        if result.is_ok() {
            self.length += self.buffer.len() as u64;
            self.next = next;
            for record in records {
                *self.days.entry(record.day()).or_default() += 1;
            }
        }
        if self.buffer.capacity() > 4 << 20 {
            self.buffer = Vec::new();
        }
        result
    }

    fn write(&mut self, sync: bool) -> Result<()> {
        if self.length + self.buffer.len() as u64 > self.limit {
            let held = self.length >> 20;
            return Err(Error::other(format!(
                "it has {held} MiB of reports that cannot be written to their days, and takes no more until they are"
            )));
        }
        self.cut()?;
        let written = self.file.write_all_at(&self.buffer, self.length);
        let result = written.and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        if result.is_err() {
            self.torn = true;
            // The half of a batch that did reach the disk must not count later. If this fails it is tried again before
            // the next one.
            let _ = self.cut();
        }
        result
    }

    /// Cuts off what an append left that failed.
    fn cut(&mut self) -> Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Whether there is room again, after an append failed.
    pub(super) fn probe(&mut self) -> Result<()> {
        self.buffer.clear();
        // No record: if the process dies meanwhile it is cut off at the next start.
        self.buffer.resize(TRIAL, 0);
        let result = self.write(true);
        self.torn |= result.is_ok();
        self.buffer = Vec::new();
        result.and_then(|()| self.cut())
    }

    /// Forgets everything: it is in the indexes now.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.file.set_len(0)?;
        (self.length, self.rewritten, self.torn) = (0, 0, false);
        self.days.clear();
        self.lost = Lost::default();
        Ok(())
    }

    /// Whether it is so long, and has grown so much since it was last rewritten, that it should be; `from`: bytes.
    pub(super) fn is_long(&self, from: u64) -> bool {
        // Half of what was free then, where that is less: before it is full it is rewritten in any case.
        let free = self.limit.saturating_sub(self.rewritten);
        self.length > from.max(self.rewritten + self.rewritten.min(free / 2))
    }

    /// Begins anew with the records of these days; the others are in their indexes. Numbers are kept.
    pub(super) fn rewrite(&mut self, days: &BTreeSet<i64>, complain: &dyn Fn(&str)) -> Result<()> {
        let mut index = self.index(complain)?;
        index.retain(|day, _| days.contains(day));
        let counts = index.iter().map(|(day, places)| (*day, places.len() as u64)).collect();
        let mut places: Vec<Place> = index.into_values().flatten().collect();
        places.sort_unstable_by_key(|place| place.at);
        let new = unfinished(&self.path);
        let made = self.copy(&places, &new);
        let (file, length) = made.inspect_err(|_| {
            // It takes room that the disk may not have.
            let _ = std::fs::remove_file(&new);
        })?;
        (self.file, self.length, self.rewritten, self.torn) = (file, length, length, false);
        self.days = counts;
        self.lost = Lost::default();
        // Should the machine stop before this the old file is there, which has the same and more.
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn copy(&self, places: &[Place], new: &Path) -> Result<(File, u64)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(new)?;
        let mut to = BufWriter::with_capacity(1 << 20, file);
        let (mut length, mut framed) = (0, Vec::new());
        for place in places {
            framed.clear();
            frame(&mut framed, place.number, &self.payload(place)?);
            to.write_all(&framed)?;
            length += framed.len() as u64;
        }
        let file = to.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(new, &self.path)?;
        Ok((file, length))
    }
}

/// Where a log is rewritten.
fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn damaged(place: &Place) -> Error {
    Error::new(ErrorKind::InvalidData, format!("record {} at byte {} is damaged", place.number, place.at))
}

/// Keeps a copy of a damaged log, and the one before it.
fn keep(path: &Path) -> Result<PathBuf> {
    let kept = path.with_extension("damaged");
    if kept.exists() {
        if same(path, &kept)? {
            // It could not be mended since the last start.
            return Ok(kept);
        }
        std::fs::rename(&kept, path.with_extension("damaged.1"))?;
    }
    std::fs::copy(path, &kept).map(|_| kept)
}

fn same(one: &Path, other: &Path) -> Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    let length = one.metadata()?.len();
    if length != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut at, mut left, mut right) = (0, vec![0; TRIAL], vec![0; TRIAL]);
    while at < length {
        let piece = TRIAL.min((length - at) as usize);
        one.read_exact_at(&mut left[..piece], at)?;
        other.read_exact_at(&mut right[..piece], at)?;
        if left[..piece] != right[..piece] {
            return Ok(false);
        }
        at += piece as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
