//! Plain HTTP against a server that notes every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a failure")]

mod support;

use std::time::Duration;

use portcullis_outbound::{Client, Error, HeaderName, HeaderValue, Method, Request, TlsSettings, basic_auth};
use support::serve;

const LONG: Duration = Duration::from_mins(1);

fn client() -> Client {
    Client::new(&TlsSettings::default()).unwrap()
}

fn post(url: String) -> Request {
    let header = |name| HeaderName::from_static(name);
    Request::new(Method::POST, url, "{}")
        .header(header("accept"), HeaderValue::from_static("*/*"))
        .header(header("authorization"), basic_auth(b"me", b"secret"))
        .header(header("content-type"), HeaderValue::from_static("application/json"))
        .header(header("x-zebra"), HeaderValue::from_static("1"))
        .header(header("x-ant"), HeaderValue::from_bytes(b"caf\xc3\xa9").unwrap())
}

#[tokio::test]
async fn the_request_is_the_callers_and_connections_are_reused() {
    let mut peer = serve("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Y: z\r\n\r\nfine", None).await;
    let client = client();
    for _ in 0..3 {
        let answer = client.send(post(format!("http://{}/a?b=%20", peer.addr)), LONG).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"fine"[..]));
        assert_eq!(answer.headers["x-y"], "z");
        let heard = peer.heard.recv().await.unwrap();
        assert_eq!(heard.connection, 0);
        let text = format!(
            "POST /a?b=%20 HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nAuthorization: Basic bWU6c2VjcmV0\r\n\
             Content-Type: application/json\r\nX-Zebra: 1\r\nX-Ant: café\r\nContent-Length: 2\r\n\r\n{{}}",
            peer.addr
        );
        assert_eq!(heard.text, text);
    }
}

#[tokio::test]
async fn a_password_in_the_url_is_a_header() {
    let mut peer = serve("HTTP/1.1 204 No Content\r\n\r\n", None).await;
    let url = format!("http://me:secret@{}/", peer.addr);
    client().send(Request::new(Method::GET, url, ""), LONG).await.unwrap();
    let text = peer.heard.recv().await.unwrap().text;
    let host = peer.addr;
    assert_eq!(text, format!("GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic bWU6c2VjcmV0\r\n\r\n"));
}

#[tokio::test]
async fn redirects_are_answers() {
    let peer = serve("HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", None).await;
    let answer = client().send(post(format!("http://{}/", peer.addr)), LONG).await.unwrap();
    assert_eq!(answer.status, 302);
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let mut peer = serve("", None).await;
    let short = Duration::from_millis(50);
    let error = client().send(post(format!("http://{}/", peer.addr)), short).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert_eq!(error.to_string(), "no answer within 50 ms");
    assert!(peer.heard.recv().await.is_some());
}

#[tokio::test]
async fn long_answers_are_cut_off() {
    let peer = serve("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine", None).await;
    let send = async |limit| {
        client().with_body_limit(limit).send(post(format!("http://{}/", peer.addr)), LONG).await
    };
    assert!(send(4).await.is_ok());
    assert!(matches!(send(3).await.unwrap_err(), Error::TooLong(3)));
}

#[tokio::test]
async fn what_is_no_http_is_an_error() {
    let peer = serve("SSH-2.0-hello\r\n\r\n", None).await;
    let error = client().send(post(format!("http://{}/", peer.addr)), LONG).await.unwrap_err();
    assert!(matches!(error, Error::Exchange(_)), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    let listener = tokio::net::TcpListener::bind("127.83.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let error = client().send(post(format!("http://{addr}/")), LONG).await.unwrap_err();
    assert!(matches!(&error, Error::Connect(text) if text.contains("refused")), "{error}");
}
