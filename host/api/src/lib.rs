//! HTTP: listeners, authentication, commands, health, metrics, OpenAPI.
//!
//! A connection's way: [`Server`] accepts it and hands it to a thread; hyper reads requests from it; each one is
//! routed ([`route`]), let in or not (ACL, password), has its body read within limits, and runs a command. What the
//! commands ask for stands behind the [`Backend`] trait, which [`policy::Chain`] implements. One table holds all
//! commands; routes, metrics labels and [`openapi()`] come from it.
#![forbid(unsafe_code)]

mod answer;
mod backend;
mod body;
mod command;
mod commands;
mod connection;
pub mod credentials;
mod failure;
mod openapi;
mod pages;
mod query;
mod ready;
mod reply;
pub mod route;
mod serve;
mod server;
mod settings;
mod threads;
mod tls;
mod transport;

pub use backend::Backend;
pub use command::Verb;
pub use openapi::openapi;
pub use ready::Readiness;
pub use server::{ListenerError, Server};
pub use settings::{Limits, Listener, Settings, Threads};
pub use tls::{TlsConfig, TlsError};
