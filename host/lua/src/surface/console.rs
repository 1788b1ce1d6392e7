//! What is typed at the console and belongs to no other topic.

use super::Kind::{Table, Text, TextOrAddr};
use super::{Daemons, Entry, Group, optional, param};

const G: Group = Group::Console;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(
        G,
        "help",
        &[optional("word", Text)],
        "Prints the commands that are made for the console, one a line; with a word, all functions and methods with that word in \
         their names; with the whole name of one, all that is known of it. Not in wforce.",
    )
    .console(),
    Entry::config(
        G,
        "stats",
        &[],
        "Prints how many reports and allow questions there were, and how many were denied.",
    )
    .console(),
    Entry::config(
        G,
        "explain",
        &[param("login", Text), param("remote", TextOrAddr), optional("options", Table)],
        "Prints what `allow` would answer now and why: the lists that were looked at, the verdict of each member of the policy \
         chain with its time, every stats DB read with its value. The options are further members of the login: `protocol`, \
         `pwhash`, `device_id`, `session_id`, `fail_type`, `success`, `tls`, `policy_reject`, `attrs`, `device_attrs`. Nothing is \
         counted, logged or told to others, and what the policy writes is forgotten. Not in wforce.",
    )
    .console()
    .not_in_client()
    .daemons(Daemons::WFORCE),
    Entry::config(G, "showPerfStats", &[], "Prints how long requests took in the last 300 seconds.")
        .console(),
    Entry::config(G, "showCommandStats", &[], "Prints the commands of the last 300 seconds.").console(),
    Entry::config(G, "showCustomStats", &[], "Prints the custom counters of the last 300 seconds.").console(),
];
