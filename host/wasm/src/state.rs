//! What belongs to one instance of a component on the host's side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use capabilities::Capabilities;
use policy::Stop;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Result, Trap};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::types::Error;
use crate::engine::{Engine, MAX_TABLE};
use crate::error::Overrun;
use crate::options::{Kind, Options};

/// Log lines of one call.
const LINES: u32 = 100;
/// Bytes that a host call may hand over.
pub(crate) const HOST_CALL_BYTES: usize = 4 << 20;
/// Bytes of one text of a login.
const TEXT: usize = 64 << 10;

/// What all instances of one version of a policy share.
pub(crate) struct Common {
    pub(crate) name: Arc<str>,
    pub(crate) options: Options,
    /// `options.settings` as the component gets them.
    pub(crate) settings: String,
    pub(crate) capabilities: Arc<Capabilities>,
    /// Where look-ups run.
    pub(crate) runtime: tokio::runtime::Handle,
    /// When the daemon started, for the monotonic clock.
    pub(crate) origin: Instant,
    /// What its instances have written to WASI's outputs.
    pub(crate) output: crate::host::wasi::Output,
}

/// Linear memory and tables of one instance.
pub(crate) struct Limits {
    memory: usize,
    pub(crate) used: usize,
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.memory {
            // Not false: then the component would fail in its own way, and nobody knew why.
            return Err(Overrun::Memory(self.memory >> 20).into());
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        if desired > MAX_TABLE { Err(Overrun::Table(MAX_TABLE).into()) } else { Ok(true) }
    }
}

/// The steps of one host call.
pub(crate) struct Steps {
    /// The engine's ticks at the last look at the time.
    seen: u64,
}

/// The store's data.
pub(crate) struct State {
    pub(crate) common: Arc<Common>,
    engine: Arc<Engine>,
    pub(crate) table: ResourceTable,
    pub(crate) limits: Limits,
    /// The login of the running call.
    pub(crate) login: Option<Arc<login::Login>>,
    /// Host calls that are left in this call.
    calls: u32,
    /// Log lines that are left in this call.
    lines: u32,
    lines_left_out: u32,
    /// Handles that it holds.
    held: usize,
    /// Of those, how many it held after its first call, which opens what a policy needs.
    held_first: Option<usize>,
    /// The running call was refused one.
    refused: bool,
    /// The name that the running call asked for last and nothing has, and a text that says of what and what makes it.
    pub(crate) missing: Option<(String, String)>,
    /// When the call must end.
    pub(crate) deadline: Instant,
    /// What it was given until then.
    pub(crate) granted: Duration,
    /// Set when the call, or the last one, has to end before.
    pub(crate) stop: Option<Arc<Stop>>,
    /// Whether it can wait for stats DBs that are kept outside.
    pub(crate) stats_wait: bool,
    wasi: Option<Box<WasiCtx>>,
}

impl State {
    pub(crate) fn new(common: Arc<Common>, engine: Arc<Engine>, wasi: bool) -> State {
        let mut table = ResourceTable::new();
        table.set_max_capacity(common.options.handles);
        State {
            wasi: wasi.then(|| Box::new(crate::host::wasi::context(&common))),
            limits: Limits { memory: common.options.memory, used: 0 },
            table,
            login: None,
            calls: common.options.host_calls,
            lines: LINES,
            lines_left_out: 0,
            held: 0,
            held_first: None,
            refused: false,
            missing: None,
            deadline: Instant::now(),
            granted: Duration::ZERO,
            stop: None,
            stats_wait: false,
            engine,
            common,
        }
    }

    /// Before a call.
    pub(crate) fn begin(
        &mut self,
        login: Option<Arc<login::Login>>,
        (began, deadline): (Instant, Instant),
        stop: Option<&Arc<Stop>>,
    ) {
        self.login = login;
        self.calls = self.common.options.host_calls;
        self.lines = LINES;
        self.refused = false;
        self.missing = None;
        self.granted = deadline.saturating_duration_since(began);
        self.deadline = deadline;
        // Mostly the one of the last call: that of the thread.
        if self.stop.as_ref().map(Arc::as_ptr) != stop.map(Arc::as_ptr) {
            self.stop = stop.cloned();
        }
    }

    /// After it.
    pub(crate) fn end(&mut self) {
        self.login = None;
        self.held_first.get_or_insert(self.held);
        if self.lines_left_out > 0 {
            let text = format!(
                "policy {}: {} log lines of one call left out",
                self.common.name, self.lines_left_out
            );
            self.common.capabilities.log.warn(text);
            self.lines_left_out = 0;
        }
    }

    /// Whether the call has to end: its time is up, or somebody stopped it.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline || self.stop.as_ref().is_some_and(|stop| stop.is_set())
    }

    /// For a host call of many steps, which [`State::in_time`] is asked before.
    pub(crate) fn steps(&self) -> Steps {
        Steps { seen: self.engine.ticks() }
    }

    /// Ends such a call as code that loops is ended: at the first tick of the engine at which its time is up.
    #[inline]
    pub(crate) fn in_time(&self, steps: &mut Steps) -> Result<()> {
        let ticks = self.engine.ticks();
        if ticks == steps.seen {
            return Ok(());
        }
        steps.seen = ticks;
        if self.is_over() { Err(Trap::Interrupt.into()) } else { Ok(()) }
    }

    /// Counts a host call.
    #[inline]
    pub(crate) fn host_call(&mut self) -> Result<()> {
        match self.calls.checked_sub(1) {
            Some(left) => {
                self.calls = left;
                Ok(())
            }
            None => Err(Overrun::HostCalls(self.common.options.host_calls).into()),
        }
    }

    /// Whether one more log line may be written.
    pub(crate) fn log_line(&mut self) -> bool {
        let may = self.lines > 0;
        if may {
            self.lines -= 1;
        } else {
            self.lines_left_out += 1;
        }
        may
    }

    /// Whether the policy may touch this; else the error for it, and a line in the log.
    pub(crate) fn granted(&self, kind: Kind, name: &str) -> Result<(), Error> {
        if self.common.options.grants.allow(kind, name) {
            return Ok(());
        }
        let name = cut(name, 200);
        let entry = kind.entry(name);
        let text = format!(
            "policy {}: {} \"{name}\" denied: its capabilities do not name it ({entry} would)",
            self.common.name,
            kind.name()
        );
        let every = Duration::from_secs(10);
        let log = &self.common.capabilities.log;
        log.limited(&format!("denied {}", self.common.name), every, capabilities::Level::Warning, text);
        Err(Error::Denied(entry))
    }

    /// A handle onto something.
    pub(crate) fn push<T: Send + 'static>(
        &mut self,
        value: T,
    ) -> Result<wasmtime::component::Resource<T>, Error> {
        let most = self.common.options.handles;
        if let Ok(handle) = self.table.push(value) {
            self.held += 1;
            return Ok(handle);
        }
        self.refused = true;
        Err(Error::Limit(format!("{most} handles of one instance")))
    }

    /// The error for a name that nothing has. A component passes on no more than the name, so what it is the name of is kept for
    /// the one who loads it; `what`: its kind, `made_by`: the function of the configuration that makes such a thing.
    pub(crate) fn unknown(&mut self, what: &str, name: String, made_by: &str) -> Error {
        let short = cut(&name, 200);
        let text =
            format!("there is no {what} \"{short}\": {made_by} makes one, before the policy is loaded");
        self.missing = Some((short.to_owned(), text));
        Error::Unknown(name)
    }

    /// The end of a handle.
    pub(crate) fn delete<T: Send + 'static>(
        &mut self,
        handle: wasmtime::component::Resource<T>,
    ) -> Result<()> {
        self.table.delete(handle)?;
        self.held = self.held.saturating_sub(1);
        Ok(())
    }

    /// How many handles it holds, once it cannot go on for long with them: the last call was refused one, or its calls opened and
    /// kept so many that half of the room there was is gone.
    pub(crate) fn leaked(&self) -> Option<usize> {
        let first = self.held_first?;
        let room = self.common.options.handles.saturating_sub(first);
        (self.refused || self.held.saturating_sub(first) > room / 2).then_some(self.held)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // Only components that import WASI are linked to it, and those get a context; any other would get one here.
        let common = &self.common;
        let ctx = self.wasi.get_or_insert_with(|| Box::new(crate::host::wasi::context(common)));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

/// The beginning of a text, cut between two characters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most { text } else { &text[..text.floor_char_boundary(most)] }
}

/// Bytes of a login as a component gets them.
pub(crate) fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    let bytes = bytes.get(..TEXT).unwrap_or(bytes);
    // Quicker than what mends, which looks at every letter.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), std::borrow::Cow::Borrowed)
}
