//! What a component is, without a configuration.

use std::path::Path;
use std::sync::Arc;

use capabilities::{Capabilities, Daemon, Log};
use wasm::{Engines, Inspection, LoadError, Registry};

/// Why nothing can be told about a file.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It is no component.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The capabilities cannot be set up.
    #[error(transparent)]
    Capabilities(#[from] capabilities::StartError),
    /// The runtime cannot be started.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// Compiles a component, links it and starts an instance; calls none of its hooks.
///
/// # Errors
/// The file cannot be read, or is no component.
pub fn inspect(file: &Path) -> Result<Inspection, InspectError> {
    let capabilities = Capabilities::new(capabilities::Options {
        log: Log::discard(),
        metrics_prefix: Daemon::Wforce.name().to_owned(),
        regexes: None,
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let registry = Registry::new(Arc::new(Engines::default()), capabilities, runtime.handle().clone());
    Ok(registry.inspect(file)?)
}
