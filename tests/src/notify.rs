//! The service manager's side of `sd_notify`: a datagram socket named by `NOTIFY_SOCKET`.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Instant;

use parking_lot::Mutex;

use crate::PATIENCE;

/// The socket a daemon tells its state to.
pub struct Notify {
    socket: UnixDatagram,
    path: PathBuf,
    seen: Mutex<Vec<String>>,
}

impl Notify {
    /// Makes the socket in `folder`.
    pub fn in_folder(folder: &Path) -> Notify {
        let path = folder.join("notify.socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        Notify { socket, path, seen: Mutex::default() }
    }

    /// The value of `NOTIFY_SOCKET`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for a message with this line, such as `READY=1`. Looks at `still` between waits and gives up when it
    /// says no.
    ///
    /// # Errors
    /// The messages seen, when the message did not come.
    pub fn wait_for(&self, line: &str, mut still: impl FnMut() -> bool) -> Result<(), Vec<String>> {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        self.socket.set_read_timeout(Some(std::time::Duration::from_millis(100))).unwrap();
        loop {
            let found = self.seen.lock().iter().position(|seen| seen == line);
            if let Some(at) = found {
                self.seen.lock().remove(at);
                return Ok(());
            }
            let alive = still();
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    self.seen.lock().extend(text.lines().map(str::to_owned));
                }
                Err(_) if !alive || Instant::now() > deadline => return Err(self.seen.lock().clone()),
                Err(_) => {}
            }
        }
    }
}
