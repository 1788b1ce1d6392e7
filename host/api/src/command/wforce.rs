//! The commands of wforce.

use super::{
    BAD_JSON, Colour, Command, Counter, DONE, ELSEWHERE, Handler, INVALID, LIVEZ, POLICY, Peers, READYZ,
    RELOAD_POLICIES, answer, get, post,
};
use crate::openapi::schema;

/// All commands of wforce. The two that are asked all day stand first, where the look-up finds them first.
pub(super) static COMMANDS: &[Command] = &[
    post(
        "report",
        Handler::Report,
        "Reports a login, good or bad.",
        schema::login,
        &[DONE, BAD_JSON, POLICY],
    ),
    post(
        "allow",
        Handler::Allow,
        "Asks whether a login may go on: status 0 yes, below 0 no, above 0 wait that many seconds.",
        schema::login,
        &[answer(200, schema::decision, "The decision."), BAD_JSON, POLICY],
    ),
    post(
        "reset",
        Handler::Reset,
        "Forgets what was counted for an address, a login, a JA3 hash or a pair of them, and deletes the blacklist \
         entry of exactly that.",
        schema::reset,
        &[
            DONE,
            answer(400, schema::failure, "The body is no JSON, or names none of ip, login and ja3."),
            answer(
                500,
                schema::failure_or_bare,
                "A field is unusable, or the policy's reset failed or refused.",
            ),
        ],
    ),
    post(
        "addBLEntry",
        Handler::AddList(Colour::Black),
        "Blacklists an address, network, login, JA3 hash or pair for some seconds.",
        schema::add_entry,
        &[DONE, BAD_JSON, INVALID],
    ),
    Command {
        counter: Counter::Other,
        ..post(
            "delBLEntry",
            Handler::DeleteList(Colour::Black),
            "Deletes a blacklist entry; fine if there is none.",
            schema::delete_entry,
            &[DONE, BAD_JSON, INVALID],
        )
    },
    post(
        "addWLEntry",
        Handler::AddList(Colour::White),
        "Whitelists an address, network, login, JA3 hash or pair for some seconds.",
        schema::add_entry,
        &[DONE, BAD_JSON, INVALID],
    ),
    post(
        "delWLEntry",
        Handler::DeleteList(Colour::White),
        "Deletes a whitelist entry; fine if there is none.",
        schema::delete_entry,
        &[DONE, BAD_JSON, INVALID],
    ),
    get(
        "getBL",
        Handler::GetList(Colour::Black),
        "All blacklist entries.",
        &[answer(200, schema::blacklist, "The entries.")],
    ),
    get(
        "getWL",
        Handler::GetList(Colour::White),
        "All whitelist entries.",
        &[answer(200, schema::whitelist, "The entries.")],
    ),
    post(
        "getDBStats",
        Handler::DbStats,
        "What the stats DBs and the lists know about an address, a login, a JA3 hash or a pair of them.",
        schema::key,
        &[
            answer(200, schema::db_stats, "The counts."),
            answer(
                400,
                schema::failure,
                "The body is no JSON, names nothing to look up, or names both login and ja3.",
            ),
            answer(500, schema::failure, "The policy's canonicalize failed."),
        ],
    ),
    get(
        "stats",
        Handler::Stats,
        "Counters of the daemon.",
        &[answer(200, schema::stats, "The counters; the three objects cover the last 300 seconds.")],
    ),
    RELOAD_POLICIES,
    get(
        "ping",
        Handler::Ping,
        "Whether the daemon is there, and whether it is ready.",
        &[answer(200, schema::ping, "It is there.")],
    ),
    READYZ,
    LIVEZ,
    get("syncDone", Handler::SyncDone, "Ends the warm-up: the databases are there.", &[DONE]),
    post(
        "syncDBs",
        Handler::SyncDbs,
        "Asks this daemon to stream its stats DBs to another.",
        schema::sync_dbs,
        &[DONE, BAD_JSON, INVALID, ELSEWHERE],
    ),
    post(
        "dumpEntries",
        Handler::DumpEntries,
        "Asks this daemon to write its stats DBs to a TCP listener.",
        schema::dump_entries,
        &[DONE, BAD_JSON, INVALID, ELSEWHERE, answer(503, schema::failure, "A dump is under way already.")],
    ),
    post(
        "addSibling",
        Handler::AddPeer(Peers::Siblings),
        "Adds a sibling to replicate to.",
        schema::add_sibling,
        &[DONE, BAD_JSON, INVALID, ELSEWHERE],
    ),
    post(
        "removeSibling",
        Handler::RemovePeer(Peers::Siblings),
        "Removes a sibling.",
        schema::sibling,
        &[DONE, BAD_JSON, INVALID, ELSEWHERE],
    ),
    post(
        "setSiblings",
        Handler::SetPeers(Peers::Siblings),
        "Replaces all siblings.",
        schema::set_siblings,
        &[DONE, BAD_JSON, INVALID, ELSEWHERE],
    ),
];
