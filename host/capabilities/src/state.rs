//! The state directory: stats DBs and lists outlive the process.
//!
//! ```text
//! state            the last complete snapshot
//! state.1          the one before
//! state.tmp        being written; left over after a crash, of no use
//! state.spare      the one before those two, whose room the next one takes
//! state.damaged    the last one that could not be read, for whoever wants to know why
//! lock             held while a daemon uses the directory
//! ```

mod frame;
mod keeper;
mod restore;
mod save;
mod spread;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub use keeper::Keeper;
pub use restore::{Damage, Restored};
pub use save::Saved;
use spread::Spread;

use crate::lists::Lists;
use crate::log::Log;
use crate::stats::StatsRegistry;

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is not there and cannot be made, or may not be written to.
    #[error("state directory {path}: {source}")]
    Unusable {
        /// The directory, or what in it is the matter.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another process has it.
    #[error("state directory {0}: another daemon uses it; each needs a directory of its own")]
    InUse(PathBuf),
}

/// A state directory that this process holds.
pub struct StateDir {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl StateDir {
    /// Takes hold of a directory, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be written to, or another process holds it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            |source| StateError::Unusable { path, source }
        };
        std::fs::create_dir_all(path).map_err(unusable(path))?;
        Self::check(path)?;
        let lock_path = path.join("lock");
        let lock = private().open(&lock_path).map_err(unusable(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(unusable(&lock_path)(error)),
        }
    }

    /// Whether what is in the directory under the names of its files is files. Nothing is made.
    ///
    /// # Errors
    /// Names the first that is something else: a pipe would hold up the daemon, a device would keep nothing.
    pub fn check(path: &Path) -> Result<(), StateError> {
        for name in ["lock", "state", "state.1", "state.tmp", "state.spare"] {
            let path = path.join(name);
            // That the directory cannot be used at all is said when it is.
            match files::regular_or_new(&path) {
                Err(source) if source.kind() == io::ErrorKind::InvalidInput => {
                    return Err(StateError::Unusable { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Saves everything. `now`: unix seconds. `pause` is called after each short piece of work, while nothing is locked.
    ///
    /// # Errors
    /// If the disk refuses; the last complete snapshot stays as it was, and what was written of the new one is removed.
    pub fn save(
        &self,
        stats: &StatsRegistry,
        lists: &Lists,
        now: u64,
        pause: &dyn Fn(),
    ) -> io::Result<Saved> {
        let tmp = self.path.join("state.tmp");
        let saved = self.save_by(&tmp, stats, lists, now, pause);
        if saved.is_err() {
            // Half of it would take room that the disk may not have.
            let _ = std::fs::remove_file(&tmp);
        }
        saved
    }

    fn save_by(
        &self,
        tmp: &Path,
        stats: &StatsRegistry,
        lists: &Lists,
        now: u64,
        pause: &dyn Fn(),
    ) -> io::Result<Saved> {
        let (last, before, spare) = (self.last(), self.before(), self.path.join("state.spare"));
        rename_if_there(&spare, tmp)?;
        let mut file = BufWriter::with_capacity(1 << 14, Spread::new(recycled(tmp)?));
        let mut saved = save::write(&mut file, stats, lists, now, pause)?;
        saved.bytes = file.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
        // Without a last one (it was damaged) the one before is all there is until this one has its name.
        if last.try_exists()? {
            rename_if_there(&before, &spare)?;
            // A link first: at no instant is there no complete snapshot under either name.
            if std::fs::hard_link(&last, &before).is_err() {
                // A file system without links.
                std::fs::rename(&last, &before)?;
            }
        }
        std::fs::rename(tmp, &last)?;
        File::open(&self.path)?.sync_all()?;
        Ok(saved)
    }

    /// Fills stats DBs and lists, which are empty yet, from the last snapshot, or the one before if that is damaged.
    /// `now`: unix seconds.
    pub fn restore(&self, stats: &StatsRegistry, lists: &Lists, now: u64, log: &Log) -> Restored {
        let mut restored = Restored::default();
        for path in [self.last(), self.before()] {
            match restore::read(&path, stats, lists, now) {
                Ok(read) => {
                    return Restored { from: Some(path), damaged: restored.damaged, ..read };
                }
                Err(Damage::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(damage) => {
                    restored.damaged += 1;
                    let name = if restored.damaged == 1 { "state.damaged" } else { "state.damaged.2" };
                    let aside = self.path.join(name);
                    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
                    let kept = match std::fs::rename(&path, &aside) {
                        Ok(()) => format!("it is kept as {}", aside.display()),
                        Err(error) => format!("and it cannot be set aside: {error}"),
                    };
                    log.error(format!(
                        "the snapshot {} ({bytes} bytes) cannot be used: {damage}; {kept}, and the one before is tried",
                        path.display()
                    ));
                }
            }
        }
        restored
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn last(&self) -> PathBuf {
        self.path.join("state")
    }

    fn before(&self) -> PathBuf {
        self.path.join("state.1")
    }
}

/// The file to write to. What is there already is written over: giving back the room of a large file, and taking it again,
/// keeps a core for tens of milliseconds. But not a file that has another name as well (the reserve, after a crash in the wrong
/// instant; somebody's backup), or that others may read.
fn recycled(path: &Path) -> io::Result<File> {
    if let Ok(there) = std::fs::symlink_metadata(path)
        && there.is_file()
        && (there.nlink() > 1
            || there.mode() & 0o777 != MODE
            || there.uid() != rustix::process::geteuid().as_raw())
    {
        std::fs::remove_file(path)?;
    }
    private().open(path)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Of the files.
const MODE: u32 = 0o600;

/// Files that only the daemon's user may read: they hold logins and addresses.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(MODE);
    options
}

#[cfg(test)]
mod tests;
