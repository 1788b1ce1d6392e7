//! What each command takes and says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a failure")]

mod support;

use bstr::ByteSlice;
use portcullis_api as api;
use statsdb::{CountMinShape, FieldKind, Schema};
use support::{AUTH, start};

const OK: &str = r#"{"status":"ok"}"#;
const BARE: &str = r#"{"status":"failure"}"#;

#[test]
fn report_and_allow_take_a_login() {
    let server = start();
    let login = r#"{"login":"Ann","remote":"192.0.2.7:99","pwhash":"abcd","success":true,"tls":"true","attrs":{"a":"1","b":["x",2],"c":3}}"#;
    for target in ["/command/report", "/?command=report", "/Command/REPORT?x=y", "/?a=b&command=%72eport"] {
        server.post(target, login).is_json(200, OK);
    }
    let reports = server.memory.reports.lock();
    assert_eq!(reports.len(), 4);
    let first = &reports[0];
    assert_eq!((first.login.as_slice(), first.remote.to_string().as_str()), (&b"Ann"[..], "192.0.2.7"));
    assert!(first.success && !first.tls);
    assert_eq!(first.attrs, [("a".into(), "1".into())]);
    assert_eq!(first.attrs_mv, [("b".into(), vec!["x".into(), "".into()])]);
    server
        .command("allow", r#"{"login":"bad","remote":"2001:DB8::25"}"#)
        .is_json(200, r#"{"msg": "bad", "r_attrs": {"from": "2001:db8::25"}, "status": -1}"#);
    server.command("allow", "[]").is_json(200, r#"{"msg": "", "r_attrs": {"from": "0.0.0.0"}, "status": 0}"#);
    server
        .command("allow", "{\"login\":\"x\"}\0garbage")
        .is_json(200, r#"{"msg": "x", "r_attrs": {"from": "0.0.0.0"}, "status": 0}"#);
}

#[test]
fn byte_strings_come_back_as_they_were_sent() {
    let server = start();
    let answer = server.command("allow", b"{\"login\":\"a\xff\xfe\\u00e9\xe2\x80\xa8\"}");
    assert_eq!(answer.status, 200);
    assert!(
        answer.body.contains_str(b"\"msg\": \"a\xff\xfe\xc3\xa9\\u2028\""),
        "{:?}",
        answer.body.as_bstr()
    );
    server.command("report", b"{\"login\":\"a\xff\xfe\"}").is_json(200, OK);
    assert_eq!(server.memory.reports.lock()[0].login, b"a\xff\xfe"[..]);
    let answer = server.command("allow", b"{\"remote\":\"\xff\"}");
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains_str(b"presentation address '\xff'"));
}

#[test]
fn bad_bodies_are_refused_with_the_parsers_words() {
    let server = start();
    let commands = [
        "report",
        "allow",
        "reset",
        "addBLEntry",
        "delBLEntry",
        "addWLEntry",
        "delWLEntry",
        "getDBStats",
        "syncDBs",
        "dumpEntries",
        "addSibling",
        "removeSibling",
        "setSiblings",
        "Mine",
    ];
    for command in commands {
        server.command(command, "").fails(400, "unexpected end of input");
        server.command(command, "x").fails(400, "expected value, got 'x' (120)");
        server.command(command, "{} x").fails(400, "unexpected trailing 'x' (120)");
        server.command(command, "null").fails(400, "");
        server.command(command, "[".repeat(1000)).fails(400, "exceeded maximum nesting depth");
    }
    for command in ["report", "allow"] {
        server
            .command(command, r#"{"remote":"nowhere"}"#)
            .fails(500, "Unable to convert presentation address 'nowhere'");
    }
    assert!(server.memory.reports.lock().is_empty());
}

#[test]
fn failures_of_the_policy_are_told() {
    let server = start();
    server.command("report", r#"{"login":"boom"}"#).fails(500, r#"[string \"chunk\"]:45: boom"#);
    server.command("allow", r#"{"login":"boom"}"#).fails(500, "boom");
    server.command("reset", r#"{"login":"boom"}"#).fails(500, "boom");
    server.command("reset", r#"{"login":"odd"}"#).is_json(500, BARE);
    server.command("getDBStats", r#"{"login":"boom"}"#).fails(500, "boom");
    server.command("getDBStats", r#"{"login":"odd"}"#).fails(500, "unknown");
    server.command("addBLEntry", r#"{"login":"odd","expire_secs":1,"reason":""}"#).fails(500, "unknown");
    server.command("Mine", r#"{"attrs":{"boom":"1"}}"#).fails(500, "boom");
    let broken = server.get("/command/Broken");
    broken.is(500, Some("text/plain; charset=utf-8"), r#"{"reason": "boom", "status": "failure"}"#);
}

#[test]
fn reset_names_what_to_forget() {
    let server = start();
    server.command("reset", r#"{"ip":"192.0.2.1"}"#).is_json(200, OK);
    server.command("reset", r#"{"ip":"192.0.2.1","login":"ann","ja3":null}"#).is_json(200, OK);
    server.command("reset", r#"{"ja3":"abc"}"#).is_json(200, OK);
    let resets = server.memory.resets.lock().clone();
    assert_eq!(resets.len(), 3);
    assert_eq!(resets[1].login.as_ref().unwrap(), "ann");
    assert_eq!(resets[2].ja3.as_ref().unwrap(), "abc");
    assert!(resets[2].ip.is_none() && resets[1].ja3.is_none());
    server.command("reset", "{}").fails(400, "No ip, login or ja3 field supplied");
    server.command("reset", "[]").fails(400, "No ip, login or ja3 field supplied");
    server.command("reset", r#"{"ip":"x"}"#).is_json(500, BARE);
    server.command("reset", r#"{"ip":1}"#).is_json(500, BARE);
    server.command("reset", r#"{"login":"a","ja3":"b"}"#).is_json(500, BARE);
    server.command("reset", r#"{"login":"no"}"#).fails(500, "reset function returned false");
    // Those that name nothing came through, too: their webhook is fired all the same (wforce compatibility).
    assert_eq!(server.memory.resets.lock().len(), 5);
}

#[test]
fn db_stats_of_every_kind_of_key() {
    let server = start();
    let capabilities = &server.memory.capabilities;
    let db = capabilities
        .stats
        .create(Schema {
            name: "logins".into(),
            window_secs: 600,
            windows: 6,
            fields: vec![("count".into(), FieldKind::Int)],
            shards: 1,
            start: 0,
            hll_bits: 12,
            countmin: CountMinShape { eps: 0.05, gamma: 0.2 },
        })
        .unwrap();
    db.set_v4_prefix(24);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let ip = login::Addr::from_ip("192.0.2.77".parse().unwrap());
    db.local().add_int(now, &db.addr_key(&ip), b"count", 3);
    for (key, n) in [(&b"ann"[..], 4), (b"j", 5), (b"192.0.2.77:ann", 6), (b"192.0.2.77::j", 7)] {
        db.local().add_int(now, key, b"count", n);
    }
    let plain = |key: &str, n: i32| {
        format!(
            r#"{{"bl_expire": "", "bl_reason": "", "blacklisted": false, {key}, "stats": {{"logins": {{"count": {n}}}}}, "whitelisted": false, "wl_expire": "", "wl_reason": ""}}"#
        )
    };
    for (body, key, n) in [
        (r#"{"ip":"192.0.2.77"}"#, r#""ip": "192.0.2.77""#, 3),
        (r#"{"login":"ANN"}"#, r#""login": "ann""#, 4),
        (r#"{"ja3":"j"}"#, r#""ja3": "j""#, 5),
        (r#"{"ip":"192.0.2.77","login":"Ann"}"#, r#""ip_login": "192.0.2.77:ann""#, 6),
        (r#"{"ip":"192.0.2.77","ja3":"j"}"#, r#""ip_ja3": "192.0.2.77::j""#, 7),
    ] {
        server.command("getDBStats", body).is_json(200, &plain(key, n));
    }
    capabilities.lists.black.add_login(now, b"bob", 3600, b"why");
    let bob = server.command("getDBStats", r#"{"login":"bob"}"#).text();
    assert!(
        bob.contains(r#""bl_reason": "why", "blacklisted": true, "login": "bob", "stats": {}, "#),
        "{bob}"
    );

    server.command("getDBStats", "{}").fails(400, "No ja3, ip or login field supplied");
    server.command("getDBStats", r#"{"ip":"x"}"#).fails(400, "Could not parse input");
    server
        .command("getDBStats", r#"{"login":"a","ja3":"b"}"#)
        .fails(400, "ja3 and login fields are mutually exclusive");
}

#[test]
fn health_and_readiness() {
    let server = start();
    let warmup = r#"{"status":"warmup"}"#;
    server.get("/command/ping").is_json(200, warmup);
    server.get("/?command=ping").is_json(200, warmup);
    server.get("/command/readyz").is_json(503, "");
    server.get("/command/livez").is_html(200, "");
    server.get("/command/syncDone").is_json(200, OK);
    server.get("/command/ping").is_json(200, OK);
    server.get("/?command=readyz").is_json(200, "");
    let running = server.server.as_ref().unwrap();
    assert!(running.is_ready());
    running.set_ready(false);
    server.get("/command/readyz").is_json(503, "");
}

#[test]
fn custom_endpoints() {
    let server = start();
    let body = r#"{"attrs":{"b":"2","a":"1","n":5}}"#;
    let wanted = r#"{"r_attrs": {"a": "1", "b": "2", "zz_name": "Mine"}, "success": true}"#;
    server.command("MINE", body).is_json(200, wanted);
    server.post("/?command=Mine", body).is_json(200, wanted);
    assert_eq!(server.post("/?command=mine", body).status, 404);
    let empty = r#"{"r_attrs": {"zz_name": "Mine"}, "success": true}"#;
    server.command("mine", "{}").is_json(200, empty);
    server.command("mine", r#"{"attrs":[]}"#).is_json(200, empty);
    server.get("/command/mine").is(200, Some("text/plain; charset=utf-8"), "hello þ");
    server.get("/?command=Mine").is(200, Some("text/plain; charset=utf-8"), "hello þ");
}

#[test]
fn the_cluster_is_not_there_and_says_so() {
    let server = start();
    let cases = [
        (
            "syncDBs",
            "{}",
            500,
            "One of mandatory parameters [replication_host, replication_port, callback_url, callback_auth_pw] is missing",
        ),
        (
            "syncDBs",
            r#"{"replication_host":"x","replication_port":1,"callback_url":"u","callback_auth_pw":"p"}"#,
            500,
            "Unable to convert presentation address 'x'",
        ),
        (
            "syncDBs",
            r#"{"replication_host":"127.0.0.1","replication_port":1,"callback_url":"u","callback_auth_pw":"p"}"#,
            501,
            "syncDBs is not available in this version",
        ),
        ("dumpEntries", "{}", 500, "One of mandatory parameters [dump_host, dump_port] is missing"),
        (
            "dumpEntries",
            r#"{"dump_host":"::1","dump_port":1}"#,
            501,
            "dumpEntries is not available in this version",
        ),
        ("addSibling", "{}", 500, "One of mandatory parameters [sibling_host, sibling_port] is missing"),
        (
            "addSibling",
            r#"{"sibling_host":"a","sibling_port":1,"sibling_protocol":"sctp"}"#,
            500,
            "Sibling::stringToProtocol(): Unknown protocol sctp",
        ),
        (
            "addSibling",
            r#"{"sibling_host":"a","sibling_port":1,"sibling_protocol":"none"}"#,
            500,
            "Invalid sibling_protocol: none",
        ),
        (
            "addSibling",
            r#"{"sibling_host":"a","sibling_port":1,"encryption_key":"!"}"#,
            500,
            "encryption_key: the key is not base64: makeKey() prints a good one",
        ),
        (
            "addSibling",
            r#"{"sibling_host":"a","sibling_port":1,"encryption_key":"AAAA"}"#,
            500,
            "encryption_key: the key has 3 bytes, 32 are needed: makeKey() prints a good one",
        ),
        (
            "addSibling",
            r#"{"sibling_host":"a","sibling_port":"x"}"#,
            501,
            "addSibling is not available in this version",
        ),
        (
            "addSibling",
            r#"{"sibling_host":"a","sibling_port":99999}"#,
            500,
            "sibling_port is not a number from 1 to 65535",
        ),
        (
            "removeSibling",
            r#"{"sibling_host":"a","sibling_port":-1}"#,
            500,
            "sibling_port is not a number from 1 to 65535",
        ),
        (
            "setSiblings",
            r#"{"siblings":[{"sibling_host":"a","sibling_port":65536}]}"#,
            500,
            "sibling_port is not a number from 1 to 65535",
        ),
        ("removeSibling", "{}", 500, "One of mandatory parameters [sibling_host, sibling_port] is missing"),
        (
            "removeSibling",
            r#"{"sibling_host":"a","sibling_port":1}"#,
            501,
            "removeSibling is not available in this version",
        ),
        ("setSiblings", "{}", 500, "Mandatory parameter [siblings] is missing or is not an array"),
        (
            "setSiblings",
            r#"{"siblings":[{}]}"#,
            500,
            "Mandatory parameter(s) [sibling_host, sibling_port] are missing",
        ),
        ("setSiblings", r#"{"siblings":[]}"#, 501, "setSiblings is not available in this version"),
    ];
    for (command, body, status, reason) in cases {
        server.command(command, body).fails(status, reason);
    }
}

#[test]
fn stats_and_metrics_count() {
    let server = start();
    for _ in 0..3 {
        server.command("report", "{}").is_json(200, OK);
    }
    assert_eq!(server.command("allow", "x").status, 400);
    server.command("delBLEntry", r#"{"login":"a"}"#).is_json(200, OK);
    server.get("/command/mine").is(200, Some("text/plain; charset=utf-8"), "hello þ");
    assert_eq!(server.get("/command/nothing").status, 404);
    let stats = server.get("/command/stats");
    let text = stats.text();
    assert!(text.starts_with(r#"{"allows": 1, "commandstats": {"#), "{text}");
    assert!(text.contains(r#""reports": 3, "sys-msec": "#), "{text}");
    assert!(text.contains(r#""delBLEntry": 1"#), "{text}");
    assert!(text.contains(r#""perfstats": {"WTR_0_1": "#), "{text}");
    let stats: serde_json::Value = serde_json::from_slice(&stats.body).unwrap();
    for key in [
        "allows",
        "commandstats",
        "customstats",
        "denieds",
        "perfstats",
        "reports",
        "sys-msec",
        "uptime",
        "user-msec",
    ] {
        assert!(stats.get(key).is_some(), "{key}");
    }
    let metrics = server.get("/metrics");
    assert_eq!((metrics.status, metrics.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    let metrics = metrics.text();
    for line in [
        "wforce_commands_total{cmd=\"report\"} 3",
        "wforce_commands_total{cmd=\"allow\"} 1",
        "wforce_commands_total{cmd=\"getBL\"} 0",
        "wforce_commands_total{cmd=\"Mine_Get\"} 1",
        // Three reports, one allow, one delete, one custom, one stats; no 404, no metrics.
        "wforce_worker_response_duration_seconds_count 7",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("wforce_commands_total{cmd=\"delBLEntry\"}"));
}

#[test]
fn the_openapi_document_is_served() {
    let server = start();
    let answer = server.get("/openapi.json");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json; charset=utf-8"))
    );
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["info"]["version"], "1.2.3");
    assert_eq!(
        document,
        api::openapi(capabilities::Daemon::Wforce, "1.2.3", &api::Backend::endpoints(&*server.memory))
    );
    // Every operation it names is there, and answers with a status it names.
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let target = if path == "/" {
                format!("/?command={}", operation["parameters"][0]["schema"]["enum"][0].as_str().unwrap())
            } else {
                path.clone()
            };
            let method = method.to_uppercase();
            let request =
                format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{AUTH}Content-Length: 2\r\n\r\n{{}}");
            let answer = server.ask(request);
            assert_ne!(answer.status, 404, "{method} {target}");
            let responses = operation["responses"].as_object().unwrap();
            let named = responses.get(&answer.status.to_string());
            assert!(named.is_some(), "{method} {target}: {}", answer.status);
            if let Some(content) = named.unwrap().get("content") {
                let media_type = answer.header("content-type").unwrap().split(';').next().unwrap();
                assert!(content.get(media_type).is_some(), "{method} {target}: {media_type}");
            }
        }
    }
}
