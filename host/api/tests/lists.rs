//! Black- and whitelist entries over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a failure")]

mod support;

use capabilities::lists::Kind;
use support::{Running, start};

const OK: &str = r#"{"status":"ok"}"#;
const BARE: &str = r#"{"status":"failure"}"#;

fn keys(server: &Running, kind: Kind) -> Vec<String> {
    let entries = server.memory.capabilities.lists.black.entries(kind);
    entries.iter().map(|entry| entry.key.to_string()).collect()
}

fn add(server: &Running, fields: &str) -> support::Answer {
    server.command("addBLEntry", format!(r#"{{{fields},"expire_secs":60,"reason":"why"}}"#))
}

#[test]
fn entries_are_added_and_deleted() {
    let server = start();
    for (fields, kind, key) in [
        (r#""ip":"192.0.2.1""#, Kind::Ip, "192.0.2.1/32"),
        (r#""ip":"2001:DB8::1""#, Kind::Ip, "2001:db8::1/128"),
        (r#""netmask":"10.1.2.3/16""#, Kind::Ip, "10.1.0.0/16"),
        (r#""netmask":"10.2.0.0/16","ip":"192.0.2.9""#, Kind::Ip, "10.2.0.0/16"),
        (r#""login":"ANN""#, Kind::Login, "ann"),
        (r#""login":"bob","netmask":"10.9.0.0/16""#, Kind::Login, "bob"),
        (r#""ja3":"abc""#, Kind::Ja3, "abc"),
        (r#""ip":"192.0.2.1","login":"Ann""#, Kind::IpLogin, "192.0.2.1:ann"),
        (r#""ip":"192.0.2.1","ja3":"abc""#, Kind::IpJa3, "192.0.2.1:abc"),
    ] {
        let before = keys(&server, kind);
        add(&server, fields).is_json(200, OK);
        let added = keys(&server, kind);
        assert_eq!(added.last().unwrap(), key);
        server.command("delBLEntry", format!("{{{fields}}}")).is_json(200, OK);
        assert_eq!(keys(&server, kind), before, "{fields}");
        // Nothing left to delete is fine, too.
        server.command("delBLEntry", format!("{{{fields}}}")).is_json(200, OK);
    }
}

#[test]
fn entries_that_cannot_be_are_refused() {
    let server = start();
    for list in ["BL", "WL"] {
        let add = |body: &str| server.command(&format!("add{list}Entry"), body);
        add("{}").fails(500, "Must provide at least one of login, ip, netmask or ja3");
        add(r#"{"login":"a"}"#).fails(500, "Missing mandatory expire_secs field");
        add(r#"{"login":"a","expire_secs":1}"#).fails(500, "Missing mandatory reason field");
        add(r#"{"login":"a","ja3":"b","expire_secs":1,"reason":"r"}"#)
            .fails(500, "login and ja3 are mutually exclusive parameters");
        for fields in [
            r#""ip":"x""#,
            r#""ip":"1.2.3.4:5""#,
            r#""ip":"127.1""#,
            r#""netmask":"1.2.3.4/33""#,
            r#""ip":7"#,
        ] {
            add(&format!(r#"{{{fields},"expire_secs":1,"reason":"r"}}"#)).is_json(500, BARE);
        }
        server
            .command(&format!("del{list}Entry"), "{}")
            .fails(500, "Must provide at least one of login, ip, netmask or ja3");
        server.command(&format!("del{list}Entry"), r#"{"ip":"x"}"#).is_json(500, BARE);
    }
    server.get("/command/getBL").is_json(200, r#"{"bl_entries": []}"#);
    server.get("/?command=getWL").is_json(200, r#"{"wl_entries": []}"#);
}

#[test]
fn lists_are_shown_kind_by_kind_oldest_first() {
    let server = start();
    let lists = &server.memory.capabilities.lists;
    // 2026-11-22 05:04:39 UTC
    let at = 1_795_323_879;
    lists.black.add_login(at, b"zoe", 0, b"r\"1");
    lists.black.add_ja3(at, b"j", 0, b"");
    lists.black.add_ip_login(at, "192.0.2.1".parse().unwrap(), b"ann", 0, b"");
    lists.black.add_login(at, b"ann", 0, b"");
    lists.black.add_ip(at, "192.0.2.1".parse().unwrap(), 0, b"");
    lists.black.add_ip_ja3(at, "192.0.2.1".parse().unwrap(), b"j", 0, b"");
    let entry = |what: &str, reason: &str| {
        format!(r#"{{"expiration": "2026-Nov-22 05:04:39", {what}, "reason": "{reason}"}}"#)
    };
    let wanted = [
        entry(r#""ip": "192.0.2.1/32""#, ""),
        entry(r#""login": "zoe""#, r#"r\"1"#),
        entry(r#""login": "ann""#, ""),
        entry(r#""iplogin": "192.0.2.1:ann""#, ""),
        entry(r#""ja3": "j""#, ""),
        entry(r#""ipja3": "192.0.2.1:j""#, ""),
    ];
    server.get("/command/getBL").is_json(200, &format!(r#"{{"bl_entries": [{}]}}"#, wanted.join(", ")));
    server.get("/command/getWL").is_json(200, r#"{"wl_entries": []}"#);
}
