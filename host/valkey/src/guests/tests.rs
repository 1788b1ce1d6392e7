#![allow(clippy::unwrap_used)]
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

/// Longer than anything takes that comes at all.
const PATIENCE: Duration = Duration::from_mins(1);
/// What a call has.
const CALL: Duration = Duration::from_millis(50);

/// A server that says OK to everything.
struct Stub {
    host: Host,
    connections: Arc<AtomicUsize>,
}

impl Stub {
    /// One whose connections, from the first one, say nothing for so long; `mute`: the first connection says nothing to commands.
    async fn start(silence: Duration, mute: bool) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = ("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let first = count.fetch_add(1, Ordering::SeqCst) == 0;
                tokio::spawn(serve(stream, silence, mute && first));
            }
        });
        Stub { host, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, silence: Duration, mute: bool) {
    tokio::time::sleep(silence).await;
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
        // A command is an array of texts, none of which has lines or stars in it here.
        let text = String::from_utf8(std::mem::take(&mut bytes)).unwrap();
        if mute && text.contains("ASKING") {
            continue;
        }
        let answers = "+OK\r\n".repeat(text.matches('*').count());
        if stream.write_all(answers.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn target() -> Target {
    Target::parse(b"redis://127.0.0.1", &std::collections::BTreeMap::default()).unwrap()
}

/// One call after the other, each of which has little time, until one is answered.
async fn until_answered(guests: &Guests, limits: Limits, host: &Host) {
    let calls = async {
        while !timeout(CALL, guests.ask(&target(), limits, host, redis::cmd("PING")))
            .await
            .is_ok_and(|answer| answer.is_ok())
        {}
    };
    timeout(PATIENCE, calls).await.unwrap();
}

const LIMITS: Limits = Limits { connect: PATIENCE, response: PATIENCE };

#[tokio::test]
async fn a_connection_that_takes_longer_than_a_call_is_made_once() {
    let (stub, guests) = (Stub::start(CALL * 4, false).await, Guests::default());
    until_answered(&guests, LIMITS, &stub.host).await;
    assert_eq!(stub.connections(), 1);
}

#[tokio::test]
async fn one_that_says_nothing_holds_up_no_other() {
    let (silent, fine) = (Stub::start(PATIENCE * 2, false).await, Stub::start(Duration::ZERO, false).await);
    let guests = Guests::default();
    let limits = Limits { connect: PATIENCE * 2, response: PATIENCE * 2 };
    let target = target();
    let ask = |host| guests.ask(&target, limits, host, redis::cmd("PING"));
    tokio::select! {
        biased;
        answer = ask(&silent.host) => panic!("{answer:?}"),
        answer = timeout(PATIENCE, ask(&fine.host)) => assert!(answer.unwrap().is_ok()),
    }
}

#[tokio::test]
async fn one_that_falls_silent_is_connected_to_anew() {
    let (stub, guests) = (Stub::start(Duration::ZERO, true).await, Guests::default());
    until_answered(&guests, Limits { connect: PATIENCE, response: CALL }, &stub.host).await;
    assert!(stub.connections() > 1);
}

#[tokio::test]
async fn one_that_cannot_be_reached_is_told_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let (guests, host, target) = (Guests::default(), ("127.0.0.1".to_owned(), addr.port()), target());
    let ask = || timeout(PATIENCE, guests.ask(&target, LIMITS, &host, redis::cmd("PING")));
    let error = ask().await.unwrap().unwrap_err().to_string();
    assert!(error.contains(&addr.to_string()) && error.contains("refused"), "{error}");
    let listener = TcpListener::bind(addr).await.unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream, Duration::ZERO, false).await;
    });
    assert!(ask().await.unwrap().is_ok());
}

#[tokio::test]
async fn more_than_a_cluster_gets_at_once_are_not_kept() {
    let guests = Guests::default();
    let target = target();
    for port in 1..=MOST as u16 * 2 {
        guests.guest(&target, LIMITS, &("127.0.0.1".to_owned(), port));
        assert!(guests.0.lock().len() <= MOST);
    }
}
