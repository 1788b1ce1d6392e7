//! Servers that speak Elasticsearch's REST API, each one of a test's own on loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a server gets to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; killed when dropped.
pub struct Server {
    process: Child,
    /// Where it listens.
    pub url: String,
    addr: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address that nobody listens on.
pub fn fresh() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A file of the Python environment that `scripts/setup test` makes.
fn installed(path: &str) -> PathBuf {
    // target/debug/deps/name-hash
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let tools = std::env::var_os("PORTCULLIS_TOOLS").map_or_else(|| target.join("tools"), PathBuf::from);
    let libraries = std::fs::read_dir(tools.join("venv/lib")).ok().into_iter().flatten().flatten();
    let found =
        libraries.map(|python| python.path().join("site-packages").join(path)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{path} is missing: run `scripts/setup test` first"))
}

/// osmem-server: answers as OpenSearch.
pub fn osmem() -> Server {
    let addr = fresh();
    let mut command = Command::new(installed("osmem_server/bin/osmem-server"));
    command.args(["-addr", &addr.to_string(), "-no-stdin-watch"]);
    start(command, addr)
}

/// noida-db: answers as Elasticsearch.
pub fn noida() -> Server {
    let addr = fresh();
    let mut command = Command::new(installed("noida_db/noida-db"));
    let port = addr.port().to_string();
    command.args(["start", "--only", "elasticsearch", "--elasticsearch-port", &port]);
    start(command, addr)
}

fn start(mut command: Command, addr: SocketAddr) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let process = command
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let server = Server { process, url: format!("http://{addr}"), addr, _folder: folder };
    let deadline = Instant::now() + PATIENCE;
    loop {
        if TcpStream::connect(addr).is_ok() && server.request("GET", "/", None)["version"].is_object() {
            return server;
        }
        assert!(Instant::now() < deadline, "{command:?} does not answer");
        std::thread::yield_now();
    }
}

impl Server {
    /// A request of the test's own; its answer, or null.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let Ok(mut stream) = TcpStream::connect(self.addr) else { return Value::Null };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.addr,
            body.len()
        );
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).is_err() {
            return Value::Null;
        }
        let mut reader = BufReader::new(stream);
        let (mut line, mut length, mut chunked) = (String::new(), None, false);
        while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
            let lower = line.to_ascii_lowercase();
            if let Some(number) = lower.strip_prefix("content-length:") {
                length = number.trim().parse::<usize>().ok();
            }
            chunked |= lower.contains("chunked");
            line.clear();
        }
        let mut answer = Vec::new();
        match (chunked, length) {
            (false, Some(length)) => {
                answer.resize(length, 0);
                if reader.read_exact(&mut answer).is_err() {
                    return Value::Null;
                }
            }
            _ => {
                if reader.read_to_end(&mut answer).is_err() {
                    return Value::Null;
                }
            }
        }
        serde_json::from_slice(&answer).unwrap_or_default()
    }
}
