//! How webhooks are sent, and how servers that are called are verified.

use std::path::PathBuf;
use std::time::Duration;

/// How webhooks are sent.
#[derive(Debug)]
pub struct WebHooks {
    /// Sending threads.
    pub threads: u32,
    /// Connections of each.
    pub connections: u32,
    /// Events that may wait.
    pub queue_size: u32,
    /// Seconds that one may take.
    pub timeout_secs: u64,
    /// Whether certificates must be valid.
    pub verify_peer: bool,
    /// Whether certificates must be for the host.
    pub verify_host: bool,
    /// PEM file of trusted authorities.
    pub authorities: Option<PathBuf>,
    /// PEM files of the client certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Default for WebHooks {
    fn default() -> Self {
        Self {
            threads: 5,
            connections: 10,
            queue_size: 50_000,
            timeout_secs: 2,
            verify_peer: true,
            verify_host: true,
            authorities: None,
            client: None,
        }
    }
}

impl WebHooks {
    /// The settings as the senders take them. wforce's threads times connections are the deliveries of one hook that may be
    /// under way at once; no time limit means five minutes.
    pub fn options(&self) -> capabilities::webhooks::Options {
        let seconds = if self.timeout_secs == 0 { 300 } else { self.timeout_secs };
        capabilities::webhooks::Options {
            concurrency: (self.threads.max(1) as usize)
                .saturating_mul(self.connections.max(1) as usize)
                .min(10_000),
            queue_size: self.queue_size as usize,
            timeout: Duration::from_secs(seconds),
            tls: self.tls(),
        }
    }

    /// TLS of webhooks and of the calls to sync hosts.
    pub fn tls(&self) -> outbound::TlsSettings {
        outbound::TlsSettings {
            authorities: self.authorities.clone(),
            client: self
                .client
                .clone()
                .map(|(certificate, key)| outbound::ClientCertificate { certificate, key }),
            verify_peer: self.verify_peer,
            verify_host: self.verify_host,
        }
    }
}
