//! Siblings, the start-up sync and report sinks.

use super::Kind::{Bool, Int, List, Lists, Text, Unsigned};
use super::{Daemons, Entry, Group, param};

const G: Group = Group::Replication;
const SINK: Group = Group::ReportSinks;
/// Both daemons that send to siblings.
const SHARED: Daemons = Daemons::WFORCE.and(Daemons::REPLFWD);

const fn sink(entry: Entry) -> Entry {
    entry.not_in_client()
}

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(G, "addSibling", &[param("address", Text)],
        "Another server that shares stats DBs and lists: `host[:port[:protocol]]`, protocol `udp`, `tcp` or `none`; IPv6 as \
         `[ip6]:port`. A bad or known address is logged and left out.").not_in_client().default("port 4001, udp").daemons(SHARED),
    Entry::config(G, "addSiblingWithKey", &[param("address", Text), param("key", Text)],
        "The same with a key of its own (base64); an empty one means that of `setKey`.").not_in_client().daemons(SHARED),
    Entry::config(G, "removeSibling", &[param("address", Text)],
        "Removes the sibling with this address and port.").not_in_client().daemons(SHARED),
    Entry::config(G, "setSiblings", &[param("addresses", List)],
        "Replaces all siblings. If one address is bad, the old ones stay.").not_in_client().daemons(SHARED),
    Entry::config(G, "setSiblingsWithKey", &[param("siblings", Lists)],
        "The same with lists of address and key, and optionally `\"true\"` or `\"false\"` for whether stats DBs and lists are \
         sent.").not_in_client().daemons(SHARED),
    Entry::config(G, "siblingListener", &[param("address", Text)],
        "Where siblings are heard, UDP and TCP.").not_in_client().start_only().default("none; port 4001 if left out, in replfwd 4545").daemons(SHARED),
    Entry::config(G, "setSiblingConnectTimeout", &[param("milliseconds", Int)],
        "How long a TCP connect to a sibling may take.").not_in_client().default("5000").daemons(SHARED),
    Entry::config(G, "setMaxSiblingQueueSize", &[param("messages", Unsigned)],
        "How many messages may wait for each sibling added afterwards, and for being applied.").default("5000").daemons(SHARED),
    Entry::config(G, "setNumSiblingThreads", &[param("count", Int)],
        "How many threads apply what siblings send.").start_only().default("2").daemons(SHARED),
    Entry::config(G, "setReplicationCipher", &[param("cipher", Text)],
        "What siblings are sent is encrypted with: `xsalsa20` for wforce's Debian and RPM packages, `chacha20` for its Docker \
         images. What they send may be either. Not in wforce.").default("xsalsa20").daemons(SHARED),
    Entry::config(G, "setReliableSessions", &[param("on", Bool)],
        "Whether siblings that are Portcullis, too, keep a session with each other, in which nothing is lost. Off: they send each \
         other wforce's packets. Must be the same on all nodes. Not in wforce.").start_only().default("true"),
    Entry::config(G, "setSessionJournalBytes", &[param("bytes", Unsigned)],
        "How many bytes of changes are kept for siblings whose session is down or slow. What they miss beyond that a repair finds \
         out. Not in wforce.").start_only().default("67108864"),
    Entry::config(G, "setSyncTimeout", &[param("seconds", Unsigned)],
        "How long a start-up sync may take: after that this server says that it is ready with what it has. 0 waits for ever. \
         Not in wforce.").start_only().default("600"),
    Entry::config(G, "addSyncHost",
        &[param("url", Text), param("password", Text), param("replication_address", Text), param("callback_url", Text)],
        "A server to copy the stats DBs from at the start; the first one that answers is taken. Addresses of the last call hold \
         for all.").not_in_client().start_only(),
    Entry::config(G, "setMinSyncHostUptime", &[param("seconds", Unsigned)],
        "Sync hosts must run longer than this.").start_only().default("0"),
    Entry::config(G, "siblings", &[], "Prints the siblings and what was sent and received.").console().daemons(SHARED),
    sink(Entry::config(SINK, "addNamedReportSink", &[param("name", Text), param("address", Text)],
        "Sends each report to this address by UDP; the sinks of one name take turns. Addresses only, no host names.")
        .default("port 4501")),
    sink(Entry::config(SINK, "setNamedReportSinks", &[param("name", Text), param("addresses", List)],
        "Replaces the sinks of one name. If one address is bad, nothing changes.")),
    sink(Entry::config(SINK, "addReportSink", &[param("address", Text)],
        "Deprecated: a sink without a name.")),
    sink(Entry::config(SINK, "setReportSinks", &[param("addresses", List)],
        "Deprecated: replaces the sinks without a name.")),
    Entry::config(SINK, "showReportSinks", &[], "Prints the report sinks without a name.").console(),
    Entry::config(SINK, "showNamedReportSinks", &[], "Prints the named report sinks.").console(),
];
