//! What the `portcullis` tool does, apart from its command line.
//!
//! A [`Desk`](desk::Desk) is a whole daemon without a network: a configuration loaded for real, on a clock that moves only
//! when it is told to. Test tables, recordings and simulations are played through it.

pub mod bench;
pub mod cases;
pub mod desk;
pub mod inspect;
pub mod new;
pub mod remote;
pub mod replay;
pub mod simulate;
pub mod terminal;
pub mod time;
