//! Runs the `bash` blocks of a document as a reader would: in a terminal, beside a demo server that was just started.
//!
//! The commands are run as they stand. The document says `127.0.0.1:8084`; curl is told through its configuration file
//! to connect to the test's own server when it is asked for that address.

use std::fs;
use std::process::Command;

use crate::markdown::Block;
use crate::{Daemon, Launch, process, tools};

/// A demo server and a terminal.
pub struct Session {
    daemon: Daemon,
}

impl Session {
    /// Starts the demo configuration of `make run`.
    pub fn start() -> Session {
        let daemon = Launch::demo().start();
        let curl = format!("connect-to = \"127.0.0.1:8084:{}\"\n", daemon.http);
        fs::write(daemon.folder().join(".curlrc"), curl).unwrap();
        Session { daemon }
    }

    /// Runs the `bash` blocks in order. A block tagged `output` that follows one is exactly what it must print.
    pub fn run(&self, blocks: &[Block]) {
        for (index, block) in blocks.iter().enumerate() {
            if block.language() != "bash" {
                continue;
            }
            let printed = self.run_block(block);
            if let Some(expected) = blocks.get(index + 1).filter(|next| next.has("output")) {
                assert_eq!(
                    printed.trim_end(),
                    expected.text.trim_end(),
                    "{}: the command prints something else than {}",
                    block.place(),
                    expected.place()
                );
            }
        }
    }

    fn run_block(&self, block: &Block) -> String {
        let script = format!("set -euo pipefail\n{}", block.text);
        let binary = tools::wforce();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command
            .args(["-c", &script])
            .current_dir(self.daemon.folder())
            .env("CURL_HOME", self.daemon.folder())
            .env("PATH", format!("{}:{path}", binary.parent().unwrap().display()));
        let output = process::run(&mut command);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{}: {}\n{stdout}\n{}\n{:#?}",
            block.place(),
            output.status,
            String::from_utf8_lossy(&output.stderr),
            self.daemon.log().all()
        );
        stdout
    }
}
