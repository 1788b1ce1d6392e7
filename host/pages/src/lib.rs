//! Pages for people: the history of a login, and "was this you?". Reports in, HTML out; no I/O, no scripts, nothing from
//! elsewhere.
#![forbid(unsafe_code)]

pub mod confirm;
pub mod history;
mod html;
mod style;
mod words;

pub use style::POLICY;
pub use words::{device, place, verdict};
