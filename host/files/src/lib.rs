//! Files that an operator names: regular ones, up to a size.
//!
//! A path in a configuration may by mistake lead to a device without an end or to a pipe that nobody writes to. Reading it as
//! if it were a file would fill the memory or wait for ever; it is refused instead, with what it is.

#![forbid(unsafe_code)]

use std::fs::{File, FileType, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// Bytes of the longest file with certificates or a key. A system's bundle of authorities has a quarter of a megabyte.
pub const PEM: u64 = 4 << 20;
/// Bytes of the longest file with a password or a key of an API.
pub const SECRET: u64 = 4096;

/// Why a file is not read. It comes inside an [`io::Error`], next to what the system may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is something else.
    #[error("it is {0}, and only a regular file is read: give the path of one")]
    Kind(&'static str),
    /// It is too long to be what it should be.
    #[error("it has {bytes} bytes, and at most {limit} are read: is it the right file?")]
    Long {
        /// Its bytes.
        bytes: u64,
        /// What is allowed.
        limit: u64,
    },
    /// It was too long in the end, whatever its length was said to be.
    #[error("it has more than the {limit} bytes that are read: is it the right file?")]
    Endless {
        /// What is allowed.
        limit: u64,
    },
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, refused)
    }
}

/// Reads a regular file, or one that a link leads to, of at most `limit` bytes.
///
/// # Errors
/// What the system says, or [`Refused`].
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Before it is opened: opening a pipe waits for somebody who writes to it.
    regular(&std::fs::metadata(path)?, limit)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    regular(&metadata, limit)?;
    bounded(file, metadata.len(), limit)
}

/// Like [`read`], as text.
///
/// # Errors
/// As for [`read`], or it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))
}

/// Like [`read`], but what a shell puts in the place of a file (`<(command)`, `/dev/stdin`) is accepted as well.
///
/// # Errors
/// As for [`read`].
pub fn read_or_pipe(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.file_type().is_fifo() {
        return bounded(File::open(path)?, 0, limit);
    }
    read(path, limit)
}

/// Opens a file of any length, to be read piece by piece: a regular one, or what a shell puts in the place of one.
///
/// # Errors
/// What the system says, or [`Refused`].
pub fn open_or_pipe(path: &Path) -> io::Result<File> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.file_type().is_fifo() {
        regular(&metadata, u64::MAX)?;
    }
    File::open(path)
}

/// Whether a file can be made or written at this path: nothing is there yet, or a regular file. To be asked before it is opened:
/// opening a pipe waits for the other side.
///
/// # Errors
/// What the system says, or [`Refused`].
pub fn regular_or_new(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(regular(&metadata, u64::MAX)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether files can be kept in this folder: it is there and can be written, or can be made. What this makes to find out it
/// removes again.
///
/// # Errors
/// What the system says.
pub fn writable_folder(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|path| path.exists() || path.as_os_str().is_empty());
    let there = there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !std::fs::metadata(there)?.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is no folder", there.display()),
        ));
    }
    let probe = there.join(format!(".portcullis-check-{}", std::process::id()));
    let told = |error: io::Error| {
        io::Error::new(error.kind(), format!("{} cannot be written: {error}", there.display()))
    };
    File::options().write(true).create_new(true).open(&probe).map_err(told)?;
    std::fs::remove_file(&probe).map_err(told)
}

fn regular(metadata: &Metadata, limit: u64) -> Result<(), Refused> {
    let kind = metadata.file_type();
    if !kind.is_file() {
        return Err(Refused::Kind(named(kind)));
    }
    if metadata.len() > limit {
        return Err(Refused::Long { bytes: metadata.len(), limit });
    }
    Ok(())
}

fn named(kind: FileType) -> &'static str {
    match () {
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

/// It may grow while it is read.
fn bounded(file: File, expected: u64, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(expected.saturating_add(1)).unwrap_or(0));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Refused::Endless { limit }.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(path: &str) -> String {
        read(Path::new(path), 8).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_file_is_refused_at_once_and_by_name() {
        assert!(refused("/dev/zero").starts_with("it is a device"), "{}", refused("/dev/zero"));
        assert!(refused("/").starts_with("it is a folder"));
        let opened = open_or_pipe(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(opened.starts_with("it is a device"), "{opened}");
        assert!(refused("/nonexistent").starts_with("No such file"));
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(refused(socket.to_str().unwrap()).starts_with("it is a socket"));
    }

    #[test]
    fn a_pipe_is_read_only_where_a_shell_may_put_one() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Nobody writes to it: this must not wait.
        assert!(refused(pipe.to_str().unwrap()).starts_with("it is a pipe"));
        assert!(regular_or_new(&pipe).unwrap_err().to_string().starts_with("it is a pipe"));
        regular_or_new(&folder.path().join("new")).unwrap();
        let end = pipe.clone();
        let write = move || std::fs::write(end, "text");
        let writer = std::thread::Builder::new().name("writer".into()).spawn(write).unwrap();
        assert_eq!(read_or_pipe(&pipe, 8).unwrap(), b"text");
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn a_folder_is_there_or_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["", "new", "new/deeper/still"] {
            writable_folder(&folder.path().join(path)).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        std::fs::write(folder.path().join("file"), "").unwrap();
        let error = writable_folder(&folder.path().join("file/state")).unwrap_err().to_string();
        assert!(error.ends_with("file is no folder"), "{error}");
        let error = writable_folder(Path::new("/proc/portcullis/state")).unwrap_err().to_string();
        assert!(error.starts_with("/proc cannot be written: "), "{error}");
    }

    #[test]
    fn length_is_limited() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "12345678").unwrap();
        assert_eq!(read_text(file.path(), 8).unwrap(), "12345678");
        let error = read(file.path(), 7).unwrap_err().to_string();
        assert_eq!(error, "it has 8 bytes, and at most 7 are read: is it the right file?");
        std::fs::write(&file, b"\xff").unwrap();
        assert!(read_text(file.path(), 8).unwrap_err().to_string().contains("UTF-8"));
        // Its length is said to be 0.
        let error = read(Path::new("/proc/self/status"), 8).unwrap_err().to_string();
        assert_eq!(error, "it has more than the 8 bytes that are read: is it the right file?");
    }
}
