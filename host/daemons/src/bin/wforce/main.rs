//! `wforce`: the login-abuse policy server.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

mod check;
mod client;
mod consoles;
mod place;
mod reload;
mod serve;
mod start;

use std::process::ExitCode;

use portcullis_daemons::arguments::{Arguments, Mode, usage};
use portcullis_daemons::background;

/// Small blocks come and go on several threads all day (stats DB records, Lua values, requests): measured against the
/// system's allocator in docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The program's name in logs, metrics and file names.
pub(crate) const PROGRAM: &str = "wforce";

/// The stack of the thread that runs the configuration: as large as a policy thread's, because a configuration can recurse
/// as deeply as a policy.
pub(crate) const STACK: usize = 512 << 20;

fn main() -> ExitCode {
    let main = std::thread::Builder::new().name("main".into()).stack_size(STACK).spawn(run);
    match main.map(std::thread::JoinHandle::join) {
        Ok(Ok(status)) => status,
        // It has been told where it panicked.
        Ok(Err(_)) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{PROGRAM}: cannot start: {error}");
            ExitCode::from(1)
        }
    }
}

fn run() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{PROGRAM}: {error}\nTry '{PROGRAM} --help'.");
            return ExitCode::from(1);
        }
    };
    if arguments.help {
        print!("{}", usage(PROGRAM));
        return ExitCode::SUCCESS;
    }
    for option in &arguments.unknown {
        println!("{PROGRAM}: ignoring the unknown option {option}");
    }
    if arguments.client {
        return client::run(&arguments);
    }
    if arguments.mode == Mode::Background && !arguments.check_config && !background::is_child() {
        return background::start().unwrap_or_else(|error| {
            eprintln!("{PROGRAM}: cannot go to the background: {error}");
            ExitCode::from(1)
        });
    }
    serve::run(&arguments)
}
