//! TLS 1.2 and 1.3 and HTTP/2, as openssl and curl see them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::process::{Command, Output};

use portcullis_tests::process;
use portcullis_tests::{Daemon, Launch, address, tools};

struct Secured {
    daemon: Daemon,
    url: String,
}

/// A daemon that also listens with TLS, with a certificate of its own making.
fn start(extra: &str) -> Secured {
    let tls = address::fresh();
    let config = format!(
        "addListener(\"{tls}\", true, \"cert.pem\", \"key.pem\", {{ minimum_protocol = \"TLSv1.2\" }})\n{extra}"
    );
    let launch = Launch::new(&config);
    process::run_ok(
        Command::new(tools::system_tool("openssl"))
            .current_dir(launch.folder())
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args([
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
            ])
            .arg(format!("subjectAltName=IP:{}", tls.ip())),
    );
    Secured { daemon: launch.start(), url: format!("https://{tls}/command/ping") }
}

impl Secured {
    fn curl(&self, arguments: &[&str]) -> Output {
        process::run(
            Command::new(tools::system_tool("curl"))
                .args(["-q", "-sS", "-u", "wforce:supersecret", "--max-time", "60"])
                .arg("--cacert")
                .arg(self.daemon.folder().join("cert.pem"))
                .args(["-w", "\n%{http_version} %{http_code}"])
                .args(arguments)
                .arg(&self.url),
        )
    }
}

#[test]
fn both_versions_and_both_protocols() {
    let server = start("");
    for (arguments, expected) in [
        (&["--http1.1", "--tlsv1.2", "--tls-max", "1.2"][..], "1.1 200"),
        (&["--http1.1", "--tlsv1.3"], "1.1 200"),
        (&["--http2", "--tlsv1.2", "--tls-max", "1.2"], "2 200"),
        (&["--http2", "--tlsv1.3"], "2 200"),
    ] {
        let output = server.curl(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text, format!("{{\"status\":\"ok\"}}\n{expected}"), "{arguments:?}: {output:?}");
    }
    // Without TLS there is only HTTP/1.1, and the plain listener goes on beside it.
    assert_eq!(server.daemon.client().get("/command/ping").status, 200);
}

#[test]
fn old_versions_are_refused() {
    let server = start("");
    let output = server.curl(&["--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"]);
    assert!(!output.status.success(), "{output:?}");
    assert!(server.curl(&[]).status.success(), "the server is well");
}

#[test]
fn openssl_agrees() {
    let server = start("");
    let address = server.url.strip_prefix("https://").unwrap().split('/').next().unwrap().to_owned();
    let output = process::run_ok(
        Command::new(tools::system_tool("openssl"))
            .args([
                "s_client",
                "-connect",
                &address,
                "-alpn",
                "h2,http/1.1",
                "-verify_return_error",
                "-CAfile",
            ])
            .arg(server.daemon.folder().join("cert.pem")),
    );
    assert!(output.contains("Verify return code: 0 (ok)"), "{output}");
    assert!(output.contains("ALPN protocol: h2"), "{output}");
}

#[test]
fn a_listener_without_its_certificate_is_skipped() {
    let broken = address::fresh();
    let server = start(&format!("addListener(\"{broken}\", true, \"missing.pem\", \"key.pem\", {{}})"));
    assert!(std::net::TcpStream::connect(broken).is_err());
    server.daemon.log().wait_for("missing.pem");
    assert!(server.curl(&[]).status.success());
}

#[test]
fn plain_bytes_on_a_tls_port_harm_nobody() {
    let server = start("");
    let address = server.url.strip_prefix("https://").unwrap().split('/').next().unwrap().to_owned();
    let mut connection = portcullis_tests::http::Connection::open(address.parse().unwrap());
    connection.send(b"GET /command/ping HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(server.curl(&[]).status.success());
}
