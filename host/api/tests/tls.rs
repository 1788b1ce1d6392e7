//! HTTPS: versions, HTTP/2, certificates that are missing, wrong or replaced, slow handshakes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a failure")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_api::{Listener, ListenerError, Server, Settings, TlsConfig, TlsError};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use support::{AUTH, Running, loopback, memory, post, quick, start_with};
use tempfile::TempDir;

/// A certificate for `localhost` and its key as PEM files; returns the certificate.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn tls(folder: &TempDir, options: &[(&str, &str)]) -> TlsConfig {
    TlsConfig {
        certificates: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
        options: options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn serve(tls: TlsConfig) -> Running {
    start_with(|settings| {
        settings.listeners = vec![Listener { addr: loopback(), tls: Some(tls) }];
        settings.limits = quick();
    })
}

fn client(trust: &CertificateDer<'static>, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trust.clone()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// One request over HTTP/1.1; the answer's text and the TLS version.
fn ask(addr: SocketAddr, config: ClientConfig) -> std::io::Result<(String, rustls::ProtocolVersion)> {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(addr)?);
    stream.write_all(
        format!("GET /command/ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{AUTH}\r\n")
            .as_bytes(),
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok((text, stream.conn.protocol_version().unwrap()))
}

#[test]
fn both_versions_are_spoken() {
    let folder = TempDir::new().unwrap();
    let trust = certificate(folder.path());
    let server = serve(tls(&folder, &[("Ciphers", "ignored")]));
    for version in BOTH {
        let (text, spoken) = ask(server.addr, client(&trust, &[*version])).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.ends_with(r#"{"status":"warmup"}"#), "{text}");
        assert_eq!(spoken, version.version);
    }
}

#[test]
fn options_narrow_the_versions() {
    let folder = TempDir::new().unwrap();
    let trust = certificate(folder.path());
    for (option, spoken, refused) in
        [(("MinProtocol", "TLSv1.3"), BOTH[1], BOTH[0]), (("MaxProtocol", "TLSv1.2"), BOTH[0], BOTH[1])]
    {
        let server = serve(tls(&folder, &[option]));
        assert!(ask(server.addr, client(&trust, &[spoken])).is_ok());
        assert!(ask(server.addr, client(&trust, &[refused])).is_err());
    }
}

#[test]
fn http_2_is_spoken_when_asked_for() {
    let folder = TempDir::new().unwrap();
    let trust = certificate(folder.path());
    let mut server = serve(tls(&folder, &[]));
    let mut config = client(&trust, BOTH);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let addr = server.addr;
    server.runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let request = |target: &str, body: &'static str| {
            hyper::Request::post(format!("https://localhost{target}"))
                .header("authorization", "Basic d2ZvcmNlOnN1cGVy")
                .body(Full::new(Bytes::from_static(body.as_bytes())))
                .unwrap()
        };
        // Two at once on one connection; the first is answered last.
        let mut first = sender.clone();
        let waiting = tokio::spawn(first.send_request(request("/command/report", r#"{"login":"wait"}"#)));
        while server.memory.waiting.load(std::sync::atomic::Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let mut second = sender.clone();
        let answer = second.send_request(request("/?command=allow", r#"{"login":"two"}"#)).await.unwrap();
        assert_eq!((answer.status(), answer.version()), (200.try_into().unwrap(), http::Version::HTTP_2));
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(br#"{"msg": "two""#));
        let large = second.send_request(
            hyper::Request::post("https://localhost/command/report")
                .header("authorization", "Basic d2ZvcmNlOnN1cGVy")
                .body(Full::new(Bytes::from(vec![b' '; (1 << 20) + 1])))
                .unwrap(),
        );
        assert_eq!(large.await.unwrap().status(), 413);
        // A shutdown lets the one in flight finish.
        let ending = tokio::spawn(server.server.take().unwrap().shutdown(std::time::Duration::from_mins(1)));
        server.memory.go_on.notify_one();
        assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
        assert_eq!(ending.await.unwrap(), 0);
        let _ = driver.await;
    });
}

#[test]
fn certificates_are_replaced_while_running() {
    let folder = TempDir::new().unwrap();
    let old = certificate(folder.path());
    let server = serve(tls(&folder, &[]));
    let running = server.server.as_ref().unwrap();
    assert!(ask(server.addr, client(&old, BOTH)).is_ok());
    let new = certificate(folder.path());
    assert!(ask(server.addr, client(&new, BOTH)).is_err());
    assert!(running.reload_tls().is_empty());
    assert!(ask(server.addr, client(&new, BOTH)).is_ok());
    assert!(ask(server.addr, client(&old, BOTH)).is_err());
    // A broken file changes nothing.
    std::fs::write(folder.path().join("cert.pem"), "nonsense").unwrap();
    let errors = running.reload_tls();
    assert!(matches!(&errors[..], [TlsError::Certificates { path, .. }] if path.ends_with("cert.pem")));
    assert!(ask(server.addr, client(&new, BOTH)).is_ok());
}

#[test]
fn unusable_files_are_named_and_the_listener_left_out() {
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    certificate(folder.path());
    certificate(other.path());
    let good = tls(&folder, &[]);
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    let with = |certificates: &Path, key: &Path| TlsConfig {
        certificates: certificates.to_owned(),
        key: key.to_owned(),
        options: vec![],
    };
    let empty = folder.path().join("empty.pem");
    let missing = folder.path().join("missing.pem");
    let bad = [
        with(&missing, &good.key),
        with(&empty, &good.key),
        with(&good.certificates, &missing),
        with(&good.certificates, &empty),
        with(&good.certificates, &other.path().join("key.pem")),
        tls(&folder, &[("MaxProtocol", "TLSv1.1")]),
    ];
    let named = ["missing.pem", "empty.pem", "missing.pem", "empty.pem", "does not belong", "MaxProtocol"];
    let mut listeners: Vec<_> =
        bad.into_iter().map(|tls| Listener { addr: loopback(), tls: Some(tls) }).collect();
    listeners.push(Listener { addr: loopback(), tls: Some(good) });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let (server, errors) = Server::start(Settings { listeners, ..Settings::default() }, memory()).unwrap();
    assert_eq!(server.addrs().len(), 1);
    assert_eq!(errors.len(), named.len());
    for (error, named) in errors.iter().zip(named) {
        assert!(matches!(error, ListenerError::Tls { .. }));
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn shutdown_does_not_wait_for_handshakes() {
    let folder = TempDir::new().unwrap();
    certificate(folder.path());
    let mut server = start_with(|settings| {
        settings.listeners = vec![Listener { addr: loopback(), tls: Some(tls(&folder, &[])) }];
        settings.limits.handshake = std::time::Duration::from_hours(1);
    });
    let mut client = server.connect();
    let running = server.server.take().unwrap();
    support::until(|| running.connections() == 1);
    assert_eq!(server.runtime.block_on(running.shutdown(std::time::Duration::from_mins(30))), 0);
    client.is_closed();
}

#[test]
fn slow_and_wrong_handshakes_end() {
    let folder = TempDir::new().unwrap();
    certificate(folder.path());
    let server = serve(tls(&folder, &[]));
    server.connect().is_closed();
    let mut plain = server.connect();
    plain.send(post("/command/report", "{}"));
    let mut rest = Vec::new();
    let _ = plain.stream.read_to_end(&mut rest);
    // At most a TLS alert, no HTTP.
    assert!(!rest.starts_with(b"HTTP"));
    support::until(|| server.server.as_ref().unwrap().connections() == 0);
}
