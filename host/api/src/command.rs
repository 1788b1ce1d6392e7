//! The tables of commands, one a daemon. Routing, metrics labels and the OpenAPI document come from them.

mod replfwd;
mod trackalert;
mod wforce;

use capabilities::Daemon;
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
    /// `report` of trackalert: taken note of later.
    TakeReport,
    /// `stats` of trackalert.
    TrackStats,
    Jobs,
    RunBackground,
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
    AddPeer(Peers),
    RemovePeer(Peers),
    SetPeers(Peers),
    GetPeers(Peers),
}

/// Daemons that messages come from or go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peers {
    /// Those that share everything.
    Siblings,
    /// Forwarders that are sent to.
    Destinations,
    /// Forwarders that are heard.
    Sources,
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
const ELSEWHERE: Answer = answer(501, schema::failure, "Valid, but this daemon has no siblings.");

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

/// Every daemon with policies has it.
const RELOAD_POLICIES: Command = Command {
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
};

/// Every daemon has it.
const READYZ: Command = Command {
    open: true,
    ..get(
        "readyz",
        Handler::Ready,
        "Whether the daemon is ready. Needs no password in the `/command/` form. `X-Portcullis-Waiting` says what it waits for; \
         `X-Portcullis-Trouble` what does not work although it serves, such as saving its state.",
        &[
            Answer { status: 200, shape: Shape::EmptyJson, about: "Ready." },
            Answer { status: 503, shape: Shape::EmptyJson, about: "Warming up." },
        ],
    )
};

/// Every daemon has it.
const LIVEZ: Command = Command {
    open: true,
    path_only: true,
    ..get(
        "livez",
        Handler::Live,
        "Whether the daemon lives. Needs no password.",
        &[Answer { status: 200, shape: Shape::EmptyHtml, about: "It does." }],
    )
};

/// The built-in commands of a daemon.
pub(crate) fn commands(daemon: Daemon) -> &'static [Command] {
    match daemon {
        Daemon::Wforce => wforce::COMMANDS,
        Daemon::Trackalert => trackalert::COMMANDS,
        Daemon::Replfwd => replfwd::COMMANDS,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn names_are_unique_in_any_case() {
        for commands in Daemon::ALL.map(commands) {
            for (at, one) in commands.iter().enumerate() {
                for other in &commands[at + 1..] {
                    assert!(!one.name.eq_ignore_ascii_case(other.name), "{}", one.name);
                }
            }
        }
    }

    #[test]
    fn only_post_commands_take_a_body() {
        for command in Daemon::ALL.into_iter().flat_map(commands) {
            assert_eq!(command.request.is_some(), command.verb == Verb::Post, "{}", command.name);
        }
    }
}
