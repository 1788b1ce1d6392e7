//! JSON schemas of the commands' bodies.

mod jobs;
mod siblings;

pub(crate) use jobs::{jobs, run_background};
use serde_json::{Value, json};
pub(crate) use siblings::*;

fn string(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn ip(about: &str) -> Value {
    json!({"description": about, "anyOf": [
        {"type": "string", "format": "ipv4"},
        {"type": "string", "format": "ipv6"},
    ]})
}

fn port() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": 65535})
}

fn attrs(about: &str) -> Value {
    json!({
        "type": "object",
        "description": about,
        "additionalProperties": {"anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}},
        ]},
    })
}

fn strings(about: &str) -> Value {
    json!({"type": "object", "description": about, "additionalProperties": {"type": "string"}})
}

fn counts(about: &str) -> Value {
    json!({"type": "object", "description": about, "additionalProperties": {"type": "integer"}})
}

/// An object with exactly these members, all of them always there.
fn exactly(properties: &Value) -> Value {
    let names: Vec<_> = properties.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
}

/// The body of `report` and `allow`.
pub(crate) fn login() -> Value {
    json!({
        "type": "object",
        "description": "A login. Every member may be left out; one of another type counts as left out.",
        "properties": {
            "login": string("The login name."),
            "remote": ip("The client's address."),
            "pwhash": string("A short hash of the password."),
            "device_id": string("What the client says about itself: a user agent, an IMAP ID."),
            "protocol": string("`imap`, `http`, ..."),
            "session_id": string("An id that comes back in the logs."),
            "fail_type": string("Why the login failed."),
            "success": {"type": "boolean", "description": "Whether the credentials were right."},
            "policy_reject": {"type": "boolean", "description": "Whether it failed because a policy said so."},
            "tls": {"type": "boolean", "description": "Whether the connection was encrypted."},
            "attrs": attrs("Further attributes, with one value or several."),
            "device_attrs": strings("Attributes of the device; if given, device_id is not looked at."),
        },
    })
}

/// `{"status":"ok"}`
pub(crate) fn done() -> Value {
    exactly(&json!({"status": {"const": "ok"}}))
}

/// The body of `reloadPolicies`.
pub(crate) fn reload_policies() -> Value {
    json!({
        "type": "object",
        "properties": {"name": {"type": "string", "description": "Only the policy of this name."}},
    })
}

/// The answer to `reloadPolicies`.
pub(crate) fn reloaded() -> Value {
    exactly(&json!({
        "policies": {
            "type": "object",
            "description": "Of each policy what was done, or why nothing was.",
            "additionalProperties": {"type": "string"},
        },
        "status": {"enum": ["ok", "failure"]},
    }))
}

/// The answer to `ping`.
pub(crate) fn ping() -> Value {
    exactly(&json!({"status": {"enum": ["ok", "warmup"]}}))
}

/// An error and its reason.
pub(crate) fn failure() -> Value {
    exactly(&json!({"reason": {"type": "string"}, "status": {"const": "failure"}}))
}

/// An error with or without its reason.
pub(crate) fn failure_or_bare() -> Value {
    json!({
        "type": "object",
        "properties": {"reason": {"type": "string"}, "status": {"const": "failure"}},
        "required": ["status"],
        "additionalProperties": false,
    })
}

/// The error of a peer that is not let in.
pub(crate) fn unauthorized() -> Value {
    json!({
        "type": "object",
        "properties": {"reason": {"type": "string"}, "status": {"const": "failure"}, "ip": {"type": "string"}},
        "required": ["reason", "status"],
        "additionalProperties": false,
    })
}

/// The answer to `allow`.
pub(crate) fn decision() -> Value {
    exactly(&json!({
        "msg": string("What the user may be told."),
        "r_attrs": strings("Attributes for the client."),
        "status": {"type": "integer", "description": "0: yes. Below: no. Above: wait that many seconds."},
    }))
}

fn key_properties() -> Value {
    json!({
        "ip": ip("An address."),
        "login": string("A login; canonicalized."),
        "ja3": string("A JA3 hash; not together with login."),
    })
}

/// The body of `getDBStats`.
pub(crate) fn key() -> Value {
    json!({
        "type": "object",
        "properties": key_properties(),
        "anyOf": [{"required": ["ip"]}, {"required": ["login"]}, {"required": ["ja3"]}],
        "not": {"required": ["login", "ja3"]},
    })
}

/// The body of `reset`.
pub(crate) fn reset() -> Value {
    key()
}

fn entry_properties() -> Value {
    let mut properties = key_properties();
    properties["netmask"] = json!({
        "type": "string",
        "description": "A network in CIDR form; goes before ip, is not looked at beside login or ja3.",
        "pattern": r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(/(3[0-2]|[12]?[0-9]))?$|^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$|^([0-9a-f]{1,4}:){1,6}:(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$",
    });
    properties
}

const ENTRY_KEYS: [&str; 4] = ["ip", "netmask", "login", "ja3"];

fn entry(properties: &Value, required: &[&str]) -> Value {
    let any: Vec<_> = ENTRY_KEYS.iter().map(|key| json!({"required": [key]})).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "anyOf": any,
        "not": {"required": ["login", "ja3"]},
    })
}

/// The body of `addBLEntry` and `addWLEntry`.
pub(crate) fn add_entry() -> Value {
    let mut properties = entry_properties();
    properties["expire_secs"] = json!({
        "type": "integer", "minimum": 0, "maximum": u32::MAX, "description": "For how long, in seconds.",
    });
    properties["reason"] = string("Why; comes back in answers and logs.");
    entry(&properties, &["expire_secs", "reason"])
}

/// The body of `delBLEntry` and `delWLEntry`.
pub(crate) fn delete_entry() -> Value {
    entry(&entry_properties(), &[])
}

fn entries(list: &str) -> Value {
    exactly(&json!({list: {"type": "array", "items": {
        "type": "object",
        "description": "One of ip, login, iplogin, ja3 and ipja3 says what is listed.",
        "properties": {
            "expiration": timestamp(),
            "reason": {"type": "string"},
            "ip": {"type": "string"},
            "login": {"type": "string"},
            "iplogin": {"type": "string"},
            "ja3": {"type": "string"},
            "ipja3": {"type": "string"},
        },
        "required": ["expiration", "reason"],
        "minProperties": 3,
        "maxProperties": 3,
        "additionalProperties": false,
    }}}))
}

fn timestamp() -> Value {
    json!({
        "type": "string",
        "description": "UTC, like `2026-Nov-22 05:04:39`.",
        "pattern": "^[0-9]{4}-[A-Z][a-z]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$",
    })
}

/// The answer to `getBL`.
pub(crate) fn blacklist() -> Value {
    entries("bl_entries")
}

/// The answer to `getWL`.
pub(crate) fn whitelist() -> Value {
    entries("wl_entries")
}

/// The answer to `getDBStats`.
pub(crate) fn db_stats() -> Value {
    let expiry = json!({"type": "string", "description": "As in `getBL`; empty if not listed."});
    json!({
        "type": "object",
        "properties": {
            "ip": {"type": "string"},
            "login": {"type": "string"},
            "ja3": {"type": "string"},
            "ip_login": {"type": "string"},
            "ip_ja3": {"type": "string"},
            "blacklisted": {"type": "boolean"},
            "bl_expire": expiry,
            "bl_reason": {"type": "string"},
            "whitelisted": {"type": "boolean"},
            "wl_expire": expiry,
            "wl_reason": {"type": "string"},
            "stats": {
                "type": "object",
                "description": "Of each stats DB that has the key, its fields' sums over all windows.",
                "additionalProperties": counts("Sums by field."),
            },
        },
        "required": ["blacklisted", "bl_expire", "bl_reason", "whitelisted", "wl_expire", "wl_reason", "stats"],
        "minProperties": 8,
        "maxProperties": 8,
        "additionalProperties": false,
    })
}

/// The answer to `stats`.
pub(crate) fn stats() -> Value {
    exactly(&json!({
        "allows": {"type": "integer", "description": "Allow questions since the start."},
        "commandstats": counts("Commands by name."),
        "customstats": counts("Custom stats by name."),
        "denieds": {"type": "integer", "description": "Denials since the start."},
        "perfstats": counts("Answers by the milliseconds they took."),
        "reports": {"type": "integer", "description": "Reports since the start."},
        "sys-msec": {"type": "integer"},
        "uptime": {"type": "integer", "description": "Seconds."},
        "user-msec": {"type": "integer"},
    }))
}

/// The counters of trackalert.
pub(crate) fn track_stats() -> Value {
    exactly(&json!({
        "perfstats": counts("Answers by the milliseconds they took."),
        "reports": {"type": "integer", "description": "Reports since the start."},
        "sys-msec": {"type": "integer"},
        "uptime": {"type": "integer", "description": "Seconds."},
        "user-msec": {"type": "integer"},
    }))
}

/// The error of a custom POST endpoint of trackalert (wforce compatibility).
pub(crate) fn track_custom_failure() -> Value {
    exactly(&json!({"reason": {"type": "string"}, "success": {"enum": [false, "failure"]}}))
}

/// The body of a custom POST endpoint.
pub(crate) fn custom() -> Value {
    json!({"type": "object", "properties": {"attrs": attrs("What the endpoint's function gets.")}})
}

/// The answer of a custom POST endpoint.
pub(crate) fn custom_reply() -> Value {
    exactly(&json!({
        "r_attrs": strings("What the endpoint's function returned."),
        "success": {"type": "boolean"},
    }))
}
