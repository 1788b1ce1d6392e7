//! The index of one day (UTC).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tantivy::indexer::IndexWriterOptions;
use tantivy::{Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher};

use super::schema::FIELDS;

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;
/// Smallest heap that tantivy allows a writer.
const WRITER_HEAP: usize = 15_000_000;

/// One day's index.
pub(super) struct Day {
    /// Days since 1970-01-01.
    pub(super) number: i64,
    pub(super) folder: PathBuf,
    index: Index,
    reader: Mutex<Option<IndexReader>>,
    /// Held by who writes: the ingest thread, or maintenance while it merges.
    pub(super) writing: Mutex<()>,
    reports: AtomicU64,
    bytes: AtomicU64,
}

/// The day an instant (unix milliseconds) lies in.
pub(super) fn number_of(at: i64) -> i64 {
    at.div_euclid(DAY)
}

/// The name of a day's folder, such as `2026-11-25`.
pub(super) fn folder_name(number: i64) -> String {
    let text = crate::report::instant(number.saturating_mul(DAY));
    text.get(..10).unwrap_or(&text).to_owned()
}

/// The day of a folder of this name.
pub(super) fn number_in(name: &str) -> Option<i64> {
    let date: jiff::civil::Date = name.parse().ok()?;
    let number = number_of(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond());
    (folder_name(number) == name).then_some(number)
}

impl Day {
    /// Opens the index, or makes it.
    pub(super) fn open(root: &Path, number: i64) -> tantivy::Result<Self> {
        let folder = root.join(folder_name(number));
        let index = if folder.join("meta.json").exists() {
            Index::open_in_dir(&folder)?
        } else {
            // A crash between making the folder and the index leaves nothing that was promised to anybody.
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&folder)?;
            let settings =
                IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
            Index::builder().schema(FIELDS.schema.clone()).settings(settings).create_in_dir(&folder)?
        };
        let day = Self {
            number,
            folder,
            index,
            reader: Mutex::default(),
            writing: Mutex::default(),
            reports: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        day.measure()?;
        Ok(day)
    }

    /// The time its reports lie in.
    pub(super) fn range(&self) -> crate::Range {
        let from = self.number.saturating_mul(DAY);
        crate::Range { from, to: from.saturating_add(DAY) }
    }

    /// What is committed, to be read.
    pub(super) fn searcher(&self) -> tantivy::Result<Searcher> {
        let mut reader = self.reader.lock();
        if let Some(reader) = &*reader {
            return Ok(reader.searcher());
        }
        let fresh: IndexReader = self
            .index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(0)
            .try_into()?;
        let searcher = fresh.searcher();
        *reader = Some(fresh);
        Ok(searcher)
    }

    /// Closes the files that were open for reading. Questions under way keep theirs.
    pub(super) fn close(&self) {
        self.reader.lock().take();
    }

    /// Lets readers see the last commit, and counts again.
    pub(super) fn reload(&self) -> tantivy::Result<()> {
        if let Some(reader) = &*self.reader.lock() {
            reader.reload()?;
        }
        self.measure()
    }

    pub(super) fn writer(&self) -> tantivy::Result<IndexWriter> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .memory_budget_per_thread(WRITER_HEAP)
            .num_merge_threads(1)
            .build();
        self.index.writer_with_options(options)
    }

    /// Number of the last record of the log that is in the index.
    pub(super) fn committed(&self) -> tantivy::Result<u64> {
        let payload = self.index.load_metas()?.payload;
        Ok(payload.and_then(|payload| payload.parse().ok()).unwrap_or_default())
    }

    pub(super) fn segments(&self) -> tantivy::Result<Vec<tantivy::index::SegmentId>> {
        self.index.searchable_segment_ids()
    }

    fn measure(&self) -> tantivy::Result<()> {
        let metas = self.index.searchable_segment_metas()?;
        let reports = metas.iter().map(|meta| u64::from(meta.num_docs())).sum();
        self.reports.store(reports, Ordering::Relaxed);
        let mut bytes = 0;
        for entry in fs::read_dir(&self.folder)? {
            // A merge may have just removed it.
            bytes += entry?.metadata().map_or(0, |file| file.len());
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn reports(&self) -> u64 {
        self.reports.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
