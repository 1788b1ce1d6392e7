//! Requests out, answers in.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::error::chain;
use crate::{Error, Request, Response, TlsError, TlsSettings};

/// Bytes that the body of an answer may have unless the client says otherwise.
const BODY_LIMIT: usize = 16 << 20;
/// How long an idle connection is kept: less than the 60 s after which many servers close theirs.
const IDLE: Duration = Duration::from_secs(50);

/// A client with its pool of connections; clones share it. Its calls need a tokio runtime with I/O and time.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    body_limit: usize,
}

impl Client {
    /// A client that keeps up to 64 idle connections a host.
    ///
    /// # Errors
    /// A file of the TLS settings cannot be used.
    pub fn new(tls: &TlsSettings) -> Result<Client, TlsError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.config()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .http1_title_case_headers(true)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(64)
            .build(connector);
        Ok(Client { pool, body_limit: BODY_LIMIT })
    }

    /// The same client with another limit for the bodies of answers, in bytes.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Client {
        self.body_limit = bytes;
        self
    }

    /// Sends the request and reads the whole answer, whatever its status. `timeout` is for all of it, from the name look-up
    /// to the last byte.
    ///
    /// # Errors
    /// See [`Error`]. A request may have reached the server although it failed here.
    pub async fn send(&self, request: Request, timeout: Duration) -> Result<Response, Error> {
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout(timeout)),
        }
    }

    async fn exchange(&self, request: Request) -> Result<Response, Error> {
        let answer = self.pool.request(request.build()?).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, self.body_limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Error::TooLong(self.body_limit)
            } else {
                Error::Exchange(chain(error.as_ref()))
            }
        })?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}
