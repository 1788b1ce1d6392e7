//! The one table of commands. Routing, metrics labels and the OpenAPI document come from it.

use serde_json::Value;

use crate::openapi::schema;

/// With which methods a command is called; `HEAD` counts as `GET`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// `GET` or `HEAD`
    Get,
    /// `POST`
    Post,
}

/// What runs when a command is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Handler {
    Report,
    Allow,
    Reset,
    AddList(Colour),
    DeleteList(Colour),
    GetList(Colour),
    DbStats,
    Stats,
    ReloadPolicies,
    Ping,
    Ready,
    Live,
    SyncDone,
    SyncDbs,
    DumpEntries,
    AddSibling,
    RemoveSibling,
    SetSiblings,
}

/// Which list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Colour {
    Black,
    White,
}

/// The family that counts a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Counter {
    /// `commands_total{cmd}`
    Command,
    /// Only the command stats: wforce's family leaves it out.
    Other,
}

/// The body of an answer.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// JSON of this schema.
    Json(fn() -> Value),
    /// Typed as JSON, but empty.
    EmptyJson,
    /// Typed as HTML, but empty.
    EmptyHtml,
}

/// One answer that a command can give, besides those every command can give.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) shape: Shape,
    pub(crate) about: &'static str,
}

/// One command.
pub(crate) struct Command {
    /// As in `/command/NAME` and `/?command=NAME`.
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    pub(crate) handler: Handler,
    /// The path form needs no password.
    pub(crate) open: bool,
    /// There is no `/?command=NAME`.
    pub(crate) path_only: bool,
    pub(crate) counter: Counter,
    pub(crate) about: &'static str,
    /// Schema of the request's body.
    pub(crate) request: Option<fn() -> Value>,
    pub(crate) answers: &'static [Answer],
}

const fn answer(status: u16, schema: fn() -> Value, about: &'static str) -> Answer {
    Answer { status, shape: Shape::Json(schema), about }
}

const DONE: Answer = answer(200, schema::done, "Done.");
const BAD_JSON: Answer = answer(400, schema::failure, "The body is no JSON, or `null`.");
const POLICY: Answer = answer(500, schema::failure, "The policy failed, or `remote` is no IP address.");
const INVALID: Answer = answer(
    500,
    schema::failure_or_bare,
    "A field is missing, unusable, or contradicts another; or the policy failed.",
);
const ELSEWHERE: Answer = answer(501, schema::failure, "Valid, but not available in this version.");

const fn post(
    name: &'static str,
    handler: Handler,
    about: &'static str,
    request: fn() -> Value,
    answers: &'static [Answer],
) -> Command {
    Command {
        name,
        verb: Verb::Post,
        handler,
        open: false,
        path_only: false,
        counter: Counter::Command,
        about,
        request: Some(request),
        answers,
    }
}

const fn get(
    name: &'static str,
    handler: Handler,
    about: &'static str,
    answers: &'static [Answer],
) -> Command {
    Command {
        name,
        verb: Verb::Get,
        handler,
        open: false,
        path_only: false,
        counter: Counter::Command,
        about,
        request: None,
        answers,
    }
}

/// All built-in commands. The two that are asked all day stand first, where the look-up finds them first.
pub(crate) static COMMANDS: &[Command] = &[
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
    Command {
        counter: Counter::Other,
        ..post(
            "reloadPolicies",
            Handler::ReloadPolicies,
            "Loads the files of the WebAssembly policies again: all of them, or the one that is named. One that cannot be used \
             leaves its old version running.",
            schema::reload_policies,
            &[
                answer(200, schema::reloaded, "All of them were loaded again."),
                answer(500, schema::reloaded, "Some were not; they go on as they were."),
                BAD_JSON,
            ],
        )
    },
    get(
        "ping",
        Handler::Ping,
        "Whether the daemon is there, and whether it is ready.",
        &[answer(200, schema::ping, "It is there.")],
    ),
    Command {
        open: true,
        ..get(
            "readyz",
            Handler::Ready,
            "Whether the daemon is ready. Needs no password in the `/command/` form.",
            &[
                Answer { status: 200, shape: Shape::EmptyJson, about: "Ready." },
                Answer { status: 503, shape: Shape::EmptyJson, about: "Warming up." },
            ],
        )
    },
    Command {
        open: true,
        path_only: true,
        ..get(
            "livez",
            Handler::Live,
            "Whether the daemon lives. Needs no password.",
            &[Answer { status: 200, shape: Shape::EmptyHtml, about: "It does." }],
        )
    },
    get("syncDone", Handler::SyncDone, "Ends the warm-up: the databases are there.", &[DONE]),
    post(
        "syncDBs",
        Handler::SyncDbs,
        "Asks this daemon to stream its stats DBs to another.",
        schema::sync_dbs,
        &[BAD_JSON, INVALID, ELSEWHERE],
    ),
    post(
        "dumpEntries",
        Handler::DumpEntries,
        "Asks this daemon to write its stats DBs to a TCP listener.",
        schema::dump_entries,
        &[BAD_JSON, INVALID, ELSEWHERE],
    ),
    post(
        "addSibling",
        Handler::AddSibling,
        "Adds a sibling to replicate to.",
        schema::add_sibling,
        &[BAD_JSON, INVALID, ELSEWHERE],
    ),
    post(
        "removeSibling",
        Handler::RemoveSibling,
        "Removes a sibling.",
        schema::sibling,
        &[BAD_JSON, INVALID, ELSEWHERE],
    ),
    post(
        "setSiblings",
        Handler::SetSiblings,
        "Replaces all siblings.",
        schema::set_siblings,
        &[BAD_JSON, INVALID, ELSEWHERE],
    ),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn names_are_unique_in_any_case() {
        for (at, one) in COMMANDS.iter().enumerate() {
            for other in &COMMANDS[at + 1..] {
                assert!(!one.name.eq_ignore_ascii_case(other.name), "{}", one.name);
            }
        }
    }

    #[test]
    fn only_post_commands_take_a_body() {
        for command in COMMANDS {
            assert_eq!(command.request.is_some(), command.verb == Verb::Post, "{}", command.name);
        }
    }
}
