//! Answers, with headers made once.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, SERVER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use login::json;

/// An answer with its whole body.
pub(crate) type Reply = Response<Full<Bytes>>;

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

const OK: &[u8] = br#"{"status":"ok"}"#;
const WARMUP: &[u8] = br#"{"status":"warmup"}"#;
const FAILURE: &[u8] = br#"{"status":"failure"}"#;
const NOT_FOUND: &[u8] = br#"{"status":"failure", "reason":"Not found"}"#;
const UNAUTHORIZED: &[u8] = br#"{"status":"failure", "reason":"Unauthorized"}"#;

static JSON_HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| headers(Some(JSON)));
static HTML_HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| headers(Some(HTML)));
static TEXT_HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| headers(Some(TEXT)));
static BARE_HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| headers(None));

fn headers(content_type: Option<&'static str>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    headers.insert(SERVER, HeaderValue::from_static("portcullis"));
    headers
}

fn reply(status: StatusCode, headers: &HeaderMap, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().clone_from(headers);
    reply
}

/// 200 `{"status":"ok"}`.
pub(crate) fn ok() -> Reply {
    reply(StatusCode::OK, &JSON_HEADERS, Bytes::from_static(OK))
}

/// 200 `{"status":"warmup"}`.
pub(crate) fn warmup() -> Reply {
    reply(StatusCode::OK, &JSON_HEADERS, Bytes::from_static(WARMUP))
}

/// JSON, as it is.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    reply(status, &JSON_HEADERS, body)
}

/// Plain text, as it is.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    reply(status, &TEXT_HEADERS, body)
}

/// A page.
pub(crate) fn html(status: StatusCode, page: String) -> Reply {
    reply(status, &HTML_HEADERS, page)
}

/// An empty HTML page: what `livez` says.
pub(crate) fn empty_html() -> Reply {
    reply(StatusCode::OK, &HTML_HEADERS, Bytes::new())
}

/// The body of an error that has a reason: `{"reason": "…", "status": "failure"}`.
pub(crate) fn failure_body(reason: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(reason.len() + 40);
    body.extend_from_slice(br#"{"reason": "#);
    json::write_str(&mut body, reason);
    body.extend_from_slice(br#", "status": "failure"}"#);
    body
}

/// An error that has a reason.
pub(crate) fn failure(status: StatusCode, reason: &[u8]) -> Reply {
    json(status, failure_body(reason))
}

/// 500 `{"status":"failure"}`: an error without one (wforce compatibility).
pub(crate) fn failure_without_reason() -> Reply {
    json(StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(FAILURE))
}

/// 404: no such path or command.
pub(crate) fn not_found() -> Reply {
    reply(StatusCode::NOT_FOUND, &HTML_HEADERS, Bytes::from_static(NOT_FOUND))
}

/// 401: the peer is not in the ACL.
pub(crate) fn not_in_acl(peer: std::net::IpAddr) -> Reply {
    let body = format!(r#"{{"status":"failure", "reason":"Source IP Address not in ACL", "ip":"{peer}"}}"#);
    reply(StatusCode::UNAUTHORIZED, &HTML_HEADERS, body)
}

/// 401: no password or a wrong one.
pub(crate) fn unauthorized() -> Reply {
    let mut reply = reply(StatusCode::UNAUTHORIZED, &HTML_HEADERS, Bytes::from_static(UNAUTHORIZED));
    reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("basic realm=\"wforce\""));
    reply
}

/// An empty answer.
pub(crate) fn empty(status: StatusCode) -> Reply {
    reply(status, &BARE_HEADERS, Bytes::new())
}

/// An empty answer after which the connection ends.
pub(crate) fn closing(status: StatusCode) -> Reply {
    let mut reply = empty(status);
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// 405 with the methods that do exist there.
pub(crate) fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply = empty(StatusCode::METHOD_NOT_ALLOWED);
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}
