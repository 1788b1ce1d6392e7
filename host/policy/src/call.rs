//! What a policy engine is to the executor: calls in, replies out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use login::{Addr, Attrs, CustomArgs, Decision, Login};

use crate::Failure;

/// One call of a policy hook, with its arguments.
#[derive(Clone, Debug)]
pub enum Call {
    /// The allow hook; replies [`Reply::Decision`].
    Allow(Arc<Login>),
    /// The allow hook of the shadow; replies [`Reply::Decision`].
    Shadow(Arc<Login>),
    /// The report hook; replies [`Reply::Done`].
    Report(Arc<Login>),
    /// The reset hook; replies [`Reply::Flag`].
    Reset {
        /// `ip`, `login`, `ja3`, `ip:login` or `ip:ja3`.
        kind: &'static str,
        /// The login, else the JA3 hash, else empty.
        name: BString,
        /// The address, else 0.0.0.0.
        ip: Addr,
    },
    /// The canonicalize hook; replies [`Reply::Text`].
    Canonicalize(BString),
    /// A custom POST endpoint; replies [`Reply::Custom`].
    Custom(Arc<str>, Arc<CustomArgs>),
    /// A custom GET endpoint; replies [`Reply::Text`].
    CustomGet(Arc<str>),
    /// A background function; replies [`Reply::Done`].
    Background {
        /// Its name.
        name: Arc<str>,
        /// How long it may take, the wait for an engine included.
        deadline: Duration,
    },
    /// A console line; replies [`Reply::Text`] with its result, empty when there is none.
    Console(BString),
}

impl Call {
    /// The function's name in logs and in the `function` label of metrics.
    pub fn function(&self) -> FunctionName {
        match self {
            Call::Allow(_) => FunctionName::BuiltIn("allow"),
            Call::Shadow(_) => FunctionName::BuiltIn("shadow"),
            Call::Report(_) => FunctionName::BuiltIn("report"),
            Call::Reset { .. } => FunctionName::BuiltIn("reset"),
            Call::Canonicalize(_) => FunctionName::BuiltIn("canonicalize"),
            Call::Custom(name, _) | Call::CustomGet(name) | Call::Background { name, .. } => {
                FunctionName::Custom(name.clone())
            }
            Call::Console(_) => FunctionName::BuiltIn("console"),
        }
    }
}

/// A hook's, custom endpoint's or background function's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionName {
    /// `allow`, `report`, `reset`, `canonicalize`, `console`.
    BuiltIn(&'static str),
    /// A custom endpoint or background function.
    Custom(Arc<str>),
}

impl std::ops::Deref for FunctionName {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            FunctionName::BuiltIn(name) => name,
            FunctionName::Custom(name) => name,
        }
    }
}

/// The reply of a custom POST endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomReply {
    /// The endpoint's first return value.
    pub success: bool,
    /// The endpoint's second: `r_attrs`, sorted by key.
    pub attrs: Attrs,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Nothing to tell.
    Done,
    /// From allow.
    Decision(Decision),
    /// From allow: no opinion. (From others: the policy has nothing to say.)
    Pass,
    /// From reset.
    Flag(bool),
    /// From canonicalize, custom GET endpoints and console lines.
    Text(BString),
    /// From custom POST endpoints.
    Custom(CustomReply),
}

/// A future behind a pointer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The rest of a call that waits for something outside (DNS, say).
pub type Suspended = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

/// How far a call got.
pub enum Progress {
    /// To its end.
    Finished(Result<Reply, Failure>),
    /// To a point where it waits. The future is polled on policy threads only, and once at once, so that it learns
    /// whom to wake; the engine gets no other call before its end.
    Suspended(Suspended),
}

/// One isolated engine, which serves one call at a time.
pub trait Policy: Send {
    /// Runs a call until it ends or waits.
    fn start(&mut self, call: Call) -> Progress;

    /// The handle that stops this engine from another thread.
    fn interrupt(&self) -> Arc<dyn Interrupt>;

    /// Makes an interrupted engine fit for the next call. Only the engine kept aside is asked: what it built up (it is
    /// the state that configured the daemon) cannot be built again. False: it is lost.
    fn recover(&mut self) -> bool {
        false
    }
}

/// Stops a running engine from outside.
pub trait Interrupt: Send + Sync {
    /// Makes the call that runs now fail at its next instruction. The engine is not used again afterwards. Called
    /// only between the start and the end of a call on a live engine.
    fn interrupt(&self);
}

/// Why an engine could not be built; the text names file, line and reason.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);

/// Builds engines: at start, and again to replace one that overran its budget.
pub trait PolicySource: Send + Sync {
    /// Builds one, ready for calls.
    ///
    /// # Errors
    /// When the configuration does not load (any more).
    fn build(&self) -> Result<Box<dyn Policy>, BuildError>;
}

/// Which hooks the configuration set; calls of others never reach an engine.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // independent facts, not a state machine
pub struct Hooks {
    /// `setAllow` was called.
    pub allow: bool,
    /// `setReport` was called.
    pub report: bool,
    /// `setReset` was called.
    pub reset: bool,
    /// `setCanonicalize` was called.
    pub canonicalize: bool,
    /// `setShadowAllow` was called.
    pub shadow: bool,
}

/// A custom endpoint that the configuration registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The command name.
    pub name: Arc<str>,
    /// A GET endpoint (text reply); else a POST endpoint.
    pub get: bool,
    /// POST only: whether the request's attrs go to the named report sinks.
    pub to_sinks: bool,
}
