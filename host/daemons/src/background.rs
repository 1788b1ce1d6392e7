//! `-d`: going to the background.
//!
//! The process starts itself once more as the daemon and waits until that has loaded its configuration. No thread has
//! to survive a fork that way, and the exit status tells whether the configuration loaded.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};

/// Set for the process in the background; its standard input is then a socket to its parent.
const MARK: &str = "PORTCULLIS_BACKGROUND";

/// Whether this process is the one in the background.
pub fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Starts this program again with the same arguments, and returns its exit status, or 0 once it has loaded its
/// configuration.
///
/// # Errors
/// It could not be started.
pub fn start() -> io::Result<ExitCode> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(MARK, "1")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    let mut loaded = [0];
    match ours.read(&mut loaded)? {
        // It ended before it had loaded: with its own message and status.
        0 => Ok(ExitCode::from(child.wait()?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// In the background: leaves the terminal's session, lets the parent go, and closes the standard streams.
///
/// # Errors
/// `/dev/null` cannot be opened or the streams cannot be replaced.
pub fn detach() -> io::Result<()> {
    // Fails only for a process group's leader, which a fresh child is not.
    let _ = rustix::process::setsid();
    let parent = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // A parent that is gone needs no news.
    let _ = (&parent).write_all(b"1");
    let _ = parent.shutdown(Shutdown::Both);
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
