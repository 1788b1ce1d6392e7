//! Policies as WebAssembly components: loaded from files, each call inside its limits, replaced while the server runs.
//!
//! From the outside in: a [`Registry`] has a *slot* for each name; a slot has a *version*, which is the compiled and linked
//! component with a pool of *instances*; a call runs in an instance, whose *state* on the host's side holds its handles and
//! limits; the *host* modules are the contract's functions, which only convert and call the capabilities.

mod bindings;
mod cache;
mod compile;
mod convert;
mod engine;
mod error;
mod hooks;
mod host;
mod inspect;
mod instance;
mod load;
mod lower;
mod options;
mod registry;
mod slot;
mod state;
mod version;

pub use engine::{Engine, EngineError};
pub use error::LoadError;
pub use inspect::{Inspection, Interface};
pub use options::{Grants, Kind, OnError, Options};
pub use registry::{Engines, Registry};

/// The version of the contract (`wit/`) that this server speaks.
pub const VERSION: &str = "0.1.0";
