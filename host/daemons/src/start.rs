//! From the command line to a daemon that could serve: log, capabilities, configuration, engines.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use capabilities::log::{self, Format, Level, Log};
use capabilities::{Capabilities, Daemon, Options, Recorder};
use cluster::Cluster;
use lua::{Configuration, Settings};
use policy::{BuildError, Chain, ChainOptions, Events, Executor};
use tokio::runtime::Runtime;

use crate::arguments::{Arguments, Mode};
use crate::place::Place;
use crate::{place, shadow};

/// The exit status for device regexes that cannot be used (wforce compatibility).
const NO_REGEXES: u8 = 255;

/// Why the daemon does not start: it has been logged; this is the exit status.
pub struct Stop(pub u8);

/// A daemon with everything loaded, not serving yet.
pub struct Started {
    /// Which daemon it is.
    pub daemon: Daemon,
    /// What the host owns.
    pub capabilities: Arc<Capabilities>,
    /// What the configuration said.
    pub settings: Arc<Settings>,
    /// The way to the policies.
    pub chain: Arc<Chain>,
    /// The siblings, in a daemon that has them.
    pub cluster: Option<Arc<Cluster>>,
    /// What console functions show.
    pub output: Arc<lua::ConsoleBuffer>,
    /// The background functions, once they are scheduled.
    pub jobs: Arc<schedule::Jobs>,
    /// Where everything asynchronous runs, HTTP connections excepted.
    pub runtime: Arc<Runtime>,
    /// Where the configuration came from.
    pub place: Place,
    /// Who is told of policy states that were replaced.
    pub events: Arc<dyn Events>,
}

/// Opens the log. What goes to stdout changes once the daemon is up.
///
/// # Errors
/// The log's thread cannot be started.
pub fn open_log(daemon: Daemon, arguments: &Arguments) -> std::io::Result<Arc<Log>> {
    let level = if arguments.verbose { Level::Debug } else { arguments.loglevel.unwrap_or(Level::Info) };
    let format = match arguments.mode {
        _ if arguments.json => Format::Json,
        Mode::Docker => Format::Docker,
        _ => Format::Plain,
    };
    let mut options = log::Options::new(daemon.name());
    options.facility = arguments.facility;
    options.stdout = Some(level);
    options.format = format;
    options.verbose = arguments.verbose;
    if arguments.check_config {
        options.syslog = None;
        options.format = if arguments.json { Format::Json } else { Format::Plain };
    }
    Log::start(options)
}

/// Loads everything.
///
/// # Errors
/// What went wrong has been logged; the error is the exit status.
pub fn load(daemon: Daemon, arguments: &Arguments, log: &Arc<Log>) -> Result<Started, Stop> {
    let fail = |text: String| {
        log.error(text);
        Stop(1)
    };
    let place = place::enter(daemon, arguments);
    for warning in &place.warnings {
        log.warn(warning);
    }
    if let Some(text) = &place.unreadable {
        return Err(fail(text.clone()));
    }
    if arguments.check_config && !place.warnings.is_empty() {
        return Err(fail(format!("{}: there is nothing to check", place.config.display())));
    }
    // Only wforce parses device strings of its clients.
    let regexes = if daemon == Daemon::Wforce { arguments.regexes.clone() } else { None };
    if regexes.is_none() && arguments.regexes.is_some() {
        log.warn(format!("-R is ignored: {daemon} reads no device strings"));
    }
    let options = Options { log: log.clone(), metrics_prefix: daemon.name().to_owned(), regexes };
    let capabilities = Capabilities::new(options).map_err(|error| {
        log.error(error.to_string());
        Stop(if arguments.regexes.is_some() { NO_REGEXES } else { 1 })
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("runtime")
        .enable_all()
        .build()
        .map_err(|error| fail(format!("cannot start: {error}")))?;
    let runtime = Arc::new(runtime);
    let host = host(daemon, arguments, &capabilities, &runtime);
    let cluster = match daemon {
        Daemon::Wforce => Some(Cluster::new(&capabilities)),
        Daemon::Replfwd => Some(Cluster::forwarding(&capabilities)),
        Daemon::Trackalert => None,
    };
    if let Some(cluster) = &cluster {
        host.settings.attach(cluster.clone());
    }
    let (components, jobs) = (host.components.clone(), host.jobs.clone());
    let configuration = lua::load(&place.source, host).map_err(|error| {
        if arguments.check_config {
            // Whoever asks wants to read it once.
            log.error(format!("Cannot use the configuration: {error}"));
            error.traceback().for_each(|line| log.error(format!("  {}", line.trim())));
            return Stop(1);
        }
        format!("Fatal Lua error: {}", error.lua_text()).lines().for_each(|line| log.error(line));
        fail(format!("Cannot use the configuration: {error}"))
    })?;
    let Configuration { settings, engines, aside, source, hooks, endpoints, output } = configuration;
    let events: Arc<dyn Events> = Arc::new(Replacements { capabilities: capabilities.clone() });
    let options = policy::Options {
        budget: settings.read(|values| values.policy_budget),
        runtime: runtime.handle().clone(),
    };
    let shadow = hooks
        .shadow
        .then(|| shadow::start(&source, events.clone(), options.clone(), &settings, &capabilities));
    let shadow = shadow.transpose().map_err(|error| fail(error.to_string()))?;
    let executor = Executor::start(engines, Some(aside), source, events.clone(), options)
        .map_err(|error| fail(format!("cannot start the policy threads: {error}")))?;
    let options = ChainOptions {
        hooks,
        endpoints,
        ja3_attr: settings.read(|values| values.ja3_attr.clone()),
        log_allowed: settings.read(|values| values.verbose_allow_log),
    };
    let chain = Arc::new(Chain::new(capabilities.clone(), executor, options));
    chain.set_shadow(shadow.map(Arc::new));
    chain.set_components(components);
    if let Some((path, megabytes)) = settings.read(|values| values.record.clone())
        && !arguments.check_config
    {
        let (log, dropped) = (log.clone(), capabilities.metrics.recording_dropped());
        let recorder = Recorder::start(&path, u64::from(megabytes) << 20, log, dropped)
            .map_err(|error| fail(format!("recordTo {}: {error}", path.display())))?;
        chain.set_recorder(Some(Arc::new(recorder)));
    }
    Ok(Started { daemon, capabilities, settings, chain, cluster, output, jobs, runtime, place, events })
}

/// What compiles and runs components; all configurations of the process share it.
pub static ENGINES: LazyLock<Arc<wasm::Engines>> = LazyLock::new(Arc::default);

/// What the configuration's functions work on.
pub fn host(
    daemon: Daemon,
    arguments: &Arguments,
    capabilities: &Arc<Capabilities>,
    runtime: &Runtime,
) -> lua::Host {
    let log = capabilities.log.clone();
    lua::Host {
        daemon,
        caps: capabilities.clone(),
        settings: Arc::default(),
        output: Arc::default(),
        jobs: Arc::default(),
        runtime: runtime.handle().clone(),
        components: Arc::new(wasm::Registry::new(
            ENGINES.clone(),
            capabilities.clone(),
            runtime.handle().clone(),
        )),
        version: format!("{daemon} {}", env!("CARGO_PKG_VERSION")),
        // `shutdown()` ends the process at once, without an answer (wforce compatibility).
        shutdown: Box::new(move || {
            log.flush(Duration::from_secs(1));
            #[expect(clippy::disallowed_methods, reason = "what shutdown() is for")]
            std::process::exit(0);
        }),
        // A check must not take the addresses of the daemon that runs.
        bind_sockets: !arguments.check_config && !arguments.client,
        load_limit: arguments.check_config.then_some(crate::tool::desk::READING),
        load_memory: None,
    }
}

/// Tells of engines that were replaced.
struct Replacements {
    capabilities: Arc<Capabilities>,
}

impl Events for Replacements {
    fn replaced(&self) {
        self.capabilities.metrics.policy_replaced();
        let text = "a policy state overran its budget and was replaced by a fresh one";
        self.capabilities.log.limited("policy replaced", Duration::from_secs(1), Level::Warning, text);
    }

    fn not_replaced(&self, error: &BuildError) {
        let text = format!("a policy state cannot be replaced, trying again: {error}");
        self.capabilities.log.limited("policy not replaced", Duration::from_secs(10), Level::Err, text);
    }

    fn aside_lost(&self) {
        let text = "the configuration's own Lua state is lost; console lines fail until a restart";
        self.capabilities.log.error(text);
    }

    fn abandoned(&self, function: &str) {
        let text = format!(
            "the policy function {function} is stuck where it cannot be stopped (inside a C function, an xpcall handler or a finalizer); it was answered \
             for, and its thread and state were given up"
        );
        self.capabilities.log.limited("policy abandoned", Duration::from_secs(1), Level::Err, text);
    }
}
