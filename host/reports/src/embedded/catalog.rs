//! All days.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tantivy::error::DataCorruption;
use tantivy::{Searcher, TantivyError};

use super::day::{Day, folder_name, number_in, number_of};
use super::schema::FIELDS;
use super::settings::EmbeddedSettings;
use super::sketch::ROOM;
use crate::{Range, StoreError};

/// Folders with this at the beginning of their name are set aside.
const BROKEN: &str = "broken-";
/// Folders with this at the beginning of their name are being removed.
const DROPPED: &str = "dropped-";

/// The days by number.
pub(super) struct Catalog {
    pub(super) settings: EmbeddedSettings,
    days: RwLock<BTreeMap<i64, Arc<Day>>>,
    /// Days open for reading, the one used last at the end.
    open: Mutex<VecDeque<i64>>,
    pub(super) broken: AtomicU64,
}

pub(super) fn disk(place: &Path, reason: &impl ToString) -> StoreError {
    StoreError::Disk { place: place.display().to_string(), reason: reason.to_string() }
}

impl Catalog {
    /// Opens every day in the folder. Broken ones are set aside.
    pub(super) fn open(settings: EmbeddedSettings) -> Result<Self, StoreError> {
        let root = settings.folder.clone();
        let catalog =
            Self { settings, days: RwLock::default(), open: Mutex::default(), broken: AtomicU64::new(0) };
        for entry in fs::read_dir(&root).map_err(|error| disk(&root, &error))? {
            let name = entry.map_err(|error| disk(&root, &error))?.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(BROKEN) {
                catalog.broken.fetch_add(1, Ordering::Relaxed);
            } else if name.starts_with(DROPPED) {
                // Left over by a process that died meanwhile; the next start tries again if it cannot be removed.
                let _ = fs::remove_dir_all(root.join(name));
            } else if let Some(number) = number_in(name) {
                match Day::open(&root, number) {
                    Ok(day) => {
                        catalog.days.write().insert(number, Arc::new(day));
                    }
                    Err(error) if is_damage(&error) => catalog.set_aside(number, &error)?,
                    Err(error) => return Err(disk(&root.join(name), &error)),
                }
            }
        }
        catalog.sketched(|day| {
            day.load_sketches();
            Ok(())
        })?;
        Ok(catalog)
    }

    /// Calls `load` with finished days, newest first, for as long as there is room for their sketches in memory; days for
    /// which there is none have none.
    pub(super) fn sketched(
        &self,
        mut load: impl FnMut(&Arc<Day>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let today = number_of(jiff::Timestamp::now().as_millisecond());
        let mut room = ROOM;
        for day in self.all().iter().rev().filter(|day| day.number < today) {
            if room > 0 {
                load(day)?;
                room = room.saturating_sub(day.sketch_bytes());
            } else {
                day.forget_sketches();
            }
        }
        Ok(())
    }

    /// The day of this number, made if there is none.
    pub(super) fn get_or_make(&self, number: i64) -> tantivy::Result<Arc<Day>> {
        if let Some(day) = self.days.read().get(&number) {
            return Ok(Arc::clone(day));
        }
        let day = Day::open(&self.settings.folder, number)?;
        Ok(Arc::clone(self.days.write().entry(number).or_insert(Arc::new(day))))
    }

    /// Opens the day's files anew, to see whether it can be read.
    pub(super) fn check(&self, day: &Day) -> tantivy::Result<()> {
        day.close();
        // Reading what is damaged enough can panic.
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            for segment in self.searcher(day)?.segment_readers() {
                segment.inverted_index(FIELDS.login)?;
            }
            Ok(())
        }));
        attempt.unwrap_or_else(|_| {
            Err(TantivyError::DataCorruption(DataCorruption::comment_only("its files contradict themselves")))
        })?;
        day.reload()
    }

    pub(super) fn get(&self, number: i64) -> Option<Arc<Day>> {
        self.days.read().get(&number).cloned()
    }

    /// All days, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Day>> {
        self.days.read().values().cloned().collect()
    }

    /// The days a range touches, oldest first.
    pub(super) fn within(&self, range: Range) -> Vec<Arc<Day>> {
        if range.to <= range.from {
            return Vec::new();
        }
        let (first, last) = (number_of(range.from), number_of(range.to - 1));
        self.days.read().range(first..=last).map(|(_, day)| Arc::clone(day)).collect()
    }

    /// The day's index to be read; the one unused for longest is closed when too many are open.
    pub(super) fn searcher(&self, day: &Day) -> tantivy::Result<Searcher> {
        let searcher = day.searcher()?;
        let mut open = self.open.lock();
        if open.back() != Some(&day.number) {
            open.retain(|number| *number != day.number);
            open.push_back(day.number);
            let excess = open.len().saturating_sub(self.settings.open_days.max(1));
            let unused: Vec<i64> = open.drain(..excess).collect();
            drop(open);
            for number in unused {
                if let Some(day) = self.get(number) {
                    day.close();
                }
            }
        }
        Ok(searcher)
    }

    /// A day whose index cannot be read goes out of the way, for somebody to look at; the others go on. Where nothing is
    /// left of it, it is only forgotten.
    pub(super) fn set_aside(&self, number: i64, why: &impl ToString) -> Result<(), StoreError> {
        let root = &self.settings.folder;
        let name = folder_name(number);
        let mut days = self.days.write();
        let mut aside = root.join(format!("{BROKEN}{name}"));
        let mut copy = 1;
        while aside.exists() {
            copy += 1;
            aside = root.join(format!("{BROKEN}{name}-{copy}"));
        }
        match fs::rename(root.join(&name), &aside) {
            Err(error) if error.kind() == ErrorKind::NotFound && root.is_dir() => {
                days.remove(&number);
                (self.settings.complain)(&format!(
                    "The reports of {name} are gone: {} was removed. All other days go on working; restore that folder from a \
                     backup while this is stopped",
                    root.join(&name).display()
                ));
                return Ok(());
            }
            result => result.map_err(|error| disk(&root.join(&name), &error))?,
        }
        days.remove(&number);
        drop(days);
        self.broken.fetch_add(1, Ordering::Relaxed);
        (self.settings.complain)(&format!(
            "The reports of {name} cannot be read and were set aside as {}: {}. All other days go on working; restore that \
             folder from a backup, or remove it",
            aside.display(),
            why.to_string()
        ));
        Ok(())
    }

    /// Takes a day out and removes its files. Questions under way finish with theirs.
    pub(super) fn drop_day(&self, number: i64) -> Result<(), StoreError> {
        let Some(day) = self.days.write().remove(&number) else { return Ok(()) };
        let dropped = self.settings.folder.join(format!("{DROPPED}{}", folder_name(number)));
        fs::rename(&day.folder, &dropped).map_err(|error| disk(&day.folder, &error))?;
        day.close();
        fs::remove_dir_all(&dropped).map_err(|error| disk(&dropped, &error))
    }
}

/// Whether the files themselves are wrong, rather than the circumstances.
pub(super) fn is_damage(error: &TantivyError) -> bool {
    use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError};
    match error {
        TantivyError::DataCorruption(_)
        | TantivyError::IncompatibleIndex(_)
        | TantivyError::DeserializeError(_)
        | TantivyError::SchemaError(_)
        | TantivyError::InternalError(_)
        | TantivyError::OpenReadError(
            OpenReadError::FileDoesNotExist(_) | OpenReadError::IncompatibleIndex(_),
        )
        | TantivyError::OpenDirectoryError(
            OpenDirectoryError::DoesNotExist(_) | OpenDirectoryError::NotADirectory(_),
        ) => true,
        TantivyError::IoError(error)
        | TantivyError::OpenReadError(OpenReadError::IoError { io_error: error, .. })
        | TantivyError::LockFailure(LockError::IoError(error), _) => damaged(error),
        _ => false,
    }
}

fn damaged(error: &std::io::Error) -> bool {
    use ErrorKind::{InvalidData, InvalidInput, NotADirectory, NotFound, Other, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | NotADirectory | NotFound | Other | UnexpectedEof)
}
