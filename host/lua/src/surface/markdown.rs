//! The reference documentation, written from the table.

use std::fmt::Write as _;

use capabilities::Daemon;

use super::{Daemons, Does, Entry, FIELDS, Group, entries};

/// Both references, one after the other.
pub fn reference_markdown() -> String {
    format!("{}\n{}", configuration_markdown(), lua_api_markdown())
}

/// The configuration reference: every function that sets something up.
pub fn configuration_markdown() -> String {
    let mut out = String::from(
        "# Configuration reference\n\n\
         `wforce.conf`, `trackalert.conf` and `replfwd.conf` are Lua programs. Such a file runs once in the configuration state and then once in each worker state; the \
         functions on this page act in the configuration state and do nothing in the others. Where nothing else is said, both wforce \
         and trackalert have a function; replfwd has no worker states.\n",
    );
    chapters(&mut out, is_setting);
    out
}

/// The Lua API: everything else, and the objects.
pub fn lua_api_markdown() -> String {
    let mut out = String::from(
        "# Lua API\n\n\
         What policies call, and what is typed at the console. Where nothing else is said, both wforce and trackalert have a \
         function. The number of arguments is exact. A number is accepted where a \
         string is expected (5 reads `5`) and a numeric string where a number is; booleans must be `true` or `false`. A host \
         function that refuses its arguments raises a Lua error with a string, which `pcall` catches.\n",
    );
    chapters(&mut out, |entry| !is_setting(entry));
    out.push_str("\n## Fields of objects\n\nUnknown fields read nil; writing one is an error. A field that is a table is a fresh copy each time it is read.\n\n| Object | Field | Type | |\n|---|---|---|---|\n");
    for field in FIELDS {
        let _ = writeln!(out, "| {} | `{}` | {} | {} |", field.object, field.name, field.kind, field.doc);
    }
    out
}

/// Whether it sets the server up, rather than being called by policies or at the console.
fn is_setting(entry: &Entry) -> bool {
    entry.object.is_none() && entry.worker == Does::Nothing && !entry.console
}

fn chapters(out: &mut String, wanted: impl Fn(&Entry) -> bool) {
    for group in Group::ALL {
        let mut chosen = entries().filter(|entry| entry.group == group && wanted(entry)).peekable();
        if chosen.peek().is_none() {
            continue;
        }
        let _ = write!(out, "\n## {}\n", group.title());
        for entry in chosen {
            describe(out, entry);
        }
    }
}

fn describe(out: &mut String, entry: &Entry) {
    let _ = write!(out, "\n### `{}`\n\n", entry.signature());
    let _ = write!(out, "{}\n\n{}\n", entry.doc, facts(entry));
}

/// Its parameters, result and default, and where it is to be called.
pub(super) fn facts(entry: &Entry) -> String {
    let mut facts = Vec::new();
    if !entry.params.is_empty() {
        let list: Vec<String> =
            entry.params.iter().map(|param| format!("`{}` {}", param.name, param.kind.name())).collect();
        facts.push(format!("Takes {}.", list.join(", ")));
    }
    if !entry.returns.is_empty() {
        facts.push(format!("Returns: {}.", entry.returns));
    }
    if !entry.default.is_empty() {
        facts.push(format!("Default: {}.", entry.default));
    }
    if !entry.daemons.contains(Daemon::Wforce) || entry.daemons == Daemons::WFORCE {
        facts.push(format!("Only in {}.", entry.daemons.names()));
    } else if entry.daemons.contains(Daemon::Replfwd) {
        facts.push("Also in replfwd.".to_owned());
    }
    facts.push(states(entry).to_owned());
    if entry.start_only {
        facts.push("Only at the start, not from the console.".to_owned());
    }
    facts.join(" ")
}

fn states(entry: &Entry) -> &'static str {
    match (entry.config, entry.worker, entry.client) {
        (Does::Acts, Does::Acts, Does::Acts) => "Acts in every state.",
        (Does::Acts, Does::Acts, Does::Nothing) => "Acts in the server, does nothing in a console client.",
        (Does::Acts, Does::Nothing, Does::Acts) => "Acts in the configuration state and in a console client.",
        (Does::Nothing, Does::Acts, _) => "Acts in worker states.",
        _ => "Acts in the configuration state.",
    }
}
