#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, PTR, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use super::*;

/// What the test server says of a question; `None`: nothing at all.
type Zone = fn(&str, RecordType) -> Option<Result<Vec<RData>, ResponseCode>>;

/// A DNS server on loopback that answers from a function, and counts the questions.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(ttl: u32, zone: Zone) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let query = question.queries[0].clone();
                let Some(answer) = zone(&query.name().to_ascii(), query.query_type()) else { continue };
                let mut response = Message::response(question.metadata.id, OpCode::Query);
                response.metadata.recursion_desired = true;
                response.metadata.recursion_available = true;
                response.add_query(query.clone());
                match answer {
                    Ok(records) => {
                        for record in records {
                            response.add_answer(Record::from_rdata(query.name().clone(), ttl, record));
                        }
                    }
                    Err(code) => response.metadata.response_code = code,
                }
                let soa = SOA::new(Name::root(), Name::root(), 1, 60, 60, 60, ttl);
                response.add_authority(Record::from_rdata(Name::root(), ttl, RData::SOA(soa)));
                socket.send_to(&response.to_vec().unwrap(), peer).await.unwrap();
            }
        });
        Self { address, asked, task }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn dns() -> (Dns, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new("wforce", &Log::discard()).unwrap());
    (Dns::new(Log::discard(), &metrics), metrics)
}

fn resolver(servers: &[&Server]) -> Arc<Resolver> {
    let resolver = dns().0.create(b"test");
    // A busy machine must not look like a silent server.
    resolver.set_timeout(Duration::from_secs(20));
    for server in servers {
        resolver.add_server(server.address.ip(), server.address.port());
    }
    resolver
}

fn v4(text: &str) -> RData {
    RData::A(A(text.parse().unwrap()))
}

fn example(name: &str, kind: RecordType) -> Option<Result<Vec<RData>, ResponseCode>> {
    Some(match (name, kind) {
        ("both.example.", RecordType::A) => Ok(vec![v4("192.0.2.1"), v4("192.0.2.2")]),
        ("both.example.", RecordType::AAAA) => Ok(vec![RData::AAAA(AAAA("2001:db8::1".parse().unwrap()))]),
        ("one.example.", RecordType::A) => Ok(vec![v4("192.0.2.1")]),
        ("one.example.", _) => Ok(Vec::new()),
        ("refused.example.", _) => Err(ResponseCode::Refused),
        ("broken.example.", _) => Err(ResponseCode::ServFail),
        ("silent.example.", _) => return None,
        ("1.2.0.192.in-addr.arpa.", RecordType::PTR) => {
            Ok(vec![RData::PTR(PTR(Name::from_ascii("host.example.").unwrap()))])
        }
        ("1.2.0.192.rbl.example.", RecordType::A) => Ok(vec![v4("127.0.0.2"), v4("127.0.0.4")]),
        _ => Err(ResponseCode::NXDomain),
    })
}

#[tokio::test]
async fn names_addresses_and_listings_are_found() {
    let server = Server::start(60, example).await;
    let resolver = resolver(&[&server]);
    assert_eq!(resolver.addrs_by_name(b"both.example", 0).await, ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assert_eq!(resolver.addrs_by_name(b"one.example.", 0).await, ["192.0.2.1"]);
    assert_eq!(resolver.names_by_addr("192.0.2.1".parse().unwrap(), 0).await, ["host.example."]);
    assert_eq!(
        resolver.rbl("192.0.2.1".parse().unwrap(), b"rbl.example", 0).await,
        ["127.0.0.2", "127.0.0.4"]
    );
}

#[tokio::test]
async fn whatever_goes_wrong_is_an_empty_answer() {
    let server = Server::start(60, example).await;
    let resolver = resolver(&[&server]);
    for name in [&b"none.example"[..], b"refused.example", b"broken.example", b"", b"\xff", b"a..b"] {
        assert!(resolver.addrs_by_name(name, 3).await.is_empty(), "{name:?}");
    }
    assert!(resolver.names_by_addr("192.0.2.9".parse().unwrap(), 0).await.is_empty());
    assert!(resolver.rbl("192.0.2.9".parse().unwrap(), b"rbl.example", 0).await.is_empty());
    assert!(resolver.rbl("192.0.2.9".parse().unwrap(), b"\xff", 0).await.is_empty());
}

#[tokio::test]
async fn no_servers_no_answers() {
    let resolver = resolver(&[]);
    assert!(resolver.addrs_by_name(b"localhost", 3).await.is_empty());
    assert!(dns().0.get(b"unknown").addrs_by_name(b"both.example", 3).await.is_empty());
}

#[tokio::test]
async fn answers_and_refusals_are_kept_for_their_ttl() {
    let server = Server::start(60, example).await;
    let resolver = resolver(&[&server]);
    for _ in 0..5 {
        assert_eq!(resolver.rbl("192.0.2.1".parse().unwrap(), b"rbl.example", 0).await.len(), 2);
        assert_eq!(resolver.rbl("192.0.2.9".parse().unwrap(), b"rbl.example", 0).await.len(), 0);
    }
    assert_eq!(server.asked(), 2);

    let fleeting = Server::start(0, example).await;
    let resolver = self::resolver(&[&fleeting]);
    for _ in 0..3 {
        assert_eq!(resolver.rbl("192.0.2.1".parse().unwrap(), b"rbl.example", 0).await.len(), 2);
    }
    assert_eq!(fleeting.asked(), 3);
}

#[tokio::test]
async fn silence_ends_with_the_timeout() {
    let server = Server::start(60, example).await;
    let resolver = resolver(&[&server]);
    resolver.set_timeout(Duration::from_millis(20));
    assert!(resolver.addrs_by_name(b"silent.example", 9).await.is_empty());
    assert!(server.asked() > 0);
}

#[tokio::test]
async fn a_retry_asks_the_next_server_and_later_look_ups_start_there() {
    let silent = Server::start(60, |_, _| None).await;
    let good = Server::start(60, example).await;
    // Long enough for the good one on a busy machine.
    let patient = || {
        let resolver = resolver(&[&silent, &good]);
        resolver.set_timeout(Duration::from_millis(500));
        resolver
    };
    let listed = "192.0.2.1".parse().unwrap();
    assert_eq!(patient().rbl(listed, b"rbl.example", 1).await.len(), 2);
    assert_eq!(good.asked(), 1);
    let resolver = patient();
    assert!(resolver.rbl(listed, b"rbl.example", 0).await.is_empty());
    let silent_asked = silent.asked();
    assert_eq!(resolver.rbl(listed, b"rbl.example", 0).await.len(), 2);
    assert_eq!((silent.asked(), good.asked()), (silent_asked, 2));
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_nobody_else_is_asked() {
    let first = Server::start(60, example).await;
    let second = Server::start(60, example).await;
    let resolver = resolver(&[&first, &second]);
    assert!(resolver.rbl("192.0.2.9".parse().unwrap(), b"rbl.example", 5).await.is_empty());
    assert_eq!((first.asked(), second.asked()), (1, 0));
}

#[tokio::test]
async fn too_many_look_ups_wait_no_longer_than_the_timeout() {
    let silent = Server::start(60, |_, _| None).await;
    let resolver = resolver(&[&silent]);
    resolver.set_timeout(Duration::from_millis(30));
    resolver.set_contexts(1);
    let look_ups: Vec<_> = (0..50)
        .map(|number| {
            let resolver = Arc::clone(&resolver);
            tokio::spawn(
                async move { resolver.addrs_by_name(format!("{number}.example").as_bytes(), 0).await },
            )
        })
        .collect();
    for look_up in look_ups {
        assert!(look_up.await.unwrap().is_empty());
    }
    assert!(silent.asked() < 100, "{}", silent.asked());
}

#[tokio::test]
async fn look_ups_are_counted_by_resolver() {
    let (dns, metrics) = dns();
    let resolver = dns.create(b"mine");
    let text = |metrics: &Metrics| String::from_utf8(metrics.render()).unwrap();
    assert!(text(&metrics).contains("wforce_dns_queries_total{resolver=\"mine\"} 0\n"));
    let server = Server::start(60, example).await;
    resolver.add_server(server.address.ip(), server.address.port());
    resolver.rbl("192.0.2.1".parse().unwrap(), b"rbl.example", 0).await;
    resolver.rbl("192.0.2.1".parse().unwrap(), b"rbl.example", 0).await;
    assert!(text(&metrics).contains("wforce_dns_queries_total{resolver=\"mine\"} 2\n"));
    assert!(text(&metrics).contains("wforce_dns_query_response_seconds_count{resolver=\"mine\"} 2\n"));
}

#[test]
fn a_name_has_one_resolver_and_a_server_is_added_once() {
    let (dns, _) = dns();
    let resolver = dns.create(b"a");
    resolver.add_server("192.0.2.1".parse().unwrap(), 53);
    dns.create(b"a").add_server("192.0.2.1".parse().unwrap(), 53);
    dns.get(b"a").add_server("192.0.2.1".parse().unwrap(), 5353);
    assert!(Arc::ptr_eq(&resolver, &dns.create(b"a")));
    assert_eq!(resolver.servers().len(), 2);
    assert!(dns.get(b"b").servers().is_empty());
}
