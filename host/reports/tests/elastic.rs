//! The Elasticsearch/OpenSearch engine with servers that speak their REST API (from `PyPI`; `scripts/setup test` installs
//! them), and with a stub where one has to hang.
//! Elastic's own server is not among them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod battery;
mod servers;
mod stub;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use portcullis_reports::{
    Answer, Confirmation, ElasticSettings, ElasticStore, Filter, Lease, Limits, Query, Range, Report,
    ReportId, ReportStore, StoreError, Trait,
};
use serde_json::{Value, json};
use servers::{Server, noida, osmem};
use stub::{Stub, answer, root};

fn settings(url: &str) -> ElasticSettings {
    ElasticSettings { patience: Duration::from_mins(1), ..ElasticSettings::new(vec![url.to_owned()]) }
}

fn patient() -> Limits {
    Limits { time: Duration::from_mins(1), ..Limits::default() }
}

async fn filled(server: &Server, count: u64) -> (ElasticStore, Vec<Report>) {
    let store = ElasticStore::new(settings(&server.url)).unwrap();
    let reports = battery::reports(count);
    for batch in reports.chunks(130) {
        store.ingest(batch.to_vec()).await.unwrap();
    }
    store.flush().await.unwrap();
    (store, reports)
}

fn newest_first(mut reports: Vec<Report>) -> Vec<Report> {
    reports.sort_by(|left, right| (right.at, &right.id).cmp(&(left.at, &left.id)));
    reports
}

async fn all(store: &ElasticStore) -> Vec<Report> {
    let query = Query::Logins { filter: Filter::default(), range: Range::EVER, limit: 10_000, after: None };
    match store.query(&query, patient()).await.unwrap() {
        Answer::Logins { reports } => reports,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_is_answered() {
    let server = osmem();
    let (store, mut reports) = filled(&server, 600).await;
    assert_eq!(all(&store).await, newest_first(reports.clone()));
    battery::run(&store, &reports).await;
    // Bringing some again changes nothing.
    store.ingest(reports[..50].to_vec()).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(all(&store).await.len(), 600);
    // Nor does the engine forget what users said.
    for (number, confirmation) in [(3, Confirmation::Bad), (4, Confirmation::Forget), (3, Confirmation::Good)]
    {
        reports[number].confirmation = confirmation;
        assert!(store.confirm(&reports[number].id, confirmation).await.unwrap());
    }
    assert!(!store.confirm(&ReportId::from_text("nothing/../x"), Confirmation::Bad).await.unwrap());
    assert_eq!(all(&store).await, newest_first(reports));
    let health = store.health().await.unwrap();
    assert!(health.ready && health.engine.starts_with("OpenSearch"), "{health:?}");
}

/// A second opinion, from a server that answers as Elasticsearch; it is slow, so it gets little. (It knows no `min` and
/// `max` of dates.)
#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_the_other_kind_answers_alike() {
    let server = noida();
    let (store, reports) = filled(&server, 60).await;
    assert_eq!(all(&store).await, newest_first(reports.clone()));
    assert!(store.health().await.unwrap().engine.starts_with("Elasticsearch"));
    let user = reports[0].login.clone();
    let own = Filter { login: Some(user), ..Filter::default() };
    for query in [
        Query::Count { filter: own, range: Range::EVER, distinct: vec![portcullis_reports::Field::Ip] },
        Query::Seen {
            login: reports[1].login.clone(),
            with: Trait::Ip(reports[1].remote),
            range: Range::EVER,
            filter: Filter::default(),
        },
    ] {
        assert_eq!(
            store.query(&query, patient()).await.unwrap(),
            battery::expected(&reports, &query),
            "{query:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_has_one_holder() {
    let server = osmem();
    let (one, two) = (
        ElasticStore::new(settings(&server.url)).unwrap(),
        ElasticStore::new(settings(&server.url)).unwrap(),
    );
    let long = Duration::from_secs(1000);
    let name = "scan/of the *night*";
    assert_eq!(one.lease(name, "a", long).await.unwrap(), Lease::Held);
    assert_eq!(one.lease(name, "a", long).await.unwrap(), Lease::Held);
    assert!(
        matches!(two.lease(name, "b", long).await.unwrap(), Lease::Taken { holder, .. } if holder == "a")
    );
    two.release(name, "b").await.unwrap();
    assert!(matches!(two.lease(name, "b", long).await.unwrap(), Lease::Taken { .. }));
    one.release(name, "a").await.unwrap();
    assert_eq!(two.lease(name, "b", Duration::ZERO).await.unwrap(), Lease::Held);
    assert_eq!(one.lease(name, "a", long).await.unwrap(), Lease::Held);
    // Of many that want it at the same moment one gets it.
    let stores: Vec<Arc<ElasticStore>> =
        (0..8).map(|_| Arc::new(ElasticStore::new(settings(&server.url)).unwrap())).collect();
    let tries = stores.iter().enumerate().map(|(number, store)| {
        let store = store.clone();
        tokio::spawn(async move { store.lease("race", &format!("d{number}"), long).await.unwrap() })
    });
    let mut held = 0;
    for one in tries.collect::<Vec<_>>() {
        held += usize::from(one.await.unwrap() == Lease::Held);
    }
    assert_eq!(held, 1);
}

/// Each run of a cron job takes a lease of its own: they must not stay for ever.
#[tokio::test(flavor = "multi_thread")]
async fn leases_that_ran_out_go() {
    let server = osmem();
    let store = ElasticStore::new(settings(&server.url)).unwrap();
    let long = Duration::from_secs(1000);
    assert_eq!(store.lease("lives", "a", long).await.unwrap(), Lease::Held);
    assert_eq!(store.lease("ran out just now", "a", Duration::ZERO).await.unwrap(), Lease::Held);
    let old = json!({"name": "job", "holder": "b", "until": battery::begin()});
    for number in 0..30 {
        let path = format!("/wforce-reports_leases/_doc/old{number}?refresh=true");
        server.request("PUT", &path, Some(&old));
    }
    let count = || server.request("GET", "/wforce-reports_leases/_count", None)["count"].as_u64();
    assert_eq!(count(), Some(32));
    store.tidy().await.unwrap();
    server.request("POST", "/wforce-reports_leases/_refresh", None);
    assert_eq!(count(), Some(2));
    assert!(matches!(store.lease("lives", "b", long).await.unwrap(), Lease::Taken { .. }));
}

/// Servers that hang keep each who asks for its own time limit, not all of them for the sum.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_answers_of_others() {
    let (end, ended) = mpsc::channel::<()>();
    let (asked, ended) = (Arc::new(AtomicBool::new(false)), Mutex::new(ended));
    let before = asked.clone();
    let stub = Stub::start(move |request| {
        if request.path != "/" {
            return answer(200, json!({"hits": {"total": {"value": 0}, "hits": []}}));
        }
        // The first question about the server hangs until the test ends.
        if !before.swap(true, Ordering::Relaxed) {
            let _ = ended.lock().recv();
        }
        root(true)
    });
    let store = Arc::new(ElasticStore::new(settings(&stub.url())).unwrap());
    let ask = |store: Arc<ElasticStore>| async move {
        let query = Query::Logins { filter: Filter::default(), range: Range::EVER, limit: 10, after: None };
        store.query(&query, patient()).await
    };
    let hangs = tokio::spawn(ask(store.clone()));
    while !asked.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    assert!(ask(store).await.is_ok(), "the second question waits for the first one");
    assert!(!hangs.is_finished());
    hangs.abort();
    drop(end);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_days_go_where_the_server_has_no_lifecycles() {
    let server = osmem();
    let (store, reports) = filled(&server, 100).await;
    drop(store);
    let store = ElasticStore::new(ElasticSettings { keep_days: 3, ..settings(&server.url) }).unwrap();
    assert_eq!(store.tidy().await.unwrap(), 1);
    let second = battery::begin() + 86_400_000;
    let left: Vec<Report> = reports.into_iter().filter(|report| report.at >= second).collect();
    assert_eq!(all(&store).await, newest_first(left));
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_in_the_servers_language_go_through() {
    let server = osmem();
    let (store, reports) = filled(&server, 50).await;
    let body = json!({"size": 0, "track_total_hits": true, "aggs": {"u": {"terms": {"field": "login"}}}})
        .to_string();
    let answer = store.search("wforce-reports-*", body.as_bytes(), patient()).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["hits"]["total"]["value"], reports.len());
    assert!(!answer["aggregations"]["u"]["buckets"].as_array().unwrap().is_empty());
    for (index, body, word) in [
        ("wforce-reports-*", "{\"query\": {\"nonsense\": {}}}", "nonsense"),
        ("x/_settings", "{}", "pattern"),
        ("wforce-reports-*", "[", "JSON"),
    ] {
        let error = store.search(index, body.as_bytes(), patient()).await.unwrap_err();
        assert!(matches!(error, StoreError::Search(_)) && error.to_string().contains(word), "{error}");
    }
}

/// Documents as a Logstash pipeline wrote them, without what only we add.
#[tokio::test(flavor = "multi_thread")]
async fn documents_of_others_are_read() {
    let server = osmem();
    let at = battery::begin() + 5000;
    let document = json!({"@timestamp": at, "type": "wforce_report", "login": "old", "remote": "192.0.2.7",
        "success": true, "t": at as f64 / 1000.0, "protocol": "imap", "policy_reject": false,
        "geoip": {"country_code2": "NL", "asn": "AS1103", "latitude": 52.0, "longitude": 5.0}});
    server.request(
        "PUT",
        "/logstash-2020.01.01",
        Some(&json!({"mappings": {"properties": {
        "@timestamp": {"type": "date"}, "login": {"type": "keyword"}, "remote": {"type": "ip"},
        "success": {"type": "boolean"}, "geoip": {"properties": {"country_code2": {"type": "keyword"}}}}}})),
    );
    server.request("PUT", "/logstash-2020.01.01/_doc/abc?refresh=true", Some(&document));
    let pattern = "wforce-reports-*,logstash-*".to_owned();
    let store =
        ElasticStore::new(ElasticSettings { search: Some(pattern), ..settings(&server.url) }).unwrap();
    let found = all(&store).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id.as_str(), found[0].asn, found[0].at), ("abc", 1103, at));
    let seen = |range| Query::Seen {
        login: "old".into(),
        with: Trait::Country("NL".into()),
        range,
        filter: Filter::default(),
    };
    let ask = async |query: &Query| match store.query(query, patient()).await.unwrap() {
        Answer::Seen { seen, .. } => seen,
        other => panic!("{other:?}"),
    };
    assert!(ask(&seen(Range::EVER)).await && !ask(&seen(Range::since(at + 1))).await);
    assert!(store.confirm(&found[0].id, Confirmation::Bad).await.unwrap());
    assert!(!ask(&seen(Range::EVER)).await);
}

/// Where nobody installed a template the server maps texts as it does by itself: the names of fields then have an end.
#[tokio::test(flavor = "multi_thread")]
async fn texts_that_the_server_mapped_by_itself_are_found_by_their_suffix() {
    let stub = Stub::start(move |request| {
        if request.path == "/" {
            return root(true);
        }
        let found =
            json!({"hits": {"total": {"value": 0}, "hits": []}, "aggregations": {"groups": {"buckets": []}}});
        answer(200, found)
    });
    let suffix = ".keyword".to_owned();
    let store =
        ElasticStore::new(ElasticSettings { keyword_suffix: suffix, ..settings(&stub.url()) }).unwrap();
    let query = Query::parse(
        br#"{"query":"top","by":"device","rank":{"distinct":"ip"},"filter":{"login":"ada","country":"NL","asn":7,"attrs":{"k":"v"}}}"#,
    );
    store.query(&query.unwrap(), patient()).await.unwrap();
    let asked = stub.requests().pop().unwrap().body;
    for name in
        ["\"login.keyword\"", "\"geoip.country_code2.keyword\"", "\"attrs.k.keyword\"", "\"device.keyword\""]
    {
        assert!(asked.contains(name), "{name}: {asked}");
    }
    // These are no texts.
    for name in ["remote.keyword", "geoip.asn.keyword", "@timestamp.keyword"] {
        assert!(!asked.contains(name), "{name}: {asked}");
    }
}

/// Page by page, however many came in the same millisecond, and whoever wrote them: each once, in one order.
#[tokio::test(flavor = "multi_thread")]
async fn pages_leave_nothing_out_whoever_wrote_the_documents() {
    let server = osmem();
    let (_, mut expected) = filled(&server, 120).await;
    let same = expected[7].at - 1;
    server.request(
        "PUT",
        "/logstash-2020.01.01",
        Some(
            &json!({"mappings": {"properties": {"@timestamp": {"type": "date"}, "login": {"type": "keyword"},
            "remote": {"type": "ip"}, "success": {"type": "boolean"}}}}),
        ),
    );
    for number in 0..260_i64 {
        // Most of them at one time; some at that of one of ours.
        let at = match number % 13 {
            0 => same + 1,
            1 => same - number,
            _ => same,
        };
        let document = json!({"@timestamp": at, "login": "old", "remote": "192.0.2.7", "success": true});
        let id = format!("{:x}Z-{number}", number * 7919 % 4096);
        let source = document.as_object().unwrap();
        expected.push(Report::from_document(ReportId::from_text(id.clone()), source).unwrap());
        let refresh = if number == 259 { "?refresh=true" } else { "" };
        server.request("PUT", &format!("/logstash-2020.01.01/_doc/{id}{refresh}"), Some(&document));
    }
    let mut expected = newest_first(expected);
    let pattern = "wforce-reports-*,logstash-*".to_owned();
    let store =
        ElasticStore::new(ElasticSettings { search: Some(pattern), ..settings(&server.url) }).unwrap();
    for (size, oldest) in [(1000, false), (101, false), (37, false), (1, false), (1000, true), (37, true)] {
        if oldest && size == 1000 {
            expected.reverse();
        }
        let (mut found, mut after): (Vec<Report>, _) = (Vec::new(), None);
        loop {
            let (filter, range, limit, after_this) = (Filter::default(), Range::EVER, size, after.clone());
            let query = if oldest {
                Query::Oldest { filter, range, limit, after: after_this, fields: None }
            } else {
                Query::Logins { filter, range, limit, after: after_this }
            };
            let Answer::Logins { reports } = store.query(&query, patient()).await.unwrap() else { panic!() };
            let Some(last) = reports.last() else { break };
            after = Some((last.at, last.id.clone()));
            found.extend(reports);
            assert!(
                found.len() <= expected.len(),
                "some come twice, {size} on a page, oldest first: {oldest}"
            );
        }
        assert_eq!(found, expected, "{size} on a page, oldest first: {oldest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_host_is_asked_when_one_is_away() {
    let server = osmem();
    let dead = servers::fresh();
    let hosts = vec![format!("http://{dead}"), server.url.clone(), format!("http://{}", servers::fresh())];
    let store = ElasticStore::new(ElasticSettings { hosts, ..settings("") }).unwrap();
    for report in battery::reports(6) {
        store.ingest(vec![report]).await.unwrap();
    }
    store.flush().await.unwrap();
    assert_eq!(all(&store).await.len(), 6);
    assert!(store.stats().await.unwrap().retries > 0);
    drop(server);
    let query = Query::Count { filter: Filter::default(), range: Range::EVER, distinct: Vec::new() };
    let error = store.query(&query, patient()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}
