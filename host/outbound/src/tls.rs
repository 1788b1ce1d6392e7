//! TLS of outgoing connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::verify::Partial;

/// How servers are verified, and what this side shows to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file of the authorities to trust; `None`: the system's.
    pub authorities: Option<PathBuf>,
    /// What is shown to servers that ask for a certificate.
    pub client: Option<ClientCertificate>,
    /// Whether a server's certificate must come from a trusted authority and be in date.
    pub verify_peer: bool,
    /// Whether a server's certificate must be for the host that was asked.
    pub verify_host: bool,
}

impl Default for TlsSettings {
    /// Everything verified with the system's authorities, no client certificate.
    fn default() -> Self {
        Self { authorities: None, client: None, verify_peer: true, verify_host: true }
    }
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file with the certificate and its chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file with the key, not encrypted.
    pub key: PathBuf,
}

/// Why the TLS settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of authorities cannot be read or holds no certificate.
    #[error("CA bundle {}: {reason}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The client certificate or its key cannot be used.
    #[error("client certificate {}: {reason}", path.display())]
    Client {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// rustls refuses the settings.
    #[error("TLS: {0}")]
    Setup(#[from] rustls::Error),
}

impl TlsSettings {
    /// The settings as rustls takes them; other clients than HTTP's use them too.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = if self.verify_peer && self.verify_host {
            builder.with_root_certificates(self.roots()?)
        } else {
            let chain = if self.verify_peer { Some(Arc::new(self.roots()?)) } else { None };
            let partial = Partial { chain, name: self.verify_host, algorithms };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(partial))
        };
        let Some(ClientCertificate { certificate, key }) = &self.client else {
            return Ok(builder.with_no_client_auth());
        };
        let refuse = |path: &Path, reason: String| TlsError::Client { path: path.to_owned(), reason };
        let chain = certificates(certificate).map_err(|reason| refuse(certificate, reason))?;
        let pem = files::read(key, files::PEM).map_err(|error| refuse(key, error.to_string()))?;
        let secret = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| refuse(key, error.to_string()))?;
        builder.with_client_auth_cert(chain, secret).map_err(|error| refuse(key, error.to_string()))
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(path) => {
                let refuse = |reason| TlsError::Authorities { path: path.clone(), reason };
                for certificate in certificates(path).map_err(refuse)? {
                    roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
                }
            }
            // Some systems have none, or some that cannot be read: then servers fail that need them, each with its reason.
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        Ok(roots)
    }
}

/// At least one certificate.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = files::read(path, files::PEM).map_err(|error| error.to_string())?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn missing_files_are_named() {
        let settings =
            TlsSettings { authorities: Some("/nonexistent/ca.pem".into()), ..TlsSettings::default() };
        let text = settings.config().unwrap_err().to_string();
        assert!(text.contains("/nonexistent/ca.pem"), "{text}");
        let client =
            ClientCertificate { certificate: "/nonexistent/c.pem".into(), key: "/nonexistent/k.pem".into() };
        let settings = TlsSettings { client: Some(client), ..TlsSettings::default() };
        let text = settings.config().unwrap_err().to_string();
        assert!(text.contains("/nonexistent/c.pem"), "{text}");
    }
}
