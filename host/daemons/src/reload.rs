//! SIGHUP: the configuration is read again while the server runs.
//!
//! The file runs in fresh Lua states, with fresh WebAssembly policies; if all of that works they take the place of the old
//! ones, and calls that run end on those; a shadow policy starts anew. Stats DBs, lists, counters and listeners stay: of the
//! settings themselves only those that policies are made of are taken over, who may talk to the API, and siblings and
//! forwarders that the file names or no longer names.
//!
//! A file may take long, or not end at all: it is read on a thread of its own, for which neither the next signal nor the end of
//! the daemon waits, and each pass of it is stopped after a while.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use capabilities::lists::Colour;
use cluster::Change;
use lua::settings::{TooMuch, Values};
use lua::vm::Source;
use lua::{Configuration, Settings};
use parking_lot::Mutex;

use crate::arguments::Arguments;
use crate::consoles::Lines;
use crate::flavour::Flavour;
use crate::outgoing::keep_outside;
use crate::shadow::{self, ShadowError};
use crate::start::{self, Started};
use crate::{check, databases, program, restart};

/// How long each pass of the file may take: more than any that works, less than an operator's patience.
const LIMIT: Duration = Duration::from_mins(1);
/// Bytes that the Lua state of a pass may take: more than any that works, less than machines have.
const MEMORY: usize = 1 << 30;
/// One that takes longer than this is hardly still at work: it is in a C function that nothing can stop.
const STUCK: Duration = Duration::from_mins(10);
/// How long GeoIP databases wait for the configuration, which may have other files for them. Most are read within this; one that is
/// not must not keep their data old. A file that is gone because the new configuration has another one costs a line in the log then.
const DATABASES: Duration = Duration::from_secs(5);

/// Why the old configuration goes on.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error("cannot read {0}: {1}")]
    Read(String, std::io::Error),
    #[error(transparent)]
    Load(#[from] lua::vm::LoadError),
    #[error(transparent)]
    Build(#[from] policy::BuildError),
    #[error(transparent)]
    Shadow(#[from] ShadowError),
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    #[error("{0}: holds no code: is it being written?")]
    Empty(String),
    #[error("the daemon ends")]
    Ending,
}

/// Reads the configuration again as often as it is told to, one time after the other.
pub struct Reloads<F> {
    /// The command line.
    pub arguments: Arguments,
    /// The daemon.
    pub started: Arc<Started>,
    /// What gets the new settings.
    pub lines: Arc<Lines>,
    /// What is told of them.
    pub flavour: Arc<F>,
    /// Called when the new configuration is in place.
    pub loaded: Box<dyn Fn() + Send + Sync>,
    /// What is going on.
    pub going: Arc<Mutex<Option<Going>>>,
    /// The daemon ends: nothing is put in place any more.
    pub ending: AtomicBool,
}

/// A configuration that is being read.
pub struct Going {
    since: Instant,
    /// It was asked for once more meanwhile.
    again: bool,
}

impl<F: Flavour> Reloads<F> {
    /// Reads the configuration again, after the one that is being read if there is one, and the GeoIP databases. Returns at once.
    pub fn ask(self: &Arc<Self>) {
        let log = &self.started.capabilities.log;
        let mut going = self.going.lock();
        if let Some(going) = going.as_mut() {
            going.again = true;
            log.warn(still_read(going.since.elapsed()));
            databases::reload(self.started.capabilities.clone());
            return;
        }
        let reloads = self.clone();
        // Outside of the runtime, and with a stack as large as that of the thread it ran on at the start.
        let thread = std::thread::Builder::new().name("reload".into()).stack_size(program::STACK);
        match thread.spawn(move || reloads.work()) {
            Ok(_) => {
                let since = Instant::now();
                *going = Some(Going { since, again: false });
                let (going, capabilities) = (self.going.clone(), self.started.capabilities.clone());
                self.started.runtime.spawn(async move {
                    tokio::time::sleep(DATABASES).await;
                    if going.lock().as_ref().is_some_and(|going| going.since == since) {
                        databases::reload(capabilities);
                    }
                });
            }
            Err(error) => {
                log.error(format!("cannot read the configuration again: {error}"));
                databases::reload(self.started.capabilities.clone());
            }
        }
    }

    /// The daemon ends: says so if a configuration is being read.
    pub fn leave(&self) {
        self.ending.store(true, Ordering::Release);
        if let Some(going) = &*self.going.lock() {
            let secs = going.since.elapsed().as_secs();
            let log = &self.started.capabilities.log;
            log.warn(format!(
                "the configuration is still being read, for {secs} s now: that is not waited for"
            ));
        }
    }

    fn work(&self) {
        loop {
            let read = || self.run();
            if catch_unwind(AssertUnwindSafe(read)).is_err() {
                self.started
                    .capabilities
                    .log
                    .error("reading the configuration again failed inside the server");
            }
            let mut going = self.going.lock();
            match going.as_mut() {
                Some(now) if now.again => *now = Going { since: Instant::now(), again: false },
                _ => {
                    *going = None;
                    return;
                }
            }
        }
    }

    /// Reads the configuration again and logs what came of it.
    fn run(&self) {
        let Self { arguments, started, lines, flavour, loaded, ending, .. } = self;
        let log = &started.capabilities.log;
        let reading = databases::Reading::of(&started.capabilities.geoip);
        let result = try_run(arguments, started, lines, ending);
        reading.settle(result.is_ok());
        if let Ok(settings) = &result {
            loaded();
            flavour.reloaded(started, settings);
        }
        // Not before: the file may have other names for them.
        drop(reading);
        match result {
            Ok(settings) => {
                let config = &started.place.config;
                match settings.read(|values| check::verdict(config, &values.complaints)) {
                    None => log.notice(format!("{}: loaded again", config.display())),
                    Some(text) => {
                        log.warn(format!(
                            "{}: loaded again, without what cannot be used: {text}",
                            config.display()
                        ));
                    }
                }
            }
            Err(error) => {
                log.error(format!("the configuration cannot be used, the old one goes on: {error}"));
            }
        }
    }
}

/// What is said when it is asked for while a configuration is being read, for so long.
fn still_read(since: Duration) -> String {
    let what = if since < STUCK {
        "it is read once more after that"
    } else {
        "it is stuck where it cannot be stopped (os.execute, a pipe that it reads): restart the daemon to have it read"
    };
    format!("the configuration is still being read, for {} s now; {what}", since.as_secs())
}

fn try_run(
    arguments: &Arguments,
    started: &Started,
    lines: &Lines,
    ending: &AtomicBool,
) -> Result<Arc<Settings>, ReloadError> {
    // The working folder is the configuration's.
    let config = &started.place.config;
    let file = config.file_name().map_or_else(|| config.clone(), Into::into);
    let source =
        Source::read_again(&file).map_err(|error| ReloadError::Read(config.display().to_string(), error))?;
    if source.is_empty() {
        return Err(ReloadError::Empty(config.display().to_string()));
    }
    let mut host = start::host(started.daemon, arguments, &started.capabilities, &started.runtime);
    // Its sockets are bound already.
    host.bind_sockets = false;
    host.load_limit = Some(LIMIT);
    host.load_memory = Some(MEMORY);
    host.settings.read_again();
    host.output = started.output.clone();
    host.jobs = started.jobs.clone();
    let settings = host.settings.clone();
    let result = put_in_place(&source.named(config), host, started, lines, ending);
    if result.is_err() {
        let capabilities = &started.capabilities;
        settings.forget_made(&capabilities.stats, &capabilities.dns);
    }
    result
}

fn put_in_place(
    source: &Source,
    host: lua::Host,
    started: &Started,
    lines: &Lines,
    ending: &AtomicBool,
) -> Result<Arc<Settings>, ReloadError> {
    let components = host.components.clone();
    let configuration = lua::load(source, host)?;
    let Configuration { settings, mut engines, aside, source, hooks, endpoints, .. } = configuration;
    // All that runs the file and can fail comes before anything that is live is changed.
    while engines.len() < started.chain.executor().engines() {
        engines.push(source.build()?);
    }
    let budget = settings.read(|values| values.policy_budget);
    let shadow = hooks.shadow.then(|| {
        let options = policy::Options { budget, runtime: started.runtime.handle().clone() };
        shadow::start(&source, started.events.clone(), options, &settings, &started.capabilities)
    });
    let shadow = shadow.transpose()?;
    if ending.load(Ordering::Acquire) {
        return Err(ReloadError::Ending);
    }
    let effects = settings.settle()?;
    settings.seal();
    lost(started, &settings, hooks);
    waiting(started, &settings);
    // Before anything of the new file can raise one.
    started.capabilities.alerts.set_dry_run(settings.read(|values| values.alerts.dry_run));
    components.follow(&*started.chain.components());
    let outside = keep_outside(&started.capabilities, &settings, started.runtime.handle());
    // What the next file is compared with.
    let kept = outside.iter().map(|store| (store.name().clone(), store.options().clone()));
    started.settings.change(|values| values.remote_stats.extend(kept));
    // Before the policies that count on them.
    effects.apply(&started.capabilities);
    started.chain.executor().replace(engines, Some(aside), source)?;
    started.capabilities.access.take_over(settings.access());
    for colour in [Colour::Black, Colour::White] {
        let list = started.capabilities.lists.list(colour);
        if settings.read(|values| values.disabled_lists[colour as usize]) {
            list.disable();
        } else {
            list.enable();
        }
    }
    started.chain.set_shadow(shadow.map(Arc::new));
    // Before the chain gets them: a console line that ends meanwhile must not put those of before there.
    lines.use_settings(settings.clone());
    let (ja3_attr, log_allowed) = settings.read(|values| (values.ja3_attr.clone(), values.verbose_allow_log));
    started.chain.update(|options| {
        options.hooks = hooks;
        options.endpoints.clone_from(&endpoints);
        options.ja3_attr.clone_from(&ja3_attr);
        options.log_allowed = log_allowed;
    });
    started.chain.set_components(components);
    if let Some(cluster) = &started.cluster {
        for Change { what, address, added } in cluster.reconfigure(settings.read(Values::named)) {
            let how = if added { "added" } else { "removed" };
            started.capabilities.log.notice(format!("{what} {address}: {how}"));
        }
        // From now on the console and the API change those that run.
        settings.attach(cluster.clone());
    }
    Ok(settings)
}

/// Warns of what the configuration that runs has, and the one that takes its place has no longer: it may be half written.
fn lost(started: &Started, settings: &Settings, hooks: policy::Hooks) {
    let Started { capabilities, chain, place, .. } = started;
    let warn = |text: &str| capabilities.log.warn(format!("{} {text}", place.config.display()));
    if capabilities.access.password().is_some() && settings.access().password().is_none() {
        warn("no longer sets a password: every request to the REST API is refused");
    }
    let listens = |settings: &Settings| settings.read(|values| !values.listeners.is_empty());
    if listens(&started.settings) && !listens(settings) {
        warn(
            "no longer has a listener: those that there are stay until a restart, after which there is no REST API",
        );
    }
    let some = |hooks: policy::Hooks| hooks.allow || hooks.report || hooks.reset || hooks.canonicalize;
    let before = chain.hooks();
    if some(before) && !some(hooks) {
        warn("no longer sets any hook: no policy is asked any more");
        return;
    }
    for (had, has, text) in [
        (before.allow, hooks.allow, "allow: every login that the lists let through is allowed"),
        (before.report, hooks.report, "report: no policy hears of reports any more"),
        (before.reset, hooks.reset, "reset: no policy is told to forget anything"),
        (before.canonicalize, hooks.canonicalize, "canonicalize: logins are taken as they are spelt"),
    ] {
        if had && !has {
            warn(&format!("no longer sets {text}"));
        }
    }
}

/// Warns of what the new configuration sets otherwise, without effect until a restart.
fn waiting(started: &Started, settings: &Settings) {
    let Started { capabilities, cluster, place, .. } = started;
    let mut functions = started.settings.read(|before| settings.read(|now| restart::waiting(before, now)));
    let now = settings.read(|values| values.key.clone()).map(|key| key.0);
    // The console may have changed it since the start.
    let before = match cluster {
        Some(cluster) => cluster.context().security.key().map(|key| (*key).clone()),
        None => started.settings.read(|values| values.key.clone()).map(|key| key.0),
    };
    if before != now {
        functions.push("setKey".into());
    }
    if !functions.is_empty() {
        let (config, functions) = (place.config.display(), functions.join(", "));
        capabilities.log.warn(format!(
            "{config} has other settings than this daemon was started with ({functions}): these stay as they were until a restart"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_than_its_passes_may_is_told_to_be_stuck() {
        let at_work = still_read(Duration::from_secs(599));
        assert!(at_work.contains("for 599 s now; it is read once more after that"), "{at_work}");
        let stuck = still_read(STUCK);
        assert!(
            stuck.contains("for 600 s now; it is stuck") && stuck.contains("restart the daemon"),
            "{stuck}"
        );
    }
}
