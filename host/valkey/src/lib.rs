//! Redis and Valkey: persistence of the black- and the whitelist, and stats DBs whose counts are kept there.
//!
//! wforce's keys and values, so that both can share a server. Whatever the server does, nobody here waits for it: changes
//! are queued, one for each key, and written when it answers.
#![forbid(unsafe_code)]

mod away;
pub mod entry;
mod guests;
mod link;
mod nodes;
mod pending;
pub mod stats;
mod store;
mod target;

pub use stats::{StatsOptions, StatsOptionsError, StatsStore};
pub use store::{ListStore, Options};
pub use target::{Mode, Target, TargetError};
