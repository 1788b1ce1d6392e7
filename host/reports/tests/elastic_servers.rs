//! The Elasticsearch engine and what the servers of the tests do not have, with a stub in their place: authentication,
//! lifecycles, overload.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod battery;
mod stub;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portcullis_reports::{
    Auth, ElasticSettings, ElasticStore, Filter, Limits, Query, Range, ReportStore, StoreError,
};
use serde_json::{Value, json};
use stub::{Stub, answer, root};

fn settings(url: &str) -> ElasticSettings {
    ElasticSettings { patience: Duration::from_mins(1), ..ElasticSettings::new(vec![url.to_owned()]) }
}

fn patient() -> Limits {
    Limits { time: Duration::from_mins(1), ..Limits::default() }
}

fn bulk_of(body: &str, status: impl Fn(usize) -> u16) -> (u16, Value) {
    let items: Vec<Value> = (0..body.lines().count() / 2)
        .map(|number| match status(number) {
            201 => json!({"create": {"_index": "i", "_id": "x", "status": 201, "result": "created"}}),
            status => json!({"create": {"_index": "i", "_id": "x", "status": status,
                "error": {"type": "es_rejected_execution_exception", "reason": "rejected execution"}}}),
        })
        .collect();
    answer(200, json!({"took": 3, "errors": true, "items": items}))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_servers_cannot_take_now_is_brought_again() {
    let turns = Arc::new(Mutex::new(0));
    let seen = turns.clone();
    let stub = Stub::start(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => root(false),
        ("POST", "/_bulk") => {
            let mut turn = seen.lock();
            *turn += 1;
            match *turn {
                // Too busy altogether, then too large, then busy for every other report, then well.
                1 => answer(429, json!({"error": {"reason": "circuit_breaking_exception"}})),
                2 => answer(413, json!({})),
                3 => bulk_of(&request.body, |number| if number % 2 == 0 { 201 } else { 429 }),
                _ => bulk_of(&request.body, |_| 201),
            }
        }
        _ => answer(200, json!({"acknowledged": true})),
    });
    let store = ElasticStore::new(settings(&stub.url())).unwrap();
    store.ingest(battery::reports(10)).await.unwrap();
    let sent: Vec<usize> = stub
        .requests()
        .iter()
        .filter(|one| one.path == "/_bulk")
        .map(|one| one.body.lines().count() / 2)
        .collect();
    // All; all; half, of which half come back beside the other half.
    assert_eq!(sent[..3], [10, 10, 5], "{sent:?}");
    assert_eq!(sent[3..].iter().sum::<usize>(), 7, "{sent:?}");
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.ingested, stats.refused), (10, 0));
    assert!(stats.retries >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_counted_and_named() {
    let stub = Stub::start(|request| match request.path.as_str() {
        "/" => root(false),
        "/_bulk" => bulk_of(&request.body, |number| if number == 1 { 400 } else { 201 }),
        _ => answer(200, json!({"acknowledged": true})),
    });
    let store = ElasticStore::new(settings(&stub.url())).unwrap();
    let error = store.ingest(battery::reports(4)).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused { count: 1, reason } if reason.contains("rejected")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_gets_a_lifecycle_policy_and_a_template_that_names_it() {
    let stub = Stub::start(|request| match request.path.as_str() {
        "/" => root(false),
        "/_bulk" => bulk_of(&request.body, |_| 201),
        _ => answer(200, json!({"acknowledged": true})),
    });
    let auth = Auth::ApiKey("VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw".into());
    let mut settings = settings(&stub.url());
    (settings.keep_days, settings.replicas, settings.auth) = (30, Some(2), auth);
    let store = ElasticStore::new(settings).unwrap();
    store.ingest(battery::reports(1)).await.unwrap();
    let requests = stub.requests();
    // The header of the public documentation for this key.
    let key = "ApiKey VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==";
    assert!(requests.iter().all(|request| request.header("authorization") == Some(key)));
    let body = |path: &str| -> Value {
        let request =
            requests.iter().find(|request| request.path == path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(
            (request.method.as_str(), request.header("content-type")),
            ("PUT", Some("application/json"))
        );
        serde_json::from_str(&request.body).unwrap()
    };
    let policy = body("/_ilm/policy/wforce-reports");
    assert_eq!(policy["policy"]["phases"]["delete"], json!({"min_age": "30d", "actions": {"delete": {}}}));
    let template = body("/_index_template/wforce-reports");
    assert_eq!(template["index_patterns"], json!(["wforce-reports-*"]));
    let index = &template["template"]["settings"]["index"];
    assert_eq!(index["lifecycle"]["name"], "wforce-reports");
    assert_eq!(index["number_of_replicas"], 2);
    assert_eq!(template["template"]["mappings"]["properties"]["remote"]["type"], "ip");
    let bulk = requests.iter().find(|request| request.path == "/_bulk").unwrap();
    assert_eq!(bulk.header("content-type"), Some("application/x-ndjson"));
}

#[tokio::test(flavor = "multi_thread")]
async fn opensearch_gets_its_own_kind_of_policy_and_an_old_one_is_replaced() {
    let stub = Stub::start(|request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => root(true),
        (_, "/_bulk") => bulk_of(&request.body, |_| 201),
        // As the public documentation shows it for a policy that is there.
        ("PUT", "/_plugins/_ism/policies/wforce-reports") => answer(
            409,
            json!({"error": {"root_cause": [{"type":
            "version_conflict_engine_exception", "reason": "[wforce-reports]: version conflict, document already exists"}]},
            "status": 409}),
        ),
        ("GET", "/_plugins/_ism/policies/wforce-reports") => answer(
            200,
            json!({"_id": "wforce-reports", "_version": 2,
            "_seq_no": 10, "_primary_term": 1, "policy": {"policy_id": "wforce-reports", "states": []}}),
        ),
        _ => answer(200, json!({"acknowledged": true})),
    });
    let auth = Auth::Basic("writer".into(), "pass:word".into());
    let store = ElasticStore::new(ElasticSettings { auth, ..settings(&stub.url()) }).unwrap();
    store.ingest(battery::reports(1)).await.unwrap();
    let requests = stub.requests();
    let replaced = "/_plugins/_ism/policies/wforce-reports?if_seq_no=10&if_primary_term=1";
    let policy = requests.iter().find(|request| request.path == replaced).expect("it is replaced");
    let policy: Value = serde_json::from_str(&policy.body).unwrap();
    let kept = &policy["policy"]["states"][0]["transitions"][0];
    assert_eq!(kept["conditions"]["min_index_age"], "90d");
    let template = requests.iter().find(|request| request.path.starts_with("/_index_template")).unwrap();
    assert!(!template.body.contains("lifecycle"), "OpenSearch knows no such setting");
    assert!(requests.iter().all(|one| one.header("authorization") == Some("Basic d3JpdGVyOnBhc3M6d29yZA==")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_without_secrets() {
    for (status, version, word) in [(401, "8.15.3", "401"), (200, "6.8.23", "older"), (200, "", "neither")] {
        let stub = Stub::start(move |_| {
            let body = match status {
                401 => json!({"error": {"root_cause": [{"type": "security_exception",
                    "reason": "unable to authenticate user [writer] for REST request [/]"}]}, "status": 401}),
                _ => json!({"version": {"number": version}}),
            };
            answer(status, body)
        });
        let auth = Auth::Basic("writer".into(), "hidden".into());
        let store = ElasticStore::new(ElasticSettings { auth, ..settings(&stub.url()) }).unwrap();
        let query = Query::Count { filter: Filter::default(), range: Range::EVER, distinct: Vec::new() };
        let error = store.query(&query, patient()).await.unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains("hidden"), "{error}");
        let health = store.health().await.unwrap();
        assert!(!health.ready && !health.complaints.is_empty());
    }
    for hosts in [vec![], vec!["ftp://x".to_owned()]] {
        assert!(ElasticStore::new(ElasticSettings { hosts, ..settings("") }).is_err());
    }
    let bad = ElasticSettings { index: "A*".into(), ..settings("http://127.0.0.1:1") };
    assert!(ElasticStore::new(bad).is_err());
}

/// Half an answer is none.
#[tokio::test(flavor = "multi_thread")]
async fn shards_that_fail_make_the_question_fail() {
    let stub = Stub::start(|request| match request.path.as_str() {
        "/" => root(false),
        _ => answer(
            200,
            json!({"took": 1, "timed_out": false, "_shards": {"total": 2, "successful": 1, "failed": 1,
            "failures": [{"shard": 0, "reason": {"type": "x", "reason": "all shards are tired"}}]},
            "hits": {"total": {"value": 1, "relation": "eq"}, "hits": []}}),
        ),
    });
    let store = ElasticStore::new(settings(&stub.url())).unwrap();
    let query = Query::Count { filter: Filter::default(), range: Range::EVER, distinct: Vec::new() };
    let error = store.query(&query, patient()).await.unwrap_err().to_string();
    assert!(error.contains("tired"), "{error}");
}
