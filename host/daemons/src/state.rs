//! The state directory of a daemon: restored before it serves, saved while it does.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use capabilities::state::{Keeper, StateDir};
use capabilities::{Capabilities, Daemon};
use lua::Settings;

/// Restores what was saved and begins to save, if the configuration names a directory. The keeper saves once more when it
/// is told to finish.
///
/// # Errors
/// The directory cannot be used: an operator who asked for one does not want to run without it.
pub fn start(
    daemon: Daemon,
    settings: &Settings,
    capabilities: &Arc<Capabilities>,
) -> Result<Option<Keeper>, String> {
    let (path, every) = settings.read(|values| (values.state_dir.clone(), values.state_interval));
    let Some(path) = path else { return Ok(None) };
    let dir = StateDir::open(&path).map_err(|error| error.to_string())?;
    if daemon == Daemon::Trackalert {
        // Without stats DBs and lists there is nothing that could begin empty or be restored.
        capabilities.log.notice(format!(
            "state directory {}: trackalert has no stats DBs and lists, only the key of setAlertConfirm is kept there",
            path.display()
        ));
    } else {
        restore(&dir, capabilities);
    }
    let keeper = Keeper::start(dir, every, Arc::clone(capabilities));
    keeper.map(Some).map_err(|error| format!("cannot start the thread that saves the state: {error}"))
}

fn restore(dir: &StateDir, capabilities: &Capabilities) {
    let Capabilities { log, stats, lists, .. } = capabilities;
    let begin = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let restored = dir.restore(stats, lists, now, log);
    for name in &restored.unknown {
        log.warn(format!(
            "the snapshot has a stats DB \"{name}\" that the configuration does not make: left out"
        ));
    }
    match restored.from {
        Some(path) => log.notice(format!(
            "restored {} keys and {} list entries from {}, {} s old, in {} ms",
            restored.keys,
            restored.entries,
            path.display(),
            now.saturating_sub(restored.time),
            begin.elapsed().as_millis()
        )),
        None if restored.damaged > 0 => log.error("no snapshot can be used: stats DBs and lists begin empty"),
        None => log.notice("there is no snapshot yet: stats DBs and lists begin empty"),
    }
}
