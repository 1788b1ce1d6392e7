//! The thread that writes log lines.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use jiff::tz::TimeZone;

use super::line::Line;
use super::queue::Queue;
use super::syslog::Syslog;
use super::{Format, Level, Shared, Stdout, below};

impl Shared {
    pub(super) fn new(stdout: Option<Level>, format: Format) -> Self {
        Self {
            stdout: Stdout { below: AtomicU8::new(below(stdout)), format },
            queue: Queue::default(),
            dropped: AtomicU64::new(0),
        }
    }
}

/// Bytes written to stdout at once, about.
const BATCH: usize = 64 << 10;

/// Both targets, and the buffers used for each line.
pub(super) struct Writer {
    shared: Arc<Shared>,
    syslog: Option<Syslog>,
    out: Box<dyn Write + Send>,
    zone: TimeZone,
    scratch: Vec<u8>,
    stdout_lines: Vec<u8>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, syslog: Option<Syslog>, out: Box<dyn Write + Send>) -> Self {
        Self { shared, syslog, out, zone: TimeZone::system(), scratch: Vec::new(), stdout_lines: Vec::new() }
    }

    /// Writes until the queue is closed and empty. Lines that are ready together go to stdout in one write.
    pub(super) fn run(mut self) {
        let mut lines = Vec::new();
        while let Some(more) = self.shared.queue.take(&lines) {
            lines = more;
            for line in &lines {
                self.line(line);
                if self.stdout_lines.len() >= BATCH {
                    self.write_out();
                }
            }
            self.write_out();
        }
    }

    fn line(&mut self, line: &Line) {
        if let Some(syslog) = &mut self.syslog
            && !syslog.send(line, &self.zone, &mut self.scratch)
        {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if (line.level as u8) < self.shared.stdout.below.load(Ordering::Relaxed) {
            let out = &mut self.stdout_lines;
            match self.shared.stdout.format {
                Format::Docker => line.write_docker(&self.zone, out),
                Format::Json => line.write_json(out),
                Format::Plain => line.write_text(out),
            }
            out.push(b'\n');
        }
    }

    /// A stdout that is gone (closed pipe) loses lines silently: there is nowhere left to say so.
    fn write_out(&mut self) {
        if !self.stdout_lines.is_empty() {
            let _ = self.out.write_all(&self.stdout_lines).and_then(|()| self.out.flush());
            self.stdout_lines.clear();
            self.stdout_lines.shrink_to(BATCH);
        }
    }
}
