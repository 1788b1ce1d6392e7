//! The commands of replfwd.

use super::{Command, DONE, Handler, LIVEZ, READYZ, get};

pub(super) static COMMANDS: &[Command] =
    &[get("ping", Handler::Ping, "Whether the daemon is there.", &[DONE]), READYZ, LIVEZ];
