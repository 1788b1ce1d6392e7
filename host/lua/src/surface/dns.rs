//! DNS look-ups.

use super::Kind::{Addr, Int, Resolver, Text, Unsigned, Unsigned64};
use super::{Entry, Group, optional, param};

const G: Group = Group::Dns;
const R: &str = "Resolver";

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(G, "newDNSResolver", &[param("name", Text)], "Makes a resolver. The first one of a name wins."),
    Entry::anywhere(G, "getDNSResolver", &[param("name", Text)],
        "A handle onto a resolver. An unknown name gives a fresh one without servers, which finds nothing.")
        .returns("Resolver"),
    Entry::method(G, R, "Resolver:addResolver", &[param("ip", Text), param("port", Int)],
        "Adds a server to ask. Text that is no address is an error; adding one twice changes nothing."),
    Entry::method(G, R, "Resolver:setRequestTimeout", &[param("milliseconds", Unsigned64)],
        "How long a server may take to answer.")
        .default("1000"),
    Entry::method(G, R, "Resolver:setNumContexts", &[param("count", Unsigned)],
        "How many look-ups may be under way at once.")
        .default("256"),
    Entry::method(G, R, "Resolver:lookupAddrByName", &[param("name", Text), optional("retries", Int)],
        "IPv4 and IPv6 addresses of a name, as text; empty if there are none or nobody answered. Retries ask further servers. \
         The policy call waits, its thread does not.")
        .returns("list of strings"),
    Entry::method(G, R, "Resolver:lookupNameByAddr", &[param("address", Addr), optional("retries", Int)],
        "Names of an address, with their trailing dots.")
        .returns("list of strings"),
    Entry::method(G, R, "Resolver:lookupRBL", &[param("address", Addr), param("zone", Text), optional("retries", Int)],
        "What a DNS blocklist says of an address, as text; empty if it is not listed.")
        .returns("list of strings"),
    Entry::config(G, "showAddrByName", &[param("resolver", Resolver), param("name", Text)],
        "Prints the addresses of a name.")
        .console(),
    Entry::config(G, "showNameByAddr", &[param("resolver", Resolver), param("address", Addr)],
        "Prints the names of an address.")
        .console(),
    Entry::config(G, "showRBL", &[param("resolver", Resolver), param("address", Addr), param("zone", Text)],
        "Prints what a DNS blocklist says of an address.")
        .console(),
];
