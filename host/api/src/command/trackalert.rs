//! The commands of trackalert.

use super::{Answer, Command, Counter, DONE, Handler, LIVEZ, READYZ, RELOAD_POLICIES, answer, get, post};
use crate::openapi::schema;

/// What is wrong with the body of a report (wforce compatibility: told as the server's mistake).
const BAD_REPORT: Answer = answer(500, schema::failure, "The body is no JSON, or `null`.");
const FULL: Answer = answer(
    503,
    schema::failure,
    "Too many reports wait to be processed: this one was not taken. `Retry-After` says when to try again.",
);

pub(super) static COMMANDS: &[Command] = &[
    post(
        "report",
        Handler::TakeReport,
        "Reports a login, good or bad. The answer comes at once; the report is processed afterwards. Its time is `t`.",
        schema::login,
        &[DONE, BAD_REPORT, FULL],
    ),
    get(
        "stats",
        Handler::TrackStats,
        "Counters of the daemon.",
        &[answer(200, schema::track_stats, "The counters; `perfstats` covers the last 300 seconds.")],
    ),
    Command {
        counter: Counter::Other,
        ..get(
            "jobs",
            Handler::Jobs,
            "The background functions: when they are due, and what their last runs came to.",
            &[answer(200, schema::jobs, "The functions, in the order of the configuration.")],
        )
    },
    Command {
        counter: Counter::Other,
        ..post(
            "runBackground",
            Handler::RunBackground,
            "Starts a background function now, whatever its schedule. The answer does not wait for its end.",
            schema::run_background,
            &[
                DONE,
                answer(400, schema::failure, "The body is no JSON, or names no background function."),
                answer(409, schema::failure, "It runs already."),
                answer(503, schema::failure, "The daemon starts or ends."),
            ],
        )
    },
    RELOAD_POLICIES,
    READYZ,
    LIVEZ,
];
