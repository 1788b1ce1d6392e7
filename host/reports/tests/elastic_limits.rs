//! The Elasticsearch engine: whom it trusts and what it shows, and what a question may take.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod stub;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use outbound::{ClientCertificate, TlsSettings};
use parking_lot::Mutex;
use portcullis_reports::{
    Answer, ElasticSettings, ElasticStore, Filter, Limits, Query, Range, ReportStore as _, StoreError,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use stub::{Request, Stub, answer};

fn settings(url: &str) -> ElasticSettings {
    ElasticSettings { patience: Duration::from_mins(1), ..ElasticSettings::new(vec![url.to_owned()]) }
}

fn patient() -> Limits {
    Limits { time: Duration::from_mins(1), ..Limits::default() }
}

fn logins() -> Query {
    Query::Logins { filter: Filter::default(), range: Range::EVER, limit: 10, after: None }
}

/// A server with one login.
fn respond(request: &Request) -> (u16, Value) {
    if request.path == "/" {
        return answer(200, json!({"name": "n", "version": {"number": "8.15.3"}}));
    }
    let hit = json!({"_id": "a", "sort": [1000, null], "_source": {"@timestamp": 1000, "login": "ada",
        "remote": "192.0.2.1", "success": true}});
    answer(200, json!({"hits": {"total": {"value": 1}, "hits": [hit]}}))
}

/// An authority of its own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A cluster behind TLS that wants to see a certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_shown_to_servers_that_are_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let mut roots = RootCertStore::empty();
    roots.add(clients.0.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let (certificate, key) = servers.certify("127.0.0.1");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let stub = Stub::start_tls(config, respond);
    std::fs::write(path("ca.pem"), servers.0.pem()).unwrap();
    std::fs::write(path("strangers.pem"), strangers.0.pem()).unwrap();
    for (name, authority) in [("client", &clients), ("stranger", &strangers)] {
        let (certificate, key) = authority.certify("client");
        std::fs::write(path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let shown = |name: &str| {
        Some(ClientCertificate {
            certificate: path(&format!("{name}.pem")),
            key: path(&format!("{name}.key")),
        })
    };
    let ask = async |authorities: &str, client: Option<ClientCertificate>| {
        let tls = TlsSettings { authorities: Some(path(authorities)), client, ..TlsSettings::default() };
        let store = ElasticStore::new(ElasticSettings { tls, ..settings(&stub.url()) }).unwrap();
        let limits = Limits { time: Duration::from_secs(20), ..Limits::default() };
        store.query(&logins(), limits).await
    };
    let Answer::Logins { reports } = ask("ca.pem", shown("client")).await.unwrap() else { panic!() };
    assert_eq!(reports[0].login, "ada");
    let before = stub.requests().len();
    for (authorities, client) in
        [("ca.pem", None), ("ca.pem", shown("stranger")), ("strangers.pem", shown("client"))]
    {
        let error = ask(authorities, client).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    assert_eq!(
        stub.requests().len(),
        before,
        "nothing was asked of who could not be trusted, or did not trust"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_costs_the_time_allowed() {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let stub = Stub::start(move |request| {
        if request.path != "/" {
            let _ = ended.lock().recv();
        }
        respond(request)
    });
    let store = ElasticStore::new(settings(&stub.url())).unwrap();
    let limits = Limits { time: Duration::from_millis(300), ..Limits::default() };
    let error = store.query(&logins(), limits).await.unwrap_err();
    assert!(matches!(error, StoreError::TimeOut(time) if time == limits.time), "{error}");
    let error = store.search("wforce-reports-*", b"{}", limits).await.unwrap_err();
    assert!(matches!(error, StoreError::TimeOut(_)), "{error}");
    drop(end);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_results_than_allowed_are_not_asked_for() {
    let stub = Stub::start(respond);
    let store = ElasticStore::new(settings(&stub.url())).unwrap();
    let error = store.query(&logins(), Limits { results: 9, ..patient() }).await.unwrap_err();
    assert!(matches!(error, StoreError::Query(_)), "{error}");
    assert!(stub.requests().iter().all(|request| !request.path.contains("_search")));
    store.query(&logins(), Limits { results: 10, ..patient() }).await.unwrap();
}
