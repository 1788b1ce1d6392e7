//! The log of what was taken and is not in an index yet.
//!
//! A record is its length, its number and a hash, eight bytes each (little endian), and JSON. The hash is over all the rest
//! of it; records of the first version, whose hash was over the JSON alone, are still read. After a commit everything in it
//! is in an index, so it begins anew. A record that was cut off by the death of the process was promised to nobody.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::day::number_of;
use crate::{Confirmation, Report, ReportId};

const HEAD: usize = 24;
/// Bytes of the head that are hashed: length and number.
const HASHED: usize = 16;
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

    /// The day it belongs to.
    pub(super) fn day(&self) -> i64 {
        number_of(match self {
            Self::Report(report) => report.at,
            Self::Confirm(id, _) => id.parts().map_or(0, |(at, _, _)| at),
        })
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

/// What a log held when it was opened.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its records with their numbers.
    pub(super) records: Vec<(u64, Record)>,
    /// What of it could not be read.
    pub(super) lost: Lost,
}

/// What of a log could not be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// Damaged bytes between whole records, and where they are.
    between: Vec<Range<usize>>,
    /// Bytes behind the last whole record.
    pub(super) end: usize,
    /// Whole records that this version does not understand.
    foreign: usize,
}

impl Lost {
    /// For the operator, if there is anything to tell.
    pub(super) fn told(&self, path: &Path, aside: Option<&std::io::Result<PathBuf>>) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(first) = self.between.first() {
            let bytes: usize = self.between.iter().map(Range::len).sum();
            parts.push(format!(
                "{bytes} bytes in {} places, from byte {} on, are damaged, and the reports in them are lost",
                self.between.len(),
                first.start
            ));
        }
        if self.foreign > 0 {
            parts.push(format!("{} records are of a kind that this version does not know", self.foreign));
        }
        if self.end > 0 {
            parts.push(format!(
                "{} bytes at its end are no whole record and were cut off (what was being written when the process or the \
                 machine stopped, which nobody was told is stored)",
                self.end
            ));
        }
        match aside {
            Some(Ok(kept)) => parts.push(format!("the file as it was is kept as {}", kept.display())),
            Some(Err(error)) => parts.push(format!("the file as it was cannot be kept: {error}")),
            None => {}
        }
        (!parts.is_empty()).then(|| format!("The log of reports {}: {}", path.display(), parts.join("; ")))
    }

    /// Whether more is lost than what a sudden end explains.
    fn is_damage(&self) -> bool {
        !self.between.is_empty() || self.foreign > 0
    }
}

impl Journal {
    /// Opens the log, or makes it. Also gives what is in it; `complain` is told of what cannot be read, and a file with damage
    /// in the middle is kept beside it.
    pub(super) fn open(path: &Path, complain: &dyn Fn(&str)) -> std::io::Result<(Self, Vec<(u64, Record)>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let Found { records, lost } = examine(path, &bytes, complain);
        let whole = (bytes.len() - lost.end) as u64;
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        let next = records.last().map_or(1, |(number, _)| number + 1);
        Ok((Self { file, buffer: Vec::new(), next, length: whole }, records))
    }

    /// Reads it again, from the file that is open: there may be no descriptor for another.
    pub(super) fn records(
        &self,
        path: &Path,
        complain: &dyn Fn(&str),
    ) -> std::io::Result<Vec<(u64, Record)>> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(std::io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(examine(path, &bytes, complain).records)
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
        let before = self.next;
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
            self.next = before;
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

/// Reads it; `complain` is told of what cannot be read, and a file with damage in the middle is kept beside it.
fn examine(path: &Path, bytes: &[u8], complain: &dyn Fn(&str)) -> Found {
    let found = read(bytes);
    let lost = &found.lost;
    let aside = lost.is_damage().then(|| {
        let kept = path.with_extension("damaged");
        // Where it cannot be mended at once it is read several times.
        if std::fs::read(&kept).is_ok_and(|known| known == bytes) {
            return Ok(kept);
        }
        if kept.exists() {
            std::fs::rename(&kept, path.with_extension("damaged.1"))?;
        }
        std::fs::write(&kept, bytes).map(|()| kept)
    });
    if let Some(text) = lost.told(path, aside.as_ref()) {
        complain(&text);
    }
    found
}

/// Appends a record as it lies in the file.
pub(super) fn frame(to: &mut Vec<u8>, number: u64, payload: &[u8]) {
    let at = to.len();
    to.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    to.extend_from_slice(&number.to_le_bytes());
    let hash = hash(&to[at..], payload);
    to.extend_from_slice(&hash.to_le_bytes());
    to.extend_from_slice(payload);
}

fn hash(head: &[u8], payload: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(head);
    hash.update(payload);
    hash.digest()
}

/// The number and the payload of the record at the beginning of these bytes, if there is a whole one.
fn first(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let number = |place: usize| {
        head.get(place..place + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    let (length, sequence, sum) = (number(0), number(8), number(HASHED));
    if length > LONGEST {
        return None;
    }
    let payload = rest.get(..length as usize)?;
    let whole = hash(&head[..HASHED], payload) == sum || (length > 0 && xxh3_64(payload) == sum);
    whole.then_some((sequence, payload))
}

/// All whole records. Behind damage the next one is looked for byte by byte, so that it costs no others, whatever it hit.
pub(super) fn read(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let (mut at, mut whole) = (0, 0);
    while at < bytes.len() {
        let Some((sequence, payload)) = first(&bytes[at..]) else {
            at += 1;
            continue;
        };
        if at > whole {
            found.lost.between.push(whole..at);
        }
        at += HEAD + payload.len();
        whole = at;
        let document = serde_json::from_slice::<Map<String, Value>>(payload).ok();
        match document.and_then(|document| Record::read(&document)) {
            Some(record) => found.records.push((sequence, record)),
            None => found.lost.foreign += 1,
        }
    }
    found.lost.end = bytes.len() - whole;
    found
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

    /// Opens a log; also gives what the operator is told.
    fn open(path: &Path) -> (Journal, Vec<(u64, Record)>, Option<String>) {
        let told = std::cell::RefCell::new(None);
        let (journal, records) =
            Journal::open(path, &|text| *told.borrow_mut() = Some(text.to_owned())).unwrap();
        (journal, records, told.into_inner())
    }

    /// A log with four records, and these.
    fn four(path: &Path) -> (Vec<u8>, Vec<(u64, Record)>) {
        let (mut journal, before, told) = open(path);
        assert_eq!((before, told), (vec![], None));
        journal.at_least(41);
        journal.append(&some(3), true).unwrap();
        (std::fs::read(path).unwrap(), (42..).zip(some(3)).collect())
    }

    #[test]
    fn records_come_back_up_to_a_torn_one_and_what_is_cut_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (whole, expected) = four(&path);
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (_, back, told) = open(&path);
            assert_eq!(back, expected[..back.len()]);
            assert_eq!(back.len() == 4, cut == whole.len());
            let left = std::fs::metadata(&path).unwrap().len() as usize;
            match told {
                Some(told) => {
                    let part = format!("journal: {} bytes at its end are no whole record", cut - left);
                    assert!(left < cut && told.contains(&part), "{told}");
                }
                None => assert_eq!(left, cut),
            }
        }
        assert!(!folder.path().join("journal.damaged").exists());
    }

    #[test]
    fn damage_costs_the_record_that_it_hit_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (whole, expected) = four(&path);
        let mut ends = Vec::new();
        while let Some((_, payload)) = first(&whole[ends.last().copied().unwrap_or(0)..]) {
            ends.push(ends.last().copied().unwrap_or(0) + HEAD + payload.len());
        }
        assert_eq!((ends.len(), ends.last()), (4, Some(&whole.len())));
        for flip in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[flip] ^= 0x40;
            std::fs::write(&path, &damaged).unwrap();
            let hit = ends.iter().position(|end| flip < *end).unwrap();
            let mut left = expected.clone();
            left.remove(hit);
            let (_, back, told) = open(&path);
            assert_eq!(back, left, "byte {flip}");
            let told = told.unwrap();
            if hit == 3 {
                assert!(told.contains(&format!("{} bytes at its end", ends[3] - ends[2])), "{told}");
            } else {
                let start = if hit == 0 { 0 } else { ends[hit - 1] };
                let part =
                    format!("{} bytes in 1 places, from byte {start} on, are damaged", ends[hit] - start);
                assert!(told.contains(&part) && told.contains("journal.damaged"), "{told}");
                assert_eq!(std::fs::read(folder.path().join("journal.damaged")).unwrap(), damaged);
            }
        }
    }

    #[test]
    fn a_log_of_the_first_version_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut old = Vec::new();
        for (number, record) in (7..).zip(some(2)) {
            let payload = serde_json::to_vec(&record.write()).unwrap();
            for head in [payload.len() as u64, number, xxh3_64(&payload)] {
                old.extend_from_slice(&head.to_le_bytes());
            }
            old.extend_from_slice(&payload);
        }
        std::fs::write(&path, old).unwrap();
        let (mut journal, records, told) = open(&path);
        assert_eq!((records, told), ((7..).zip(some(2)).collect(), None));
        journal.append(&some(0), true).unwrap();
        assert_eq!(open(&path).1.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [7, 8, 9, 10]);
    }

    #[test]
    fn a_cleared_log_goes_on_counting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, ..) = open(&path);
        journal.append(&some(1), false).unwrap();
        journal.clear().unwrap();
        journal.append(&some(0), false).unwrap();
        assert_eq!(open(&path).1.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3]);
    }
}
