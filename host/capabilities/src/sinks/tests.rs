#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::UdpSocket;
use std::time::Duration;

use login::{CustomArgs, Login};

use super::*;
use crate::log::Log;

fn sinks() -> (Sinks, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new("wforce", &Log::discard()).unwrap());
    (Sinks::new(metrics.clone()), metrics)
}

fn listener() -> UdpSocket {
    let socket = UdpSocket::bind("127.83.2.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    socket
}

fn hear(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65536];
    let len = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..len].to_vec()).unwrap()
}

fn login(name: &str) -> Arc<Login> {
    Arc::new(Login { login: name.into(), ..Login::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_name_gets_each_report_and_its_sinks_take_turns() {
    let (sinks, metrics) = sinks();
    let (one, two, other, unnamed) = (listener(), listener(), listener(), listener());
    let addr = |socket: &UdpSocket| socket.local_addr().unwrap();
    assert!(!sinks.any());
    sinks.set_named("pair".into(), &[addr(&one), addr(&two)]);
    sinks.start(&Handle::current());
    sinks.add_named("other".into(), &[addr(&other)]);
    sinks.add_unnamed(&[addr(&unnamed)]);
    assert!(sinks.any());
    for name in ["a", "b", "c"] {
        sinks.report(login(name));
    }
    let attrs = vec![("k".into(), "v".into())];
    sinks.custom(Arc::new(CustomArgs { attrs, ..CustomArgs::default() }));
    let whole = |name: &str| {
        let mut out = Vec::new();
        login(name).write_json(&mut out);
        String::from_utf8(out).unwrap()
    };
    let custom = r#"{"attrs": {"k": "v"}}"#;
    assert_eq!([hear(&one), hear(&one)], [whole("a"), whole("c")]);
    assert_eq!([hear(&two), hear(&two)], [whole("b"), custom.to_owned()]);
    assert_eq!(
        [hear(&other), hear(&other), hear(&other), hear(&other)],
        [whole("a"), whole("b"), whole("c"), custom.into()]
    );
    assert_eq!([hear(&unnamed), hear(&unnamed), hear(&unnamed)], [whole("a"), whole("b"), whole("c")]);
    let names: Vec<_> = sinks.named_rows().into_iter().map(|row| row.name.to_string()).collect();
    assert_eq!(names, ["other", "pair", "pair"]);
    assert_eq!(sinks.rows()[0].addr, addr(&unnamed));
    let text = String::from_utf8(metrics.render()).unwrap();
    assert!(
        text.contains(&format!(
            "portcullis_report_sink_messages_total{{address=\"{}\",name=\"\",status=\"ok\"}}",
            addr(&unnamed)
        )),
        "{text}"
    );
}

#[tokio::test]
async fn a_full_queue_drops_and_counts() {
    let (sinks, metrics) = sinks();
    let socket = listener();
    let addr = socket.local_addr().unwrap();
    sinks.add_unnamed(&[addr]);
    // Not started: nothing leaves the queue.
    (0..5003).for_each(|_| sinks.report(login("x")));
    let dropped = format!(
        "portcullis_report_sink_messages_total{{address=\"{addr}\",name=\"\",status=\"dropped\"}} 3\n"
    );
    assert!(String::from_utf8(metrics.render()).unwrap().contains(&dropped));
    sinks.start(&Handle::current());
    sinks.set_unnamed(&[]);
    assert!(sinks.rows().is_empty());
}
