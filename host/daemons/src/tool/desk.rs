//! A daemon without a network: its configuration is loaded for real, its clock moves only when it is told to.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use capabilities::log::{self, Level, Log};
use capabilities::{Capabilities, Daemon};
use login::{Decision, Login};
use lua::vm::{LoadError, Source};
use lua::{Configuration, Settings};
use policy::{Chain, ChainOptions, Events, Executor, Explanation, Failure, PolicySource};
use tokio::runtime::{Handle, Runtime};

/// How long each pass of a configuration may take where nobody waits to be served. A running daemon that reads its file again
/// gives it half of this, but may have its components compiled already.
pub const READING: Duration = Duration::from_mins(2);

/// How a desk is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// When its clock stands at first, since 1970. `None`: it is the system's clock.
    pub start: Option<Duration>,
    /// What the policy logs goes to standard error, up to this level.
    pub log: Option<Level>,
    /// How long a policy call may take, instead of what the configuration says: a busy machine must not fail a test.
    pub budget: Option<Duration>,
    /// The fuel of components is counted, also where it has no limit.
    pub fuel: bool,
    /// How long each pass of the configuration may take.
    pub reading: Duration,
    /// Whose configuration it is.
    pub daemon: Daemon,
}

impl Default for Options {
    /// A clock at 2026-01-05 09:00:00 UTC, a Monday; no log; ten seconds for a call.
    fn default() -> Self {
        Self {
            start: Some(Duration::from_hours(491_001)),
            log: None,
            budget: Some(Duration::from_secs(10)),
            fuel: false,
            reading: READING,
            daemon: Daemon::Wforce,
        }
    }
}

/// Why a configuration cannot be put on a desk.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It does not load.
    #[error("{0}")]
    Load(#[from] LoadError),
    /// The capabilities cannot be set up.
    #[error(transparent)]
    Capabilities(#[from] capabilities::StartError),
    /// Threads or the runtime cannot be started.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// A loaded configuration at work.
pub struct Desk {
    /// What the host owns.
    pub capabilities: Arc<Capabilities>,
    /// What the configuration said.
    pub settings: Arc<Settings>,
    /// The way of a request.
    pub chain: Arc<Chain>,
    /// Builds further engines.
    pub source: Arc<dyn PolicySource>,
    runtime: Runtime,
}

/// What compiles and runs components; all desks of the process share it.
static ENGINES: LazyLock<Arc<wasm::Engines>> = LazyLock::new(Arc::default);

struct Quiet;

impl Events for Quiet {}

impl Desk {
    /// Loads a configuration file. Its folder becomes the working folder of the process, as for the daemon.
    ///
    /// # Errors
    /// The file cannot be read or does not load.
    pub fn open(config: &Path, options: &Options) -> Result<Desk, DeskError> {
        let wrap = |error| DeskError::Read { path: config.to_owned(), error };
        let absolute = std::path::absolute(config).map_err(wrap)?;
        let source = Source::read(&absolute).map_err(wrap)?.named(config);
        Self::load(&source, absolute.parent(), options)
    }

    /// Loads a configuration that is no file; relative names in it start in `folder`.
    ///
    /// # Errors
    /// It does not load.
    pub fn load(source: &Source, folder: Option<&Path>, options: &Options) -> Result<Desk, DeskError> {
        if let Some(folder) = folder {
            #[expect(
                clippy::disallowed_methods,
                reason = "a configuration's relative names start in its folder"
            )]
            std::env::set_current_dir(folder)?;
        }
        let log = match options.log {
            None => Log::discard(),
            Some(level) => {
                let mut lines = log::Options::new("portcullis");
                lines.syslog = None;
                lines.stdout = Some(level);
                Log::start_with(lines, Box::new(std::io::stderr()))?
            }
        };
        let capabilities = Capabilities::new(capabilities::Options {
            log: log.clone(),
            metrics_prefix: options.daemon.name().to_owned(),
            regexes: None,
        })?;
        if let Some(start) = options.start {
            capabilities.clock.set(start);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let settings: Arc<Settings> = Arc::default();
        let components = wasm::Registry::new(ENGINES.clone(), capabilities.clone(), runtime.handle().clone())
            .at_a_desk(options.budget.unwrap_or_default());
        let components = Arc::new(if options.fuel { components.counting_fuel() } else { components });
        let host = lua::Host {
            daemon: options.daemon,
            caps: capabilities.clone(),
            settings: settings.clone(),
            jobs: Arc::default(),
            output: Arc::default(),
            runtime: runtime.handle().clone(),
            version: format!("{} {}", options.daemon, env!("CARGO_PKG_VERSION")),
            components: components.clone(),
            shutdown: Box::new(|| {}),
            bind_sockets: false,
            load_limit: Some(options.reading),
            load_memory: None,
        };
        let loaded = lua::load(source, host)?;
        let Configuration { settings, mut engines, source, hooks, endpoints, .. } = loaded;
        // Calls come one at a time here; of further states only globals could be told, which a policy must not rely on.
        engines.truncate(1);
        let executor = Executor::start(
            engines,
            None,
            source.clone(),
            Arc::new(Quiet),
            policy::Options {
                budget: options.budget.unwrap_or_else(|| settings.read(|values| values.policy_budget)),
                runtime: runtime.handle().clone(),
            },
        )?;
        let chain = ChainOptions {
            hooks,
            endpoints,
            ja3_attr: settings.read(|values| values.ja3_attr.clone()),
            log_allowed: settings.read(|values| values.verbose_allow_log),
        };
        let chain = Arc::new(Chain::new(capabilities.clone(), executor, chain));
        chain.set_components(components);
        settings.seal();
        Ok(Desk { capabilities, settings, chain, source, runtime })
    }

    /// Where everything asynchronous runs.
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// A login that happened.
    ///
    /// # Errors
    /// The policy failed.
    pub fn report(&self, login: Login) -> Result<(), Failure> {
        self.runtime.block_on(self.chain.report(login))
    }

    /// Whether a login may go on.
    ///
    /// # Errors
    /// The policy failed.
    pub fn allow(&self, login: Login) -> Result<Decision, Failure> {
        self.runtime.block_on(self.chain.allow(login))
    }

    /// The same, told why.
    pub fn explain(&self, login: Login) -> (Result<Decision, Failure>, Explanation) {
        self.runtime.block_on(self.chain.explain(login))
    }

    /// Forgets what was counted.
    ///
    /// # Errors
    /// The policy failed.
    pub fn reset(&self, request: policy::ResetRequest) -> Result<bool, Failure> {
        self.runtime.block_on(self.chain.reset(request))
    }

    /// Moves the clock, and does what a daemon does each second, once.
    pub fn advance(&self, by: Duration) {
        self.capabilities.clock.advance(by);
        self.capabilities.lists.purge(self.capabilities.clock.now());
    }

    /// Puts the clock to a time since 1970, if that is later: time does not go back.
    pub fn until(&self, since_epoch: Duration) {
        if since_epoch > self.capabilities.clock.since_epoch() {
            self.capabilities.clock.set(since_epoch);
            self.capabilities.lists.purge(since_epoch.as_secs());
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.chain.executor().stop();
        self.capabilities.log.flush(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_configuration_without_an_end_is_told_with_its_line() {
        let source = Source::from_text(Path::new("p.conf"), b"local x = 1\nwhile true do x = x + 1 end\n");
        let options = Options { reading: Duration::from_millis(200), ..Options::default() };
        let error = Desk::load(&source, None, &options).err().unwrap().to_string();
        assert!(error.contains("p.conf:2: it has not come to its end within 0.2 s"), "{error}");
    }
}
