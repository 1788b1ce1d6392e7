//! Serving: from the loaded configuration to the end.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use api::{Server, Threads};
use capabilities::Log;
use policy::Chain;
use portcullis_daemons::arguments::{Arguments, Mode};
use portcullis_daemons::{background, service};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::consoles::Lines;
use crate::start::{Started, Stop};
use crate::{check, consoles, reload, start};

/// How long requests in flight get to finish at the end: more than a policy's budget, less than a service manager's
/// patience.
const LAST_REQUESTS: Duration = Duration::from_secs(10);
/// How long log lines get to be written at the end.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Runs the daemon to its end.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let log = match start::open_log(arguments) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("{}: cannot start the log: {error}", crate::PROGRAM);
            return ExitCode::from(1);
        }
    };
    let status = match start::load(arguments, &log) {
        Err(Stop(status)) => status,
        Ok(started) if arguments.check_config => {
            let verdict = check::verdict(&started, &check::complaints(&started));
            started.chain.executor().stop();
            if let Some(mistake) = verdict {
                log.error(mistake);
                1
            } else {
                log.flush(LAST_LINES);
                print!("{}", check::summary(&started));
                0
            }
        }
        Ok(started) => serve(arguments, &started, &log),
    };
    log.flush(LAST_LINES);
    ExitCode::from(status)
}

fn serve(arguments: &Arguments, started: &Started, log: &Arc<Log>) -> u8 {
    let quiet = matches!(arguments.mode, Mode::Service | Mode::Background);
    if quiet {
        log.flush(LAST_LINES);
        log.set_stdout(None);
    }
    let runtime = started.runtime.clone();
    let lines = Arc::new(Lines::new(started));
    let status = runtime.block_on(async {
        // Before anybody is told that the daemon is there and may want to end it.
        let signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => {
                log.error(format!("cannot listen for signals: {error}"));
                return 1;
            }
        };
        let server = match listen(started, log) {
            Ok(server) => server,
            Err(error) => {
                log.error(format!("cannot start the HTTP server: {error}"));
                return 1;
            }
        };
        if arguments.mode == Mode::Background
            && let Err(error) = background::detach()
        {
            log.error(format!("cannot go to the background: {error}"));
            return 1;
        }
        consoles::serve(started, &lines);
        tokio::spawn(every_second(started.chain.clone()));
        started.settings.seal();
        server.set_ready(true);
        service::ready();
        if let Some(interval) = service::watchdog_interval() {
            tokio::spawn(feed_watchdog(interval, started.chain.clone()));
        }
        let left = (arguments.mode == Mode::Foreground).then(|| foreground(&runtime, &lines));
        let why = until_told(signals, left, &server, (arguments, started, &*lines), log).await;
        log.notice(format!("{why}: finishing the requests in flight"));
        service::stopping();
        let cut = server.shutdown(LAST_REQUESTS).await;
        if cut > 0 {
            log.warn(format!("{cut} connections had to be cut off"));
        }
        0
    });
    started.chain.executor().stop();
    status
}

/// A listener's TLS as the HTTP server takes it.
pub(crate) fn tls(listener: &lua::settings::Listener) -> Option<api::TlsConfig> {
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

/// Starts the HTTP server.
fn listen(started: &Started, log: &Log) -> std::io::Result<Server<Chain>> {
    let (listeners, max_connections, worker_threads) = started
        .settings
        .read(|values| (listeners(&values.listeners), values.max_connections, values.worker_threads));
    if listeners.is_empty() {
        log.warn("no addListener() in the configuration: there is no REST API");
    }
    for listener in &listeners {
        for option in listener.tls.iter().flat_map(api::TlsConfig::ignored_options) {
            log.warn(format!("addListener {}: the TLS option {option} means nothing here", listener.addr));
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let settings = api::Settings {
        listeners,
        max_connections: usize::try_from(max_connections).unwrap_or(0),
        threads: Threads::Own(threads.min(usize::try_from(worker_threads).unwrap_or(1))),
        ..api::Settings::default()
    };
    let (server, errors) = Server::start(settings, started.chain.clone())?;
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

/// The console on the terminal, on a thread of its own; the receiver tells when it was left.
fn foreground(runtime: &Arc<tokio::runtime::Runtime>, lines: &Arc<Lines>) -> oneshot::Receiver<()> {
    let (left, receiver) = oneshot::channel();
    let (runtime, lines) = (runtime.handle().clone(), lines.clone());
    let console = move || {
        consoles::foreground(&runtime, &lines);
        // Nobody listens any more when a signal came first.
        let _ = left.send(());
    };
    // Not joined at the end: it may be waiting for the terminal. Without a thread the receiver tells at once.
    if let Err(error) = std::thread::Builder::new().name("console".into()).spawn(console) {
        eprintln!("console: {error}");
    }
    receiver
}

/// The signals the daemon listens for.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Waits for a signal to end, or for the terminal's console to be left; says which it was.
async fn until_told(
    mut signals: Signals,
    left: Option<oneshot::Receiver<()>>,
    server: &Server<Chain>,
    configured: (&Arguments, &Started, &Lines),
    log: &Log,
) -> &'static str {
    let left = async {
        match left {
            Some(left) => {
                // An error means that the console's thread is gone: the same.
                let _ = left.await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::pin!(left);
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return "SIGTERM",
            _ = signals.interrupt.recv() => return "SIGINT",
            _ = signals.quit.recv() => return "SIGQUIT",
            () = &mut left => return "the console was left",
            _ = signals.hangup.recv() => read_again(server, configured, log),
        }
    }
}

/// SIGHUP: certificates, `GeoIP` databases and the configuration are read again.
fn read_again(
    server: &Server<Chain>,
    (arguments, started, lines): (&Arguments, &Started, &Lines),
    log: &Log,
) {
    log.notice("SIGHUP: reading the configuration, certificates and GeoIP databases again");
    for error in server.reload_tls() {
        log.error(error.to_string());
    }
    let capabilities = started.capabilities.clone();
    // It reads files, and logs what came of it.
    tokio::task::spawn_blocking(move || capabilities.geoip.reload());
    // This thread only waits for signals, so it may wait for this, too. The configuration needs a thread with a stack as large
    // as that of the one it ran on at the start, and outside of the runtime.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("reload".into()).stack_size(crate::STACK);
        let spawned = thread.spawn_scoped(scope, || reload::run(arguments, started, lines));
        if let Err(error) = spawned {
            log.error(format!("cannot read the configuration again: {error}"));
        }
    });
}

/// The work of each second.
async fn every_second(chain: Arc<Chain>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let capabilities = chain.capabilities();
        capabilities.tick(capabilities.clock.now());
        let components = chain.components();
        // It may load a file again, which takes a while. A tick that comes late is not made up for.
        if tokio::task::spawn_blocking(move || components.tick()).await.is_err() {
            capabilities.log.error("looking after the WebAssembly policies failed");
        }
    }
}

/// Tells the service manager that the daemon is alive, as long as the runtime turns and the policies' watchdog looks at
/// the calls.
async fn feed_watchdog(interval: Duration, chain: Arc<Chain>) {
    let mut beats = tokio::time::interval(interval);
    loop {
        beats.tick().await;
        if chain.executor().alive() {
            service::alive();
        }
    }
}
