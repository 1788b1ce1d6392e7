//! The commands of trackalert.

use super::{Answer, Command, DONE, Handler, LIVEZ, READYZ, answer, get, post};
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
    READYZ,
    LIVEZ,
];
