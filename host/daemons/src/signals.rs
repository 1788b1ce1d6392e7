//! The signals a daemon listens for.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// The signals the daemon listens for.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The system has no more handlers to give.
    pub fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal to end; says which it was. `SIGHUP` waits until somebody reloads.
    pub async fn end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}

/// Waits for a signal to end, or for the terminal's console to be left; says which it was. `SIGHUP` reloads.
pub async fn until_told(
    mut signals: Signals,
    left: Option<oneshot::Receiver<()>>,
    reload: impl Fn(),
) -> &'static str {
    let left = async {
        match left {
            Some(left) => {
                // An error means that the console's thread is gone: the same.
                let _ = left.await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::pin!(left);
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return "SIGTERM",
            _ = signals.interrupt.recv() => return "SIGINT",
            _ = signals.quit.recv() => return "SIGQUIT",
            () = &mut left => return "the console was left",
            _ = signals.hangup.recv() => reload(),
        }
    }
}
