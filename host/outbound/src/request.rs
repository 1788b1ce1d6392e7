//! What is sent, and what came back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use crate::Error;

/// A request. Its headers are sent in the order in which they were added, names in `Title-Case`.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Absolute `http` or `https` URL. User name and password in it become basic authentication, unless the headers have
    /// an `Authorization` of their own.
    pub url: String,
    /// The headers, without `Host` and `Content-Length`.
    pub headers: HeaderMap,
    /// The body; not sent with a GET if empty.
    pub body: Bytes,
}

impl Request {
    /// A request without headers.
    pub fn new(method: Method, url: impl Into<String>, body: impl Into<Bytes>) -> Request {
        Request { method, url: url.into(), headers: HeaderMap::new(), body: body.into() }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Request {
        self.headers.append(name, value);
        self
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Any status, also those that mean failure.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most as long as the client allows.
    pub body: Bytes,
}

/// The value of an `Authorization` header; debug output does not show it.
pub fn basic_auth(user: &[u8], password: &[u8]) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode([user, b":", password].concat()));
    // Base64 has no byte that a header value could not have.
    let mut value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// Whether a URL is one that can be asked: absolute, `http` or `https`, with a host.
///
/// # Errors
/// [`Error::Url`].
pub fn check_url(url: &str) -> Result<(), Error> {
    target(url).map(drop)
}

/// A URL taken apart.
#[derive(Debug)]
pub(crate) struct Target {
    /// Without user name and password.
    pub uri: Uri,
    /// For `Host`: with the port only if it is not the scheme's own.
    pub host: HeaderValue,
    /// From user name and password in the URL.
    pub authorization: Option<HeaderValue>,
}

pub(crate) fn target(url: &str) -> Result<Target, Error> {
    let refuse = |why: &str| Error::Url(format!("{}: {why}", without_secrets(url)));
    let mut parts = url.parse::<Uri>().map_err(|error| refuse(&error.to_string()))?.into_parts();
    let standard = match parts.scheme.as_ref().map(Scheme::as_str) {
        Some("http") => 80,
        Some("https") => 443,
        Some(_) => return Err(refuse("only http and https")),
        None => return Err(refuse("it must begin with http:// or https://")),
    };
    let authority = parts.authority.take().ok_or_else(|| refuse("no host"))?;
    let (user, host) = match authority.as_str().rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority.as_str()),
    };
    let bare: Authority = host.parse().map_err(|_| refuse("no host"))?;
    if bare.host().is_empty() {
        return Err(refuse("no host"));
    }
    if bare.port_u16().is_none() && host.len() > bare.host().len() {
        return Err(refuse("not a port"));
    }
    let shown = if bare.port_u16() == Some(standard) { bare.host() } else { bare.as_str() };
    let host = HeaderValue::try_from(shown).map_err(|_| refuse("no host"))?;
    let authorization = user.map(|user| {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        basic_auth(&unescape(name), &unescape(password))
    });
    parts.authority = Some(bare);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    }
    let uri = Uri::from_parts(parts).map_err(|error| refuse(&error.to_string()))?;
    Ok(Target { uri, host, authorization })
}

/// A URL as messages may show it: without what stands before the `@` of the host.
pub fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.find("://").map_or(("", url), |at| url.split_at(at + 3));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest[..end].rfind('@').map_or_else(|| url.to_owned(), |at| format!("{scheme}{}", &rest[at + 1..]))
}

/// Scheme, host and port of a URL: what logs may show of one whose path or query may be a secret, as those of chat services are.
pub fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let host = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    format!("{scheme}://{}", host.rfind('@').map_or(host, |at| &host[at + 1..]))
}

/// `%41` to `A`; what is no escape stays.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    bytes
}

impl Request {
    /// The request as hyper sends it: `Host` first, then the caller's headers.
    pub(crate) fn build(self) -> Result<http::Request<http_body_util::Full<Bytes>>, Error> {
        let Request { method, url, headers, body } = self;
        let Target { uri, host, authorization } = target(&url)?;
        let mut request = http::Request::new(http_body_util::Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let all = request.headers_mut();
        all.insert(HOST, host);
        let own = headers.contains_key(AUTHORIZATION);
        all.extend(headers);
        if let Some(authorization) = authorization.filter(|_| !own) {
            all.insert(AUTHORIZATION, authorization);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, uri, host) in [
            ("http://a", "http://a/", "a"),
            ("http://a:80/x?y=%20#z", "http://a:80/x?y=%20", "a"),
            ("https://a.example:443/", "https://a.example:443/", "a.example"),
            ("https://a:80/", "https://a:80/", "a:80"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x", "[::1]:8080"),
            ("http://u:p%40q@a:1/x@y", "http://a:1/x@y", "a:1"),
        ] {
            let found = target(url).unwrap();
            assert_eq!((found.uri.to_string().as_str(), found.host.to_str().unwrap()), (uri, host));
        }
        let found = target("http://u:p%40q%@a:1/").unwrap();
        assert_eq!(found.authorization.unwrap(), basic_auth(b"u", b"p@q%"));
    }

    #[test]
    fn urls_are_shown_without_their_secrets() {
        for (url, shown, from) in [
            ("http://a", "http://a", "http://a"),
            ("https://u:p@a:1/x@y?z", "https://a:1/x@y?z", "https://a:1"),
            ("u:p@a/x", "a/x", "http://a"),
            ("https://a/services/T0/B0/hidden", "https://a/services/T0/B0/hidden", "https://a"),
            ("https://a?token=hidden", "https://a?token=hidden", "https://a"),
        ] {
            assert_eq!((without_secrets(url).as_str(), origin(url).as_str()), (shown, from));
        }
    }

    #[test]
    fn bad_urls_are_refused_without_their_password() {
        for url in [
            "",
            "a",
            "/x",
            "ftp://a/",
            "http://",
            "http:///x",
            "http://a b/",
            "http://a:99999/",
            "https://:1/",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
        let text = check_url("ftp://me:hidden@a/x").unwrap_err().to_string();
        assert!(text.contains("ftp://a/x") && !text.contains("hidden"), "{text}");
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let request =
            Request::new(Method::GET, "http://a/", "").header(AUTHORIZATION, basic_auth(b"u", b"p"));
        assert!(!format!("{request:?}").contains("dTpw"));
    }
}
