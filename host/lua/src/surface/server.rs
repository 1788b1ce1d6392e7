//! Listeners, access, the control socket, sizes.

use super::Kind::{Bool, Int, List, Map, Text, Unsigned};
use super::{Daemons, Entry, Group, optional, param};

const G: Group = Group::Server;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(G, "addListener", &[
        param("address", Text),
        param("tls", Bool),
        param("certificate", Text),
        param("key", Text),
        param("options", Map),
    ], "Serves the HTTP API on this address (`ip:port` or `[ip6]:port`, no host names). With `tls` true, certificate and key \
        name PEM files, relative to the configuration's folder; `MinProtocol` in the options is honoured. A listener with a \
        bad address or missing files is logged and left out. May be called several times.")
        .not_in_client().start_only()
        .daemons(Daemons::ALL),
    Entry::config(G, "webserver", &[param("address", Text), param("password", Text)],
        "Deprecated: a plain listener together with the password. Use `addListener` and `setWebserverPassword`.")
        .not_in_client().start_only()
        .daemons(Daemons::ALL),
    Entry::config(G, "setWebserverPassword", &[param("password", Text)],
        "The password of the HTTP API (basic authentication; any user name that is not empty). Until it is set, nobody gets in.")
        .default("none: every request is refused")
        .daemons(Daemons::ALL),
    Entry::config(G, "addACL", &[param("netmask", Text)],
        "Lets a network use the HTTP API, or with a leading `!` keeps it out. The longest matching prefix decides. Text that is \
         no netmask is an error.")
        .default("loopback, private and link-local networks")
        .daemons(Daemons::ALL),
    Entry::config(G, "setACL", &[param("netmasks", List)],
        "Replaces the whole ACL; an empty list keeps everybody out. If one entry is no netmask, nothing changes and the call is \
         an error.")
        .daemons(Daemons::ALL),
    Entry::config(G, "controlSocket", &[param("address", Text)],
        "Listens for consoles on this address, port 4004 unless given. In a console client it names the server to talk to. The \
         daemon does not start if the address cannot be bound.")
        .default("no console; clients try 127.0.0.1:4004").start_only()
        .daemons(Daemons::ALL),
    Entry::anywhere(G, "setKey", &[param("key", Text)],
        "The key of the control socket and of siblings without one of their own: 32 bytes as base64, as `makeKey()` prints it. \
         False, with a line in the log, if it is anything else. In workers it only answers true.")
        .returns("boolean").default("none: the control socket refuses everybody")
        .daemons(Daemons::ALL),
    Entry::config(G, "setNumLuaStates", &[param("count", Int)],
        "How many Lua states serve calls; each has its own globals and serves one call at a time. At most 256.")
        .default("6").start_only(),
    Entry::config(G, "setNumWorkerThreads", &[param("count", Int)],
        "How many threads serve HTTP connections; no more than there are cores are started.")
        .default("4").start_only()
        .daemons(Daemons::ALL),
    Entry::config(G, "setMaxWebserverConns", &[param("count", Int)],
        "How many HTTP connections may be open at once; further ones are closed.")
        .default("10000").start_only()
        .daemons(Daemons::ALL),
    Entry::config(G, "setPolicyBudget", &[param("milliseconds", Unsigned)],
        "How long a hook, custom endpoint or look-up of one request may take altogether. A call that takes longer fails, and its \
         Lua state is replaced. Not in wforce.")
        .default("1000").start_only(),
    Entry::config(G, "setPolicyMemory", &[param("megabytes", Unsigned)],
        "How much memory each Lua state may use beyond what the configuration file built up. A call that needs more fails, and \
         its Lua state is replaced. Not in wforce.")
        .default("64").start_only(),
    Entry::config(G, "setStateDir", &[param("path", Text)],
        "Keeps stats DBs and lists in this directory, so that they outlive a restart: saved every 60 seconds \
         (`setStateInterval`) and at the end, restored at the start. Relative to the configuration's folder; made if it is not \
         there; one daemon each. The daemon does not start if it cannot write there. Not in wforce.")
        .default("nothing outlives a restart").not_in_client().start_only(),
    Entry::config(G, "setStateInterval", &[param("seconds", Unsigned)],
        "Seconds between two snapshots of the state directory, at least 1: what a crash loses at most. Not in wforce.")
        .default("60").start_only(),
    Entry::config(G, "setMetricsNoPassword", &[],
        "Lets Prometheus read `/metrics` without a password. The ACL still holds.")
        .default("password needed")
        .daemons(Daemons::ALL),
    Entry::config(G, "recordTo", &[param("file", Text), optional("options", Map)],
        "Records every report and question with its answer as JSON lines, for `portcullis replay`. The file becomes `FILE.1` \
         when it is full, and so on up to `FILE.3`; the option `max_mb` is the size of all of them together. Only the owner \
         may read them: hashes of passwords are kept as they were reported. Requests never wait for it. Not in wforce.")
        .default("nothing is recorded; `max_mb` 256").not_in_client().start_only()
        .daemons(Daemons::WFORCE),
    Entry::config(G, "setVerboseAllowLog", &[],
        "Logs an `allowLog` line for allowed logins too (at level info), not only for denied and tarpitted ones.")
        .default("off")
        .daemons(Daemons::WFORCE),
    Entry::config(G, "setJA3AttrName", &[param("attribute", Text)],
        "The login attribute that holds the JA3 hash for the built-in lists.")
        .default("ja3")
        .daemons(Daemons::WFORCE),
    Entry::anywhere(G, "shutdown", &[],
        "Ends the process at once with exit status 0, also while the configuration is being loaded.").console().daemons(Daemons::ALL),
    Entry::config(G, "showACL", &[], "Prints the ACL, one netmask a line, `!` in front of those kept out, in the order they were added.")
        .console().daemons(Daemons::ALL),
    Entry::config(G, "showVersion", &[], "Prints the name and version of the server.").console().daemons(Daemons::ALL),
    Entry::config(G, "makeKey", &[], "Prints a `setKey(...)` line with a new random key.").console().daemons(Daemons::ALL),
    Entry::config(G, "testCrypto", &[param("text", Text)],
        "Encrypts and decrypts with the key of `setKey` and prints whether that worked.")
        .console().daemons(Daemons::ALL),
];
