//! Log lines out: to syslog, to stdout, or both. A caller never waits: lines go through a bounded queue to one writer
//! thread, and what does not fit is counted and dropped.

mod limit;
mod line;
mod queue;
#[cfg(test)]
pub(crate) mod screen;
mod syslog;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use login::clip::{self, clip};
use parking_lot::Mutex;

use limit::Limits;
use line::Line;
use queue::Queue;

/// How much a line matters, with syslog's numbers (RFC 3164, 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// 0: unusable.
    Emerg = 0,
    /// 1: act now.
    Alert = 1,
    /// 2: critical.
    Crit = 2,
    /// 3: an error.
    Err = 3,
    /// 4: a warning.
    Warning = 4,
    /// 5: normal but worth a note.
    Notice = 5,
    /// 6: information.
    Info = 6,
    /// 7: debugging.
    Debug = 7,
}

impl Level {
    /// The level as one lower-case word, as in JSON lines.
    pub fn name(self) -> &'static str {
        ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"][usize::from(self as u8)]
    }

    /// The level of this number, clamped to 0..=7.
    pub fn from_number(number: i64) -> Self {
        match number {
            ..=0 => Self::Emerg,
            1 => Self::Alert,
            2 => Self::Crit,
            3 => Self::Err,
            4 => Self::Warning,
            5 => Self::Notice,
            6 => Self::Info,
            7.. => Self::Debug,
        }
    }
}

/// A syslog facility, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// What system daemons use.
    pub const DAEMON: Self = Self(3);

    fn priority(self, level: Level) -> u16 {
        u16::from(self.0) * 8 + u16::from(level as u8)
    }
}

/// A word that names no facility.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("Unknown syslog facility: {0}")]
pub struct UnknownFacility(String);

impl FromStr for Facility {
    type Err = UnknownFacility;

    /// The names of syslog.conf(5), in lower case, optionally written as in C (`LOG_LOCAL0`).
    fn from_str(name: &str) -> Result<Self, UnknownFacility> {
        const NAMES: [&str; 24] = [
            "kern",
            "user",
            "mail",
            "daemon",
            "auth",
            "syslog",
            "lpr",
            "news",
            "uucp",
            "cron",
            "authpriv",
            "ftp",
            "ntp",
            "security",
            "console",
            "solaris-cron",
            "local0",
            "local1",
            "local2",
            "local3",
            "local4",
            "local5",
            "local6",
            "local7",
        ];
        let lower = name.to_ascii_lowercase();
        let wanted = lower.strip_prefix("log_").unwrap_or(&lower);
        let found = NAMES.iter().position(|known| *known == wanted);
        found.map(|number| Self(number as u8)).ok_or_else(|| UnknownFacility(name.to_owned()))
    }
}

/// How a line looks on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// The bare text.
    #[default]
    Plain,
    /// The text after `[YYYY-MM-DD HH:MM:SS,mmm] `, local time.
    Docker,
    /// One JSON object a line: `time` (RFC 3339, UTC), `level`, `message`, and `fields` where a policy gave some.
    Json,
}

/// Where lines go at the start; the level of stdout can be changed later.
pub struct Options {
    /// The program's name in syslog lines.
    pub ident: String,
    /// The facility of syslog lines.
    pub facility: Facility,
    /// The syslog socket; `None`: no syslog. A missing socket is looked for again later.
    pub syslog: Option<PathBuf>,
    /// Lines up to this level go to stdout; `None`: no stdout.
    pub stdout: Option<Level>,
    /// How lines look on stdout.
    pub format: Format,
    /// Whether [`Log::debug`] and [`Log::vinfo`] write anything.
    pub verbose: bool,
}

impl Options {
    /// What a daemon of this name does by default: everything to `/dev/log` as facility daemon, up to info to stdout.
    pub fn new(ident: &str) -> Self {
        Self {
            ident: ident.to_owned(),
            facility: Facility::DAEMON,
            syslog: Some(PathBuf::from("/dev/log")),
            stdout: Some(Level::Info),
            format: Format::Plain,
            verbose: false,
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("verbose", &self.verbose()).finish_non_exhaustive()
    }
}

/// What stdout gets, read by the writer for each line.
struct Stdout {
    /// Level numbers below this go out: 0 = none, 8 = all.
    below: AtomicU8,
    format: Format,
}

/// What callers and the writer share.
struct Shared {
    stdout: Stdout,
    queue: Queue,
    dropped: AtomicU64,
}

/// The log. Dropping it writes what is queued.
pub struct Log {
    shared: Arc<Shared>,
    verbose: bool,
    writer: Option<JoinHandle<()>>,
    limits: Mutex<Limits>,
}

impl Log {
    /// Starts the writer thread, which writes to syslog and the process's stdout.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(options: Options) -> std::io::Result<Arc<Self>> {
        Self::start_with(options, Box::new(std::io::stdout()))
    }

    /// The same with another place for what goes to stdout.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start_with(options: Options, out: Box<dyn std::io::Write + Send>) -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared::new(options.stdout, options.format));
        let syslog = options.syslog.map(|path| syslog::Syslog::new(path, &options.ident, options.facility));
        let writer = writer::Writer::new(Arc::clone(&shared), syslog, out);
        let writer = std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run())?;
        Ok(Arc::new(Self {
            shared,
            verbose: options.verbose,
            writer: Some(writer),
            limits: Mutex::default(),
        }))
    }

    /// A log that writes nowhere, for tests and tools.
    pub fn discard() -> Arc<Self> {
        let shared = Arc::new(Shared::new(None, Format::Plain));
        Arc::new(Self { shared, verbose: false, writer: None, limits: Mutex::default() })
    }

    /// Writes one line, which may hold any bytes: control characters are escaped where it is written. Of one longer than
    /// [`clip::LINE`] the beginning is written, and how much is missing.
    pub fn log(&self, level: Level, text: impl AsRef<[u8]>) {
        self.push(level, text.as_ref(), Vec::new());
    }

    /// Writes a line with named values: `TEXT: k="v" k="v" ` (each pair followed by a blank, quotes not escaped; without
    /// pairs just the text). In JSON lines the pairs are an object of their own. Long values are cut ([`clip::VALUE`]), and of
    /// more pairs than fit into a line the last ones are left out: `left_out` is then how many.
    pub fn log_fields<K: AsRef<[u8]>, V: AsRef<[u8]>>(&self, level: Level, text: &[u8], fields: &[(K, V)]) {
        let mut kept = Vec::with_capacity(fields.len().min(64));
        let mut room = clip::LINE;
        for (at, (key, value)) in fields.iter().enumerate() {
            let (key, value) = (clip::value(key.as_ref()), clip::value(value.as_ref()));
            let bytes = key.len() + value.len();
            if bytes > room {
                kept.push((b"left_out".to_vec(), (fields.len() - at).to_string().into_bytes()));
                break;
            }
            room -= bytes;
            kept.push((key.into_owned(), value.into_owned()));
        }
        self.push(level, text, kept);
    }

    /// An error line.
    pub fn error(&self, text: impl AsRef<[u8]>) {
        self.log(Level::Err, text);
    }

    /// A warning line.
    pub fn warn(&self, text: impl AsRef<[u8]>) {
        self.log(Level::Warning, text);
    }

    /// A notice line.
    pub fn notice(&self, text: impl AsRef<[u8]>) {
        self.log(Level::Notice, text);
    }

    /// An information line.
    pub fn info(&self, text: impl AsRef<[u8]>) {
        self.log(Level::Info, text);
    }

    /// An information line, only when verbose.
    pub fn vinfo(&self, text: impl AsRef<[u8]>) {
        if self.verbose() {
            self.log(Level::Info, text);
        }
    }

    /// A debug line, only when verbose.
    pub fn debug(&self, text: impl AsRef<[u8]>) {
        if self.verbose() {
            self.log(Level::Debug, text);
        }
    }

    /// Writes the line unless one with the same key was written less than `every` ago. The next one written says how
    /// many were left out: `TEXT (N similar suppressed)`. Keys are meant to be few and constant.
    pub fn limited(&self, key: &str, every: Duration, level: Level, text: impl AsRef<[u8]>) {
        let Some(suppressed) = self.limits.lock().pass(key, every, std::time::Instant::now()) else { return };
        if suppressed == 0 {
            self.log(level, text);
        } else {
            let mut text = text.as_ref().to_vec();
            text.extend_from_slice(format!(" ({suppressed} similar suppressed)").as_bytes());
            self.log(level, text);
        }
    }

    /// Whether the program runs with `-v`.
    pub fn verbose(&self) -> bool {
        self.verbose
    }

    /// Lines up to this level go to stdout from now on; `None`: none.
    pub fn set_stdout(&self, up_to: Option<Level>) {
        self.shared.stdout.below.store(below(up_to), Ordering::Relaxed);
    }

    /// Lines that found the queue full or the syslog socket stuck, since the start.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything logged before has been written, at most this long; whether it has.
    pub fn flush(&self, at_most: Duration) -> bool {
        self.writer.is_none() || self.shared.queue.wait_written(at_most)
    }

    fn push(&self, level: Level, text: &[u8], fields: Vec<(Vec<u8>, Vec<u8>)>) {
        if self.writer.is_none() {
            return;
        }
        let line = Line { at: SystemTime::now(), level, text: clip(text, clip::LINE).into_owned(), fields };
        if !self.shared.queue.push(line) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

fn below(up_to: Option<Level>) -> u8 {
    up_to.map_or(0, |level| level as u8 + 1)
}

#[cfg(test)]
mod tests;
