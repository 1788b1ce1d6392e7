//! The host's side of the contract, one file an interface. They only convert: what a function does is done by the
//! capabilities.

mod addresses;
mod alerts;
pub(crate) mod dns;
pub(crate) mod geoip;
mod lists;
mod plain;
mod reports;
mod request;
pub(crate) mod stats;
pub(crate) mod wasi;

impl crate::bindings::types::Host for crate::state::State {}
