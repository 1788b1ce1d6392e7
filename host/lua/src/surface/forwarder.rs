//! The forwarders of other sites, which replfwd sends to and hears.

use super::Kind::{Bool, List, Lists, Text};
use super::{Daemons, Entry, Group, Param, param};

const fn forwarder(name: &'static str, params: &'static [Param], doc: &'static str) -> Entry {
    Entry::config(Group::Replication, name, params, doc).not_in_client().daemons(Daemons::REPLFWD)
}

pub(super) const ENTRIES: &[Entry] = &[
    forwarder("addReplicationForwarderDest",
        &[param("address", Text), param("stats_dbs", Bool), param("lists", Bool)],
        "The forwarder of another site, which gets what siblings here send: changes of stats DBs, of lists, or both. \
         `host[:port[:protocol]]` as in `addSibling`. A bad or known address is logged and left out.")
        .default("port 4001, udp"),
    forwarder("addReplicationForwarderDestWithKey",
        &[param("address", Text), param("key", Text), param("stats_dbs", Bool), param("lists", Bool)],
        "The same with a key of its own (base64): that of the other forwarder's `setKey`. An empty one means that of `setKey` here."),
    forwarder("setReplicationForwarderDestsWithKey", &[param("forwarders", Lists)],
        "Replaces all forwarders that are sent to by lists of address and key, and optionally `\"true\"` or `\"false\"` for whether \
         stats DBs and lists are sent. If one is bad, the old ones stay."),
    forwarder("removeReplicationForwarderDest", &[param("address", Text)],
        "Removes the forwarder with this address and port from those that are sent to."),
    forwarder("addReplicationForwarderSrc", &[param("address", Text)],
        "The forwarder of another site that may send here; its port says nothing."),
    forwarder("setReplicationForwarderSrcs", &[param("addresses", List)],
        "Replaces all forwarders that may send here. If one is bad, the old ones stay."),
    forwarder("removeReplicationForwarderSrc", &[param("address", Text)],
        "Removes the forwarder with this address and port from those that may send here."),
    forwarder("replicationForwarders", &[],
        "Prints the forwarders that are sent to, then those that are heard. Not in wforce.").console(),
];
