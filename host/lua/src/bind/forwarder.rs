//! The forwarders of other sites: checked, and handed to the cluster.

use std::net::SocketAddr;
use std::sync::Arc;

use bstr::BString;
use cluster::{Cluster, PeerConfig, Protocol, Table, Target};

use super::complain;
use super::replication::sibling;
use crate::console_text;
use crate::convert::Fault;
use crate::settings::{Replication, Sibling};
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
        set(state, "setReplicationForwarderDestsWithKey", DESTINATIONS, &rows, |row| {
            sibling(row).map(config)
        });
        Ok(Ret::None)
    }),
    ("removeReplicationForwarderDest", |state, args| {
        remove(state, args, "removeReplicationForwarderDest", DESTINATIONS)
    }),
    ("addReplicationForwarderSrc", |state, args| {
        add(state, "addReplicationForwarderSrc", SOURCES, source(&args.text(1)?));
        Ok(Ret::None)
    }),
    ("setReplicationForwarderSrcs", |state, args| {
        let rows = args.list(1)?;
        set(state, "setReplicationForwarderSrcs", SOURCES, &rows, |address| source(address));
        Ok(Ret::None)
    }),
    ("removeReplicationForwarderSrc", |state, args| {
        remove(state, args, "removeReplicationForwarderSrc", SOURCES)
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

/// Which forwarders. A configuration that is only read again has no cluster attached: what it names is kept until it
/// takes the place of the old one.
#[derive(Clone, Copy)]
struct Which {
    table: fn(&Cluster) -> &Arc<Table>,
    kept: fn(&mut Replication) -> &mut Vec<PeerConfig>,
}

const DESTINATIONS: Which =
    Which { table: Cluster::destinations, kept: |replication| &mut replication.destinations };
const SOURCES: Which = Which { table: Cluster::sources, kept: |replication| &mut replication.sources };

impl Which {
    fn table<'a>(&self, state: &'a State) -> Option<&'a Arc<Table>> {
        state.host.settings.cluster().map(|cluster| (self.table)(cluster))
    }

    fn change<R>(&self, state: &State, change: impl FnOnce(&mut Vec<PeerConfig>) -> R) -> R {
        state.host.settings.change(|values| change((self.kept)(&mut values.replication)))
    }
}

/// Adds one unless its address is there; true if it was added.
fn keep(kept: &mut Vec<PeerConfig>, config: PeerConfig) -> bool {
    let new = kept.iter().all(|known| known.target.addr != config.target.addr);
    if new {
        kept.push(config);
    }
    new
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
    add(state, "addReplicationForwarderDest", DESTINATIONS, read);
}

fn add(state: &State, function: &str, which: Which, read: Result<PeerConfig, String>) {
    let added = read.and_then(|config| {
        let addr = config.target.addr;
        let added = match which.table(state) {
            Some(table) => table.add(config).is_ok(),
            None => which.change(state, |kept| keep(kept, config)),
        };
        if added { Ok(()) } else { Err(format!("[{addr}] is there already")) }
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
    let duplicates: Vec<SocketAddr> = match which.table(state) {
        Some(table) => table.set(configs).into_iter().map(|duplicate| duplicate.addr).collect(),
        None => which.change(state, |kept| {
            kept.clear();
            let addrs = configs.into_iter().map(|config| (config.target.addr, keep(kept, config)));
            addrs.filter(|(_, kept)| !kept).map(|(addr, _)| addr).collect()
        }),
    };
    for addr in duplicates {
        complain(state, format!("{function}() skips duplicate [{addr}]"));
    }
}

fn remove<'a>(state: &'a State, args: &Args<'a>, function: &str, which: Which) -> Result<Ret<'a>, Fault> {
    match Target::parse(&args.text(1)?) {
        // One that is not there is no mistake (wforce compatibility).
        Ok(gone) => match which.table(state) {
            Some(table) => drop(table.remove(&gone)),
            None => which.change(state, |kept| kept.retain(|known| known.target.addr != gone.addr)),
        },
        Err(error) => complain(state, format!("{function}: {error}")),
    }
    Ok(Ret::None)
}
