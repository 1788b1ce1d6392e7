//! `-c` and `-e`: a console on a running daemon.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use capabilities::log::{self, Level, Log};
use capabilities::{Capabilities, Daemon, Options};
use console::{CipherChoice, ClientOptions};

use crate::arguments::Arguments;
use crate::{place, start};

/// The client; its exit status is 1 if anything failed.
pub fn run(daemon: Daemon, arguments: &Arguments) -> ExitCode {
    match try_run(daemon, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            println!("{text}");
            ExitCode::from(1)
        }
    }
}

/// Where the client looks for the daemon if its configuration does not say.
fn console_port(daemon: Daemon) -> u16 {
    match daemon {
        Daemon::Trackalert => console::TRACKALERT_PORT,
        Daemon::Wforce | Daemon::Replfwd => console::WFORCE_PORT,
    }
}

fn try_run(daemon: Daemon, arguments: &Arguments) -> Result<(), String> {
    let options = log::Options {
        syslog: None,
        stdout: Some(arguments.loglevel.unwrap_or(Level::Warning)),
        verbose: arguments.verbose,
        ..log::Options::new(daemon.name())
    };
    let log = Log::start(options).map_err(|error| format!("cannot start: {error}"))?;
    let place = place::enter(daemon, arguments);
    for warning in &place.warnings {
        log.warn(warning);
    }
    if let Some(text) = place.unreadable {
        return Err(text);
    }
    // A client needs no device regexes of its own.
    let options = Options { log: log.clone(), metrics_prefix: daemon.name().to_owned(), regexes: None };
    let capabilities = Capabilities::new(options).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let settings = lua::load_client(&place.source, start::host(daemon, arguments, &capabilities, &runtime))
        .map_err(|error| format!("Fatal Lua error: {error}"))?;
    log.flush(std::time::Duration::from_secs(1));
    let (key, control) = settings.read(|values| (values.key.clone(), values.control.last().copied()));
    let Some(key) = key else {
        return Err(format!(
            "{} sets no key, so there is no console: add the server's setKey(\"...\")",
            place.config.display()
        ));
    };
    let addr = control.unwrap_or(SocketAddr::from(([127, 0, 0, 1], console_port(daemon))));
    let options = ClientOptions {
        addr,
        key: key.0,
        cipher: CipherChoice::Auto,
        config: place.config.clone(),
        history: PathBuf::from(".history"),
        commands: lua::surface::completions(daemon),
    };
    let mut out = std::io::stdout();
    let result = match &arguments.execute {
        Some(line) => console::execute(&options, line.as_encoded_bytes(), &mut out),
        None => console::interactive(&options, &mut out),
    };
    result.map_err(|error| error.to_string())
}
