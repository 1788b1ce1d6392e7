//! Report sinks.

use std::net::SocketAddr;

use bstr::{BStr, BString};

use super::complain;
use crate::convert::Fault;
use crate::settings::sink_address;
use crate::stack::{Args, HostFn, Ret, State};

/// The port of sinks whose address has none.
const PORT: u16 = 4501;

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("addNamedReportSink", |state, args| {
        let (name, address) = (args.text(1)?.owned(), args.text(2)?.owned());
        if let Some(addrs) = addresses(state, "addNamedReportSink", &[address]) {
            state.host.caps.sinks.add_named(BStr::new(&name), &addrs);
        }
        Ok(Ret::None)
    }),
    ("setNamedReportSinks", |state, args| {
        let (name, list) = (args.text(1)?.owned(), args.list(2)?);
        if let Some(addrs) = addresses(state, "setNamedReportSinks", &list) {
            state.host.caps.sinks.set_named(BStr::new(&name), &addrs);
        }
        Ok(Ret::None)
    }),
    ("addReportSink", |state, args| {
        deprecated(state, "addReportSink");
        if let Some(addrs) = addresses(state, "addReportSink", &[args.text(1)?.owned()]) {
            state.host.caps.sinks.add_unnamed(&addrs);
        }
        Ok(Ret::None)
    }),
    ("setReportSinks", set_unnamed),
];

fn set_unnamed<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let list = args.list(1)?;
    deprecated(state, "setReportSinks");
    if let Some(addrs) = addresses(state, "setReportSinks", &list) {
        state.host.caps.sinks.set_unnamed(&addrs);
    }
    Ok(Ret::None)
}

fn deprecated(state: &State, function: &str) {
    state.host.caps.log.error(format!("{function}() is deprecated: use named report sinks"));
}

/// All addresses, or none and a complaint.
fn addresses(state: &State, function: &str, list: &[BString]) -> Option<Vec<SocketAddr>> {
    let addrs: Result<Vec<_>, _> = list.iter().map(|text| sink_address(text, PORT)).collect();
    addrs.map_err(|error| complain(state, format!("{function}: {error}"))).ok()
}
