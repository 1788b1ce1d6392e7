//! Lines to the local syslog socket.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::Facility;
use super::line::Line;

/// Longest datagram sent. Far above what syslog daemons keep (8 KiB in rsyslog), below the kernel's socket buffer.
const LONGEST: usize = 64 << 10;
/// How long a syslog daemon that reads too slowly may hold the writer up, for one line.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a missing or stuck socket is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// The connection to the syslog socket, made again when it breaks.
pub(super) struct Syslog {
    path: PathBuf,
    ident: String,
    pid: u32,
    facility: Facility,
    socket: Option<UnixDatagram>,
    not_before: Option<Instant>,
}

impl Syslog {
    pub(super) fn new(path: PathBuf, ident: &str, facility: Facility) -> Self {
        Self {
            path,
            ident: ident.to_owned(),
            pid: std::process::id(),
            facility,
            socket: None,
            not_before: None,
        }
    }

    /// Sends a line; false if it is lost because the reader is stuck. Without a socket there is nobody to lose it.
    pub(super) fn send(&mut self, line: &Line, zone: &TimeZone, scratch: &mut Vec<u8>) -> bool {
        if self.not_before.is_some_and(|at| Instant::now() < at) {
            return self.socket.is_none();
        }
        self.not_before = None;
        scratch.clear();
        line.write_syslog(self.facility, &self.ident, self.pid, zone, scratch);
        scratch.truncate(LONGEST);
        // Twice: a syslog daemon that was restarted leaves a dead socket behind.
        for _ in 0..2 {
            let Some(socket) = self.connected() else {
                self.not_before = Some(Instant::now() + PAUSE);
                return true;
            };
            match socket.send(scratch) {
                Ok(_) => return true,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.not_before = Some(Instant::now() + PAUSE);
                    return false;
                }
                Err(_) => self.socket = None,
            }
        }
        true
    }

    fn connected(&mut self) -> Option<&UnixDatagram> {
        if self.socket.is_none() {
            let socket = UnixDatagram::unbound().ok()?;
            socket.connect(&self.path).ok()?;
            socket.set_write_timeout(Some(PATIENCE)).ok()?;
            self.socket = Some(socket);
        }
        self.socket.as_ref()
    }
}
