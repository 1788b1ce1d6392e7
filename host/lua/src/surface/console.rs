//! What is typed at the console and belongs to no other topic.

use super::{Entry, Group};

const G: Group = Group::Console;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(
        G,
        "stats",
        &[],
        "Prints how many reports and allow questions there were, and how many were denied.",
    )
    .console(),
    Entry::config(G, "showPerfStats", &[], "Prints how long requests took in the last 300 seconds.")
        .console(),
    Entry::config(G, "showCommandStats", &[], "Prints the commands of the last 300 seconds.").console(),
    Entry::config(G, "showCustomStats", &[], "Prints the custom counters of the last 300 seconds.").console(),
];
