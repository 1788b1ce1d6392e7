//! What is logged and counted when a policy call fails.

use std::time::Duration;

use capabilities::Capabilities;
use capabilities::log::Level;

use crate::call::Call;
use crate::{Failure, FailureKind};

/// At most one line for a function and kind in this time; the next one says how many were left out. A policy that
/// fails for every login would otherwise write as much as it is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Which words are used.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Hook,
    Endpoint,
    Background,
}

impl Kind {
    pub(super) fn of(call: &Call) -> Kind {
        match call {
            Call::Custom(..) | Call::CustomGet(_) => Kind::Endpoint,
            Call::Background { .. } => Kind::Background,
            _ => Kind::Hook,
        }
    }
}

/// One metric and one log line, in wforce's words.
pub(super) fn tell(capabilities: &Capabilities, function: &str, called: Kind, failure: &Failure) {
    let kind = failure.kind.label();
    capabilities.metrics.policy_failed(function, kind);
    let mut line = match (failure.kind, called) {
        (_, Kind::Background) => format!("Lua background function [{function}] exception: "),
        (FailureKind::BadReturn, _) => format!("Exception in command [{function}] exception: "),
        (_, Kind::Endpoint) => format!("Lua custom function [{function}] exception: "),
        (_, Kind::Hook) if function == "reset" || function == "canonicalize" => {
            format!("Lua {function} function exception: ")
        }
        (_, Kind::Hook) => format!("Lua function [{function}] exception: "),
    }
    .into_bytes();
    line.extend_from_slice(&failure.told());
    capabilities.log.limited(&format!("policy {function} {kind}"), EVERY, Level::Err, line);
}
