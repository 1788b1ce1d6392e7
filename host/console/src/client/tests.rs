#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Read as _;
use std::net::TcpListener;
use std::time::Duration;

use super::*;
use crate::testing::{Server, connect, key};

fn options(addr: SocketAddr) -> ClientOptions {
    ClientOptions {
        addr,
        key: key(),
        cipher: CipherChoice::Auto,
        config: PathBuf::from("/etc/wforce/wforce.conf"),
        history: PathBuf::from("/nowhere/.history"),
        commands: Vec::new(),
    }
}

#[tokio::test]
async fn one_command_is_executed_and_printed() {
    let server = Server::start(|_| {}).await;
    let printed = server
        .with(|addr| {
            let mut out = Vec::new();
            execute(&options(addr), b"return 5", &mut out).unwrap();
            out
        })
        .await;
    let expected = format!("Connecting to {}\nreturn 5!\n", server.addr);
    assert_eq!(printed, expected.as_bytes());
}

#[tokio::test]
async fn every_choice_of_cipher_reaches_a_server_for_both() {
    let server = Server::start(|_| {}).await;
    for cipher in [CipherChoice::Auto, CipherChoice::Secretbox, CipherChoice::ChaCha] {
        let responses = server
            .with(move |addr| {
                let mut client = connect(addr, cipher).unwrap();
                [b"a".as_slice(), b"", b"nothing", b"\xff\xfe"].map(|line| client.run(line).unwrap())
            })
            .await;
        assert_eq!(responses, [b"a!".as_slice(), b"!", b"", b"\xff\xfe!"], "{cipher:?}");
    }
}

#[tokio::test]
async fn the_other_build_is_recognised() {
    let server = Server::start(|config| config.cipher = CipherChoice::ChaCha).await;
    let response = server.with(|addr| connect(addr, CipherChoice::Auto)?.run(b"a")).await;
    assert_eq!(response.unwrap(), b"a!");
    let error = server.with(|addr| connect(addr, CipherChoice::Secretbox).err()).await.unwrap();
    assert!(matches!(error, ClientError::OtherCipher { other: wire::Cipher::ChaCha, .. }), "{error}");
}

#[tokio::test]
async fn a_server_of_the_longer_nonce_gives_up_on_the_shorter() {
    let mut server = Server::start(|config| {
        config.cipher = CipherChoice::Secretbox;
        config.handshake_deadline = Duration::from_millis(50);
    })
    .await;
    let error = server.with(|addr| connect(addr, CipherChoice::ChaCha).err()).await.unwrap();
    assert!(error.to_string().contains("other cipher"), "{error}");
    assert_eq!(server.notice().await.0, "console-handshake");
}

#[tokio::test]
async fn a_wrong_key_is_told_to_both_ends_and_executes_nothing() {
    let mut server = Server::start(|_| {}).await;
    *server.key.lock() = Some(Key::generate().unwrap());
    for cipher in [CipherChoice::Secretbox, CipherChoice::ChaCha] {
        let error = server.with(move |addr| connect(addr, cipher).unwrap().run(b"a")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server closed the connection: check that setKey in /etc/wforce/wforce.conf is the server's"
        );
        let (kind, text) = server.notice().await;
        assert_eq!(kind, "console-bad-box");
        assert!(text.contains("127.0.0.1") && text.contains("setKey"), "{text}");
    }
    assert!(server.recorder.seen.lock().is_empty());
}

#[tokio::test]
async fn without_a_key_the_operator_is_told_to_set_one() {
    let mut server = Server::start(|_| {}).await;
    *server.key.lock() = None;
    let error = server.with(|addr| connect(addr, CipherChoice::Auto).err()).await.unwrap();
    assert!(matches!(error, ClientError::Refused(_)), "{error}");
    let (kind, text) = server.notice().await;
    assert_eq!(kind, "console-no-key");
    assert!(text.contains("makeKey()"), "{text}");

    *server.key.lock() = Some(key());
    let response = server.with(|addr| connect(addr, CipherChoice::Auto)?.run(b"a")).await;
    assert_eq!(response.unwrap(), b"a!");
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_and_the_next_one_works() {
    let server = Server::start(|_| {}).await;
    let (error, response) = server
        .with(|addr| {
            let mut client = connect(addr, CipherChoice::Auto).unwrap();
            let error = client.run(&vec![b'x'; wire::MAX_TEXT_BYTES + 1]).unwrap_err();
            client.run(&vec![b'x'; wire::MAX_TEXT_BYTES]).unwrap();
            (error, client.run(b"a").unwrap())
        })
        .await;
    assert!(error.to_string().contains("65520 bytes"), "{error}");
    assert_eq!(response, b"a!");
}

#[tokio::test]
async fn a_connection_the_server_has_closed_is_opened_again_before_the_next_command() {
    let server = Server::start(|config| config.max_connections = 1).await;
    let response = server
        .with(|addr| {
            let mut client = connect(addr, CipherChoice::Auto).unwrap();
            let _displaces_it = connect(addr, CipherChoice::Auto).unwrap();
            while !client.link.is_closed() {
                std::thread::yield_now();
            }
            client.run(b"a").unwrap()
        })
        .await;
    assert_eq!(response, b"a!");
    assert_eq!(*server.recorder.seen.lock(), [b"a"]);
}

#[tokio::test]
async fn a_server_that_shuts_down_needs_no_response() {
    let mut server = Server::start(|_| {}).await;
    let (shutdown, broken) = server
        .with(|addr| {
            let shutdown = connect(addr, CipherChoice::Auto).unwrap().run(b"shutdown()");
            let mut client = connect(addr, CipherChoice::Auto).unwrap();
            client.run(b"a").unwrap();
            (shutdown, client.run(b"panic").unwrap_err())
        })
        .await;
    assert_eq!(shutdown.unwrap(), b"");
    assert!(matches!(broken, ClientError::Closed), "{broken}");
    assert_eq!(server.notice().await.0, "console-panicked");
    let response = server.with(|addr| connect(addr, CipherChoice::Auto)?.run(b"a")).await;
    assert_eq!(response.unwrap(), b"a!", "the server goes on");
}

#[test]
fn where_nobody_listens_the_operator_is_told_what_to_look_at() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = connect(addr, CipherChoice::Auto).err().unwrap();
    assert!(error.to_string().contains(&format!("controlSocket(\"{addr}\")")), "{error}");
}

#[test]
fn a_response_that_does_not_open_is_an_error() {
    for response in [&[0, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1][..], &[0, 0]] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = std::thread::Builder::new().spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut nonce = [0; 24];
            stream.read_exact(&mut nonce).unwrap();
            stream.write_all(&nonce).unwrap();
            let mut command = [0; 19];
            stream.read_exact(&mut command).unwrap();
            stream.write_all(response).unwrap();
        });
        let error = connect(addr, CipherChoice::Secretbox).unwrap().run(b"a").unwrap_err();
        server.unwrap().join().unwrap();
        assert!(matches!(error, ClientError::BadResponse), "{error}");
    }
}
