//! What a policy that has a name is to the rest of the program: a WebAssembly component, loaded from a file, in a sandbox of
//! its own.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::call::{Call, Progress};

/// The hooks of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// Decides logins.
    Allow,
    /// Takes note of them.
    Report,
    /// Forgets.
    Reset,
    /// One spelling of a login.
    Canonicalize,
    /// Custom endpoints.
    Endpoint,
    /// Jobs.
    Background,
}

impl Hook {
    /// All of them.
    pub const ALL: [Hook; 6] =
        [Hook::Allow, Hook::Report, Hook::Reset, Hook::Canonicalize, Hook::Endpoint, Hook::Background];

    /// The name of its interface.
    pub fn name(self) -> &'static str {
        ["allow", "report", "reset", "canonicalize", "endpoint", "background"][self as usize]
    }

    /// The hook that a call is for; none for console lines.
    pub fn of(call: &Call) -> Option<Hook> {
        match call {
            Call::Allow(_) | Call::Shadow(_) => Some(Hook::Allow),
            Call::Report(_) => Some(Hook::Report),
            Call::Reset { .. } => Some(Hook::Reset),
            Call::Canonicalize(_) => Some(Hook::Canonicalize),
            Call::Custom(..) | Call::CustomGet(_) => Some(Hook::Endpoint),
            Call::Background { .. } => Some(Hook::Background),
            Call::Console(_) => None,
        }
    }
}

/// Asks a running component to end its call; it looks every few milliseconds.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Ends the call that runs.
    pub fn now(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// For the next call.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether the call has to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A loaded policy. It stays the same one when its file is loaded again.
pub trait Component: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// Says that the configuration uses this hook of it, so that a later version without it is refused.
    ///
    /// # Errors
    /// It has no such hook.
    fn require(&self, hook: Hook) -> Result<(), ComponentError>;

    /// Runs a call in an instance of its own. What goes wrong inside it has become the answer that the operator chose
    /// (`on_error`) already, except in endpoints. Replies like a Lua policy, or with [`crate::Reply::Pass`].
    fn start(self: Arc<Self>, call: &Call, stop: &Arc<Stop>) -> Progress;
}

/// Why a policy cannot be loaded or used; for the operator.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ComponentError(pub String);

/// The loaded policies of a configuration, by name.
pub trait Components: Any + Send + Sync {
    /// Loads a file under a name.
    ///
    /// # Errors
    /// It cannot be used, or the name is taken.
    fn load(&self, name: &str, path: &Path, options: &serde_json::Value) -> Result<(), ComponentError>;

    /// The policy of this name.
    fn get(&self, name: &str) -> Option<Arc<dyn Component>>;

    /// Loads its file again; calls that run end on the old version. One that cannot be used leaves the old one as it is.
    /// Returns what was done, in words.
    ///
    /// # Errors
    /// There is none of this name, or the new file cannot be used.
    fn reload(&self, name: &str) -> Result<String, ComponentError>;

    /// The names, sorted.
    fn names(&self) -> Vec<String>;

    /// A line about each, for people.
    fn lines(&self) -> Vec<String>;

    /// These take the place of others, whose configuration was read again: of each policy that both have, the version of before
    /// comes back if the new one traps on its first calls. Called before any of these is; the others do not change.
    fn follow(&self, _before: &dyn Components) {}

    /// Keeps compiled code in this folder from now on; `None`: nowhere.
    fn cache(&self, _folder: Option<std::path::PathBuf>) {}

    /// Now and then: lets go of what was not used for long, looks at watched files.
    fn tick(&self) {}
}

/// What a reload came to: each policy with what was done, or why nothing was.
pub type Reloaded = Vec<(String, Result<String, ComponentError>)>;

/// Loads every file again.
pub fn reload_all(components: &dyn Components) -> Reloaded {
    let names = components.names().into_iter();
    names.map(|name| (name.clone(), components.reload(&name))).collect()
}

/// For programs that load no components.
#[derive(Debug, Default)]
pub struct NoComponents;

impl Components for NoComponents {
    fn load(&self, _: &str, _: &Path, _: &serde_json::Value) -> Result<(), ComponentError> {
        Err(ComponentError("this program loads no WebAssembly policies".to_owned()))
    }

    fn get(&self, _: &str) -> Option<Arc<dyn Component>> {
        None
    }

    fn reload(&self, name: &str) -> Result<String, ComponentError> {
        Err(ComponentError(format!("there is no policy named \"{name}\"")))
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn lines(&self) -> Vec<String> {
        Vec::new()
    }
}
