//! A file that takes another's place once it is whole.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The new content of a file. It is written beside the old one, which stays as it is unless [`Replacement::finish`] is reached.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    /// Where it is written, and which file it replaces; none if that is a device or a pipe, which is written to directly.
    beside: Option<(PathBuf, PathBuf)>,
}

impl Replacement {
    /// Begins to replace the file at `path`, or the one that a link there leads to. There may be none yet.
    ///
    /// # Errors
    /// The folder cannot be written, or the path has no file's name.
    pub fn begin(path: &Path) -> io::Result<Replacement> {
        let old = match std::fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                let file = File::options().write(true).open(path)?;
                return Ok(Replacement { file, beside: None });
            }
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let place = if old.is_some() { path.canonicalize()? } else { path.to_owned() };
        let name = place.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let mut new: OsString = ".".into();
        new.push(name);
        new.push(format!(".{}.part", std::process::id()));
        let new = place.with_file_name(new);
        let told = |error: io::Error| {
            let text = format!("{}, which is to become it, cannot be made: {error}", new.display());
            io::Error::new(error.kind(), text)
        };
        // From the beginning nobody may read more of it than of the old one.
        let mode = old.as_ref().map_or(0o666, |old| old.permissions().mode() & 0o777);
        let file = File::options().write(true).create_new(true).mode(mode).open(&new).map_err(told)?;
        let replacement = Replacement { file, beside: Some((new, place)) };
        if let Some(old) = old {
            replacement.file.set_permissions(old.permissions())?;
        }
        Ok(replacement)
    }

    /// Where to write.
    ///
    /// # Errors
    /// What the system says.
    pub fn file(&mut self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// It is whole: it takes the old one's place.
    ///
    /// # Errors
    /// What the system says; the old one is then as it was.
    pub fn finish(mut self) -> io::Result<()> {
        let Some((new, place)) = &self.beside else { return Ok(()) };
        self.file.sync_all()?;
        std::fs::rename(new, place)?;
        self.beside = None;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some((new, _)) = &self.beside {
            // What is left behind is named for what it is.
            let _ = std::fs::remove_file(new);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn the_old_one_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.json");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for whole in [false, true] {
            let mut new = Replacement::begin(&path).unwrap();
            new.file().unwrap().write_all(b"new").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"old");
            if whole {
                new.finish().unwrap();
            } else {
                drop(new);
            }
            assert_eq!(names(folder.path()), ["dump.json"]);
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn links_stay_and_devices_are_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("dump.json"), folder.path().join("link"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::fs::write(&path, "old").unwrap();
        let mut new = Replacement::begin(&link).unwrap();
        new.file().unwrap().write_all(b"new").unwrap();
        new.finish().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        Replacement::begin(Path::new("/dev/null")).unwrap().finish().unwrap();
    }
}
