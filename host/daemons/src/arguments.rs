//! The command line of `wforce`, `trackalert` and `replfwd`.

use std::ffi::OsString;
use std::path::PathBuf;

use capabilities::Daemon;
use capabilities::log::{Facility, Level};
use lexopt::prelude::*;

/// How the daemon runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// With a console on the terminal.
    #[default]
    Foreground,
    /// `-s`: under a service manager, nothing on stdout once it runs.
    Service,
    /// `-d`: in the background.
    Background,
    /// `-D`: in the foreground without console, time stamps on stdout.
    Docker,
}

/// The command line, understood.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line
pub struct Arguments {
    /// `-C`: the configuration file.
    pub config: Option<PathBuf>,
    /// `-R`: the device regexes.
    pub regexes: Option<PathBuf>,
    /// `-c`: talk to a running daemon.
    pub client: bool,
    /// `-e`: the one command to run there.
    pub execute: Option<OsString>,
    /// `-s`, `-d`, `-D`.
    pub mode: Mode,
    /// `-f`.
    pub facility: Facility,
    /// `-l`: what goes to stdout.
    pub loglevel: Option<Level>,
    /// `-v`.
    pub verbose: bool,
    /// `--log-format json`.
    pub json: bool,
    /// `--check-config`.
    pub check_config: bool,
    /// `-k`: print a new key (replfwd).
    pub key: bool,
    /// `-h`.
    pub help: bool,
    /// `--version`.
    pub version: bool,
    /// Options nobody knows; they are told about and ignored (wforce compatibility).
    pub unknown: Vec<String>,
}

/// An argument that makes no sense; exit status 1.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ArgumentError(String);

impl From<lexopt::Error> for ArgumentError {
    fn from(error: lexopt::Error) -> Self {
        ArgumentError(error.to_string())
    }
}

impl Default for Arguments {
    fn default() -> Self {
        Arguments {
            config: None,
            regexes: None,
            client: false,
            execute: None,
            mode: Mode::default(),
            facility: Facility::DAEMON,
            loglevel: None,
            verbose: false,
            json: false,
            check_config: false,
            key: false,
            help: false,
            version: false,
            unknown: Vec::new(),
        }
    }
}

impl Arguments {
    /// Reads the arguments that follow the program's name.
    ///
    /// # Errors
    /// A value is missing or makes no sense.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, ArgumentError> {
        let mut parsed = Arguments::default();
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short('C') | Long("config") => parsed.config = Some(parser.value()?.into()),
                Short('R') | Long("regexes") => parsed.regexes = Some(parser.value()?.into()),
                Short('c') => {
                    parsed.client = true;
                    // It takes the next word as its file, whatever that is (wforce compatibility) - unless the word is
                    // another option: `-c -e X` was of no use to anybody.
                    if let Some(mut next) = parser.try_raw_args()
                        && next.peek().is_some_and(|word| !word.as_encoded_bytes().starts_with(b"-"))
                    {
                        parsed.config = next.next().map(PathBuf::from);
                    }
                }
                Long("client") => {
                    parsed.client = true;
                    parsed.config = parser.optional_value().map(PathBuf::from).or(parsed.config);
                }
                Short('e') | Long("execute") => parsed.execute = Some(parser.value()?),
                Short('s') => parsed.mode = Mode::Service,
                Short('d') => parsed.mode = Mode::Background,
                Short('D') => parsed.mode = Mode::Docker,
                Long(name @ ("systemd" | "daemon" | "docker")) => {
                    parsed.mode = match name {
                        "systemd" => Mode::Service,
                        "daemon" => Mode::Background,
                        _ => Mode::Docker,
                    };
                    // A value is allowed and says nothing (wforce compatibility).
                    let _ = parser.optional_value();
                }
                Short('f') | Long("facility") => {
                    let name = parser.value()?.string()?;
                    parsed.facility = name.parse().map_err(|error| ArgumentError(format!("{error}")))?;
                }
                Short('l') | Long("loglevel") => {
                    let text = parser.value()?.string()?;
                    let number = text.parse().map_err(|_| {
                        ArgumentError(format!("the log level must be a number from 0 to 7, not '{text}'"))
                    })?;
                    parsed.loglevel = Some(Level::from_number(number));
                }
                Long("log-format") => match parser.value()?.string()?.as_str() {
                    "json" => parsed.json = true,
                    "plain" => parsed.json = false,
                    other => {
                        return Err(ArgumentError(format!(
                            "the log format must be plain or json, not '{other}'"
                        )));
                    }
                },
                Long("check-config") => parsed.check_config = true,
                Short('k') | Long("key") => parsed.key = true,
                Short('v') | Long("verbose") => parsed.verbose = true,
                Short('h') | Long("help") => parsed.help = true,
                Short('V') | Long("version") => parsed.version = true,
                Short(letter) => parsed.unknown.push(format!("-{letter}")),
                Long(name) => {
                    parsed.unknown.push(format!("--{name}"));
                    let _ = parser.optional_value();
                }
                Value(word) => parsed.unknown.push(word.to_string_lossy().into_owned()),
            }
        }
        if parsed.execute.is_some() {
            parsed.client = true;
        }
        Ok(parsed)
    }
}

/// The text of `-h`.
pub fn usage(daemon: Daemon) -> String {
    let program = daemon.name();
    let regexes = match daemon {
        Daemon::Wforce => {
            "\n  -R, --regexes FILE      device regexes (uap-core's regexes.yaml), default: built in"
        }
        Daemon::Trackalert | Daemon::Replfwd => "",
    };
    let key = match daemon {
        Daemon::Replfwd => "\n  -k, --key               print a new key and exit",
        Daemon::Wforce | Daemon::Trackalert => "",
    };
    format!(
        "\
Usage: {program} [OPTION]...

Serving:
  -C, --config FILE       configuration, default /etc/wforce/{program}.conf{regexes}
  -s, --systemd           under a service manager: no console, logs to syslog
  -D, --docker            in a container: no console, logs with time stamps on stdout
  -d, --daemon            in the background
      --check-config      load everything, print what would be served or the first error, and exit{key}

Asking a running daemon (its address and key come from the configuration):
  -c, --client [FILE]     console
  -e, --execute COMMAND   run one command

Logs:
  -f, --facility NAME     syslog facility, default daemon
  -l, --loglevel N        what goes to stdout, 0 (least) to 7, default 6
  -v, --verbose           more of everything
      --log-format FORMAT plain or json, on stdout

  -h, --help              this text
  -V, --version
"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(words: &[&str]) -> Arguments {
        Arguments::parse(words.iter().map(OsString::from)).unwrap()
    }

    #[test]
    fn client_takes_the_next_word_as_its_file() {
        let arguments = parse(&["-c", "x.conf", "-e", "stats()"]);
        assert!(arguments.client);
        assert_eq!(arguments.config, Some("x.conf".into()));
        assert_eq!(arguments.execute, Some("stats()".into()));
    }

    #[test]
    fn client_leaves_an_option_alone() {
        let arguments = parse(&["-C", "x.conf", "-c", "-e", "stats()"]);
        assert_eq!(arguments.config, Some("x.conf".into()));
        assert_eq!(arguments.execute, Some("stats()".into()));
    }

    #[test]
    fn execute_alone_is_client_mode() {
        assert!(parse(&["-e", "stats()"]).client);
    }

    #[test]
    fn unknown_options_are_kept_for_a_notice() {
        assert_eq!(parse(&["-x", "--what=ever", "-s"]).unknown, ["-x", "--what"]);
    }

    #[test]
    fn long_modes_take_a_value_that_says_nothing() {
        assert_eq!(parse(&["--docker=yes"]).mode, Mode::Docker);
        assert_eq!(parse(&["--systemd"]).mode, Mode::Service);
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [&["-l", "abc"][..], &["-f", "nosuch"], &["--log-format", "x"], &["-C"]] {
            assert!(Arguments::parse(words.iter().map(OsString::from)).is_err(), "{words:?}");
        }
    }
}
