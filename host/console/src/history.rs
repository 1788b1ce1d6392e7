//! The history file: one line per command, oldest first, shared with wforce's own client.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// How many bytes at the end of the file are read: some thousand commands.
const READ_BYTES: u64 = 128 * 1024;

/// The file beside the configuration. A console works without it: not everybody who may use one can write there, so
/// nothing here fails.
pub(crate) struct History {
    path: PathBuf,
    last: Option<String>,
}

impl History {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), last: None }
    }

    /// The latest commands of earlier times, oldest first.
    pub(crate) fn earlier(&self) -> Vec<String> {
        let Ok((cut, bytes)) = File::open(&self.path).and_then(end_of) else { return Vec::new() };
        let text = String::from_utf8_lossy(&bytes);
        // The first line of a part may be half of one.
        text.lines().skip(usize::from(cut)).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Appends a command, unless it is the one before it again.
    pub(crate) fn append(&mut self, line: &str) {
        if self.last.as_deref() == Some(line) {
            return;
        }
        // Commands may hold keys and passwords.
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path);
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        self.last = Some(line.to_owned());
    }
}

/// The last [`READ_BYTES`] of a file, and whether there is more before them.
fn end_of(mut file: File) -> std::io::Result<(bool, Vec<u8>)> {
    let skipped = file.metadata()?.len().saturating_sub(READ_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(READ_BYTES).read_to_end(&mut bytes)?;
    Ok((skipped > 0, bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn commands_are_appended_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".history");
        std::fs::write(&path, "showVersion()\n\n").unwrap();
        let mut history = History::new(&path);
        history.append("stats()");
        history.append("stats()");
        history.append("showACL()");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "showVersion()\n\nstats()\nshowACL()\n");
        assert_eq!(History::new(&path).earlier(), ["showVersion()", "stats()", "showACL()"]);
    }

    #[test]
    fn of_a_long_history_the_latest_commands_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".history");
        let all: Vec<String> = (0..50_000).map(|number| format!("return {number}")).collect();
        std::fs::write(&path, all.join("\n")).unwrap();
        let earlier = History::new(&path).earlier();
        assert_eq!(earlier.last().unwrap(), "return 49999");
        assert!(earlier.len() < 20_000);
        assert!(earlier.iter().all(|line| line.starts_with("return ")));
    }

    #[test]
    fn a_new_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".history");
        History::new(&path).append("setKey(\"secret\")");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn without_a_place_to_write_nothing_happens() {
        let mut history = History::new(Path::new("/nowhere/at/all/.history"));
        history.append("stats()");
        assert!(history.earlier().is_empty());
    }
}
