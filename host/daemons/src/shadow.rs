//! The shadow policy of a configuration, on threads of its own.

use std::sync::Arc;

use capabilities::Capabilities;
use lua::Settings;
use policy::shadow::OnExecutor;
use policy::{BuildError, Events, Executor, Options, PolicySource, Shadow};

/// Why the shadow does not run; the daemon serves without.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// Its Lua state could not be built.
    #[error("the shadow policy cannot be built: {0}")]
    Build(#[from] BuildError),
    /// Its threads could not be started.
    #[error("the shadow policy cannot be started: {0}")]
    Start(#[from] std::io::Error),
}

/// Starts the function of `setShadowAllow` in a Lua state of its own, so that it shares nothing with the live ones.
///
/// # Errors
/// The state cannot be built, or its threads cannot be started.
pub fn start(
    source: &Arc<dyn PolicySource>,
    events: Arc<dyn Events>,
    options: Options,
    settings: &Settings,
    capabilities: &Arc<Capabilities>,
) -> Result<Shadow, ShadowError> {
    let sample = settings.read(|values| values.shadow_sample);
    let runtime = options.runtime.clone();
    let executor = Executor::start(vec![source.build()?], None, Arc::clone(source), events, options)?;
    Ok(Shadow::start(Arc::new(OnExecutor(executor)), sample, capabilities, &runtime))
}
