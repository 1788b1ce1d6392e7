//! What the whole-daemon tests share: starting a real `wforce` on addresses of its own, talking to it as a client
//! would, and waiting for what it says.
//!
//! The tests run the binary that lies beside them in the target folder (`make test` builds it first); the
//! environment variable `PORTCULLIS_WFORCE` names another. Helpers panic with what went wrong: that is how a test
//! fails. A missing tool is a failure, never a skipped test.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

pub mod address;
pub mod bash;
pub mod browser;
pub mod cluster;
pub mod daemon;
pub mod http;
pub mod imap;
pub mod lines;
pub mod markdown;
mod namespace;
pub mod netns;
pub mod notify;
pub mod osmem;
pub mod process;
pub mod receiver;
pub mod redis;
pub mod relay;
pub mod slow_dns;
pub mod small_disk;
pub mod smtp;
pub mod tools;
pub mod track;
pub mod wait;

pub use daemon::{Daemon, Launch};
pub use http::{Client, Connection, Response};
pub use wait::until;

use std::time::Duration;

/// How long a test waits for something that must happen. Long, because a busy machine is no error; a test that
/// passes never waits that long.
pub const PATIENCE: Duration = Duration::from_mins(1);
