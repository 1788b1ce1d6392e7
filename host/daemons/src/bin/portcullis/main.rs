//! `portcullis`: the tool for those who write policies, and for their CI.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

mod bench;
mod check;
mod history;
mod inspect;
mod jobs;
mod login_arguments;
mod new;
mod replay;
mod run;
mod simulate;
mod test;

use std::process::ExitCode;

use lexopt::prelude::*;

/// The same as the daemon's, so that `bench` measures what it will run with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The stack of the thread that runs the configuration: as large as a policy thread's.
const STACK: usize = 512 << 20;

/// How it ended, apart from errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// As it should be: exit code 0.
    Fine,
    /// What was expected is not so: exit code 1.
    Unexpected,
}

/// What keeps it from working: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Trouble(String);

impl Trouble {
    pub(crate) fn new(text: impl std::fmt::Display) -> Self {
        Self(text.to_string())
    }
}

impl From<lexopt::Error> for Trouble {
    fn from(error: lexopt::Error) -> Self {
        Self(format!("{error}\nTry 'portcullis --help'."))
    }
}

pub(crate) type Outcome = Result<Status, Trouble>;

const USAGE: &str = "\
Usage: portcullis COMMAND [OPTION]...

  run CONFIG [LOGIN]      asks about one login and says why it was decided so
  check CONFIG            loads a configuration as the daemon would, and says what it serves
  test CASES.toml...      plays tables of logins and compares the decisions with the expected ones
  replay FILE CONFIG [CONFIG]
                          plays a recording; tells the differences and who would be locked out
  bench CONFIG [LOGIN]    measures the allow and report functions
  new --lang LANGUAGE FOLDER
                          makes a project for a policy, in rust, python, js or c
  inspect FILE.wasm...    says what components ask for and offer, and whether they can be loaded
  simulate [NAME=]CONFIG...
                          plays a day of people and attackers; tells what is caught and who is locked out by mistake
  history [CONFIG] --login NAME | --ip NETWORK
                          logins of a running trackalert, newest first
  jobs [CONFIG]           the background functions of a running trackalert: next run, last result

LOGIN:
  --login NAME  --remote ADDRESS  --pwhash HASH  --protocol NAME  --device-id TEXT  --session-id TEXT
  --fail-type TEXT  --attr NAME=VALUE...  --tls  --success  --json-login JSON  (the other options come after it)

Options:
  --json                  for machines (all commands)
  -v, --verbose           also what the policy logs, on standard error
  check:    --daemon NAME wforce, or trackalert (which `trackalert.conf` is of by its name)
  run:      --report      reports the login instead;  --times N  that often, then asks
  test:     --only TEXT   cases whose name has this in it
  replay:   --most N      differences and logins that are named, default 20
  bench:    --calls N     default 100000
  history:  --since 7d|DAY  --until DAY  --good  --failed  --limit N, default 50; and as jobs: --url --password-file --ca
  jobs:     --url URL  --password-file FILE  --ca FILE  --run NAME  instead of CONFIG; starts a background function
  new:      --sdk FOLDER  the SDK for Rust: guest-sdk of a checkout, or the URL of its repository
  simulate: --seed N  --scale PART  --write FILE  between its <!-- simulation --> marks
  -h, --help              this text
  -V, --version

Exit codes: 0 as expected; 1 not as expected (a failed case, a difference, a mistake in a configuration that is checked, a
component that cannot be loaded); 2 wrong usage, or a file or configuration that cannot be used.
";

fn main() -> ExitCode {
    portcullis_daemons::reader::may_leave();
    let main = std::thread::Builder::new().name("main".into()).stack_size(STACK).spawn(dispatch);
    match main.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(Status::Fine))) => ExitCode::SUCCESS,
        Ok(Ok(Ok(Status::Unexpected))) => ExitCode::from(1),
        Ok(Ok(Err(trouble))) => {
            eprintln!("portcullis: {trouble}");
            ExitCode::from(2)
        }
        // It has been told where it panicked.
        Ok(Err(_)) => ExitCode::from(2),
        Err(error) => {
            eprintln!("portcullis: cannot start: {error}");
            ExitCode::from(2)
        }
    }
}

fn dispatch() -> Outcome {
    let mut arguments = lexopt::Parser::from_env();
    let command = match arguments.next()? {
        None => return Err(Trouble::new(format!("no command\n\n{USAGE}"))),
        Some(Short('h') | Long("help")) => {
            print!("{USAGE}");
            return Ok(Status::Fine);
        }
        Some(Short('V') | Long("version")) => {
            println!("portcullis {}", env!("CARGO_PKG_VERSION"));
            return Ok(Status::Fine);
        }
        Some(Value(command)) => command.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    // Directly after the command: anywhere else it may be a value.
    if std::env::args_os().nth(2).is_some_and(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return Ok(Status::Fine);
    }
    match command.as_str() {
        "run" => run::run(arguments),
        "check" => check::run(arguments),
        "test" => test::run(arguments),
        "replay" => replay::run(arguments),
        "bench" => bench::run(arguments),
        "inspect" => inspect::run(arguments),
        "history" => history::run(arguments),
        "jobs" => jobs::run(arguments),
        "new" => new::run(arguments),
        "simulate" => simulate::run(arguments),
        "help" => {
            print!("{USAGE}");
            Ok(Status::Fine)
        }
        other => Err(Trouble::new(format!("there is no command {other}\nTry 'portcullis --help'."))),
    }
}
