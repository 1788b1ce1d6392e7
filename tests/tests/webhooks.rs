//! Webhooks and report sinks of a real daemon.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::io::Write as _;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use portcullis_tests::process::{self, Process};
use portcullis_tests::receiver::Receiver;
use portcullis_tests::{Daemon, Launch, PATIENCE, address, tools};
use serde_json::{Value, json};

const TUPLE: &str = r#""attrs": {}, "device_attrs": {}, "device_id": "", "fail_type": "", "login": "ahu", "policy_reject": false, "protocol": "", "pwhash": "1234", "remote": "192.0.2.1", "session_id": "", "success": false, "t": "#;

fn tuple() -> Value {
    json!({"login": "ahu", "remote": "192.0.2.1", "pwhash": "1234", "success": false})
}

/// The time in a body, which nobody can know beforehand, as `T`.
fn timeless(body: &str) -> String {
    let Some((before, rest)) = body.split_once("\"t\": ") else { return body.to_owned() };
    let end = rest.find(',').unwrap();
    format!("{before}\"t\": T{}", &rest[end..])
}

#[test]
fn every_event_is_told() {
    let receiver = Receiver::start("200 OK");
    let url = receiver.url();
    let daemon = Daemon::start(&format!(
        r#"
addWebHook({{"report", "allow", "reset", "addbl", "delbl", "expirebl", "addwl", "delwl", "expirewl"}},
           {{ url = "{url}", secret = "s", ["basic-auth"] = "u:p", ["api-key"] = "k" }})
addCustomWebHook("mine", {{ url = "{url}", ["content-type"] = "text/plain" }})
setAllow(function(lt)
    if lt.login == "custom" then runCustomWebHook("mine", "some text") end
    return 7, "m", "l", {{ a = "b" }}
end)
"#
    ));
    let client = daemon.client();
    let told = |event: &str, body: &str| {
        let request = receiver.next();
        assert_eq!(request.header("x-wforce-event"), Some(event));
        assert_eq!(timeless(&request.body), body);
        request
    };
    client.report(&tuple());
    let request = told("report", &format!(r#"{{{TUPLE}T, "tls": false, "type": "wforce_report"}}"#));
    assert_eq!(request.line, "POST /hook HTTP/1.1");
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names.join(" ").to_lowercase(),
        "host accept authorization content-type x-api-key x-wforce-delivery x-wforce-event x-wforce-hookid x-wforce-signature \
         content-length"
    );
    assert_eq!(request.header("authorization"), Some("Basic dTpw"));
    assert_eq!(request.header("x-wforce-hookid"), Some("1"));

    client.allow(&tuple());
    let request = format!(r#"{{{TUPLE}T, "tls": false}}"#);
    told(
        "allow",
        &format!(
            r#"{{"request": {request}, "response": {{"msg": "m", "r_attrs": {{"a": "b"}}, "status": 7}}, "type": "wforce_allow"}}"#
        ),
    );
    client.post("/command/addBLEntry", &json!({"login": "joe", "expire_secs": 600, "reason": "r"}));
    told(
        "addbl",
        r#"{"bl_type": "login", "expire_secs": 600, "key": "joe", "reason": "r", "type": "wforce_addblwl"}"#,
    );
    client.post("/command/reset", &json!({"login": "joe"}));
    let mut both = [receiver.next(), receiver.next()].map(|request| request.body);
    both.sort();
    assert_eq!(
        both,
        [
            r#"{"bl_type": "login", "key": "joe", "type": "wforce_delblwl"}"#,
            r#"{"ip": "0.0.0.0", "ja3": "", "login": "joe", "type": "wforce_reset"}"#
        ]
    );
    assert_eq!(client.post("/command/reset", &json!({})).status, 400);
    told("reset", r#"{"ip": "0.0.0.0", "ja3": "", "login": "", "type": "wforce_reset"}"#);
    client.post("/command/addWLEntry", &json!({"ip": "192.0.2.5", "expire_secs": 0, "reason": "r"}));
    told(
        "addwl",
        r#"{"expire_secs": 0, "key": "192.0.2.5/32", "reason": "r", "type": "wforce_addblwl", "wl_type": "ip"}"#,
    );
    told("expirewl", r#"{"key": "192.0.2.5/32", "type": "wforce_expireblwl", "wl_type": "ip"}"#);

    client.allow(&json!({"login": "custom", "remote": "192.0.2.1"}));
    let mut two = [receiver.next(), receiver.next()];
    two.sort_by_key(|request| request.header("x-wforce-event").unwrap().to_owned());
    assert_eq!(two[1].header("x-wforce-event"), Some("mine"));
    assert_eq!((two[1].body.as_str(), two[1].header("content-type")), ("some text", Some("text/plain")));
    let table = daemon.execute("showCustomWebHooks()");
    assert!(
        table.starts_with("ID        Name                 Successes Failures  URL\n1         mine "),
        "{table}"
    );
    assert!(daemon.execute("showWebHooks()").contains(&url));
}

#[test]
fn a_dead_endpoint_among_two_starves_nobody() {
    let (dead, good) = (Receiver::start(""), Receiver::start("200 OK"));
    let daemon = Daemon::start(&format!(
        "addWebHook({{\"report\"}}, {{ url = \"{}\" }})\naddWebHook({{\"report\"}}, {{ url = \"{}\" }})\n\
         setNumWebHookThreads(1)\nsetNumWebHookConnsPerThread(2)\nsetWebHookTimeoutSecs(1)\n",
        dead.url(),
        good.url()
    ));
    for _ in 0..30 {
        daemon.client().report(&tuple());
        assert!(good.next().body.ends_with("\"type\": \"wforce_report\"}"));
    }
    let line = daemon.log().wait_for("Webhook id=1 failed to url");
    assert!(
        line.contains(&format!(
            "Webhook id=1 failed to url (http://{}): [no answer within 1000 ms]",
            dead.addr
        )),
        "{line}"
    );
    assert!(daemon.client().metric("portcullis_webhook_waiting{hook=\"1\"}").unwrap() >= 1.0);
    assert!(!good.has_more());
}

/// A self-signed certificate NAME.pem with its NAME.key, for this address.
fn certificate(folder: &Path, name: &str, ip: IpAddr) {
    let key =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let files = ["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")].map(str::to_owned);
    process::run_ok(
        Command::new(tools::system_tool("openssl"))
            .current_dir(folder)
            .args(key)
            .args(files)
            .args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName=IP:{ip}")])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"]),
    );
}

#[test]
fn over_tls_both_ends_show_their_certificates() {
    let addr = address::fresh();
    let mut command = Command::new(tools::system_tool("openssl"));
    command.args([
        "s_server",
        "-quiet",
        "-accept",
        &addr.to_string(),
        "-cert",
        "server.pem",
        "-key",
        "server.key",
    ]);
    command.args(["-Verify", "1", "-verify_return_error", "-CAfile", "client.pem"]);
    let config = format!(
        "addWebHook({{\"report\"}}, {{ url = \"https://{addr}/hook\", kafka = \"true\" }})\n\
         setCurlCABundleFile(\"server.pem\")\nsetWebHookTimeoutSecs(60)\n"
    );
    let launch = Launch::new(&config);
    certificate(launch.folder(), "server", addr.ip());
    certificate(launch.folder(), "client", addr.ip());
    let with_client = format!("{config}setCurlClientCertAndKey(\"client.pem\", \"client.key\")\n");
    let mut server = Process::start_with_stdin(command.current_dir(launch.folder()), Stdio::piped());
    let pem = |name: &str| std::fs::read(launch.folder().join(name)).unwrap();
    let [server_pem, client_pem, client_key] = ["server.pem", "client.pem", "client.key"].map(pem);
    let known = Launch::new(&with_client)
        .file("server.pem", &server_pem)
        .file("client.pem", &client_pem)
        .file("client.key", &client_key)
        .start();
    // A hook is not sent twice, so somebody must listen.
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(addr).is_err() {
        assert!(Instant::now() < deadline, "openssl does not listen");
    }
    known.client().report(&tuple());
    server.stdout.wait_for("POST /hook HTTP/1.1");
    server.stdout.wait_for("application/vnd.kafka.json.v2+json");
    server.stdin().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    let sent = |daemon: &Daemon, status: &str| {
        let sample = format!(
            "wforce_webhook_events_total{{id=\"1\",status=\"{status}\",url=\"https://{addr}/hook\"}}"
        );
        let deadline = Instant::now() + PATIENCE;
        while daemon.client().metric(&sample) != Some(1.0) {
            assert!(Instant::now() < deadline, "{sample}: {:?}", daemon.client().metric(&sample));
        }
    };
    sent(&known, "ok");
    drop(known);
    // Without its certificate it is not let in.
    let stranger = launch.start();
    stranger.client().report(&tuple());
    sent(&stranger, "error");
}

#[test]
fn failures_are_told_in_wforces_words() {
    let receiver = Receiver::start("302 Found");
    let url = receiver.url();
    let mut daemon = Daemon::start(&format!("addWebHook({{\"report\"}}, {{ url = \"{url}\" }})\n"));
    daemon.client().report(&tuple());
    receiver.next();
    let text = format!(
        "Webhook id=1 failed to url (http://{}): [Received non-2XX response from webserver: 302]",
        receiver.addr
    );
    let line = daemon.log().wait_for(&text);
    assert!(!line.contains("/hook"), "the path may be a secret: {line}");
    let sample = format!("wforce_webhook_events_total{{id=\"1\",status=\"error\",url=\"{url}\"}}");
    assert_eq!(daemon.client().metric(&sample), Some(1.0));
    assert_eq!(daemon.client().metric("wforce_webhook_queue_size"), Some(0.0));
    assert!(daemon.terminate().success());
}

#[test]
fn one_connection_serves_many_deliveries() {
    let receiver = Receiver::start("200 OK");
    let url = receiver.url();
    let daemon = Daemon::start(&format!(
        "addWebHook({{\"report\"}}, {{ url = \"{url}\" }})\nsetNumWebHookThreads(1)\nsetNumWebHookConnsPerThread(1)\n"
    ));
    for _ in 0..20 {
        daemon.client().report(&tuple());
        receiver.next();
    }
    assert_eq!(receiver.connections(), 1);
}

#[test]
fn a_filter_chooses_answers_by_their_status() {
    let receivers =
        ["reject", "allow", "tarpit", "reject tarpit"].map(|filter| (filter, Receiver::start("200 OK")));
    let hook = |(filter, receiver): &(&str, Receiver)| {
        let url = receiver.url();
        format!("addWebHook({{\"allow\"}}, {{ url = \"{url}\", allow_filter = \"{filter}\" }})\n")
    };
    let hooks: Vec<String> = receivers.iter().map(hook).collect();
    let daemon = Daemon::start(&format!(
        "{}setAllow(function(lt) return tonumber(lt.pwhash), \"\", \"\", {{}} end)\n",
        hooks.concat()
    ));
    for status in ["-1", "0", "1", "-1", "0", "7"] {
        daemon.client().allow(&json!({"login": "ahu", "remote": "192.0.2.1", "pwhash": status}));
    }
    for ((filter, receiver), expected) in
        receivers.iter().zip([&[-1, -1][..], &[0, 0], &[1, 7], &[-1, 1, -1, 7]])
    {
        // Deliveries may overtake each other.
        let mut found: Vec<i64> = expected
            .iter()
            .map(|_| {
                let body: Value = serde_json::from_str(&receiver.next().body).unwrap();
                body["response"]["status"].as_i64().unwrap()
            })
            .collect();
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{filter}");
    }
    assert!(receivers.iter().all(|(_, receiver)| !receiver.has_more()));
}

#[test]
fn what_waits_is_delivered_before_the_end() {
    let receiver = Receiver::start("200 OK");
    let config = format!(
        "addWebHook({{\"report\"}}, {{ url = \"{}\" }})\nsetNumWebHookThreads(1)\nsetNumWebHookConnsPerThread(1)\n",
        receiver.url()
    );
    let mut daemon = Daemon::start(&config);
    (0..50).for_each(|_| daemon.client().report(&tuple()));
    assert!(daemon.terminate().success());
    (0..50).for_each(|_| drop(receiver.next()));
}

#[test]
fn sinks_get_reports_and_custom_requests() {
    let listen = || {
        let socket = UdpSocket::bind(address::fresh()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let hear = |socket: &UdpSocket| {
        let mut buffer = vec![0; 65536];
        let len = socket.recv(&mut buffer).unwrap();
        timeless(std::str::from_utf8(&buffer[..len]).unwrap())
    };
    let (one, two) = (listen(), listen());
    let daemon = Daemon::start(&format!(
        "setNamedReportSinks(\"pair\", {{\"{}\", \"{}\"}})\n\
         setCustomEndpoint(\"tell\", true, function(args) return false, {{}} end)\n\
         setCustomEndpoint(\"keep\", false, function(args) return true, {{}} end)\n",
        one.local_addr().unwrap(),
        two.local_addr().unwrap()
    ));
    let client = daemon.client();
    client.report(&tuple());
    assert_eq!(hear(&one), format!("{{{TUPLE}T, \"tls\": false}}"));
    client.post("/command/keep", &json!({"attrs": {"k": "kept"}}));
    client.post("/command/tell", &json!({"attrs": {"k": "v", "l": ["a"]}}));
    assert_eq!(hear(&two), r#"{"attrs": {"k": "v", "l": ["a"]}}"#);
    client.report(&tuple());
    hear(&one);
    let table = daemon.execute("showNamedReportSinks()");
    assert!(table.contains("pair ") && table.contains(&one.local_addr().unwrap().to_string()), "{table}");
}

#[test]
fn what_fires_and_what_does_not() {
    let receiver = Receiver::start("200 OK");
    let url = receiver.url();
    let daemon = Daemon::start(&format!(
        r#"
addWebHook({{"report", "allow", "expirebl", "delwl"}}, {{ url = "{url}" }})
setReport(function(lt) if lt.login == "bad" then error("a mistake") end end)
"#
    ));
    let client = daemon.client();
    let next = |event: &str| {
        let request = receiver.next();
        assert_eq!(request.header("x-wforce-event"), Some(event), "{}", request.body);
        request.body
    };
    // A report whose policy fails is not told; the one after it is.
    assert_eq!(
        client
            .post("/command/report", &json!({"login": "bad", "remote": "192.0.2.1", "success": false}))
            .status,
        500
    );
    client.report(&tuple());
    assert!(next("report").contains("\"login\": \"ahu\""));
    client.post("/command/addBLEntry", &json!({"login": "joe", "expire_secs": 0, "reason": "r"}));
    assert_eq!(next("expirebl"), r#"{"bl_type": "login", "key": "joe", "type": "wforce_expireblwl"}"#);
    client.post("/command/delWLEntry", &json!({"login": "nobody"}));
    assert_eq!(next("delwl"), r#"{"key": "nobody", "type": "wforce_delblwl", "wl_type": "login"}"#);
    // An answer that a list gave is told like any other.
    client.post("/command/addBLEntry", &json!({"login": "ahu", "expire_secs": 600, "reason": "r"}));
    client.allow(&tuple());
    assert!(next("allow").contains("\"status\": -1"));
    assert!(!receiver.has_more());
}

#[test]
fn a_hook_may_have_another_form_and_a_date_in_its_url() {
    let receiver = Receiver::start("200 OK");
    let daemon = Daemon::start(&format!(
        "addWebHook({{\"allow\"}}, {{ url = \"{}-%{{YYYY}}\", [\"ox-protect\"] = \"hello\" }})\n\
         addCustomWebHook(\"mine\", {{ url = \"{}\", secret = \"s\", [\"basic-auth\"] = \"u:p\" }})\n\
         setAllow(function(lt) runCustomWebHook(\"mine\", \"text\") return 0, \"\", \"\", {{}} end)\n",
        receiver.url(),
        receiver.url()
    ));
    daemon.client().allow(&tuple());
    let mut both = [receiver.next(), receiver.next()];
    both.sort_by_key(|request| request.line.len());
    let [custom, ox] = both;
    let year = ox.line.strip_prefix("POST /hook-").and_then(|rest| rest.strip_suffix(" HTTP/1.1")).unwrap();
    assert!(year.parse::<u32>().is_ok_and(|year| year > 2000), "{year}");
    let body: Value = serde_json::from_str(&ox.body).unwrap();
    assert_eq!(
        (&body["application"], &body["message"], &body["user"]),
        (&json!("wforce"), &json!("hello"), &json!("ahu"))
    );
    assert_eq!((custom.body.as_str(), custom.header("authorization")), ("text", Some("Basic dTpw")));
    // HMAC-SHA256 of "text" with the key "s".
    assert_eq!(custom.header("x-wforce-signature"), Some("8hDnIVdf8GiV4xNgcw2bWrnNzKK6gUFUVS8C0LKP3Tc="));
}
