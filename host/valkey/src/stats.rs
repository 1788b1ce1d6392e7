//! Stats DBs whose counts are kept in a server, for all daemons that share it.

mod cache;
mod options;
mod pace;
mod parts;
mod plan;
mod store;
pub mod value;

pub use options::{StatsOptions, StatsOptionsError};
pub use store::StatsStore;
