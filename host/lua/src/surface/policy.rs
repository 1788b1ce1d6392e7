//! Policies as WebAssembly components.

use super::Kind::{Table, Text};
use super::{Entry, Group, optional, param};

const G: Group = Group::Policies;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(G, "loadPolicy", &[param("name", Text), param("file", Text), optional("options", Table)],
        "Loads a WebAssembly component under a name; `setAllow` and the others then take the name in place of a function. \
         The options: `settings` (a table for the policy itself), `memory_mb` (64), `deadline_ms` (500, of one call), `fuel` (not \
         counted), `isolation` (`reuse`, or `fresh`: an instance for each call), `max_calls` (100000, of an instance), `on_error` \
         (`next`: as if it had passed; `allow`, `deny`), `quarantine` (10 traps in a row; 0: never), `host_calls` (10000, in one \
         call), `handles` (1000), `capabilities` (a table with lists of what it may touch: `stats geoip dns webhooks metrics` by \
         name, `lists` of `black` and `white`, `alerts` by channel (`usual` for those that name none), `reports`; `true` for all of a kind. If the table is given, what it does not name is \
         denied), `watch` (false: look at the file every second and load it again when it changes). A component that cannot be used \
         is an error that says what to do. See docs/components.md. Not in wforce.")
        .not_in_client(),
    Entry::config(G, "setPolicyCache", &[param("folder", Text)],
        "Keeps compiled components in this folder, so that a restart does not compile again. It must belong to the server and be \
         writable by nobody else; it is made if it is not there. It must come before the first `loadPolicy`: what was loaded \
         before is not kept, and the log says so. Not in wforce.")
        .not_in_client().default("`$CACHE_DIRECTORY` if the service manager sets it; else nothing is kept"),
    Entry::config(G, "reloadPolicy", &[param("name", Text)],
        "Loads a component's file again, as it is now. Calls that run end on the old version. If the new one cannot be used, or \
         traps on its first calls, the old one goes on. Ends a quarantine. Not in wforce.")
        .console(),
    Entry::config(G, "reloadPolicies", &[], "The same for all components. Not in wforce.").console(),
    Entry::config(G, "showPolicies", &[], "Prints the loaded components: state, calls, instances, hooks. Not in wforce.").console(),
];
