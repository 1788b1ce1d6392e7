//! The REST API as a client sees it: both URL forms, authentication, the ACL, limits, errors.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::thread;

use portcullis_tests::http::Connection;
use portcullis_tests::{Client, Daemon, Launch, address};
use serde_json::json;

const POLICY: &str = r#"
newStringStatsDB("seen", 60, 5, { failures = "int" })
setReport(function(lt)
    if not lt.success then getStringStatsDB("seen"):twAdd(lt.login, "failures", 1) end
end)
setAllow(function(lt)
    if lt.login == "wait" then return 3, "slow down", "tarpit", { rule = "wait" } end
    if lt.login == "no" then return -1, "go away", "deny", { rule = "no", n = 1.5 } end
    return 0, "", "", {}
end)
setReset(function(kind, login, ip)
    getStringStatsDB("seen"):twReset(login)
    return login ~= "keep"
end)
setCanonicalize(function(login) return login:lower() end)
setCustomEndpoint("echo", false, function(args)
    return true, { got = args.attrs.what or "nothing", count = tostring(#(args.attrs_mv.many or {})) }
end)
setCustomGetEndpoint("hello", function() return "hello\n" end)
"#;

#[test]
fn both_url_forms_reach_the_same_commands() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    let tuple = json!({"login": "no", "remote": "192.0.2.1", "pwhash": "1234", "success": false});
    for form in ["/?command=", "/command/"] {
        let report = client.post(&format!("{form}report"), &tuple);
        assert_eq!((report.status, report.text().as_str()), (200, r#"{"status":"ok"}"#));
        let allow = client.post(&format!("{form}allow"), &tuple);
        assert_eq!(allow.status, 200);
        assert_eq!(
            allow.text(),
            r#"{"msg": "go away", "r_attrs": {"n": "1.5", "rule": "no"}, "status": -1}"#
        );
        assert_eq!(allow.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(client.get(&format!("{form}ping")).text(), r#"{"status":"ok"}"#);
        assert_eq!(client.get(&format!("{form}hello")).text(), "hello\n");
    }
    // The command's name is case-insensitive in a path, case-sensitive in a query.
    assert_eq!(client.get("/command/PING").status, 200);
    assert_eq!(client.get("/?command=PING").status, 404);
    let stats = client.post("/command/getDBStats", &json!({"login": "NO"}));
    assert_eq!(stats.json()["stats"]["seen"]["failures"], 2, "{}", stats.text());
}

#[test]
fn allow_answers_yes_wait_and_no() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    for (login, status) in [("yes", 0), ("wait", 3), ("NO", -1)] {
        assert_eq!(
            client.allow(&json!({"login": login, "remote": "192.0.2.1"}))["status"],
            status,
            "{login}"
        );
    }
}

#[test]
fn credentials_are_a_password_under_any_name() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    for user in ["wforce", "x", "somebody else"] {
        let other = client.with_credentials(Some(&format!("{user}:supersecret")));
        assert_eq!(other.get("/command/ping").status, 200, "{user}");
    }
    for wrong in
        [None, Some("wforce:wrong"), Some(":supersecret"), Some("wforce:"), Some("wforce:supersecret:x")]
    {
        let response = client.with_credentials(wrong).get("/command/ping");
        assert_eq!(response.status, 401, "{wrong:?}");
        assert_eq!(response.header("www-authenticate"), Some("basic realm=\"wforce\""));
        assert_eq!(response.text(), r#"{"status":"failure", "reason":"Unauthorized"}"#);
    }
    // Probes of an orchestrator need none.
    let anyone = client.with_credentials(None);
    assert_eq!((anyone.get("/command/livez").status, anyone.get("/command/readyz").status), (200, 200));
    assert_eq!(anyone.get("/metrics").status, 401);
    assert_eq!(anyone.get("/command/nosuch").status, 404, "the path is looked up first");
    assert_eq!(anyone.get("/?command=nosuch").status, 401, "the query form asks for the password first");
}

#[test]
fn metrics_can_be_opened() {
    let daemon = Daemon::start("setMetricsNoPassword()");
    let response = daemon.client().with_credentials(None).get("/metrics");
    assert_eq!(response.status, 200);
    assert!(response.text().contains("wforce_commands_total{cmd=\"allow\"} 0"), "{}", response.text());
}

#[test]
fn the_acl_is_asked_before_the_password() {
    let daemon = Daemon::start("setACL({\"10.0.0.0/8\"})");
    let response = daemon.client().get("/command/ping");
    assert_eq!(response.status, 401);
    assert_eq!(response.header("www-authenticate"), None);
    let text = response.text();
    assert!(
        text.starts_with(r#"{"status":"failure", "reason":"Source IP Address not in ACL", "ip":"127."#),
        "{text}"
    );
    daemon.log().wait_for("its address is not in the ACL");
}

#[test]
fn wrong_input_gets_a_reason() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    let cases: [(&str, &[u8], u16, &str); 8] = [
        ("report", b"", 400, "unexpected end of input"),
        ("allow", b"{\"login\": x}", 400, "expected value, got 'x' (120)"),
        ("allow", b"{} x", 400, "unexpected trailing 'x' (120)"),
        ("report", br#"{"remote": "nonsense"}"#, 500, "Unable to convert presentation address 'nonsense'"),
        ("reset", b"{}", 400, "No ip, login or ja3 field supplied"),
        ("reset", br#"{"login": "keep"}"#, 500, "reset function returned false"),
        ("getDBStats", b"{}", 400, "No ja3, ip or login field supplied"),
        ("addBLEntry", br#"{"login": "a", "expire_secs": 1}"#, 500, "Missing mandatory reason field"),
    ];
    for (command, body, status, reason) in cases {
        let response = client.request("POST", &format!("/command/{command}"), &[], body);
        assert_eq!(response.status, status, "{command}: {}", response.text());
        assert_eq!(response.json(), json!({"reason": reason, "status": "failure"}), "{command}");
        assert_eq!(response.header("content-type"), Some("application/json; charset=utf-8"));
    }
    // What is not an object is an empty tuple, wrong types are empty values.
    for body in [&b"[]"[..], b"{}", br#"{"login": 5, "success": "true", "attrs": 7}"#] {
        assert_eq!(client.request("POST", "/command/report", &[], body).status, 200);
    }
}

#[test]
fn custom_endpoints_answer() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    let body = json!({"attrs": {"what": "this", "many": ["a", "b"], "dropped": 5}});
    let response = client.post("/command/echo", &body);
    assert_eq!(response.text(), r#"{"r_attrs": {"count": "2", "got": "this"}, "success": true}"#);
    let hello = client.get("/command/hello");
    assert_eq!(hello.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn lists_block_and_pass_before_the_policy() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    let ok = r#"{"status":"ok"}"#;
    let add = json!({"netmask": "198.51.100.0/24", "expire_secs": 600, "reason": "test"});
    assert_eq!(client.post("/command/addBLEntry", &add).text(), ok);
    let answer = client.allow(&json!({"login": "someone", "remote": "198.51.100.77"}));
    assert_eq!(answer["status"], -1);
    assert_eq!(answer["r_attrs"]["key"], "ip");
    assert_eq!(answer["r_attrs"]["reason"], "test");
    let entries = client.get("/command/getBL").json();
    assert_eq!(entries["bl_entries"][0]["ip"], "198.51.100.0/24");
    assert_eq!(client.post("/command/delBLEntry", &json!({"netmask": "198.51.100.0/24"})).text(), ok);
    assert_eq!(client.allow(&json!({"login": "someone", "remote": "198.51.100.77"}))["status"], 0);

    let office = json!({"ip": "192.0.2.7", "expire_secs": 600, "reason": "office"});
    assert_eq!(client.post("/command/addWLEntry", &office).text(), ok);
    assert_eq!(client.allow(&json!({"login": "no", "remote": "192.0.2.7"}))["status"], 0);
}

#[test]
fn connections_are_kept_and_pipelined() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    let mut connection = daemon.connect();
    let ask = |login: &str| {
        let body = json!({"login": login, "remote": "192.0.2.1"}).to_string();
        client.request_bytes("POST", "/command/allow", &[], body.as_bytes())
    };
    // Answers come in the order of the requests, whatever each takes.
    connection.send(&[ask("no"), ask("yes"), ask("wait")].concat());
    let answers: Vec<i64> = (0..3).map(|_| connection.receive().int("status")).collect();
    assert_eq!(answers, [-1, 0, 3]);
    connection.send(&ask("no"));
    assert_eq!(connection.receive().int("status"), -1);
}

#[test]
fn bodies_and_headers_are_limited() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    let mut connection = daemon.connect();
    // The size is known before the body is sent.
    connection.send(&client.request_bytes("POST", "/command/report", &[], &vec![b' '; 1_048_577])[..300]);
    let refused = connection.receive();
    assert_eq!((refused.status, refused.body.len()), (413, 0));
    assert!(connection.is_closed());

    let mut connection = daemon.connect();
    connection.send(format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(70_000)).as_bytes());
    assert_eq!(connection.receive().status, 414);

    let mut connection = daemon.connect();
    connection.send(b"nonsense\r\n\r\n");
    assert_eq!(connection.receive().status, 400);

    assert_eq!(client.get("/command/ping").status, 200, "others are served");
}

#[test]
fn the_number_of_connections_is_limited() {
    let daemon = Daemon::start("setMaxWebserverConns(2)");
    let ping = daemon.client().request_bytes("GET", "/command/ping", &[], b"");
    let mut held: Vec<Connection> = (0..2).map(|_| daemon.connect()).collect();
    for connection in &mut held {
        connection.send(&ping);
        assert_eq!(connection.receive().status, 200);
    }
    assert!(daemon.connect().is_closed(), "one too many is closed without an answer");
    for connection in &mut held {
        connection.send(&ping);
        assert_eq!(connection.receive().status, 200);
    }
}

#[test]
fn several_listeners_serve_the_same() {
    let second = address::fresh();
    let daemon = Daemon::start(&format!("addListener(\"{second}\", false, \"\", \"\", {{}})"));
    let other = Client { address: second, ..daemon.client() };
    assert_eq!(other.get("/command/ping").status, 200);
    assert_eq!(daemon.client().get("/command/ping").status, 200);
}

#[test]
fn many_clients_at_once_lose_nothing() {
    let daemon = Daemon::start(POLICY);
    let client = daemon.client();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = daemon.connect();
                let body = json!({"login": "crowd", "remote": "192.0.2.1", "success": false}).to_string();
                let request = client.request_bytes("POST", "/?command=report", &[], body.as_bytes());
                for _ in 0..100 {
                    connection.send(&request);
                    assert_eq!(connection.receive().status, 200);
                }
            });
        }
    });
    let stats = client.post("/command/getDBStats", &json!({"login": "crowd"}));
    assert_eq!(stats.json()["stats"]["seen"]["failures"], 800);
    assert_eq!(client.metric("wforce_commands_total{cmd=\"report\"}"), Some(800.0));
}

#[test]
fn lua_errors_name_the_line() {
    let daemon = Launch::new("setAllow(function(lt)\n    error(\"boom\")\nend)").start();
    let response = daemon.client().post("/command/allow", &json!({"login": "a"}));
    assert_eq!(response.status, 500);
    let reason = response.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("[string \"chunk\"]:2: boom\nstack traceback:\n"), "{reason}");
}

/// One of each kind of error, and of each kind of function.
const BROKEN: &str = "dofile('more.lua')
setAllow(function(lt)
    error('boom')
end)
setReport(function(lt) other(lt) end)
setReset(function(type, login, ip)
    error('no position', 0)
end)
setCustomEndpoint('tables', false, function(args)
    error({})
end)
setCustomGetEndpoint('overrun', function()
    while true do end
end)
setCanonicalize(function(login)
    if login == 'odd' then return {} end
    return login
end)
";

#[test]
fn the_log_names_file_and_line_of_an_error() {
    // With something to wait for, calls run in coroutines.
    for first in ["", "newDNSResolver('names') "] {
        let daemon = Launch::new(&format!("{first}{BROKEN}setPolicyBudget(500)\n"))
            .file("more.lua", "function other(lt)\n    local x = lt.login + nil\nend\n")
            .start();
        let (client, config) = (daemon.client(), daemon.config().display().to_string());
        for (command, body) in [
            ("allow", json!({"login": "a"})),
            ("report", json!({"login": "a"})),
            ("reset", json!({"login": "a"})),
            ("tables", json!({"attrs": {}})),
            ("allow", json!({"login": "odd"})),
        ] {
            assert_eq!(client.post(&format!("/command/{command}"), &body).status, 500, "{command}");
        }
        assert_eq!(client.get("/command/overrun").status, 500);
        for (head, part) in [
            (
                "Lua function [allow] exception: [string \"chunk\"]:3: boom",
                format!("boom ({config}:3)\\nstack traceback:"),
            ),
            ("Lua function [report] exception: more.lua:2: ", String::new()),
            (
                "Lua reset function exception: no position",
                format!("no position ({config}:7)\\nstack traceback:"),
            ),
            ("Lua custom function [tables] exception: ", format!(" ({config}:10)")),
            (
                "Lua custom function [overrun] exception: policy time budget of 500 ms exceeded",
                // A coroutine that is stopped knows its line no more.
                match first {
                    "" => format!("exceeded ({config}:13)"),
                    _ => format!("exceeded (in the function at {config}:12)"),
                },
            ),
            (
                "Exception in command [canonicalize] exception: unknown",
                format!("unknown (in the function at {config}:15)"),
            ),
        ] {
            let line = daemon.log().wait_for(head);
            assert!(line.contains(&part), "{first}: no {part:?}: {line}");
        }
    }
}
