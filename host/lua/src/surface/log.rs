//! Log lines and counters.

use super::Kind::{Map, Text};
use super::{Entry, Group, Param, param};

const G: Group = Group::Logging;
const LINE: &[Param] = &[param("message", Text), param("values", Map)];

pub(super) const ENTRIES: &[Entry] = &[
    Entry::anywhere(
        G,
        "debugLog",
        LINE,
        "A debug line, only with `-v`. All five write `message: key=\"value\" ` with the pairs of the table, which must be given.",
    ),
    Entry::anywhere(G, "vinfoLog", LINE, "An information line, only with `-v`."),
    Entry::anywhere(G, "infoLog", LINE, "An information line."),
    Entry::anywhere(G, "warnLog", LINE, "A warning line."),
    Entry::anywhere(G, "errorLog", LINE, "An error line."),
    Entry::config(
        G,
        "addCustomStat",
        &[param("name", Text)],
        "Declares a counter, shown in `/metrics`, in `stats` and by `showCustomStats()`.",
    ),
    Entry::anywhere(
        G,
        "incCustomStat",
        &[param("name", Text)],
        "Adds one to a counter. Names that were not declared are never shown.",
    )
    .only_in_worker(),
];
