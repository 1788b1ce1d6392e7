//! A recording of what came in and what was answered, for `portcullis replay`: JSON lines in a ring of files.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use login::Login;
use login::json::ObjectWriter;
use prometheus::IntCounter;

use crate::log::{Level, Log};

/// Lines that may wait to be written.
const QUEUE: usize = 8192;
/// Files of the ring: the one that is written, and older ones as `.1`, `.2`, ...
const FILES: u64 = 4;

/// Writes a recording. Requests never wait for it: what does not fit into its queue is left out and counted.
pub struct Recorder {
    lines: SyncSender<Vec<u8>>,
    dropped: IntCounter,
}

impl Recorder {
    /// Appends to this file. When it has grown to a quarter of `max_bytes` it becomes `FILE.1`, and what was that `FILE.2`,
    /// up to `FILE.3`; so all of them together stay below `max_bytes`. Only the owner may read them: what is in them is as
    /// private as a mail log, and has hashes of passwords.
    ///
    /// # Errors
    /// The file or its folder cannot be made or opened, or is something else than a file, or the writing thread not started.
    pub fn start(path: &Path, max_bytes: u64, log: Arc<Log>, dropped: IntCounter) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let ring = Ring::open(path, (max_bytes / FILES).max(4096))?;
        let (lines, waiting) = sync_channel(QUEUE);
        std::thread::Builder::new().name("recorder".into()).spawn(move || write(ring, &waiting, &log))?;
        Ok(Self { lines, dropped })
    }

    /// A login was reported.
    pub fn report(&self, login: &Login) {
        self.line(login, "report", None);
    }

    /// A login was asked about and answered; `None`: the policy failed.
    pub fn allow(&self, login: &Login, status: Option<i32>) {
        self.line(login, "allow", status);
    }

    fn line(&self, login: &Login, kind: &str, status: Option<i32>) {
        let mut line = Vec::with_capacity(384);
        let mut object = ObjectWriter::new(&mut line);
        if let Some(status) = status {
            object.int(b"answer", i64::from(status));
        }
        login.write_members(&mut object);
        object.str(b"type", kind.as_bytes());
        object.finish();
        line.push(b'\n');
        if self.lines.try_send(line).is_err() {
            self.dropped.inc();
        }
    }
}

/// Ends when the recorder is dropped.
fn write(mut ring: Ring, waiting: &Receiver<Vec<u8>>, log: &Log) {
    while let Ok(line) = waiting.recv() {
        let mut batch = line;
        while batch.len() < 64 << 10
            && let Ok(line) = waiting.try_recv()
        {
            batch.extend_from_slice(&line);
        }
        if let Err(error) = ring.append(&batch) {
            let text = format!("recording to {}: {error}", ring.path.display());
            log.limited("recording", Duration::from_secs(10), Level::Err, text);
        }
    }
}

struct Ring {
    path: PathBuf,
    file: File,
    length: u64,
    max: u64,
}

impl Ring {
    fn open(path: &Path, max: u64) -> io::Result<Self> {
        let file = open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, length, max })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length > 0 && self.length + bytes.len() as u64 > self.max {
            self.turn()?;
        }
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        for number in (1..FILES).rev() {
            let from = if number == 1 { self.path.clone() } else { numbered(&self.path, number - 1) };
            match std::fs::rename(&from, numbered(&self.path, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = open(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    files::regular_or_new(path)?;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_ring_stays_within_its_size_and_keeps_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.jsonl");
        let mut ring = Ring::open(&path, 100).unwrap();
        for number in 0..1000 {
            ring.append(format!("line {number}\n").as_bytes()).unwrap();
        }
        let sizes: u64 = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        assert!(sizes <= 100 * FILES, "{sizes}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count() as u64, FILES);
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("line 999\n"));
        let before = std::fs::read_to_string(folder.path().join("logins.jsonl.1")).unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        let number = |line: &str| line.trim_start_matches("line ").parse::<u32>().unwrap();
        assert_eq!(number(before.lines().last().unwrap()) + 1, number(first.lines().next().unwrap()));
    }

    #[test]
    fn a_line_has_the_login_and_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.jsonl");
        let dropped = IntCounter::new("dropped", "x").unwrap();
        let recorder = Recorder::start(&path, 1 << 20, Log::discard(), dropped).unwrap();
        let login = Login { login: "joe".into(), pwhash: "abcd".into(), ..Login::default() };
        recorder.report(&login);
        recorder.allow(&login, Some(-1));
        recorder.allow(&login, None);
        drop(recorder);
        let mut text = String::new();
        while text.lines().count() < 3 {
            text = std::fs::read_to_string(&path).unwrap();
            std::thread::yield_now();
        }
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("{\"attrs\": {}") && lines[0].ends_with("\"type\": \"report\"}"),
            "{text}"
        );
        assert!(
            lines[1].starts_with("{\"answer\": -1, ") && lines[1].contains("\"pwhash\": \"abcd\""),
            "{text}"
        );
        assert!(lines[2].ends_with("\"type\": \"allow\"}") && !lines[2].contains("answer"), "{text}");
    }
}
