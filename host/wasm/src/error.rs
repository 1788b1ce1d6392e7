//! Everything that can go wrong with a component, in one place: what it overran, and what a trap was.

use std::time::Duration;

use policy::{Failure, FailureKind};
use wasmtime::Trap;

/// Why a component cannot be loaded. The text is for operators: it says what to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// It is something else altogether.
    #[error("{path} is no WebAssembly file: it {what}")]
    NotWasm {
        /// The file.
        path: String,
        /// What it seems to be, and what to do.
        what: &'static str,
    },
    /// It is no component.
    #[error(
        "{path} is no WebAssembly component but a core module, which has to be made a component first: \
             link it with wasm-component-ld, or run `wasm-tools component new`"
    )]
    CoreModule {
        /// The file.
        path: String,
    },
    /// It is a component that is damaged, or asks for what there is not.
    #[error("{path} is no WebAssembly component that can be used: {reason}")]
    NoComponent {
        /// The file.
        path: String,
        /// What the compiler said.
        reason: String,
    },
    /// It imports something that no policy gets.
    #[error("it imports {import}, which no policy gets: {advice}")]
    Import {
        /// What it imports.
        import: String,
        /// What to do.
        advice: String,
    },
    /// It was built against another version of the contract.
    #[error(
        "it was built against {found}, but this server speaks portcullis:policy@{}: build it again with that version of wit/",
        crate::VERSION
    )]
    Version {
        /// What it was built against.
        found: String,
    },
    /// It exports no hook.
    #[error(
        "it exports no hook: export at least one of portcullis:policy/{{allow,report,reset,canonicalize,endpoint,background}}@{}",
        crate::VERSION
    )]
    NoHook,
    /// A hook has another signature.
    #[error(
        "its export {hook} does not fit the contract: {reason}: build it again with wit/ of portcullis:policy@{}",
        crate::VERSION
    )]
    Signature {
        /// The hook.
        hook: &'static str,
        /// What differs.
        reason: String,
    },
    /// A hook that it had is gone.
    #[error(
        "the new component no longer exports {hook}, which is in use: export it, or take it out of the configuration first"
    )]
    HookGone {
        /// The hook.
        hook: &'static str,
    },
    /// It could not be started.
    #[error("it does not start: {0}")]
    Start(String),
    /// Its own check refused its settings.
    #[error("it refuses its settings: {0}")]
    Settings(String),
    /// An option of `loadPolicy` makes no sense.
    #[error("{0}")]
    Option(String),
    /// There is one of this name already.
    #[error("there is a policy of this name already")]
    Twice,
    /// There is none of this name.
    #[error("there is no policy named \"{0}\": load it with loadPolicy first")]
    Unknown(String),
    /// There is no engine.
    #[error(transparent)]
    Engine(std::sync::Arc<crate::engine::EngineError>),
}

/// A budget that a component overran inside a host function.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Overrun {
    /// Memory.
    #[error("policy memory limit of {0} MiB exceeded")]
    Memory(usize),
    /// Tables.
    #[error("policy table limit of {0} elements exceeded")]
    Table(usize),
    /// Host calls.
    #[error("policy limit of {0} host calls in one call exceeded")]
    HostCalls(u32),
}

/// Why a call of a component has no answer of its own.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    /// The label in metrics.
    pub(crate) kind: &'static str,
    /// For the log.
    pub(crate) text: String,
    /// Whether the instance is dead.
    pub(crate) trap: bool,
}

impl Trouble {
    /// The hook itself returned an error: no harm done.
    pub(crate) fn told(text: String) -> Trouble {
        Trouble { kind: "error", text, trap: false }
    }

    /// A trap, or a limit.
    pub(crate) fn of(error: &wasmtime::Error, granted: Duration) -> Trouble {
        let trouble = |kind, text: String| Trouble { kind, text, trap: true };
        if let Some(overrun) = error.downcast_ref::<Overrun>() {
            let kind = match overrun {
                Overrun::Memory(_) | Overrun::Table(_) => "memory",
                Overrun::HostCalls(_) => "host_calls",
            };
            return trouble(kind, overrun.to_string());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => {
                trouble("time", format!("policy deadline of {} ms exceeded", granted.as_millis()))
            }
            Some(Trap::OutOfFuel) => trouble("fuel", "policy fuel used up".into()),
            Some(Trap::StackOverflow) => {
                trouble("stack", "policy stack exhausted: it recursed too deeply".into())
            }
            Some(Trap::UnreachableCodeReached) => {
                trouble("trap", format!("the policy panicked (it may have logged why){}", place(error)))
            }
            Some(trap) => trouble("trap", format!("{trap}{}", place(error))),
            // The engine has no type for it that could be seen from here.
            None if error.root_cause().to_string().contains("fuel allocated for hostcalls") => {
                let most = crate::state::HOST_CALL_BYTES >> 20;
                trouble("host_calls", format!("policy limit of {most} MiB in one host call exceeded"))
            }
            None => trouble("trap", format!("{error:#}")),
        }
    }

    /// As the failure of a call that has no other answer.
    pub(crate) fn failure(&self, name: &str) -> Failure {
        let kind = match self.kind {
            "time" | "fuel" => FailureKind::Time,
            // Not of the engine that ran it: the component's own memory.
            _ => FailureKind::Error,
        };
        Failure::new(kind, format!("policy {name}: {}", self.text))
    }
}

/// Where it happened, if the component has names.
fn place(error: &wasmtime::Error) -> String {
    let Some(trace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else { return String::new() };
    let names: Vec<&str> = trace.frames().iter().filter_map(|frame| frame.func_name()).take(3).collect();
    if names.is_empty() { String::new() } else { format!(", in {}", names.join(" < ")) }
}
