//! A `wforce` (or another daemon) of the test's own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::http::{Client, Connection};
use crate::lines::Lines;
use crate::notify::Notify;
use crate::process::{self, Process};
use crate::{address, tools};

/// The password of every daemon the tests start.
pub const PASSWORD: &str = "supersecret";

/// The key of its control socket.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// How to start a daemon: files in a folder of its own, arguments, environment.
pub struct Launch {
    program: &'static str,
    folder: TempDir,
    config: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    password: &'static str,
    /// Where the REST API will listen.
    pub http: SocketAddr,
    /// Where the control socket will listen.
    pub control: SocketAddr,
}

impl Launch {
    /// `config` is the text of `wforce.conf`. A listener, a password, a control socket and a key are added at its end,
    /// so that line numbers stay.
    pub fn new(config: &str) -> Launch {
        let mut launch = Launch::bare(config);
        if !config.is_empty() && !config.ends_with('\n') {
            launch.config.push('\n');
        }
        let Launch { http, control, .. } = launch;
        let ending = format!(
            "addListener(\"{http}\", false, \"\", \"\", {{}})\nsetWebserverPassword(\"{PASSWORD}\")\n\
             controlSocket(\"{control}\")\nsetKey(\"{KEY}\")\n"
        );
        launch.config.push_str(&ending);
        launch
    }

    /// As [`Launch::new`], for a `trackalert`.
    pub fn trackalert(config: &str) -> Launch {
        Launch { program: "trackalert", ..Launch::new(config) }
    }

    /// This program instead of `wforce`.
    #[must_use]
    pub fn program(mut self, program: &'static str) -> Launch {
        self.program = program;
        self
    }

    /// `config` is the whole text of `wforce.conf`.
    pub fn bare(config: &str) -> Launch {
        Launch {
            program: "wforce",
            folder: TempDir::with_prefix("portcullis-").unwrap(),
            config: config.to_owned(),
            arguments: vec!["-D".to_owned()],
            environment: Vec::new(),
            password: PASSWORD,
            http: address::fresh(),
            control: address::fresh(),
        }
    }

    /// The shipped policy and demo configuration; only its addresses become the test's own.
    pub fn demo() -> Launch {
        let config = fs::read_to_string(tools::workspace().join("policies/wforce.conf")).unwrap();
        let mut launch = Launch::bare("").shipped_policies();
        launch.password = "secret";
        launch.config = config
            .replace("127.0.0.1:8084", &launch.http.to_string())
            .replace("127.0.0.1:4004", &launch.control.to_string());
        launch
    }

    /// Listens where another daemon did.
    #[must_use]
    pub fn at(mut self, http: SocketAddr) -> Launch {
        self.config = self.config.replace(&self.http.to_string(), &http.to_string());
        self.http = http;
        self
    }

    /// Puts a file beside the configuration.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Launch {
        fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    /// Adds a line at the end of the configuration.
    #[must_use]
    pub fn with_line(mut self, line: &str) -> Launch {
        self.config.push_str(line);
        self.config.push('\n');
        self
    }

    /// Puts the shipped policies beside the configuration.
    #[must_use]
    pub fn shipped_policies(mut self) -> Launch {
        for entry in fs::read_dir(tools::workspace().join("policies")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "lua") {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                self = self.file(&name, fs::read(&path).unwrap());
            }
        }
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Launch {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Replaces all arguments (`-D`, docker mode, is there from the start).
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Launch {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Launch {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The folder of the configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self) -> Command {
        let config = self.folder.path().join(self.program).with_extension("conf");
        fs::write(&config, &self.config).unwrap();
        let mut command = Command::new(tools::program(self.program));
        command.args(&self.arguments).arg("-C").arg(config);
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the daemon and waits until it says that it is ready.
    pub fn start(self) -> Daemon {
        self.start_with_stdin(Stdio::null())
    }

    /// Starts the daemon with a pipe as its standard input, and waits until it is ready.
    pub fn start_with_console(self) -> Daemon {
        self.start_with_stdin(Stdio::piped())
    }

    fn start_with_stdin(self, stdin: Stdio) -> Daemon {
        let mut command = self.command();
        let notify = Notify::in_folder(self.folder.path());
        command.env("NOTIFY_SOCKET", notify.path());
        let mut process = Process::start_with_stdin(&command, stdin);
        if let Err(seen) = notify.wait_for("READY=1", || process.is_running()) {
            panic!(
                "{command:?} did not get ready ({seen:?}):\n{:#?}\n{:#?}",
                process.stdout.all(),
                process.stderr.all()
            );
        }
        let Launch { program, folder, password, http, control, .. } = self;
        Daemon { program, process, notify, http, control, password, folder }
    }

    /// Starts the daemon and waits for nothing.
    pub fn spawn(&self) -> Process {
        Process::start(&self.command())
    }

    /// Starts the daemon expecting it to end by itself, and returns how it ended and what it printed.
    pub fn run(&self) -> Output {
        process::run(&mut self.command())
    }
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    program: &'static str,
    /// The process and what it prints.
    pub process: Process,
    /// What it tells the service manager.
    pub notify: Notify,
    /// Where its REST API listens.
    pub http: SocketAddr,
    /// Where its control socket listens.
    pub control: SocketAddr,
    password: &'static str,
    folder: TempDir,
}

impl Daemon {
    /// A daemon with this `wforce.conf`, in docker mode.
    pub fn start(config: &str) -> Daemon {
        Launch::new(config).start()
    }

    /// A client with the right password.
    pub fn client(&self) -> Client {
        Client { address: self.http, credentials: Some(format!("wforce:{}", self.password)) }
    }

    /// A connection to the REST API.
    pub fn connect(&self) -> Connection {
        Connection::open(self.http)
    }

    /// The log lines on its standard output.
    pub fn log(&self) -> &Lines {
        &self.process.stdout
    }

    /// The folder of its configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join(self.program).with_extension("conf")
    }

    /// Runs one command through the console client and returns the client's whole output.
    pub fn console(&self, command: &str) -> Output {
        process::run(
            Command::new(tools::program(self.program))
                .arg("-C")
                .arg(self.config())
                .args(["-e", command, "-c"]),
        )
    }

    /// Runs one command through the console client and returns the answer: what follows the line that tells where the
    /// client connects to, without its last newline.
    pub fn execute(&self, command: &str) -> String {
        let output = self.console(command);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let connecting = format!("Connecting to {}\n", self.control);
        let Some((_, answer)) = text.split_once(&connecting) else {
            panic!("no {connecting:?} in {text:?}, {}", String::from_utf8_lossy(&output.stderr))
        };
        answer.strip_suffix('\n').unwrap_or(answer).to_owned()
    }

    /// Asks it to end (SIGTERM) and returns how it ended.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        self.process.signal("TERM");
        self.process.wait()
    }
}
