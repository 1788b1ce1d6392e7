//! Serving: from the loaded configuration to the end.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use api::Server;
use capabilities::state::Keeper;
use capabilities::{Capabilities, Daemon, Log};
use policy::Chain;
use tokio::sync::oneshot;

use crate::alerting::Alerting;
use crate::arguments::{Arguments, Mode};
use crate::consoles::Lines;
use crate::flavour::Flavour;
use crate::http::listen;
use crate::outgoing::Outgoing;
use crate::reload::Reloads;
use crate::signals::{Signals, until_told};
use crate::start::{Started, Stop};
use crate::{background, check, consoles, outside, service, siblings, start, state};

/// How long requests in flight get to finish at the end: more than a policy's budget, less than a service manager's
/// patience.
const LAST_REQUESTS: Duration = Duration::from_secs(10);
/// How long reports that wait get to be stored at the end.
const LAST_REPORTS: Duration = Duration::from_secs(10);
/// How long log lines get to be written at the end.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Runs the daemon to its end.
pub fn run<F: Flavour>(arguments: &Arguments) -> ExitCode {
    let log = match start::open_log(F::DAEMON, arguments) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("{}: cannot start the log: {error}", F::DAEMON);
            return ExitCode::from(1);
        }
    };
    let status = match start::load(F::DAEMON, arguments, &log) {
        Err(Stop(status)) => status,
        Ok(started) if arguments.check_config => {
            let Started { capabilities, settings, runtime, place, .. } = &started;
            let complaints = check::complaints(capabilities, settings, runtime.handle());
            let verdict = check::verdict(&place.config, &complaints);
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
        Ok(started) => serve::<F>(arguments, &Arc::new(started), &log),
    };
    log.flush(LAST_LINES);
    ExitCode::from(status)
}

fn serve<F: Flavour>(arguments: &Arguments, started: &Arc<Started>, log: &Arc<Log>) -> u8 {
    let quiet = matches!(arguments.mode, Mode::Service | Mode::Background);
    if quiet {
        log.flush(LAST_LINES);
        log.set_stdout(None);
    }
    let runtime = started.runtime.clone();
    let lines = Arc::new(Lines::new(started));
    let status = runtime.block_on(async {
        // Before anybody is told that the daemon is there and may want to end it.
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => {
                log.error(format!("cannot listen for signals: {error}"));
                return 1;
            }
        };
        let flavour = match F::new(started) {
            Ok(flavour) => Arc::new(flavour),
            Err(error) => {
                log.error(format!("cannot start: {error}"));
                return 1;
            }
        };
        // Before anything is counted or restored: from here on it is known who counted what.
        if let Some(cluster) = &started.cluster {
            cluster.prepare();
        }
        // Before the first request, which must find the counts of before.
        let keeper = match state::start(started.daemon, &started.settings, &started.capabilities) {
            Ok(keeper) => keeper,
            Err(error) => {
                log.error(format!("setStateDir: {error}"));
                return 1;
            }
        };
        if let Some(cluster) = &started.cluster
            && let Err(error) = siblings::start(cluster, &started.settings, log)
        {
            log.error(error.to_string());
            return 1;
        }
        let alerting = Alerting::start(&started.capabilities, &started.settings, runtime.handle());
        let alerting = match alerting {
            Ok(alerting) => alerting,
            Err(error) => {
                log.error(format!("cannot start: {error}"));
                return 1;
            }
        };
        for policy in outside::without_store(&started.capabilities, &started.settings) {
            log.warn(format!(
                "policy \"{policy}\" may ask the report store, but there is none (setReportStore)"
            ));
        }
        if let Err(error) = open_reports(&started.capabilities, &runtime).await {
            log.error(format!("cannot start: {error}"));
            return 1;
        }
        let outgoing = Outgoing::start(&started.capabilities, &started.settings, runtime.handle());
        // It may wait for a server that is away.
        let outgoing = tokio::select! {
            outgoing = outgoing => outgoing,
            why = signals.end() => {
                log.notice(format!("{why} during the start: ending"));
                store(started, keeper, alerting).await;
                return 0;
            }
        };
        // Before the first request: if it overruns, the state that is built anew must not do again what the file did.
        started.settings.seal();
        let server = match listen(started, flavour.backend(), alerting.confirm.clone(), log) {
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
        if let Err(error) = flavour.begin(started).await {
            log.error(format!("cannot start: {error}"));
            return 1;
        }
        consoles::serve(started, &lines);
        tokio::spawn(every_second(started.chain.clone()));
        match &started.cluster {
            Some(cluster) => siblings::sync(cluster, &started.settings, server.readiness(), log),
            None => server.set_ready(true),
        }
        // What is loaded from now on is loaded beside requests.
        start::ENGINES.serving();
        service::ready();
        if let Some(interval) = service::watchdog_interval() {
            tokio::spawn(feed_watchdog(interval, started.chain.clone()));
        }
        let left = has_console(F::DAEMON, arguments).then(|| foreground(F::DAEMON, &runtime, &lines));
        let reloads = Arc::new(Reloads {
            arguments: arguments.clone(),
            started: started.clone(),
            lines: lines.clone(),
            flavour: flavour.clone(),
            loaded: Box::new(server.endpoints_reloader()),
            going: Arc::default(),
            ending: AtomicBool::new(false),
        });
        let why = until_told(signals, left, || read_again(&server, &reloads, log)).await;
        log.notice(format!("{why}: finishing the requests in flight"));
        reloads.leave();
        service::stopping();
        let cut = server.shutdown(LAST_REQUESTS).await;
        if cut > 0 {
            log.warn(format!("{cut} connections had to be cut off"));
        }
        flavour.end(started).await;
        store(started, keeper, alerting).await;
        outgoing.end().await;
        0
    });
    started.chain.executor().stop();
    if let Some(cluster) = &started.cluster {
        cluster.stop();
    }
    status
}

/// Stores what is to be there after a restart, and ends what waits for others.
async fn store(started: &Started, keeper: Option<Keeper>, alerting: Alerting) {
    if let Some(keeper) = keeper {
        keeper.finish();
    }
    alerting.end().await;
    if let Some(cluster) = &started.cluster {
        cluster.finish().await;
    }
    started.capabilities.reports.stop(LAST_REPORTS).await;
}

/// Opens the report store, if there is to be one.
async fn open_reports(
    capabilities: &Capabilities,
    runtime: &Arc<tokio::runtime::Runtime>,
) -> Result<(), String> {
    let (reports, handle) = (capabilities.reports.clone(), runtime.handle().clone());
    // It reads files, and indexes what the last process had no time for.
    let opened = tokio::task::spawn_blocking(move || reports.start(&handle)).await;
    opened.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// Whether there is a console on the daemon's own terminal. The end of its input ends the daemon, and wforce's replfwd,
/// which has no console, goes on without input: so it has one only if somebody can type.
fn has_console(daemon: Daemon, arguments: &Arguments) -> bool {
    arguments.mode == Mode::Foreground && (daemon != Daemon::Replfwd || std::io::stdin().is_terminal())
}

/// The console on the terminal, on a thread of its own; the receiver tells when it was left.
fn foreground(
    daemon: Daemon,
    runtime: &Arc<tokio::runtime::Runtime>,
    lines: &Arc<Lines>,
) -> oneshot::Receiver<()> {
    let (left, receiver) = oneshot::channel();
    let (runtime, lines) = (runtime.handle().clone(), lines.clone());
    let console = move || {
        consoles::foreground(daemon, &runtime, &lines);
        // Nobody listens any more when a signal came first.
        let _ = left.send(());
    };
    // Not joined at the end: it may be waiting for the terminal. Without a thread the receiver tells at once.
    if let Err(error) = std::thread::Builder::new().name("console".into()).spawn(console) {
        eprintln!("console: {error}");
    }
    receiver
}

/// SIGHUP: certificates, `GeoIP` databases and the configuration are read again.
fn read_again<F: Flavour>(server: &Server<F::Backend>, reloads: &Arc<Reloads<F>>, log: &Log) {
    log.notice("SIGHUP: reading the configuration, certificates and GeoIP databases again");
    for error in server.reload_tls() {
        log.error(error.to_string());
    }
    reloads.ask();
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
