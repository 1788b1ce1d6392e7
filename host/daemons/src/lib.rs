//! What the daemons share: arguments, going to the background, and the service manager.
#![forbid(unsafe_code)]

pub mod arguments;
pub mod background;
pub mod service;
pub mod shadow;
