//! Namespaces of the kernel that a test has for itself.
//!
//! A test in one runs in a process of its own, which `unshare` starts: as root, or in a user namespace otherwise.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use crate::{process, tools};

/// A kind of namespace.
pub(crate) struct Kind {
    /// What `unshare` calls it.
    option: &'static str,
    /// What the kernel calls it.
    file: &'static str,
    /// Tells the process inside which namespace it came from.
    outside: &'static str,
}

pub(crate) const NETWORK: Kind = Kind { option: "--net", file: "net", outside: "PORTCULLIS_OUTSIDE_NETWORK" };
pub(crate) const MOUNTS: Kind = Kind { option: "--mount", file: "mnt", outside: "PORTCULLIS_OUTSIDE_MOUNTS" };

impl Kind {
    /// Whether this process is inside; else the test of this name was run there now.
    ///
    /// # Panics
    /// The machine allows no such namespaces, or the test failed in there.
    pub(crate) fn entered(&self, test: &str) -> bool {
        let here = fs::read_link(format!("/proc/self/ns/{}", self.file)).unwrap();
        if let Some(outside) = std::env::var_os(self.outside) {
            assert_ne!(PathBuf::from(outside), here, "{} is set outside of a namespace", self.outside);
            return true;
        }
        let mut unshare = Command::new(tools::system_tool("unshare"));
        unshare.arg(self.option);
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            unshare.arg("--map-root-user");
        }
        let may = process::run(Command::new(unshare.get_program()).args(unshare.get_args()).arg("true"));
        assert!(
            may.status.success(),
            "this test needs a namespace ({}), which this machine does not allow: {}",
            self.option,
            String::from_utf8_lossy(&may.stderr)
        );
        unshare
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", test])
            .env(self.outside, here);
        let printed = process::run_ok(&mut unshare);
        assert!(printed.contains("1 passed"), "there is no test {test}:\n{printed}");
        false
    }
}
