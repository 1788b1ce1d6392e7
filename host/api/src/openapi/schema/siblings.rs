//! Bodies of the commands of the cluster.

use serde_json::{Value, json};

use super::{exactly, ip, port, string};

/// The body of `syncDBs`.
pub(crate) fn sync_dbs() -> Value {
    json!({
        "type": "object",
        "properties": {
            "replication_host": ip("Where to stream to."),
            "replication_port": port(),
            "callback_url": string("Called when done."),
            "callback_auth_pw": string("Password of the callback."),
            "encryption_key": string("The raw bytes of a key; the daemon's own by default."),
        },
        "required": ["replication_host", "replication_port", "callback_url", "callback_auth_pw"],
    })
}

/// The body of `dumpEntries`.
pub(crate) fn dump_entries() -> Value {
    json!({
        "type": "object",
        "properties": {"dump_host": ip("Where to write to."), "dump_port": port()},
        "required": ["dump_host", "dump_port"],
    })
}

/// The body of `removeSibling`.
pub(crate) fn sibling() -> Value {
    json!({
        "type": "object",
        "properties": {
            "sibling_host": {"type": "string", "minLength": 1, "description": "Address or name."},
            "sibling_port": port(),
        },
        "required": ["sibling_host", "sibling_port"],
    })
}

/// The body of `addSibling`.
pub(crate) fn add_sibling() -> Value {
    let mut schema = sibling();
    schema["properties"]["sibling_protocol"] = json!({"enum": ["udp", "tcp"], "default": "udp"});
    schema["properties"]["encryption_key"] = json!({
        "type": "string", "pattern": "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$", "description": "A key of 32 bytes, in base64.",
    });
    schema
}

/// The body of `setSiblings`.
pub(crate) fn set_siblings() -> Value {
    all_of(&add_sibling())
}

/// The body of `addSibling` of a forwarder.
pub(crate) fn add_peer() -> Value {
    let mut schema = add_sibling();
    let flag = |about: &str| json!({"type": "boolean", "default": true, "description": about});
    schema["properties"]["send_sdb"] = flag("Whether it gets changes of stats DBs.");
    schema["properties"]["send_wlbl"] = flag("Whether it gets changes of lists.");
    schema
}

/// The body of `setSiblings` of a forwarder.
pub(crate) fn set_peers() -> Value {
    all_of(&add_peer())
}

/// The body of `addReplicationForwarderSrc`.
pub(crate) fn source() -> Value {
    json!({
        "type": "object",
        "properties": {"sibling_host": {"type": "string", "minLength": 1, "description": "Address or name."}},
        "required": ["sibling_host"],
    })
}

/// The body of `setReplicationForwarderSrcs`.
pub(crate) fn set_sources() -> Value {
    all_of(&source())
}

fn all_of(one: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {"siblings": {"type": "array", "items": one}},
        "required": ["siblings"],
    })
}

/// The answer to `getSiblings` and its like.
pub(crate) fn peers() -> Value {
    exactly(&json!({"siblings": {"type": "array", "items": {
        "type": "object",
        "properties": {
            "encryption_key": string("A key of its own, in base64."),
            "send_sdb": {"type": "boolean"},
            "send_wlbl": {"type": "boolean"},
            "sibling_host": {"type": "string"},
            "sibling_port": port(),
            "sibling_protocol": {"enum": ["udp", "tcp", "none"]},
        },
        "required": ["sibling_host", "sibling_protocol"],
        "additionalProperties": false,
    }}}))
}
