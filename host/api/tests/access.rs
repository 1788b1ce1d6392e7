//! Who is let in, and in which order that is found out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a failure")]

mod support;

use support::{Running, start};

fn ask(server: &Running, target: &str, auth: Option<&str>) -> support::Answer {
    let auth = auth.map(|auth| format!("Authorization: {auth}\r\n")).unwrap_or_default();
    server.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{auth}\r\n"))
}

const GOOD: &str = "Basic d2ZvcmNlOnN1cGVy";
const UNAUTHORIZED: &str = r#"{"status":"failure", "reason":"Unauthorized"}"#;
const NOT_FOUND: &str = r#"{"status":"failure", "reason":"Not found"}"#;
const NOT_IN_ACL: &str = r#"{"status":"failure", "reason":"Source IP Address not in ACL", "ip":"127.0.0.1"}"#;

#[test]
fn the_password_counts_and_the_user_does_not() {
    let server = start();
    for good in [GOOD, "basic eDpzdXBlcg==", "BASIC  /zpzdXBlcg=="] {
        assert_eq!(ask(&server, "/command/ping", Some(good)).status, 200, "{good}");
    }
    for bad in [
        None,
        Some(""),
        Some("Basic"),
        Some("Basic ="),
        Some("Bearer d2ZvcmNlOnN1cGVy"),
        Some("Basic OnN1cGVy"),
        Some("Basic d2ZvcmNlOnN1cGVyOng="),
        Some("Basic d2ZvcmNlOg=="),
        Some("Basic d2ZvcmNlOlN1cGVy"),
        Some("Basic \u{ff}"),
    ] {
        let answer = ask(&server, "/command/ping", bad);
        answer.is_html(401, UNAUTHORIZED);
        assert_eq!(answer.header("www-authenticate"), Some("basic realm=\"wforce\""), "{bad:?}");
        assert_eq!(answer.header("connection"), None);
    }
}

#[test]
fn no_password_means_nobody() {
    let server = start();
    server.memory.capabilities.access.set_password(b"");
    for auth in [None, Some(GOOD), Some("Basic d2ZvcmNlOg==")] {
        ask(&server, "/command/ping", auth).is_html(401, UNAUTHORIZED);
    }
    assert_eq!(ask(&server, "/command/livez", None).status, 200);
}

#[test]
fn order_of_the_checks() {
    let server = start();
    // Route, then password.
    ask(&server, "/command/nothing", None).is_html(404, NOT_FOUND);
    ask(&server, "/nothing", None).is_html(404, NOT_FOUND);
    ask(&server, "/command/report", None).is_html(404, NOT_FOUND);
    ask(&server, "/command/ping", None).is_html(401, UNAUTHORIZED);
    // Password, then command.
    ask(&server, "/?command=nothing", None).is_html(401, UNAUTHORIZED);
    ask(&server, "/?command=report", None).is_html(401, UNAUTHORIZED);
    ask(&server, "/?command=nothing", Some(GOOD)).is_html(404, NOT_FOUND);
    ask(&server, "/?command=readyz", None).is_html(401, UNAUTHORIZED);
    ask(&server, "/openapi.json", None).is_html(401, UNAUTHORIZED);
    // Free of the password.
    ask(&server, "/command/livez", None).is_html(200, "");
    ask(&server, "/command/readyz", None).is_json(503, "");

    server.memory.capabilities.access.set_acl(["192.0.2.0/24"]).unwrap();
    for target in [
        "/command/ping",
        "/command/livez",
        "/command/readyz",
        "/?command=nothing",
        "/metrics",
        "/openapi.json",
    ] {
        let answer = ask(&server, target, Some(GOOD));
        answer.is_html(401, NOT_IN_ACL);
        assert_eq!(answer.header("www-authenticate"), None);
        assert_eq!(answer.header("connection"), None);
    }
    ask(&server, "/command/nothing", Some(GOOD)).is_html(404, NOT_FOUND);
}

#[test]
fn the_acl_holds_at_once_also_on_open_connections() {
    let server = start();
    let mut client = server.connect();
    let request = format!("GET /command/ping HTTP/1.1\r\nHost: a\r\nAuthorization: {GOOD}\r\n\r\n");
    client.send(&request);
    assert_eq!(client.answer().status, 200);
    server.memory.capabilities.access.add_acl(b"!127.0.0.1/32").unwrap();
    client.send(&request);
    client.answer().is_html(401, NOT_IN_ACL);
    server.memory.capabilities.access.set_acl(["127.0.0.1"]).unwrap();
    client.send(&request);
    assert_eq!(client.answer().status, 200);
}

#[test]
fn metrics_can_be_opened_but_not_to_everybody() {
    let server = start();
    ask(&server, "/metrics", None).is_html(401, UNAUTHORIZED);
    assert_eq!(ask(&server, "/metrics", Some(GOOD)).status, 200);
    server.memory.capabilities.access.open_metrics();
    assert_eq!(ask(&server, "/metrics", None).status, 200);
    assert_eq!(ask(&server, "/openapi.json", None).status, 401);
    server.memory.capabilities.access.set_acl(["192.0.2.0/24"]).unwrap();
    ask(&server, "/metrics", None).is_html(401, NOT_IN_ACL);
}

#[test]
fn who_is_refused_may_send_the_body_and_go_on() {
    let server = start();
    let mut client = server.connect();
    client.send("POST /command/report HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    client.send(vec![b' '; 100_000]);
    client.answer().is_html(401, UNAUTHORIZED);
    client.send(support::post("/command/report", "{}"));
    client.answer().is_json(200, r#"{"status":"ok"}"#);
    assert_eq!(server.memory.reports.lock().len(), 1);
}

#[test]
fn v4_clients_of_a_v6_listener_are_known_by_their_v4_address() {
    let server = support::start_with(|settings| settings.listeners[0].addr = "[::]:0".parse().unwrap());
    let mut client = support::Client::connect(([127, 0, 0, 1], server.addr.port()).into());
    server.memory.capabilities.access.set_acl(["192.0.2.1"]).unwrap();
    client.send("GET /command/ping HTTP/1.1\r\nHost: a\r\n\r\n");
    client.answer().is_html(401, NOT_IN_ACL);
}
