//! The files of a day's index.
//!
//! tantivy's own directory maps files into memory for as long as they are open, and what was once read of them counts as
//! this process' memory. Columns are most of an index, and a question reads a few of them: so they are mapped only while
//! a question has them (those of the newest days stay, see `columns.rs`), and small pieces are read. The dictionary of users and the rest stay mapped while the day is open.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, OwnedBytes, WatchCallback, WatchHandle,
    WritePtr,
};

/// Ending of the files with columns.
const COLUMNS: &str = "fast";
/// Pieces up to this length are read. Whoever opens a segment keeps a few such pieces of its columns.
const READ: usize = 32 << 10;

/// A folder, as tantivy wants it.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    files: MmapDirectory,
    path: PathBuf,
}

impl Folder {
    pub(super) fn open(path: &Path) -> tantivy::Result<Self> {
        Ok(Self { files: MmapDirectory::open(path)?, path: path.to_owned() })
    }

    fn columns(&self, name: &Path) -> io::Result<Columns> {
        let file = File::open(self.path.join(name))?;
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Columns { file, length, name: name.to_owned(), files: self.files.clone() })
    }
}

/// A file with columns. It is open even if its name is gone.
#[derive(Debug)]
struct Columns {
    file: File,
    length: usize,
    name: PathBuf,
    files: MmapDirectory,
}

impl HasLen for Columns {
    fn len(&self) -> usize {
        self.length
    }
}

impl FileHandle for Columns {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let length = range.len();
        if range.end > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // All who read it at the same time share one mapping. No two files ever have the same name.
        if length > READ
            && let Ok(mapped) = self.files.get_file_handle(&self.name)
            && mapped.len() == self.length
        {
            return mapped.read_bytes(range);
        }
        // Small, or the file's name is gone: a merge or retention removed it.
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, range.start as u64)?;
        Ok(OwnedBytes::new(bytes))
    }
}

impl Directory for Folder {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        if path.extension().is_none_or(|ending| ending != COLUMNS) {
            return self.files.get_file_handle(path);
        }
        match self.columns(path) {
            Ok(columns) => Ok(Arc::new(columns)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(OpenReadError::FileDoesNotExist(path.to_owned()))
            }
            Err(error) => Err(OpenReadError::wrap_io_error(error, path.to_owned())),
        }
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.files.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.files.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.files.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.files.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.files.acquire_lock(lock)
    }

    fn watch(&self, watch_callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.files.watch(watch_callback)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn columns_are_read_with_and_without_their_name() {
        let place = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        std::fs::write(place.path().join("a.fast"), &bytes).unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let file = folder.open_read(Path::new("a.fast")).unwrap();
        let held = file.slice(5..100_000).read_bytes().unwrap();
        for deleted in [false, true] {
            if deleted {
                folder.delete(Path::new("a.fast")).unwrap();
            }
            for range in [0..0, 0..200_000, 7..9, 1..READ + 1, 1..READ + 2, 199_999..200_000] {
                assert_eq!(file.slice(range.clone()).read_bytes().unwrap().as_slice(), &bytes[range]);
            }
        }
        assert_eq!(held.as_slice(), &bytes[5..100_000]);
        assert!(matches!(folder.open_read(Path::new("a.fast")), Err(OpenReadError::FileDoesNotExist(_))));
    }
}
