//! What the daemons share: from the command line to the end. What one of them does differently is its
//! [`flavour::Flavour`].
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

pub mod alerting;
pub mod arguments;
pub mod background;
pub mod check;
pub mod client;
pub mod consoles;
mod databases;
pub mod dump;
pub mod flavour;
pub mod http;
pub mod outgoing;
pub mod outside;
pub mod place;
pub mod program;
pub mod reader;
pub mod reload;
pub mod replacement;
mod restart;
pub mod serve;
pub mod service;
pub mod shadow;
pub mod siblings;
pub mod signals;
pub mod start;
pub mod state;
pub mod tool;
