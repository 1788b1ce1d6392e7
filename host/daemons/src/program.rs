//! A daemon's `main`.

use std::process::ExitCode;

use capabilities::Daemon;
use wire::Key;

use crate::arguments::{Arguments, Mode, usage};
use crate::flavour::Flavour;
use crate::{background, client, reader, serve};

/// The stack of the thread that runs the configuration: as large as a policy thread's, because a configuration can recurse
/// as deeply as a policy.
pub const STACK: usize = 512 << 20;

/// Runs the daemon, or what else its command line asks for.
pub fn main<F: Flavour>() -> ExitCode {
    let main = std::thread::Builder::new().name("main".into()).stack_size(STACK).spawn(run::<F>);
    match main.map(std::thread::JoinHandle::join) {
        Ok(Ok(status)) => status,
        // It has been told where it panicked.
        Ok(Err(_)) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{}: cannot start: {error}", F::DAEMON);
            ExitCode::from(1)
        }
    }
}

fn run<F: Flavour>() -> ExitCode {
    let program = F::DAEMON.name();
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{program}: {error}\nTry '{program} --help'.");
            return ExitCode::from(1);
        }
    };
    let serves = !(arguments.help
        || arguments.version
        || arguments.key && F::DAEMON == Daemon::Replfwd
        || arguments.client
        || arguments.check_config);
    if !serves {
        reader::may_leave();
    }
    if arguments.help {
        print!("{}", usage(F::DAEMON));
        return ExitCode::SUCCESS;
    }
    if arguments.version {
        println!("{program} (Portcullis) {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    if arguments.key {
        if F::DAEMON == Daemon::Replfwd {
            return print_key();
        }
        println!("{program}: ignoring the unknown option -k");
    }
    // The daemon goes on, as wforce does; a check would be of another file than the one that was meant.
    if let Some(option) = arguments.unknown.first()
        && arguments.check_config
    {
        eprintln!("{program}: there is no option {option}; the file is named by -C\nTry '{program} --help'.");
        return ExitCode::from(1);
    }
    for option in &arguments.unknown {
        println!("{program}: ignoring the unknown option {option}");
    }
    if arguments.client {
        return client::run(F::DAEMON, &arguments);
    }
    if arguments.mode == Mode::Background && !arguments.check_config && !background::is_child() {
        return background::start().unwrap_or_else(|error| {
            eprintln!("{program}: cannot go to the background: {error}");
            ExitCode::from(1)
        });
    }
    serve::run::<F>(&arguments)
}

/// `-k`: a new key in double quotes, as `setKey` takes it.
fn print_key() -> ExitCode {
    match Key::generate() {
        Ok(key) => {
            println!("\"{}\"", key.to_base64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot make a key: {error}");
            ExitCode::from(1)
        }
    }
}
