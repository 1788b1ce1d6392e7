//! What tests of this crate have in common.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use capabilities::{Capabilities, Log, Options};

use crate::context::Context;

pub(crate) fn capabilities() -> Arc<Capabilities> {
    let log = Log::discard();
    Capabilities::new(Options { log, metrics_prefix: "wforce".into(), regexes: None }).unwrap()
}

pub(crate) fn context() -> Arc<Context> {
    Context::new(capabilities())
}
