//! The one HTTP client: webhooks, sync calls, Elasticsearch, alerts.
//!
//! HTTP/1.1 with connections that are kept and used again. Whoever calls sets the headers, their order and a deadline for
//! the whole exchange; nothing is added but `Host` (first) and `Content-Length` (last), and redirects are not followed.
#![forbid(unsafe_code)]

mod client;
mod error;
mod request;
mod tls;
mod verify;

pub use client::Client;
pub use error::Error;
pub use http::header::{HeaderMap, HeaderName, HeaderValue};
pub use http::{Method, StatusCode};
pub use request::{Request, Response, basic_auth, check_url, origin, without_secrets};
pub use tls::{ClientCertificate, TlsError, TlsSettings};
