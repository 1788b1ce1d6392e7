//! `wforce.conf`: evaluation, worker states and the Lua bindings.
//!
//! The file runs once in the config state, then once in each worker state; each worker state is a [`policy::Policy`].
//! `configuration.rs` makes the passes, `vm.rs` opens states and runs the file, `engine.rs` serves calls, `bind/` holds the
//! functions, one file a topic, and `surface/` the one table of all of them.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod bind;
mod configuration;
pub mod console_text;
pub mod convert;
mod engine;
mod error;
mod interrupt;
pub mod settings;
mod stack;
pub mod surface;
pub mod vm;

pub use bind::Host;
pub use configuration::{Configuration, load, load_client, load_settings};
pub use console_text::ConsoleBuffer;
pub use settings::Settings;
