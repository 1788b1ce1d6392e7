//! HTTP itself: versions, keep-alive, limits, methods, bad input.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a failure")]

mod support;

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use portcullis_api::{self as api, Threads};
use support::{AUTH, Client, post, quick, start, start_with, until};

const OK: &str = r#"{"status":"ok"}"#;

#[test]
fn answers_have_these_headers() {
    let server = start();
    let answer = server.command("report", "{}");
    answer.is_json(200, OK);
    let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "date", "server"]);
    assert_eq!(answer.header("server"), Some("portcullis"));
}

#[test]
fn connections_are_kept_in_1_1_and_on_demand_in_1_0() {
    let server = start();
    let mut client = server.connect();
    for _ in 0..3 {
        client.send(post("/?command=report", "{}"));
        client.answer().is_json(200, OK);
    }
    let mut client = server.connect();
    client.send(format!("GET /command/ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{AUTH}\r\n"));
    assert_eq!(client.answer().status, 200);
    client.is_closed();

    let mut old = server.connect();
    for _ in 0..2 {
        old.send(format!("GET /command/ping HTTP/1.0\r\nConnection: keep-alive\r\n{AUTH}\r\n"));
        let answer = old.answer();
        assert_eq!((answer.status, answer.header("connection")), (200, Some("keep-alive")));
    }
    old.send(format!("GET /command/ping HTTP/1.0\r\n{AUTH}\r\n"));
    assert_eq!(old.answer().status, 200);
    old.is_closed();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start();
    let mut client = server.connect();
    let mut all = Vec::new();
    for number in 0..50 {
        all.extend(post("/?command=allow", format!(r#"{{"login":"user{number}"}}"#)));
        all.extend(format!("GET /nothing{number} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes());
    }
    client.send(&all);
    for number in 0..50 {
        assert!(client.answer().text().starts_with(&format!(r#"{{"msg": "user{number}""#)));
        assert_eq!(client.answer().status, 404);
    }
}

#[test]
fn who_only_sends_is_not_read_for_ever() {
    let server = start();
    let mut client = server.connect();
    client.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let request = b"OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let mut sent = 0;
    // The kernel's buffers hold some megabytes; beyond them nothing may be taken in.
    let stuck = loop {
        match client.stream.write(&request) {
            Ok(count) => sent += count,
            Err(_) => break true,
        }
        if sent > 200 << 20 {
            break false;
        }
    };
    assert!(stuck, "{sent} bytes were taken though no answer was");
}

#[test]
fn bodies_come_in_any_shape() {
    let server = start();
    let mut client = server.connect();
    client.send(format!(
        "POST /command/allow HTTP/1.1\r\nHost: a\r\n{AUTH}Transfer-Encoding: chunked\r\n\r\n\
         4\r\n{{\"lo\r\nB\r\ngin\":\"chu\"}}\r\n0\r\n\r\n"
    ));
    assert!(client.answer().text().contains(r#""msg": "chu""#));
    // In two packets, and with any Content-Type.
    let whole = post("/command/allow", r#"{"login":"halves"}"#);
    let (first, second) = whole.split_at(whole.len() - 5);
    client.send(first);
    client.send(second);
    assert!(client.answer().text().contains("halves"));
    client.send(format!(
        "POST /?command=allow HTTP/1.1\r\nHost: a\r\n{AUTH}Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 16\r\n\r\n{{\"login\":\"form\"}}"
    ));
    assert!(client.answer().text().contains(r#""msg": "form""#));
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    let server = start();
    let mut client = server.connect();
    client.send(format!(
        "POST /command/report HTTP/1.1\r\nHost: a\r\n{AUTH}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 100);
    client.send("{}");
    client.answer().is_json(200, OK);
    client.send(
        "POST /command/report HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.answer().status, 401);
}

#[test]
fn a_client_that_closes_its_side_is_still_heard_and_answered() {
    let server = start();
    let mut client = server.connect();
    client.send(post("/command/report", r#"{"login":"short"}"#));
    client.stream.shutdown(Shutdown::Write).unwrap();
    client.answer().is_json(200, OK);
    client.is_closed();
    assert_eq!(server.memory.reports.lock().len(), 1);
}

#[test]
fn bodies_up_to_a_mebibyte() {
    let server = start();
    let mut body = vec![b' '; 1 << 20];
    body[0] = b'{';
    *body.last_mut().unwrap() = b'}';
    server.command("report", &body).is_json(200, OK);
    body.push(b' ');
    let mut client = server.connect();
    client.send(format!(
        "POST /command/report HTTP/1.1\r\nHost: a\r\n{AUTH}Content-Length: {}\r\n\r\n",
        body.len()
    ));
    let answer = client.answer();
    answer.is(413, None, "");
    assert_eq!(answer.header("connection"), Some("close"));
    client.is_closed();
    // A client that does not wait for an answer before it has sent everything gets it, too.
    server.command("report", &body).is(413, None, "");
    let mut client = server.connect();
    client.send(format!(
        "POST /command/report HTTP/1.1\r\nHost: a\r\n{AUTH}Transfer-Encoding: chunked\r\n\r\n"
    ));
    client.send(format!("{:x}\r\n", body.len()));
    client.send(&body);
    client.send("\r\n0\r\n\r\n");
    client.answer().is(413, None, "");
}

#[test]
fn requests_that_are_no_http_are_refused_and_the_connection_ends() {
    let server = start();
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(65536));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(200));
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "a".repeat(200 << 10));
    let cases: [(&[u8], u16); 8] = [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /command/report HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (long_target.as_bytes(), 414),
        (many.as_bytes(), 431),
        (large.as_bytes(), 431),
    ];
    for (request, status) in cases {
        let mut client = server.connect();
        let _ = client.stream.write_all(request);
        let answer = client.answer();
        assert_eq!((answer.status, answer.text().as_str()), (status, ""));
        client.is_closed();
    }
    server.get("/command/ping").is_json(200, r#"{"status":"warmup"}"#);
}

#[test]
fn bad_chunks_are_refused() {
    let server = start();
    let mut client = server.connect();
    client.send(format!(
        "POST /command/report HTTP/1.1\r\nHost: a\r\n{AUTH}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n"
    ));
    client.answer().is(400, None, "");
    client.is_closed();
}

#[test]
fn methods() {
    let server = start();
    let ask = |method: &str, target: &str| {
        server.ask(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{AUTH}Content-Length: 0\r\n\r\n"))
    };
    for path in ["/", "/metrics", "/command/livez", "/openapi.json"] {
        ask("PATCH", path).is(405, None, "");
        ask("OPTIONS", path).is(403, None, "");
    }
    ask("DELETE", "/metrics").is(405, None, "");
    for (method, target) in [
        ("GET", "/command/report"),
        ("PUT", "/command/report"),
        ("OPTIONS", "/command/report"),
        ("POST", "/command/ping"),
        ("GET", "/?command=report"),
        ("POST", "/?command=ping"),
        ("PUT", "/?command=report"),
        ("DELETE", "/?command=getBL"),
        ("GET", "/"),
        ("GET", "/?command=livez"),
        ("GET", "/?command=PING"),
        ("GET", "/command/ping/"),
        ("GET", "/nothing"),
        ("GET", "/%"),
        ("GET", "/command/%ff"),
        ("GET", "/?command=%zz&%"),
    ] {
        ask(method, target).is_html(404, r#"{"status":"failure", "reason":"Not found"}"#);
    }
    let mut client = server.connect();
    client.send("BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer();
    answer.is(405, None, "");
    assert_eq!(answer.header("connection"), Some("close"));
    client.is_closed();
}

#[test]
fn head_is_get_without_the_body() {
    let server = start();
    let mut client = server.connect();
    for target in ["/command/getBL", "/?command=getBL", "/metrics"] {
        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n{AUTH}\r\n"));
        let head = client.answer_to(true);
        assert_eq!(head.status, 200);
        assert!(head.header("content-length").unwrap() != "0");
    }
    client.send(format!("GET /command/ping HTTP/1.1\r\nHost: a\r\n{AUTH}\r\n"));
    client.answer().is_json(200, r#"{"status":"warmup"}"#);
}

#[test]
fn idle_and_slow_connections_end() {
    let server = start_with(|settings| settings.limits = quick());
    let mut idle = server.connect();
    let mut used = server.connect();
    used.send(post("/command/report", "{}"));
    assert_eq!(used.answer().status, 200);
    let mut half_a_header = server.connect();
    half_a_header.send("GET /command/ping HTTP/1.1\r\nHost: ");
    let mut half_a_body = server.connect();
    half_a_body
        .send(format!("POST /command/report HTTP/1.1\r\nHost: a\r\n{AUTH}Content-Length: 10\r\n\r\n{{"));
    half_a_body.answer().is(408, None, "");
    half_a_body.is_closed();
    idle.is_closed();
    used.is_closed();
    half_a_header.is_closed();
    let server = server.server.as_ref().unwrap();
    until(|| server.connections() == 0);
}

#[test]
fn a_request_at_work_is_not_idle() {
    let server = start_with(|settings| settings.limits = quick());
    let mut busy = server.connect();
    busy.send(post("/command/report", r#"{"login":"wait"}"#));
    until(|| server.memory.waiting.load(std::sync::atomic::Ordering::SeqCst) == 1);
    // Others come and go idle meanwhile.
    server.connect().is_closed();
    server.connect().is_closed();
    server.memory.go_on.notify_one();
    busy.answer().is_json(200, OK);
}

#[test]
fn connections_beyond_the_maximum_are_closed_without_a_word() {
    let server = start_with(|settings| settings.max_connections = 2);
    let (mut first, mut second) = (server.connect(), server.connect());
    for client in [&mut first, &mut second] {
        client.send(post("/command/report", "{}"));
        assert_eq!(client.answer().status, 200);
    }
    server.connect().is_closed();
    let running = server.server.as_ref().unwrap();
    assert_eq!(running.refused_connections(), 1);
    drop(first);
    until(|| running.connections() == 1);
    server.command("report", "{}").is_json(200, OK);
}

#[test]
fn a_listener_that_cannot_listen_leaves_the_others() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let plain = |addr| api::Listener { addr, tls: None };
        let (first, errors) = api::Server::start(
            api::Settings {
                listeners: vec![plain(support::loopback()), plain(support::loopback())],
                threads: Threads::Shared,
                ..api::Settings::default()
            },
            support::memory(),
        )
        .unwrap();
        assert!(errors.is_empty());
        assert_eq!(first.addrs().len(), 2);
        let (second, errors) = api::Server::start(
            api::Settings {
                listeners: vec![plain(first.addrs()[0]), plain(support::loopback())],
                threads: Threads::Shared,
                ..api::Settings::default()
            },
            support::memory(),
        )
        .unwrap();
        assert_eq!(second.addrs().len(), 1);
        assert!(errors[0].to_string().contains(&first.addrs()[0].to_string()), "{errors:?}");
        assert_eq!(first.shutdown(Duration::from_secs(5)).await, 0);
        assert_eq!(second.shutdown(Duration::from_secs(5)).await, 0);
    });
}

#[test]
fn shutdown_lets_requests_finish() {
    let mut server = start();
    let mut busy = server.connect();
    busy.send(post("/command/report", r#"{"login":"wait"}"#));
    let mut idle = server.connect();
    idle.send(post("/command/report", "{}"));
    assert_eq!(idle.answer().status, 200);
    let mut fresh = server.connect();
    until(|| server.memory.waiting.load(std::sync::atomic::Ordering::SeqCst) == 1);
    let running = server.server.take().unwrap();
    let ending = server.runtime.spawn(running.shutdown(Duration::from_mins(1)));
    idle.is_closed();
    fresh.is_closed();
    until(|| std::net::TcpStream::connect(server.addr).is_err());
    server.memory.go_on.notify_one();
    let answer = busy.answer();
    answer.is_json(200, OK);
    busy.is_closed();
    assert_eq!(server.runtime.block_on(ending).unwrap(), 0);
    assert_eq!(server.memory.reports.lock().len(), 2);
}

#[test]
fn shutdown_does_not_wait_for_ever() {
    let mut server = start();
    let mut busy = server.connect();
    busy.send(post("/command/report", r#"{"login":"wait"}"#));
    until(|| server.memory.waiting.load(std::sync::atomic::Ordering::SeqCst) == 1);
    let running = server.server.take().unwrap();
    assert_eq!(server.runtime.block_on(running.shutdown(Duration::from_millis(100))), 1);
    busy.is_closed();
}

#[test]
fn every_thread_arrangement_serves() {
    for threads in [Threads::Own(1), Threads::Own(3), Threads::Shared] {
        let server = start_with(|settings| settings.threads = threads);
        let mut clients: Vec<Client> = (0..6).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send(post("/command/report", "{}"));
        }
        for client in &mut clients {
            client.answer().is_json(200, OK);
        }
    }
}
