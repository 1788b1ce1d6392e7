//! A disk of the test's own that can be filled: a tmpfs in a mount namespace, which nobody else sees.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{namespace, process, tools};

/// The disk.
pub struct Disk(TempDir);

/// Runs `body` where there is a disk of so many MiB. `test`: the name of the test that calls this, which is run again inside.
///
/// # Panics
/// The machine allows no mount namespaces, or the test failed in there.
pub fn inside(test: &str, mebibytes: u32, body: impl FnOnce(&Disk)) {
    if namespace::MOUNTS.entered(test) {
        let disk = Disk(TempDir::with_prefix("portcullis-disk-").unwrap());
        process::run_ok(
            Command::new(tools::system_tool("mount"))
                .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
                .arg(disk.path()),
        );
        body(&disk);
        process::run_ok(Command::new(tools::system_tool("umount")).arg("--lazy").arg(disk.path()));
    }
}

impl Disk {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut ballast = File::options().append(true).create(true).open(self.ballast()).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let piece = vec![0; size];
            let full = loop {
                if let Err(error) = ballast.write_all(&piece) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
        }
    }

    /// Makes room again.
    pub fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}
