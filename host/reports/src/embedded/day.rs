//! The index of one day (UTC).

use std::collections::HashMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tantivy::index::SegmentId;
use tantivy::indexer::IndexWriterOptions;
use tantivy::merge_policy::LogMergePolicy;
use tantivy::{Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, SegmentReader};

use super::columns::Opened;
use super::folder::Folder;
use super::part::Times;
use super::schema::FIELDS;
use super::sketch::{EXTENSION, ROOM, Sketch, Sought};

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;
/// Smallest heap that tantivy allows a writer.
const WRITER_HEAP: usize = 15_000_000;

/// A segment of more reports is left alone while the day is written: merging eight of them takes memory for less than a million
/// reports. When the day is over all become one.
const MERGED_WHILE_WRITTEN: usize = 100_000;

/// One day's index.
pub(super) struct Day {
    /// Days since 1970-01-01.
    pub(super) number: i64,
    pub(super) folder: PathBuf,
    index: Index,
    reader: Mutex<Option<IndexReader>>,
    /// Held by who writes: the ingest thread, or maintenance while it merges.
    pub(super) writing: Mutex<()>,
    segments: RwLock<Segments>,
    reports: AtomicU64,
    bytes: AtomicU64,
}

/// What is known of the segments without opening them.
#[derive(Default)]
struct Segments {
    /// Those of the last commit.
    all: Vec<SegmentId>,
    sketches: HashMap<SegmentId, Arc<Sketch>>,
    /// Of those that were asked about while the index is open, if it is one of the newest days.
    opened: HashMap<SegmentId, Arc<Opened>>,
    /// Of those that were asked about a part of the day.
    times: HashMap<SegmentId, Arc<Times>>,
    /// Those whose files were found whole, byte by byte, after a question had failed.
    sound: Vec<SegmentId>,
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
            Index::open(Folder::open(&folder)?)?
        } else {
            // A crash between making the folder and the index leaves nothing that was promised to anybody.
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            super::make_folder(&folder)?;
            let settings =
                IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
            Index::create(Folder::open(&folder)?, FIELDS.schema.clone(), settings)?
        };
        let day = Self {
            number,
            folder,
            index,
            reader: Mutex::default(),
            writing: Mutex::default(),
            segments: RwLock::default(),
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

    /// Whether no report of the day can have what is sought; says so without opening the index.
    pub(super) fn lacks(&self, sought: &Sought) -> bool {
        let segments = self.segments.read();
        segments
            .all
            .iter()
            .all(|segment| segments.sketches.get(segment).is_some_and(|sketch| sketch.lacks(sought)))
    }

    /// The same for one of its segments.
    pub(super) fn segment_lacks(&self, segment: SegmentId, sought: &Sought) -> bool {
        self.segments.read().sketches.get(&segment).is_some_and(|sketch| sketch.lacks(sought))
    }

    /// The columns of a segment: to be asked for once for a question.
    pub(super) fn opened(&self, segment: &SegmentReader) -> Arc<Opened> {
        if !self.is_newest() {
            return Arc::new(Opened::of(segment));
        }
        let id = segment.segment_id();
        if let Some(opened) = self.segments.read().opened.get(&id) {
            return Arc::clone(opened);
        }
        let opened = Arc::new(Opened::of(segment));
        let reader = self.reader.lock();
        let segments = &mut *self.segments.write();
        // One that was closed or merged meanwhile would stay for good.
        if reader.is_some() && segments.all.contains(&id) {
            return Arc::clone(segments.opened.entry(id).or_insert(opened));
        }
        opened
    }

    /// Whether it is today or yesterday, which reports come in for.
    fn is_newest(&self) -> bool {
        self.number >= number_of(jiff::Timestamp::now().as_millisecond()) - 1
    }

    /// Closes what is kept open for being new, once it is not.
    pub(super) fn grow_old(&self) {
        if !self.is_newest() {
            self.segments.write().opened = HashMap::new();
        }
    }

    /// When the rows of a segment were, worked out once.
    pub(super) fn times(&self, segment: &SegmentReader) -> tantivy::Result<Arc<Times>> {
        let id = segment.segment_id();
        if let Some(times) = self.segments.read().times.get(&id) {
            return Ok(Arc::clone(times));
        }
        let times = Arc::new(Times::of(segment, &self.opened(segment))?);
        let segments = &mut *self.segments.write();
        // One that was merged meanwhile would stay for good.
        if segments.all.contains(&id) {
            segments.times.insert(id, Arc::clone(&times));
        }
        Ok(times)
    }

    /// Whether these are the segments that were there at the last look.
    pub(super) fn knows(&self, segments: &[SegmentId]) -> bool {
        self.segments.read().all == segments
    }

    /// Segments of the last commit that have no sketch in memory.
    pub(super) fn unsketched(&self) -> Vec<SegmentId> {
        let segments = self.segments.read();
        segments.all.iter().filter(|id| !segments.sketches.contains_key(id)).copied().collect()
    }

    /// Reads the sketches that lie beside the segments. One that is damaged is made again some time.
    pub(super) fn load_sketches(&self) {
        for segment in self.unsketched() {
            let file = files::read(&self.sketch_file(segment), ROOM).ok();
            if let Some(sketch) = file.and_then(|bytes| Sketch::from_file(&bytes, segment)) {
                self.segments.write().sketches.insert(segment, Arc::new(sketch));
            }
        }
    }

    /// Takes a sketch of a segment and writes it to disk, for the next start.
    pub(super) fn keep_sketch(&self, segment: SegmentId, sketch: Sketch) -> std::io::Result<()> {
        let (file, part) = (self.sketch_file(segment), self.folder.join("sketch.part"));
        let bytes = sketch.to_file(segment);
        self.segments.write().sketches.insert(segment, Arc::new(sketch));
        // Whatever is there: writing to a pipe would wait. A torn one is known by its hash.
        let _ = fs::remove_file(&part);
        fs::write(&part, bytes).and_then(|()| fs::rename(&part, file))
    }

    /// Removes sketches of segments that are no more.
    pub(super) fn drop_old_sketches(&self) -> std::io::Result<()> {
        let names: Vec<String> = {
            let segments = &mut *self.segments.write();
            segments.sketches.retain(|segment, _| segments.all.contains(segment));
            segments.all.iter().map(SegmentId::uuid_string).collect()
        };
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let ours = path.extension().is_some_and(|ending| ending == EXTENSION);
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if ours && !names.iter().any(|name| name == stem) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Gives the memory of the sketches back; their files stay.
    pub(super) fn forget_sketches(&self) {
        self.segments.write().sketches = HashMap::new();
    }

    /// Memory of the sketches.
    pub(super) fn sketch_bytes(&self) -> u64 {
        self.segments.read().sketches.values().map(|sketch| sketch.bytes()).sum()
    }

    fn sketch_file(&self, segment: SegmentId) -> PathBuf {
        self.folder.join(format!("{}.{EXTENSION}", segment.uuid_string()))
    }

    /// What is wrong with the files by their checksums, if anything. All are read; those that were sound once are not read
    /// again, so that questions that fail over and over do not keep the disk busy.
    pub(super) fn damage(&self) -> Option<String> {
        let before = self.segments.read().all.clone();
        if self.segments.read().sound == before {
            return None;
        }
        // Reading what is damaged enough can panic as well.
        match catch_unwind(AssertUnwindSafe(|| self.index.validate_checksum())) {
            Err(_) => Some("its files contradict themselves".to_owned()),
            Ok(Ok(damaged)) => {
                let first = damaged.iter().min();
                if first.is_none() {
                    self.segments.write().sound = before;
                }
                first.map(|path| format!("the checksum of {} is wrong", path.display()))
            }
            Ok(Err(error)) => super::catalog::is_damage(&error).then(|| error.to_string()),
        }
    }

    /// Closes the files that were open for reading. Questions under way keep theirs.
    pub(super) fn close(&self) {
        let mut reader = self.reader.lock();
        reader.take();
        self.segments.write().opened = HashMap::new();
    }

    /// Lets readers see the last commit, and counts again. Questions meanwhile go on with what was there before.
    pub(super) fn reload(&self) -> tantivy::Result<()> {
        let reader = self.reader.lock().clone();
        if let Some(reader) = reader {
            reader.reload()?;
            // Segments are opened anew each time; who asks next need not do that.
            for segment in reader.searcher().segment_readers() {
                // What is wrong with one is told to who asks.
                let _ = segment.inverted_index(FIELDS.login);
            }
        }
        self.measure()
    }

    pub(super) fn writer(&self) -> tantivy::Result<IndexWriter> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .memory_budget_per_thread(WRITER_HEAP)
            .num_merge_threads(1)
            .build();
        let writer: IndexWriter = self.index.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        policy.set_max_docs_before_merge(MERGED_WHILE_WRITTEN);
        writer.set_merge_policy(Box::new(policy));
        Ok(writer)
    }

    /// Number of the last record of the log that is in the index.
    pub(super) fn committed(&self) -> tantivy::Result<u64> {
        let payload = self.index.load_metas()?.payload;
        Ok(payload.and_then(|payload| payload.parse().ok()).unwrap_or_default())
    }

    pub(super) fn segments(&self) -> tantivy::Result<Vec<SegmentId>> {
        self.index.searchable_segment_ids()
    }

    fn measure(&self) -> tantivy::Result<()> {
        let metas = self.index.searchable_segment_metas()?;
        let reports = metas.iter().map(|meta| u64::from(meta.num_docs())).sum();
        self.reports.store(reports, Ordering::Relaxed);
        {
            let segments = &mut *self.segments.write();
            segments.all = metas.iter().map(tantivy::SegmentMeta::id).collect();
            segments.times.retain(|id, _| segments.all.contains(id));
            segments.opened.retain(|id, _| segments.all.contains(id));
        }
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
