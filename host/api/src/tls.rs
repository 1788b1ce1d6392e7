//! TLS of a listener: certificate and key from PEM files, protocol versions, and a certificate that can be replaced
//! while connections are open.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// TLS of one listener.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// PEM file with the certificate and its chain, leaf first.
    pub certificates: PathBuf,
    /// PEM file with the private key (PKCS #8, PKCS #1 or SEC 1, not encrypted).
    pub key: PathBuf,
    /// `addListener`'s table of OpenSSL option names. `MinProtocol` and `MaxProtocol` count (`TLSv1.2`, `TLSv1.3`; as a
    /// minimum the older ones and `None` mean TLS 1.2, as a maximum `None` means no limit); all others are reported by
    /// [`TlsConfig::ignored_options`] and change nothing.
    pub options: Vec<(String, String)>,
}

/// Why a listener's TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read or holds no certificate.
    #[error("certificate file {}: {reason}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key file cannot be read or holds no usable private key.
    #[error("key file {}: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key does not belong to the certificate.
    #[error("key file {} does not belong to certificate file {}", key.display(), certificates.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificates: PathBuf,
    },
    /// `MinProtocol`/`MaxProtocol` name no version, or leave none.
    #[error("TLS option {option} = {value}: no such protocol version, or none is left to use")]
    Versions {
        /// Name of the option.
        option: String,
        /// Its value.
        value: String,
    },
    /// rustls refuses the versions.
    #[error("TLS: {0}")]
    Setup(#[from] rustls::Error),
}

impl TlsConfig {
    /// Loads everything as a listener would, without keeping it.
    ///
    /// # Errors
    /// A file that cannot be used, a key that is not the certificate's, protocol versions that leave none.
    pub fn check(&self) -> Result<(), TlsError> {
        Tls::load(self.clone()).map(drop)
    }

    /// The options that mean nothing here; the caller writes a log line for each.
    pub fn ignored_options(&self) -> impl Iterator<Item = &str> {
        self.options.iter().map(|(name, _)| name.as_str()).filter(|name| !is_min(name) && !is_max(name))
    }
}

/// The TLS of a running listener.
pub(crate) struct Tls {
    config: TlsConfig,
    certificate: Arc<Replaceable>,
    server: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files and checks that they belong together.
    pub(crate) fn load(config: TlsConfig) -> Result<Self, TlsError> {
        let versions = versions(&config.options)?;
        let certificate = Arc::new(Replaceable(RwLock::new(certified(&config)?)));
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Replaceable>::clone(&certificate));
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config, certificate, server: Arc::new(server) })
    }

    /// Reads the files again. On an error the certificate in use stays.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        *self.certificate.0.write() = certified(&self.config)?;
        Ok(())
    }

    /// What a handshake needs.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}

/// The certificate of a listener; connections that are open keep the one they started with.
struct Replaceable(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Replaceable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replaceable")
    }
}

impl ResolvesServerCert for Replaceable {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

fn certified(config: &TlsConfig) -> Result<Arc<CertifiedKey>, TlsError> {
    let bad_certificates =
        |reason: String| TlsError::Certificates { path: config.certificates.clone(), reason };
    let bad_key = |reason: String| TlsError::Key { path: config.key.clone(), reason };
    let pem =
        files::read(&config.certificates, files::PEM).map_err(|error| bad_certificates(error.to_string()))?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad_certificates(error.to_string()))?;
    if chain.is_empty() {
        return Err(bad_certificates("holds no certificate".to_owned()));
    }
    let pem = files::read(&config.key, files::PEM).map_err(|error| bad_key(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| bad_key(error.to_string()))?;
    let key = ring::sign::any_supported_type(&key).map_err(|error| bad_key(error.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { key: config.key.clone(), certificates: config.certificates.clone() })
        }
        Err(error) => Err(bad_certificates(error.to_string())),
    }
}

fn is_min(name: &str) -> bool {
    name.eq_ignore_ascii_case("MinProtocol")
}

fn is_max(name: &str) -> bool {
    name.eq_ignore_ascii_case("MaxProtocol")
}

/// The versions that `MinProtocol` and `MaxProtocol` leave of TLS 1.2 and 1.3.
fn versions(
    options: &[(String, String)],
) -> Result<Vec<&'static rustls::SupportedProtocolVersion>, TlsError> {
    let mut usable = vec![(2, &TLS12), (3, &TLS13)];
    for (option, value) in options {
        let refuse = || TlsError::Versions { option: option.clone(), value: value.clone() };
        if is_min(option) {
            let min = if value == "None" { 0 } else { minor(value).ok_or_else(refuse)? };
            usable.retain(|(version, _)| *version >= min);
        } else if is_max(option) {
            let max = if value == "None" { u8::MAX } else { minor(value).ok_or_else(refuse)? };
            usable.retain(|(version, _)| *version <= max);
        }
        if usable.is_empty() {
            return Err(refuse());
        }
    }
    Ok(usable.into_iter().map(|(_, version)| version).collect())
}

fn minor(version: &str) -> Option<u8> {
    match version {
        "TLSv1" | "TLSv1.0" | "SSLv3" => Some(0),
        "TLSv1.1" => Some(1),
        "TLSv1.2" => Some(2),
        "TLSv1.3" => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn left(options: &[(&str, &str)]) -> Result<usize, TlsError> {
        let options: Vec<_> = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        versions(&options).map(|versions| versions.len())
    }

    #[test]
    fn protocol_options_narrow_the_versions() {
        assert_eq!(left(&[]).unwrap(), 2);
        assert_eq!(left(&[("MinProtocol", "TLSv1.3")]).unwrap(), 1);
        assert_eq!(left(&[("MaxProtocol", "TLSv1.2")]).unwrap(), 1);
        assert_eq!(left(&[("MinProtocol", "TLSv1")]).unwrap(), 2);
        assert_eq!(left(&[("minimum_protocol", "TLSv1.3"), ("Ciphers", "x")]).unwrap(), 2);
        assert_eq!(left(&[("MinProtocol", "None"), ("MaxProtocol", "None")]).unwrap(), 2);
    }

    #[test]
    fn nothing_left_is_an_error_that_names_the_option() {
        let error = left(&[("MaxProtocol", "TLSv1.1")]).unwrap_err();
        assert!(error.to_string().contains("MaxProtocol = TLSv1.1"), "{error}");
        assert!(left(&[("MinProtocol", "TLSv1.3"), ("MaxProtocol", "TLSv1.2")]).is_err());
        assert!(left(&[("MinProtocol", "tls 1.3")]).is_err());
    }

    #[test]
    fn other_options_are_reported() {
        let config = TlsConfig {
            certificates: PathBuf::new(),
            key: PathBuf::new(),
            options: [("MinProtocol", "TLSv1.3"), ("minimum_protocol", "x"), ("Ciphers", "y")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .to_vec(),
        };
        assert_eq!(config.ignored_options().collect::<Vec<_>>(), ["minimum_protocol", "Ciphers"]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let config = TlsConfig {
            certificates: "/nonexistent/cert.pem".into(),
            key: "/nonexistent/key.pem".into(),
            options: vec![],
        };
        let error = Tls::load(config).err().unwrap();
        assert!(error.to_string().contains("/nonexistent/cert.pem"), "{error}");
    }
}
