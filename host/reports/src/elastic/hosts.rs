//! Requests to one of several servers. One that does not answer is left alone for a while; then another one is asked.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use outbound::{Client, HeaderName, HeaderValue, Method, Request, TlsError, basic_auth, without_secrets};
use parking_lot::Mutex;
use serde_json::Value;

use super::settings::{Auth, ElasticSettings};
use crate::StoreError;

/// How long a server that did not answer is left alone at first.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest such time.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Bytes of an answer: ten thousand reports at their largest are less.
const ANSWER: usize = 128 << 20;
/// Bytes of a server's reason that are passed on.
const REASON: usize = 500;

/// The servers of a cluster.
pub(super) struct Hosts {
    client: Client,
    all: Vec<Host>,
    auth: Option<HeaderValue>,
    /// Where the next request goes.
    next: AtomicUsize,
    retries: AtomicU64,
}

struct Host {
    url: String,
    down: Mutex<Option<Down>>,
}

struct Down {
    until: Instant,
    pause: Duration,
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
    /// The body as it came.
    pub(super) bytes: bytes::Bytes,
}

impl Reply {
    pub(super) fn good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What the server says is wrong.
    pub(super) fn reason(&self) -> String {
        let error = &self.body["error"];
        let cause = &error["root_cause"][0]["reason"];
        let text =
            [cause, &error["reason"], error, &self.body["message"]].into_iter().find_map(Value::as_str);
        let mut text = match text {
            Some(text) => text.to_owned(),
            None => String::from_utf8_lossy(&self.bytes).into_owned(),
        };
        if text.len() > REASON {
            text.truncate(text.floor_char_boundary(REASON));
        }
        format!("{} {text}", self.status)
    }
}

/// What is sent.
#[derive(Clone)]
pub(super) enum Body {
    None,
    Json(bytes::Bytes),
    /// Lines of JSON.
    Lines(bytes::Bytes),
}

impl From<&Value> for Body {
    fn from(json: &Value) -> Self {
        Body::Json(json.to_string().into())
    }
}

impl Hosts {
    pub(super) fn new(settings: &ElasticSettings) -> Result<Self, StoreError> {
        let wrong = |reason: String| StoreError::Unavailable(reason);
        for url in &settings.hosts {
            outbound::check_url(url).map_err(|error| wrong(error.to_string()))?;
        }
        if settings.hosts.is_empty() {
            return Err(wrong("no hosts are named".into()));
        }
        let auth = match &settings.auth {
            Auth::None => None,
            Auth::Basic(user, password) => Some(basic_auth(user.as_bytes(), password.as_bytes())),
            Auth::ApiKey(key) => {
                let key = if key.contains(':') {
                    base64::engine::general_purpose::STANDARD.encode(key)
                } else {
                    key.clone()
                };
                let mut value = HeaderValue::try_from(format!("ApiKey {key}"))
                    .map_err(|_| wrong("the API key has characters that no key has".into()))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let client = Client::new(&settings.tls)
            .map_err(|error: TlsError| wrong(error.to_string()))?
            .with_body_limit(ANSWER);
        let all = settings
            .hosts
            .iter()
            .map(|url| Host { url: url.trim_end_matches('/').to_owned(), down: Mutex::default() })
            .collect();
        Ok(Self { client, all, auth, next: AtomicUsize::new(0), retries: AtomicU64::new(0) })
    }

    pub(super) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    pub(super) fn repeated(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Sends a request that may be sent twice. Servers that do not answer, or say that they cannot (502, 503, 504), are
    /// followed by the next one, each once.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Body,
        limit: Duration,
    ) -> Result<Reply, StoreError> {
        let began = Instant::now();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let order = self.order(first);
        let mut last = StoreError::TimeOut(limit);
        for (tried, host) in order.iter().enumerate() {
            let left = limit.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(StoreError::TimeOut(limit));
            }
            // A server that hangs must leave time for the next one.
            let patience = if tried + 1 < order.len() { left / 2 } else { left };
            if tried > 0 {
                self.repeated();
            }
            match self.once(host, method.clone(), path, body.clone(), patience).await {
                Ok(reply) if matches!(reply.status, 502..=504) => {
                    host.fell();
                    last = StoreError::Unavailable(format!(
                        "{}: {}",
                        without_secrets(&host.url),
                        reply.reason()
                    ));
                }
                Ok(reply) => {
                    host.rose();
                    return Ok(reply);
                }
                Err(outbound::Error::Timeout(_)) if tried + 1 == order.len() => {
                    host.fell();
                    return Err(StoreError::TimeOut(limit));
                }
                Err(error) => {
                    host.fell();
                    last = StoreError::Unavailable(format!("{}: {error}", without_secrets(&host.url)));
                }
            }
        }
        Err(last)
    }

    /// The servers in the order to ask: those that are well, in turn; then those that are not, as perhaps all are away only
    /// for a moment.
    fn order(&self, first: usize) -> Vec<&Host> {
        let count = self.all.len();
        let mut order: Vec<&Host> = (0..count).filter_map(|at| self.all.get((first + at) % count)).collect();
        let now = Instant::now();
        order.sort_by_key(|host| host.down.lock().as_ref().is_some_and(|down| down.until > now));
        order
    }

    async fn once(
        &self,
        host: &Host,
        method: Method,
        path: &str,
        body: Body,
        patience: Duration,
    ) -> Result<Reply, outbound::Error> {
        // Plain types: those of Elasticsearch's own clients (`application/vnd.elasticsearch+json`) are refused by
        // OpenSearch and by versions before 8.
        let (kind, body) = match body {
            Body::None => (None, bytes::Bytes::new()),
            Body::Json(bytes) => (Some("application/json"), bytes),
            Body::Lines(bytes) => (Some("application/x-ndjson"), bytes),
        };
        let mut request = Request::new(method, format!("{}{path}", host.url), body)
            .header(HeaderName::from_static("accept"), HeaderValue::from_static("application/json"));
        if let Some(kind) = kind {
            request = request.header(HeaderName::from_static("content-type"), HeaderValue::from_static(kind));
        }
        if let Some(auth) = &self.auth {
            request = request.header(HeaderName::from_static("authorization"), auth.clone());
        }
        let answer = self.client.send(request, patience).await?;
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok(Reply { status: answer.status.as_u16(), body, bytes: answer.body })
    }
}

impl Host {
    fn fell(&self) {
        let mut down = self.down.lock();
        let pause = down.as_ref().map_or(PAUSE, |down| (down.pause * 2).min(LONGEST_PAUSE));
        *down = Some(Down { until: Instant::now() + pause, pause });
    }

    fn rose(&self) {
        *self.down.lock() = None;
    }
}
