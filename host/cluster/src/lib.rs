//! Siblings, reliable sessions, start-up sync, forwarder.
#![forbid(unsafe_code)]

pub mod session;
