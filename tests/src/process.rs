//! Processes that end with the test.

use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Instant;

use crate::PATIENCE;
use crate::lines::Lines;

/// A running process; killed when dropped, and by the kernel when the test's thread dies without dropping it.
pub struct Process {
    child: Child,
    /// What it prints to its standard output.
    pub stdout: Lines,
    /// What it prints to its standard error.
    pub stderr: Lines,
}

impl Process {
    /// Starts `command` with its output collected. Its standard input is as `command` says (not inherited by default).
    pub fn start(command: &Command) -> Process {
        Process::start_with_stdin(command, Stdio::null())
    }

    /// Starts `command` with `stdin` as its standard input.
    pub fn start_with_stdin(command: &Command, stdin: Stdio) -> Process {
        let mut tied = tied_to_us(command);
        let mut child = tied
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Lines::collect(child.stdout.take().unwrap());
        let stderr = Lines::collect(child.stderr.take().unwrap());
        Process { child, stdout, stderr }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The writing end of its standard input, once.
    pub fn stdin(&mut self) -> std::process::ChildStdin {
        self.child.stdin.take().expect("started with a piped stdin")
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        // The shell's own kill: every machine has it.
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name])
            .arg(self.id().to_string())
            .status();
        assert!(status.unwrap().success(), "kill -s {name} {}", self.id());
    }

    /// Waits for it to end.
    pub fn wait(&mut self) -> ExitStatus {
        // Its output ends when it does; then waiting for the process itself takes no time.
        self.stdout.to_end();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "process {} does not end", self.id());
            std::thread::yield_now();
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        // It may have ended by itself: both calls fail then, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The same command, killed by the kernel when the thread that starts it dies.
fn tied_to_us(command: &Command) -> Command {
    let mut tied = Command::new("setpriv");
    tied.arg("--pdeathsig=KILL");
    in_front(&mut tied, command);
    tied
}

/// Makes `wrapper` run `command`, in its folder and with its environment.
fn in_front(wrapper: &mut Command, command: &Command) {
    wrapper.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapper.env(name, value),
            None => wrapper.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapper.current_dir(folder);
    }
}

/// Runs a command to its end and returns what it printed. It gets no input, and is ended when it takes so long that
/// something must be wrong (exit code 124).
pub fn run(command: &mut Command) -> Output {
    let mut limited = Command::new("timeout");
    limited.arg("--kill-after=5").arg((4 * PATIENCE.as_secs()).to_string());
    in_front(&mut limited, command);
    limited.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Both of its outputs.
pub fn all_output(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs a command that must succeed and returns its standard output.
pub fn run_ok(command: &mut Command) -> String {
    let output = run(command);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}
