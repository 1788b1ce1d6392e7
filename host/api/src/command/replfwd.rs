//! The commands of replfwd.

use super::{Answer, BAD_JSON, Command, DONE, Handler, INVALID, LIVEZ, Peers, READYZ, answer, get, post};
use crate::openapi::schema;

const ALL_PEERS: &[Answer] = &[answer(200, schema::peers, "All of them.")];

const fn list(name: &'static str, peers: Peers, about: &'static str) -> Command {
    get(name, Handler::GetPeers(peers), about, ALL_PEERS)
}

pub(super) static COMMANDS: &[Command] = &[
    get("ping", Handler::Ping, "Whether the daemon is there.", &[DONE]),
    post(
        "addSibling",
        Handler::AddPeer(Peers::Siblings),
        "Adds a sibling of this site.",
        schema::add_peer,
        &[DONE, BAD_JSON, INVALID],
    ),
    post(
        "removeSibling",
        Handler::RemovePeer(Peers::Siblings),
        "Removes a sibling, by address and port.",
        schema::sibling,
        &[DONE, BAD_JSON, INVALID],
    ),
    post(
        "setSiblings",
        Handler::SetPeers(Peers::Siblings),
        "Replaces all siblings.",
        schema::set_peers,
        &[DONE, BAD_JSON, INVALID],
    ),
    list("getSiblings", Peers::Siblings, "The siblings of this site."),
    post(
        "addReplicationForwarderDest",
        Handler::AddPeer(Peers::Destinations),
        "Adds the forwarder of another site, which is sent to.",
        schema::add_peer,
        &[DONE, BAD_JSON, INVALID],
    ),
    post(
        "removeReplicationForwarderDest",
        Handler::RemovePeer(Peers::Destinations),
        "Removes a forwarder that is sent to, by address and port.",
        schema::sibling,
        &[DONE, BAD_JSON, INVALID],
    ),
    post(
        "setReplicationForwarderDests",
        Handler::SetPeers(Peers::Destinations),
        "Replaces all forwarders that are sent to.",
        schema::set_peers,
        &[DONE, BAD_JSON, INVALID],
    ),
    list("getReplicationForwarderDests", Peers::Destinations, "The forwarders that are sent to."),
    post(
        "addReplicationForwarderSrc",
        Handler::AddPeer(Peers::Sources),
        "Adds the forwarder of another site, which may send here.",
        schema::source,
        &[DONE, BAD_JSON, INVALID],
    ),
    post(
        "removeReplicationForwarderSrc",
        Handler::RemovePeer(Peers::Sources),
        "Removes a forwarder that may send here.",
        schema::source,
        &[DONE, BAD_JSON, INVALID],
    ),
    post(
        "setReplicationForwarderSrcs",
        Handler::SetPeers(Peers::Sources),
        "Replaces all forwarders that may send here.",
        schema::set_sources,
        &[DONE, BAD_JSON, INVALID],
    ),
    list("getReplicationForwarderSrcs", Peers::Sources, "The forwarders that may send here."),
    READYZ,
    LIVEZ,
];
