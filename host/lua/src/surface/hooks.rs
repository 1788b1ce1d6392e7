//! The functions a policy consists of.

use super::Kind::{Bool, Map, Policy, Text};
use super::{Daemons, Entry, Group, optional, param};

const G: Group = Group::Hooks;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::anywhere(G, "setAllow", &[param("hook", Policy)],
        "Decides logins. Called with a `LoginTuple`; returns four values: status (negative denies, 0 allows, positive waits that \
         many seconds), message for the client, message for the log, and a table of attributes. All four are needed; or the one \
         value `\"pass\"`, for no opinion. Not called for logins that a built-in list decides. The last call wins.\n\n\
         Here and in the other functions that set a hook, the name of a policy that `loadPolicy` loaded is accepted instead of a \
         function, and so is a list of names and functions, a chain: they are asked in order, and the first decision that is not \
         `pass` wins. (Not in wforce.)")
        .only_in_worker().default("every login is allowed"),
    Entry::anywhere(G, "setShadowAllow", &[param("hook", Policy), optional("options", Map)],
        "Tries a policy beside the live one. It is asked about the same logins as `setAllow`'s, after they were answered, and \
         decides nothing: it reads what is live, its own writes are seen by it alone, and what it says is compared \
         (`portcullis_shadow_total`, `shadowLog` lines). The option `sample` is the part of the logins it is asked about, \
         0 to 1. Not in wforce.")
        .only_in_worker().default("no shadow; `sample` 1"),
    Entry::anywhere(G, "setReport", &[param("hook", Policy)],
        "Takes note of logins. Called with a `LoginTuple` after each login, good or bad; what it returns is ignored. The last \
         call wins. Of a chain, each member gets it.")
        .only_in_worker()
        .daemons(Daemons::POLICIES),
    Entry::anywhere(G, "setReset", &[param("hook", Policy)],
        "Forgets what was counted. Called with a type (`ip`, `login`, `ja3`, `ip:login`, `ip:ja3`), the login or JA3 hash, and \
         the address (0.0.0.0 if none was given); returns true or false. The built-in blacklist entry is already deleted. The \
         last call wins.")
        .only_in_worker().default("true"),
    Entry::anywhere(G, "setCanonicalize", &[param("hook", Policy)],
        "Maps the spellings of a login to one. Called with the login, returns a string. It runs first, for every command that \
         takes a login. The last call wins.")
        .only_in_worker().default("the login as it is"),
    Entry::anywhere(G, "setCustomEndpoint", &[param("name", Text), param("to_sinks", Bool), param("hook", Policy)],
        "Adds a POST command of this name. The hook gets `CustomFuncArgs` and returns a boolean and a table of attributes, both \
         needed. With `to_sinks` true the request's attributes also go to every named report sink. The first registration of a \
         name wins.")
        .in_server(),
    Entry::anywhere(G, "setCustomEndpoint", &[param("name", Text), param("hook", Policy)],
        "Adds a POST command of this name. The hook gets `CustomFuncArgs` and returns a boolean and a table of attributes, both \
         needed. The first registration of a name wins.")
        .in_server().daemons(Daemons::TRACKALERT),
    Entry::anywhere(G, "setCustomGetEndpoint", &[param("name", Text), param("hook", Policy)],
        "Adds a GET command of this name. The hook gets nothing and returns the text of the answer. The first registration of a \
         name wins.")
        .in_server(),
    Entry::config(G, "showCustomEndpoints", &[], "Prints the custom endpoints.").console()
        .daemons(Daemons::POLICIES),
];
