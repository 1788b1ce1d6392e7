//! Log lines and counters.

use std::time::Duration;

use capabilities::log::Level;

use super::effects;
use crate::convert::Fault;
use crate::stack::{Args, HostFn, Ret, State};

/// How often a line that clients' input can cause may be repeated.
pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("debugLog", |state, args| line(state, args, Level::Debug, true)),
    ("vinfoLog", |state, args| line(state, args, Level::Info, true)),
    ("infoLog", |state, args| line(state, args, Level::Info, false)),
    ("warnLog", |state, args| line(state, args, Level::Warning, false)),
    ("errorLog", |state, args| line(state, args, Level::Err, false)),
    ("addCustomStat", |state, args| {
        let name = args.text(1)?.owned();
        effects::change(state, name.len(), move |caps| caps.custom_stats.declare(&name))
    }),
    ("incCustomStat", |state, args| {
        let name = args.text(1)?;
        if effects::kept_back(state) {
            let name = name.owned();
            return effects::later(state, name.len(), move |caps| {
                caps.custom_stats.increment(&name);
            });
        }
        state.host.caps.custom_stats.increment(&name);
        Ok(Ret::None)
    }),
];

fn line<'a>(state: &'a State, args: &Args<'a>, level: Level, verbose: bool) -> Result<Ret<'a>, Fault> {
    let (text, values) = (args.text(1)?, args.map(2)?);
    let log = &state.host.caps.log;
    if !verbose || log.verbose() {
        log.log_fields(level, &text, &values);
    }
    Ok(Ret::None)
}
