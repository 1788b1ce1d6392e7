//! The HTTP server as the configuration wants it.

use std::sync::Arc;

use alerts::Confirm;
use api::{Backend, Server, Threads};
use capabilities::{Capabilities, Log};
use lua::Settings;

use crate::start::Started;

/// A listener's TLS as the HTTP server takes it.
pub fn tls(listener: &lua::settings::Listener) -> Option<api::TlsConfig> {
    listener.tls.as_ref().map(|tls| api::TlsConfig {
        certificates: tls.certificate.clone(),
        key: tls.key.clone(),
        options: tls.options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
    })
}

/// The listeners as the HTTP server takes them.
fn listeners(listeners: &[lua::settings::Listener]) -> Vec<api::Listener> {
    listeners.iter().map(|listener| api::Listener { addr: listener.addr, tls: tls(listener) }).collect()
}

/// Starts the HTTP server; must be called inside a tokio runtime.
///
/// # Errors
/// An address is taken, or threads cannot be started.
pub fn listen<B: Backend>(
    started: &Started,
    backend: Arc<B>,
    confirm: Option<Arc<Confirm>>,
    log: &Log,
) -> std::io::Result<Server<B>> {
    let (listeners, max_connections, worker_threads) = started
        .settings
        .read(|values| (listeners(&values.listeners), values.max_connections, values.worker_threads));
    if let Some(text) = unusable(&started.capabilities, &started.settings) {
        log.warn(text);
    }
    for listener in &listeners {
        for option in listener.tls.iter().flat_map(api::TlsConfig::ignored_options) {
            log.warn(format!("addListener {}: the TLS option {option} means nothing here", listener.addr));
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let settings = api::Settings {
        daemon: started.daemon,
        listeners,
        max_connections: usize::try_from(max_connections).unwrap_or(0),
        threads: Threads::Own(threads.min(usize::try_from(worker_threads).unwrap_or(1))),
        cluster: started.cluster.clone(),
        confirm,
        ..api::Settings::default()
    };
    let (server, errors) = Server::start(settings, backend)?;
    for error in errors {
        match error {
            // An address that is taken is a mistake to be told at once, not a daemon that nobody can reach.
            api::ListenerError::Bind { addr, source } => {
                let text = format!("cannot listen on {addr}: {source}");
                return Err(std::io::Error::new(source.kind(), text));
            }
            // wforce goes on without a listener whose certificate is missing, and so do existing installations.
            api::ListenerError::Tls { .. } => log.error(error.to_string()),
        }
    }
    for addr in server.addrs() {
        log.notice(format!("REST API on {addr}"));
    }
    Ok(server)
}

/// Why nobody can use the REST API of a configuration, if it is so.
pub fn unusable(capabilities: &Capabilities, settings: &Settings) -> Option<&'static str> {
    if settings.read(|values| values.listeners.is_empty()) {
        Some("no addListener() in the configuration: there is no REST API")
    } else if capabilities.access.password().is_none() {
        Some("no setWebserverPassword() in the configuration: every request to the REST API is refused")
    } else {
        None
    }
}
