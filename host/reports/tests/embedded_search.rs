//! Searches in Elasticsearch's language, answered by the embedded store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod battery;

use portcullis_reports::{EmbeddedSettings, EmbeddedStore, Limits, Report, ReportStore, StoreError};
use serde_json::{Value, json};

async fn store(folder: &std::path::Path) -> (EmbeddedStore, Vec<Report>) {
    let store = EmbeddedStore::open(&EmbeddedSettings::new(folder)).unwrap();
    let reports = battery::reports(300);
    for batch in reports.chunks(70) {
        store.ingest(batch.to_vec()).await.unwrap();
        store.flush().await.unwrap();
    }
    (store, reports)
}

async fn search(store: &EmbeddedStore, body: &Value) -> Result<Value, StoreError> {
    let answer = store.search("any", body.to_string().as_bytes(), Limits::default()).await?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_and_aggregations_count_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (store, reports) = store(folder.path()).await;
    let failed: Vec<&Report> =
        reports.iter().filter(|report| !report.success && report.place.country == "NL").collect();
    assert!(failed.len() > 5);
    let body = json!({
        "size": 3,
        "query": {"bool": {"filter": [{"term": {"success": false}}, {"term": {"geoip.country_code2.keyword": "NL"}}]}},
        "sort": [{"@timestamp": {"order": "asc"}}],
        "aggs": {
            "users": {"terms": {"field": "login", "size": 50}, "aggs": {"ips": {"cardinality": {"field": "remote"}}}},
            "days": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1d"}},
            "last": {"max": {"field": "@timestamp"}},
            "verdict": {"terms": {"field": "success"}},
        },
    });
    let answer = search(&store, &body).await.unwrap();
    assert_eq!(answer["hits"]["total"]["value"], failed.len());
    let hits = answer["hits"]["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 3);
    let oldest = failed.iter().map(|report| report.at).min().unwrap();
    assert_eq!(hits[0]["sort"][0], oldest);
    assert_eq!(hits[0]["_source"]["geoip"]["country_code2"], "NL");
    let buckets = answer["aggregations"]["users"]["buckets"].as_array().unwrap();
    let counted: u64 = buckets.iter().map(|bucket| bucket["doc_count"].as_u64().unwrap()).sum();
    assert_eq!(counted as usize, failed.len());
    let first = &buckets[0];
    let user = first["key"].as_str().unwrap();
    let own: Vec<&&Report> = failed.iter().filter(|report| report.login == user).collect();
    assert_eq!(first["doc_count"], own.len());
    let ips: std::collections::BTreeSet<_> = own.iter().map(|report| report.remote).collect();
    assert_eq!(first["ips"]["value"].as_f64().unwrap() as usize, ips.len());
    let days: u64 = answer["aggregations"]["days"]["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bucket| bucket["doc_count"].as_u64().unwrap())
        .sum();
    assert_eq!(days as usize, failed.len());
    let last = failed.iter().map(|report| report.at).max().unwrap();
    assert_eq!(answer["aggregations"]["last"]["value"].as_f64().unwrap() as i64, last);
    assert_eq!(answer["aggregations"]["verdict"]["buckets"][0]["key_as_string"], "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path()).await;
    for (body, word) in [
        (json!({"query": {"query_string": {"query": "login:x"}}}), "query_string"),
        (json!({"aggs": {"a": {"significant_terms": {"field": "login"}}}}), "significant_terms"),
        (json!({"aggs": {"a": {"terms": {"field": "network"}}}}), "network"),
        (json!({"size": 1_000_000}), "10000"),
        (json!({"sort": ["login"]}), "login"),
        (json!({"script_fields": {}}), "script_fields"),
        (
            json!({"aggs": {"a": {"date_histogram": {"field": "@timestamp", "calendar_interval": "month"}}}}),
            "interval",
        ),
        (json!([]), "object"),
    ] {
        let error = search(&store, &body).await.unwrap_err();
        assert!(matches!(error, StoreError::Search(_)) && error.to_string().contains(word), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_question_sets_a_day_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (store, reports) = store(folder.path()).await;
    for aggregation in [
        json!({"terms": {"field": "login", "size": u32::MAX}}),
        json!({"terms": {"field": "login", "size": 1_000_000_000}}),
        json!({"range": {"field": "success", "ranges": []}}),
        json!({"terms": {"field": "success"}, "aggs": {"inner": {"range": {"field": "tls", "ranges": []}}}}),
    ] {
        let answer = search(&store, &json!({"size": 0, "aggs": {"it": aggregation}})).await;
        assert!(matches!(&answer, Err(StoreError::Search(_))), "{aggregation}: {answer:?}");
    }
    let all = search(&store, &json!({"size": 0})).await.unwrap();
    assert_eq!(all["hits"]["total"]["value"], reports.len());
}
