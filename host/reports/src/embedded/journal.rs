//! The log of what was taken and is not in an index yet.
//!
//! A record is its length, its number and a hash, eight bytes each (little endian), and JSON. After a commit everything
//! in it is in an index, so it begins anew. A record that was cut off by the death of the process was promised to nobody.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Confirmation, Report, ReportId};

const HEAD: usize = 24;
/// No record is longer; a greater length is damage.
const LONGEST: u64 = 1 << 20;

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

    fn read(document: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| document.get(key).and_then(Value::as_str);
        if let Some(id) = text("confirm") {
            return Some(Self::Confirm(ReportId::from_text(id), Confirmation::from_word(text("as")?)?));
        }
        let report = Report::from_document(ReportId::from_text(text("id")?), document)?;
        Some(Self::Report(Box::new(report)))
    }
}

/// The file.
pub(super) struct Journal {
    file: File,
    buffer: Vec<u8>,
    next: u64,
    length: u64,
}

impl Journal {
    /// Opens the log, or makes it. Also gives the records in it, with their numbers.
    pub(super) fn open(path: &Path) -> std::io::Result<(Self, Vec<(u64, Record)>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (records, whole) = records(&bytes);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let next = records.last().map_or(1, |(number, _)| number + 1);
        Ok((Self { file, buffer: Vec::new(), next, length: whole as u64 }, records))
    }

    /// Later records have numbers above this.
    pub(super) fn at_least(&mut self, number: u64) {
        self.next = self.next.max(number + 1);
    }

    /// The number of the last record.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    /// Appends records. When it returns they survive the death of the process, with `sync` also that of the machine. On an
    /// error none of them counts.
    pub(super) fn append(&mut self, records: &[Record], sync: bool) -> std::io::Result<()> {
        self.buffer.clear();
        for record in records {
            frame(&mut self.buffer, self.next, record.write().to_string().as_bytes());
            self.next += 1;
        }
        let result = self
            .file
            .write_all(&self.buffer)
            .and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        if result.is_ok() {
            self.length += self.buffer.len() as u64;
        } else {
            // The half of a batch that did reach the disk must not count later.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
        }
        if self.buffer.capacity() > 4 << 20 {
            self.buffer = Vec::new();
        }
        result
    }

    /// Forgets everything: it is in the indexes now.
    pub(super) fn clear(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.length = 0;
        self.file.seek(SeekFrom::Start(0)).map(drop)
    }
}

/// Appends a record as it lies in the file.
pub(super) fn frame(to: &mut Vec<u8>, number: u64, payload: &[u8]) {
    for head in [payload.len() as u64, number, xxh3_64(payload)] {
        to.extend_from_slice(&head.to_le_bytes());
    }
    to.extend_from_slice(payload);
}

/// The whole records, and where the last of them ends.
pub(super) fn records(bytes: &[u8]) -> (Vec<(u64, Record)>, usize) {
    let mut records = Vec::new();
    let (mut at, mut whole) = (0, 0);
    while let Some(head) = bytes.get(at..at + HEAD) {
        let number = |place: usize| {
            head.get(place..place + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        let (length, sequence, hash) = (number(0), number(8), number(16));
        if length > LONGEST {
            break;
        }
        let Some(payload) = bytes.get(at + HEAD..at + HEAD + length as usize) else { break };
        at += HEAD + length as usize;
        // Damage inside a record costs this record only, unless it hit the length.
        if xxh3_64(payload) == hash {
            let record =
                serde_json::from_slice::<Map<String, Value>>(payload).ok().and_then(|one| Record::read(&one));
            records.extend(record.map(|record| (sequence, record)));
            whole = at;
        }
    }
    (records, whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Ids;

    fn some(count: i64) -> Vec<Record> {
        let ids = Ids::seeded(0, 0);
        (1..=count)
            .map(|at| Record::Report(Box::new(Report::new(&login::Login::default(), at, &ids))))
            .chain([Record::Confirm(ids.next(count), Confirmation::Bad)])
            .collect()
    }

    #[test]
    fn records_come_back_up_to_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, before) = Journal::open(&path).unwrap();
        assert_eq!(before, []);
        journal.at_least(41);
        journal.append(&some(3), true).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let expected: Vec<(u64, Record)> = (42..).zip(some(3)).collect();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (_, back) = Journal::open(&path).unwrap();
            assert_eq!(back, expected[..back.len()]);
            assert_eq!(back.len() == 4, cut == whole.len());
        }
        for flip in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[flip] ^= 0x40;
            std::fs::write(&path, damaged).unwrap();
            // No panic, and what is before the damage is there.
            assert!(Journal::open(&path).unwrap().1.len() <= 4);
        }
        let mut damaged = whole.clone();
        damaged[HEAD + 5] ^= 0x40;
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(Journal::open(&path).unwrap().1, expected[1..], "one damaged record costs no other");
    }

    #[test]
    fn a_cleared_log_goes_on_counting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&some(1), false).unwrap();
        journal.clear().unwrap();
        journal.append(&some(0), false).unwrap();
        assert_eq!(
            Journal::open(&path).unwrap().1.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
            [3]
        );
    }
}
