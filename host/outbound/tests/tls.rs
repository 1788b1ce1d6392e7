//! HTTPS: whom the client trusts, and what it shows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a failure")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis_outbound::{Client, ClientCertificate, Error, Method, Request, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use support::{Peer, serve};
use tempfile::TempDir;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// An authority of its own.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Authority { issuer }
    }

    /// A certificate for this name; PEM of it and of its key.
    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate, key)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Arc::new(roots)
    }

    fn file(&self, folder: &TempDir) -> PathBuf {
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    /// A server with a certificate for this name; `clients` sign what its clients must show.
    async fn server(&self, name: &str, clients: Option<&Authority>) -> Peer {
        let (certificate, key) = self.certify(name);
        let provider = Arc::new(ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = match clients {
            None => builder.unwrap().with_no_client_auth(),
            Some(clients) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(clients.roots(), provider);
                builder.unwrap().with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        serve(OK, Some(Arc::new(config))).await
    }
}

async fn ask(peer: &Peer, settings: &TlsSettings) -> Result<(), Error> {
    let client = Client::new(settings).unwrap();
    let request = Request::new(Method::GET, format!("https://{}/", peer.addr), "");
    client.send(request, Duration::from_mins(1)).await.map(drop)
}

fn refused(result: Result<(), Error>) -> bool {
    matches!(result, Err(Error::Connect(text)) if text.contains("certificate"))
}

#[tokio::test]
async fn each_half_of_the_verification_can_be_switched_off() {
    let folder = TempDir::new().unwrap();
    let (trusted, strange) = (Authority::new(), Authority::new());
    let good = trusted.server("127.83.0.1", None).await;
    let misnamed = trusted.server("other.example", None).await;
    let unknown = strange.server("127.83.0.1", None).await;
    let neither = strange.server("other.example", None).await;
    for (verify_peer, verify_host, accepted) in [
        (true, true, [true, false, false, false]),
        (true, false, [true, true, false, false]),
        (false, true, [true, false, true, false]),
        (false, false, [true, true, true, true]),
    ] {
        let authorities = Some(trusted.file(&folder));
        let settings = TlsSettings { authorities, client: None, verify_peer, verify_host };
        for (peer, accepted) in [&good, &misnamed, &unknown, &neither].into_iter().zip(accepted) {
            let result = ask(peer, &settings).await;
            assert_eq!(result.is_ok(), accepted, "{verify_peer} {verify_host} {result:?}");
            assert!(accepted || refused(result));
        }
    }
}

#[tokio::test]
async fn the_systems_authorities_do_not_know_ours() {
    let peer = Authority::new().server("127.83.0.1", None).await;
    assert!(refused(ask(&peer, &TlsSettings::default()).await));
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let folder = TempDir::new().unwrap();
    let (servers, clients) = (Authority::new(), Authority::new());
    let peer = servers.server("127.83.0.1", Some(&clients)).await;
    let authorities = Some(servers.file(&folder));
    let without = TlsSettings { authorities, ..TlsSettings::default() };
    assert!(ask(&peer, &without).await.is_err());
    let (certificate, key) = clients.certify("client");
    let files =
        ClientCertificate { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    ask(&peer, &TlsSettings { client: Some(files), ..without }).await.unwrap();
}
