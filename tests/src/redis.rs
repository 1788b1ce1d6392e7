//! A redis-server of the test's own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use crate::process::{self, Process};
use crate::{PATIENCE, address, tools};

/// A running server; killed when dropped.
pub struct Redis {
    process: Process,
    /// Where it listens.
    pub addr: SocketAddr,
    folder: TempDir,
    client: Vec<String>,
}

impl Redis {
    /// A plain one.
    pub fn start() -> Redis {
        Redis::at(address::fresh())
    }

    /// A plain one at this address.
    pub fn at(addr: SocketAddr) -> Redis {
        Redis::with(
            addr,
            TempDir::with_prefix("portcullis-redis-").unwrap(),
            &["--port", &addr.port().to_string()],
            &[],
        )
    }

    /// One with these arguments, and these for clients that talk to it; `folder` is its own.
    pub fn with(addr: SocketAddr, folder: TempDir, arguments: &[&str], client: &[&str]) -> Redis {
        let mut command = Command::new(tools::system_tool("redis-server"));
        command.current_dir(folder.path()).args([
            "--bind",
            &addr.ip().to_string(),
            "--save",
            "",
            "--dir",
            ".",
        ]);
        let process = Process::start(command.args(arguments));
        process.stdout.wait_for("Ready to accept connections");
        let client = client.iter().map(|&word| word.to_owned()).collect();
        Redis { process, addr, folder, client }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What redis-cli prints for a command, without the last newline.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(tools::system_tool("redis-cli"));
        command.current_dir(self.folder.path()).env_remove("REDISCLI_AUTH");
        command.args(["-h", &self.addr.ip().to_string(), "-p", &self.addr.port().to_string()]);
        let text = process::run_ok(command.args(&self.client).args(arguments));
        text.trim_end_matches('\n').to_owned()
    }

    /// Waits until redis-cli prints this for a command.
    pub fn wait_for(&self, arguments: &[&str], wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.cli(arguments);
            if found == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{arguments:?}: {found:?}, not {wanted:?}");
        }
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.process.kill();
    }
}
