//! The forwarders of other sites: checked, and handed to the cluster.

use std::sync::Arc;

use bstr::BString;
use cluster::{PeerConfig, Protocol, Table, Target};

use super::complain;
use super::replication::sibling;
use crate::console_text;
use crate::convert::Fault;
use crate::settings::Sibling;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("addReplicationForwarderDest", |state, args| {
        let row = [args.text(1)?.owned()];
        let flags = (args.boolean(2)?, args.boolean(3)?);
        add_destination(state, &row, flags);
        Ok(Ret::None)
    }),
    ("addReplicationForwarderDestWithKey", |state, args| {
        let row = [args.text(1)?.owned(), args.text(2)?.owned()];
        let flags = (args.boolean(3)?, args.boolean(4)?);
        add_destination(state, &row, flags);
        Ok(Ret::None)
    }),
    ("setReplicationForwarderDestsWithKey", |state, args| {
        let rows = args.lists(1)?;
        set(state, "setReplicationForwarderDestsWithKey", destinations, &rows, |row| {
            sibling(row).map(config)
        });
        Ok(Ret::None)
    }),
    ("removeReplicationForwarderDest", |state, args| {
        remove(state, args, "removeReplicationForwarderDest", destinations)
    }),
    ("addReplicationForwarderSrc", |state, args| {
        add(state, "addReplicationForwarderSrc", sources, source(&args.text(1)?));
        Ok(Ret::None)
    }),
    ("setReplicationForwarderSrcs", |state, args| {
        let rows = args.list(1)?;
        set(state, "setReplicationForwarderSrcs", sources, &rows, |address| source(address));
        Ok(Ret::None)
    }),
    ("removeReplicationForwarderSrc", |state, args| {
        remove(state, args, "removeReplicationForwarderSrc", sources)
    }),
    ("replicationForwarders", |state, _| {
        if let Some(cluster) = state.host.settings.cluster() {
            for line in console_text::forwarders(cluster) {
                state.host.output.line(line);
            }
        }
        Ok(Ret::None)
    }),
];

/// Which forwarders; none in a configuration that is only read again, which leaves them as they are.
type Which = fn(&State) -> Option<&Arc<Table>>;

fn destinations(state: &State) -> Option<&Arc<Table>> {
    state.host.settings.cluster().map(|cluster| cluster.destinations())
}

fn sources(state: &State) -> Option<&Arc<Table>> {
    state.host.settings.cluster().map(|cluster| cluster.sources())
}

/// A forwarder as the cluster takes it.
fn config(sibling: Sibling) -> PeerConfig {
    sibling.into()
}

/// One that is only heard.
fn source(address: &[u8]) -> Result<PeerConfig, String> {
    let target = Target::parse(address).map_err(|error| error.to_string())?;
    Ok(PeerConfig::new(Target { protocol: Protocol::None, ..target }))
}

/// `wanted`: whether it gets stats DBs, and lists.
fn add_destination(state: &State, row: &[BString], wanted: (bool, bool)) {
    let read = sibling(row).map(|sibling| PeerConfig { stats: wanted.0, lists: wanted.1, ..config(sibling) });
    add(state, "addReplicationForwarderDest", destinations, read);
}

fn add(state: &State, function: &str, which: Which, read: Result<PeerConfig, String>) {
    let added = read.and_then(|config| match which(state) {
        Some(table) => {
            table.add(config).map_err(|duplicate| format!("[{}] is there already", duplicate.addr))
        }
        None => Ok(()),
    });
    if let Err(error) = added {
        complain(state, format!("{function}: {error}"));
    }
}

fn set<R>(
    state: &State,
    function: &str,
    which: Which,
    rows: &[R],
    read: impl Fn(&R) -> Result<PeerConfig, String>,
) {
    let configs = match rows.iter().map(read).collect::<Result<Vec<_>, _>>() {
        Ok(configs) => configs,
        Err(error) => return complain(state, format!("{function}: {error}; the old ones stay")),
    };
    for duplicate in which(state).map(|table| table.set(configs)).unwrap_or_default() {
        complain(state, format!("{function}() skips duplicate [{}]", duplicate.addr));
    }
}

fn remove<'a>(state: &'a State, args: &Args<'a>, function: &str, which: Which) -> Result<Ret<'a>, Fault> {
    match Target::parse(&args.text(1)?) {
        // One that is not there is no mistake (wforce compatibility).
        Ok(gone) => drop(which(state).map(|table| table.remove(&gone))),
        Err(error) => complain(state, format!("{function}: {error}")),
    }
    Ok(Ret::None)
}
