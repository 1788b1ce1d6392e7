//! Generated from `wit/` by `scripts/bindings`.

pub mod allow;
pub mod background;
pub mod canonicalize;
pub mod endpoint;
pub mod imports;
pub mod report;
pub mod reset;
pub mod setup;
