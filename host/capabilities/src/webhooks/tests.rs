#![allow(clippy::unwrap_used, clippy::expect_used)]

use base64::Engine as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::lists::{Colour, Kind};

struct World {
    hooks: WebHooks,
    metrics: Arc<Metrics>,
}

fn world() -> World {
    let log = Log::discard();
    let metrics = Arc::new(Metrics::new("wforce", &log).unwrap());
    World { hooks: WebHooks::new(log, metrics.clone()), metrics }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<BString, BString> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn added(key: &str) -> Event {
    let (colour, kind) = (Colour::Black, Kind::Login);
    Event::Added { colour, kind, key: key.into(), expire_secs: 1, reason: "r".into() }
}

/// A server that gives these answers, one for each connection, then the last one for ever; "" is silence. It tells each
/// request.
async fn server(answers: &'static [&'static str]) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.83.1.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let (sender, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for turn in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (sender, answer) = (sender.clone(), answers[turn.min(answers.len() - 1)]);
            tokio::spawn(async move {
                let mut text = String::new();
                while !text.ends_with('}') {
                    let mut bytes = [0; 4096];
                    let Ok(len @ 1..) = stream.read(&mut bytes).await else { return };
                    text += std::str::from_utf8(&bytes[..len]).unwrap();
                }
                let _ = sender.send(text);
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
                let text = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(text.as_bytes()).await;
            });
        }
    });
    (url, heard)
}

fn options() -> Options {
    Options { timeout: Duration::from_mins(1), ..Options::default() }
}

#[test]
fn ids_count_refusals_and_unknown_events_are_left_out() {
    let World { hooks, .. } = world();
    let events: Vec<BString> = vec!["addbl".into(), "nonsense".into(), "report".into()];
    assert_eq!(hooks.add(&events, &map(&[("url", "http://a/")])).unwrap(), 1);
    assert!(matches!(hooks.add(&events, &map(&[])), Err(ConfigError::NoUrl(text)) if text == "webhook 2"));
    assert_eq!(hooks.add(&[], &map(&[("url", "http://u:p@b/")])).unwrap(), 3);
    assert_eq!(hooks.add_custom("c".into(), &map(&[("url", "http://c/")])).unwrap(), 1);
    let rows = hooks.rows();
    assert_eq!((rows[0].events.clone(), rows[1].url.as_str()), (vec!["report", "addbl"], "http://b/"));
    assert!(hooks.wants(EventKind::AddBl) && !hooks.wants(EventKind::Allow));
    assert!(hooks.run_custom(b"c", b"x") && !hooks.run_custom(b"d", b"x"));
}

#[tokio::test]
async fn the_request_has_wforces_headers_in_order() {
    let World { hooks, metrics } = world();
    let (url, mut heard) = server(&["204 No Content"]).await;
    let config = map(&[
        ("url", &url),
        ("secret", "s"),
        ("basic-auth", "u:p:q"),
        ("api-key", "key"),
        ("kafka", "true"),
    ]);
    hooks.add(&["delbl".into()], &config).unwrap();
    hooks.fire(Event::Deleted(Colour::Black, Kind::Login, "joe".into()));
    assert_eq!(metrics.webhook_queue_size.get(), 1);
    hooks.start(&Handle::current(), &options()).unwrap();
    let request = heard.recv().await.unwrap();
    let (top, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        body,
        r#"{"records": [{"value": {"bl_type": "login", "key": "joe", "type": "wforce_delblwl"}}]}"#
    );
    let lines: Vec<_> = top.lines().collect();
    let names: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "POST",
            "Host:",
            "Accept:",
            "Authorization:",
            "Content-Type:",
            "X-Api-Key:",
            "X-Wforce-Delivery:",
            "X-Wforce-Event:",
            "X-Wforce-Hookid:",
            "X-Wforce-Signature:",
            "Content-Length:"
        ]
    );
    assert_eq!(
        lines[2..6].join("\n"),
        "Accept: */*\nAuthorization: Basic dTpwOnE=\nContent-Type: application/vnd.kafka.json.v2+json\nX-Api-Key: key"
    );
    assert_eq!(lines[6].len(), "X-Wforce-Delivery: ".len() + 44);
    assert_eq!(lines[7..9].join("\n"), "X-Wforce-Event: delbl\nX-Wforce-Hookid: 1");
    // Of what is sent, so with what Kafka wants around it.
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"s");
    let signature = base64::engine::general_purpose::STANDARD.encode(ring::hmac::sign(&key, body.as_bytes()));
    assert_eq!(lines[9], format!("X-Wforce-Signature: {signature}"));
    assert_eq!(hooks.drain(Duration::from_mins(1)).await, 0);
    assert_eq!((hooks.rows()[0].successes, metrics.webhook_queue_size.get()), (1, 0));
}

#[tokio::test]
async fn a_dead_endpoint_loses_only_its_own() {
    let World { hooks, metrics } = world();
    let (dead, _silent) = server(&[""]).await;
    let (good, mut heard) = server(&["200 OK"]).await;
    hooks.add(&["addbl".into()], &map(&[("url", &dead)])).unwrap();
    hooks.add(&["addbl".into()], &map(&[("url", &good)])).unwrap();
    let options = Options { concurrency: 1, queue_size: 3, ..options() };
    hooks.start(&Handle::current(), &options).unwrap();
    for number in 0..10 {
        hooks.fire(added(&number.to_string()));
        assert!(heard.recv().await.unwrap().contains(&format!("\"key\": \"{number}\"")));
    }
    let text = String::from_utf8(metrics.render()).unwrap();
    // One under way, one taken out and waiting for its slot, three in the queue.
    assert!(text.contains("portcullis_webhook_dropped_total{hook=\"1\"} 6\n"), "{text}");
    assert!(text.contains("portcullis_webhook_dropped_total{hook=\"2\"} 0\n"), "{text}");
    assert_eq!(hooks.drain(Duration::from_millis(10)).await, 4);
}

#[tokio::test]
async fn retries_are_made_where_asked_for_and_keep_the_delivery_id() {
    let World { hooks, metrics } = world();
    let (patient, mut heard) = server(&["503 Busy", "429 Slowly", "200 OK"]).await;
    let (refusing, mut refused) = server(&["404 Not Found"]).await;
    let (plain, mut once) = server(&["503 Busy"]).await;
    let retrying = [("retries", "5"), ("retry_backoff_ms", "1")];
    hooks.add(&["addbl".into()], &map(&[&[("url", patient.as_str())], &retrying[..]].concat())).unwrap();
    hooks.add(&["addbl".into()], &map(&[&[("url", refusing.as_str())], &retrying[..]].concat())).unwrap();
    hooks.add(&["addbl".into()], &map(&[("url", &plain)])).unwrap();
    hooks.start(&Handle::current(), &options()).unwrap();
    hooks.fire(added("joe"));
    let attempts = [heard.recv().await.unwrap(), heard.recv().await.unwrap(), heard.recv().await.unwrap()];
    assert!(attempts.iter().all(|attempt| *attempt == attempts[0]), "{attempts:?}");
    assert!(refused.recv().await.is_some() && once.recv().await.is_some());
    assert_eq!(hooks.drain(Duration::from_mins(1)).await, 0);
    let counts: Vec<_> = hooks.rows().iter().map(|row| (row.successes, row.failures)).collect();
    assert_eq!(counts, [(1, 0), (0, 1), (0, 1)]);
    assert!(refused.try_recv().is_err() && once.try_recv().is_err());
    let text = String::from_utf8(metrics.render()).unwrap();
    assert!(text.contains("portcullis_webhook_retries_total{hook=\"1\"} 2\n"), "{text}");
}

#[tokio::test]
async fn a_refused_connection_is_tried_again() {
    let World { hooks, metrics } = world();
    let free = TcpListener::bind("127.83.1.2:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{free}/x");
    hooks
        .add(&["addbl".into()], &map(&[("url", &url), ("retries", "20"), ("retry_backoff_ms", "1")]))
        .unwrap();
    hooks.start(&Handle::current(), &options()).unwrap();
    hooks.fire(added("joe"));
    let retried = metrics.families.webhook_retries.with_label_values(&["1"]);
    while retried.get() < 3 {
        tokio::task::yield_now().await;
    }
    let listener = TcpListener::bind(free).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert_eq!(hooks.drain(Duration::from_mins(1)).await, 0);
    assert_eq!((hooks.rows()[0].successes, hooks.rows()[0].failures), (1, 0));
}

#[tokio::test]
async fn a_drain_cuts_pauses_short() {
    let World { hooks, .. } = world();
    let (url, mut heard) = server(&["503 Busy", "200 OK"]).await;
    let config = map(&[("url", &url), ("retries", "1"), ("retry_backoff_ms", "600000")]);
    hooks.add(&["addbl".into()], &config).unwrap();
    hooks.start(&Handle::current(), &options()).unwrap();
    hooks.fire(added("joe"));
    heard.recv().await.unwrap();
    while hooks.metrics.webhook_queue_size.get() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(hooks.drain(Duration::from_mins(1)).await, 0);
    assert_eq!(hooks.rows()[0].successes, 1);
}

#[tokio::test]
async fn a_missing_ca_bundle_is_told_and_counted() {
    let World { hooks, .. } = world();
    hooks.add(&["addbl".into()], &map(&[("url", "https://127.83.1.1:1/")])).unwrap();
    let tls = TlsSettings { authorities: Some("/nonexistent/ca.pem".into()), ..TlsSettings::default() };
    let error = hooks.start(&Handle::current(), &Options { tls, ..options() }).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/ca.pem"));
    hooks.fire(added("joe"));
    assert_eq!(hooks.drain(Duration::from_mins(1)).await, 0);
    assert_eq!(hooks.rows()[0].failures, 1);
}
