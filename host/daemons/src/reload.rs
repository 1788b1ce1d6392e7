//! SIGHUP: the configuration is read again while the server runs.
//!
//! The file runs in fresh Lua states, with fresh WebAssembly policies; if all of that works they take the place of the old
//! ones, and calls that run end on those; a shadow policy starts anew. Stats DBs, lists, counters and listeners stay: of the
//! settings themselves only those that policies are made of are taken over, and siblings and forwarders that the file names
//! or no longer names.

use std::sync::Arc;

use cluster::Change;
use lua::settings::Values;
use lua::vm::Source;
use lua::{Configuration, Settings};

use crate::arguments::Arguments;
use crate::consoles::Lines;
use crate::flavour::Flavour;
use crate::outgoing::keep_outside;
use crate::shadow::{self, ShadowError};
use crate::start::{self, Started};

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
}

/// Reads the configuration again and logs what came of it; `loaded`: it is in place now. Not for a thread that serves requests, and one with a large
/// stack: a configuration may recurse deeply.
pub fn run<F: Flavour>(
    arguments: &Arguments,
    started: &Started,
    lines: &Lines,
    flavour: &F,
    loaded: impl FnOnce(),
) {
    let log = &started.capabilities.log;
    match try_run(arguments, started) {
        Ok(settings) => {
            loaded();
            flavour.reloaded(started, &settings);
            lines.use_settings(settings);
            log.notice(format!("{}: loaded again", started.place.config.display()));
        }
        Err(error) => log.error(format!("the configuration cannot be used, the old one goes on: {error}")),
    }
}

fn try_run(arguments: &Arguments, started: &Started) -> Result<Arc<Settings>, ReloadError> {
    // The working folder is the configuration's.
    let config = &started.place.config;
    let file = config.file_name().map_or_else(|| config.clone(), Into::into);
    let source =
        Source::read(&file).map_err(|error| ReloadError::Read(config.display().to_string(), error))?;
    let mut host = start::host(started.daemon, arguments, &started.capabilities, &started.runtime);
    // Its sockets are bound already.
    host.bind_sockets = false;
    host.settings.read_again();
    host.output = started.output.clone();
    host.jobs = started.jobs.clone();
    let components = host.components.clone();
    let configuration = lua::load(&source.named(config), host)?;
    let Configuration { settings, engines, aside, source, hooks, endpoints, .. } = configuration;
    settings.seal();
    let budget = settings.read(|values| values.policy_budget);
    let shadow = hooks.shadow.then(|| {
        let options = policy::Options { budget, runtime: started.runtime.handle().clone() };
        shadow::start(&source, started.events.clone(), options, &settings, &started.capabilities)
    });
    let shadow = shadow.transpose()?;
    keep_outside(&started.capabilities, &settings, started.runtime.handle());
    started.chain.executor().replace(engines, Some(aside), source)?;
    started.chain.set_shadow(shadow.map(Arc::new));
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
