//! A configuration file, evaluated: once in the configuration's own state, then once in each worker state.

use std::sync::Arc;

use capabilities::Daemon;
use mlua::Lua;
use policy::{BuildError, Endpoint, Policy, PolicySource};

use crate::bind::hooks;
use crate::bind::{self, Host, Role};
use crate::console_text::ConsoleBuffer;
use crate::engine::Engine;
use crate::interrupt::Limited;
use crate::settings::{Settings, Values};
use crate::stack::with_state;
use crate::vm::{self, LoadError, Source};

/// What a daemon takes from its configuration.
pub struct Configuration {
    /// What the file set.
    pub settings: Arc<Settings>,
    /// The worker states.
    pub engines: Vec<Box<dyn Policy>>,
    /// The configuration's own state, for console lines.
    pub aside: Box<dyn Policy>,
    /// Builds further worker states.
    pub source: Arc<dyn PolicySource>,
    /// Which hooks the workers have.
    pub hooks: policy::Hooks,
    /// Custom endpoints in order of registration.
    pub endpoints: Vec<Endpoint>,
    /// What console functions show.
    pub output: Arc<ConsoleBuffer>,
}

/// Evaluates a configuration for serving.
///
/// # Errors
/// The file does not load, in any of its passes.
pub fn load(source: &Source, host: Host) -> Result<Configuration, LoadError> {
    let host = Arc::new(host);
    let config = evaluate(source, Role::Config, &host)?;
    let workers = Workers { source: source.clone(), host: host.clone() };
    let mut engines: Vec<Box<dyn Policy>> = Vec::new();
    let states = match host.daemon {
        // It has no policies.
        Daemon::Replfwd => 0,
        Daemon::Wforce | Daemon::Trackalert => host.settings.read(|values| values.lua_states.max(1)),
    };
    for _ in 0..states {
        engines.push(Box::new(workers.open()?));
    }
    let unknown_jobs = host.settings.read(Values::unknown_jobs);
    for complaint in unknown_jobs.into_iter().chain(bind::without_database(&host)) {
        host.caps.log.error(&complaint.text);
        host.settings.change(|values| values.complaints.add(complaint));
    }
    let wrap = |error| LoadError::new(&source.path, &error);
    let config_hooks = hooks::get(&config).map_err(wrap)?;
    let aside = Engine::new(config, config_hooks, host.settings.waits(), true).map_err(wrap)?;
    Ok(Configuration {
        settings: host.settings.clone(),
        engines,
        aside: Box::new(aside),
        source: Arc::new(workers),
        hooks: host.settings.read(|values| values.hooks),
        endpoints: host.settings.read(|values| values.endpoints.clone()),
        output: host.output.clone(),
    })
}

/// Evaluates a configuration for a console client, which needs the key and the address of the control socket.
///
/// # Errors
/// The file does not load.
pub fn load_client(source: &Source, host: Host) -> Result<Arc<Settings>, LoadError> {
    let host = Arc::new(host);
    evaluate(source, Role::Client, &host)?;
    Ok(host.settings.clone())
}

/// Evaluates a configuration once, for what it sets up: nothing can be called and nothing is served.
///
/// # Errors
/// The file does not load.
pub fn load_settings(source: &Source, host: Host) -> Result<Arc<Settings>, LoadError> {
    let host = Arc::new(host);
    evaluate(source, Role::Config, &host)?;
    Ok(host.settings.clone())
}

/// One pass of the file through a fresh state.
fn evaluate(source: &Source, role: Role, host: &Arc<Host>) -> Result<Lua, LoadError> {
    let wrap = |error| LoadError::new(&source.path, &error);
    let lua = vm::open().map_err(wrap)?;
    bind::install(&lua, role, host).map_err(wrap)?;
    with_state(&lua, |state| {
        state.set_main(&source.path);
        state.rebuild(host.settings.sealed());
    });
    let limited = host.load_limit.map(|limit| Ok((Limited::start(&lua, limit)?, limit)));
    let limited = limited.transpose().map_err(wrap)?;
    if let Some(bytes) = host.load_memory {
        lua.set_memory_limit(bytes).map_err(wrap)?;
    }
    let result = source.run(&lua);
    let overran = limited.and_then(|(limited, limit)| limited.end().then_some(limit));
    result.map_err(|error| match overran {
        Some(limit) => error.of_time(limit),
        None => error.of_memory(host.load_memory).of_daemon(host.daemon),
    })?;
    with_state(&lua, |state| state.rebuild(false));
    // 0: none. What the calls may take is another matter.
    lua.set_memory_limit(0).map_err(wrap)?;
    Ok(lua)
}

/// Opens worker states.
struct Workers {
    source: Source,
    host: Arc<Host>,
}

impl Workers {
    fn open(&self) -> Result<Engine, LoadError> {
        let wrap = |error| LoadError::new(&self.source.path, &error);
        let lua = evaluate(&self.source, Role::Worker, &self.host)?;
        let hooks = hooks::get(&lua).map_err(wrap)?;
        // What the file itself built up is not the calls' to pay for.
        let allowance = self.host.settings.read(|values| values.policy_memory);
        vm::limit_memory(&lua, allowance).map_err(wrap)?;
        Engine::new(lua, hooks, self.host.settings.waits(), false).map_err(wrap)
    }
}

impl PolicySource for Workers {
    fn build(&self) -> Result<Box<dyn Policy>, BuildError> {
        match self.open() {
            Ok(engine) => Ok(Box::new(engine)),
            Err(error) => Err(BuildError(error.to_string())),
        }
    }
}
