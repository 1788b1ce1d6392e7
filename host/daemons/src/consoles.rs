//! Consoles: a line runs in every worker state first, then in the configuration's state.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bstr::{BString, ByteSlice};
use capabilities::{Daemon, Level};
use console::{BoxFuture, Executor, Notice, ServerConfig};
use parking_lot::Mutex;
use policy::{Call, Chain, Failure, Reply};

use crate::start::Started;
use crate::tool::terminal::{Style, answer};

/// Lines that tell the same come at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Runs console lines.
pub struct Lines {
    chain: Arc<Chain>,
    settings: Mutex<Arc<lua::Settings>>,
    output: Arc<lua::ConsoleBuffer>,
    /// One line at a time: the output is shared.
    turn: tokio::sync::Mutex<()>,
}

impl Lines {
    /// Lines for the states of this daemon.
    pub fn new(started: &Started) -> Lines {
        let Started { chain, settings, output, .. } = started;
        let (chain, settings, output) = (chain.clone(), settings.clone(), output.clone());
        let settings = Mutex::new(settings);
        Lines { chain, settings, output, turn: tokio::sync::Mutex::new(()) }
    }

    /// The configuration was read again: these are the settings that console lines change from now on.
    pub fn use_settings(&self, settings: Arc<lua::Settings>) {
        *self.settings.lock() = settings;
    }

    /// The text a console shows for a line.
    pub async fn run(&self, line: &[u8]) -> Vec<u8> {
        let _turn = self.turn.lock().await;
        // What an earlier line, or the configuration, asked for and nobody took.
        self.output.take_asked();
        let result = self.everywhere(line).await;
        self.take_over();
        let asked = self.output.take_asked();
        match result {
            Ok(result) if result.is_empty() => {
                let mut text = self.output.take();
                for login in asked {
                    let (result, explanation) = self.chain.rehearse(login).await;
                    text.extend_from_slice(answer(Style::plain(), &result).as_bytes());
                    text.extend_from_slice(explanation.text().as_bytes());
                }
                text
            }
            Ok(result) => result.into(),
            Err(failure) => error_text(&failure),
        }
    }

    /// A few settings may be changed while the daemon runs, also by a line that failed half way.
    fn take_over(&self) {
        // Held to the end: others must not come before these.
        let settings = self.settings.lock();
        let (hooks, ja3_attr, log_allowed) =
            settings.read(|values| (values.hooks, values.ja3_attr.clone(), values.verbose_allow_log));
        self.chain.update(|options| {
            options.hooks = hooks;
            options.ja3_attr.clone_from(&ja3_attr);
            options.log_allowed = log_allowed;
        });
    }

    async fn everywhere(&self, line: &[u8]) -> Result<BString, Failure> {
        let executor = self.chain.executor();
        let mut result = BString::default();
        for engine in 0..=executor.engines() {
            // What the workers show is not shown; the configuration's state comes last.
            self.output.take();
            match executor.call_on(engine, Call::Console(line.into())).await? {
                Reply::Text(text) => result = text,
                _ => result = BString::default(),
            }
        }
        Ok(result)
    }
}

/// `Error: MESSAGE\nstack traceback:...: `, as wforce's clients know it.
fn error_text(failure: &Failure) -> Vec<u8> {
    let mut text = b"Error: ".to_vec();
    text.extend_from_slice(&failure.reason);
    text.extend_from_slice(b": ");
    text
}

impl Executor for Lines {
    fn execute<'a>(&'a self, line: &'a [u8]) -> BoxFuture<'a, Vec<u8>> {
        Box::pin(self.run(line))
    }
}

/// Serves the control sockets that the configuration opened.
pub fn serve(started: &Started, lines: &Arc<Lines>) {
    for listener in started.settings.take_control() {
        if let Err(error) = serve_one(started, lines, listener) {
            started.capabilities.log.error(format!("cannot serve the control socket: {error}"));
        }
    }
}

fn serve_one(started: &Started, lines: &Arc<Lines>, listener: std::net::TcpListener) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let settings = started.settings.clone();
    let log = started.capabilities.log.clone();
    let config = ServerConfig::new(
        move || settings.read(|values| values.key.clone()).map(|key| key.0),
        move |notice: &Notice| {
            log.limited(notice.kind(), LOG_EVERY, Level::Warning, notice.to_string());
        },
    );
    started.runtime.spawn(console::serve(listener, Arc::new(config), lines.clone()));
    Ok(())
}

/// The console on the daemon's own terminal; returns when it was left.
pub fn foreground(daemon: Daemon, runtime: &tokio::runtime::Handle, lines: &Lines) {
    let run = |line: &[u8]| {
        let text = runtime.block_on(lines.run(line));
        if text.starts_with(b"Error: ") {
            eprintln!("{}", text.as_bstr());
            Vec::new()
        } else {
            text
        }
    };
    if let Err(error) = console::foreground(Path::new(".history"), lua::surface::completions(daemon), run) {
        eprintln!("console: {error}");
    }
}
