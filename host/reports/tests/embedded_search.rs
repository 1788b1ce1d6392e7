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

/// Every other aggregation that the documentation names.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_added_up() {
    let folder = tempfile::tempdir().unwrap();
    let (store, reports) = store(folder.path()).await;
    let known: Vec<f64> =
        reports.iter().filter(|report| report.asn > 0).map(|report| f64::from(report.asn)).collect();
    let of = |kind: &str| json!({kind: {"field": "geoip.asn"}});
    let body = json!({"size": 0, "aggs": {
        "avg": of("avg"), "sum": of("sum"), "min": of("min"), "max": of("max"), "count": of("value_count"),
        "stats": of("stats"),
        "percentiles": {"percentiles": {"field": "geoip.asn", "percents": [1.0, 99.0]}},
        "histogram": {"histogram": {"field": "geoip.asn", "interval": 10_000.0}},
        "range": {"range": {"field": "geoip.asn", "ranges": [{"to": 10.0}, {"from": 10.0, "to": 1000.0}, {"from": 1000.0}]}},
    }});
    let answer = search(&store, &body).await.unwrap();
    let found = &answer["aggregations"];
    let value = |value: &Value| value.as_f64().unwrap();
    let near =
        |left: f64, right: f64| assert!((left - right).abs() < 1e-6 * right.abs(), "{left} {right}: {found}");
    let (count, sum) = (known.len() as f64, known.iter().sum::<f64>());
    near(value(&found["sum"]["value"]), sum);
    near(value(&found["avg"]["value"]), sum / count);
    near(value(&found["min"]["value"]), 9.0);
    near(value(&found["max"]["value"]), 64_500.0);
    near(value(&found["count"]["value"]), count);
    for (name, wanted) in
        [("count", count), ("sum", sum), ("avg", sum / count), ("min", 9.0), ("max", 64_500.0)]
    {
        near(value(&found["stats"][name]), wanted);
    }
    let ends = &found["percentiles"]["values"];
    assert!((value(&ends["1.0"]) - 9.0).abs() < 1.0, "{found}");
    assert!((value(&ends["99.0"]) / 64_500.0 - 1.0).abs() < 0.02, "{found}");
    let counts = |name: &str| -> Vec<u64> {
        let buckets = found[name]["buckets"].as_array().unwrap();
        buckets
            .iter()
            .map(|bucket| bucket["doc_count"].as_u64().unwrap())
            .filter(|count| *count > 0)
            .collect()
    };
    let many = |from: f64, to: f64| known.iter().filter(|asn| **asn >= from && **asn < to).count() as u64;
    assert_eq!(counts("histogram"), [many(0.0, 10_000.0), many(60_000.0, 70_000.0)]);
    assert_eq!(counts("range"), [many(0.0, 10.0), many(10.0, 1000.0), many(1000.0, f64::MAX)]);
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
