//! The service manager: ready, stopping, alive.

use std::time::Duration;

use sd_notify::NotifyState;

/// Says that the daemon serves.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// Says that the daemon ends.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Says that the daemon is alive; see [`watchdog_interval`].
pub fn alive() {
    tell(NotifyState::Watchdog);
}

/// How often the service manager wants to hear [`alive`]: half of `WATCHDOG_USEC`, if that is set for this process.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn tell(state: NotifyState<'_>) {
    // Without a service manager there is nobody to tell, and if it does not listen the daemon serves all the same.
    let _ = sd_notify::notify(&[state]);
}
