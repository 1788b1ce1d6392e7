//! An osmem-server of the test's own: it speaks the REST API of `OpenSearch`.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::{address, tools, until};

/// A running server; killed when dropped.
pub struct Osmem {
    _process: Process,
    _folder: TempDir,
    addr: SocketAddr,
}

impl Osmem {
    /// An empty one.
    pub fn start() -> Osmem {
        let folder = TempDir::with_prefix("portcullis-osmem-").unwrap();
        let addr = address::fresh();
        let mut command = Command::new(program());
        command.current_dir(folder.path()).args(["-addr", &addr.to_string(), "-no-stdin-watch"]);
        let process = Process::start(&command);
        until("osmem-server listens", || TcpStream::connect(addr).ok());
        Osmem { _process: process, _folder: folder, addr }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// It comes as a file of a Python package, without a script.
fn program() -> PathBuf {
    let bin = tools::python_tool("python3");
    let venv = bin.ancestors().nth(2).unwrap();
    let libraries = std::fs::read_dir(venv.join("lib")).unwrap().flatten();
    let mut found = libraries.map(|python| python.path().join("site-packages/osmem_server/bin/osmem-server"));
    found.find(|file| file.is_file()).expect("osmem-server is missing: run `scripts/setup test` first")
}
