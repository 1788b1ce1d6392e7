//! A hook's configuration: keys and values as the Lua table has them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bstr::{BStr, BString, ByteSlice};
use outbound::{HeaderValue, check_url};
use ring::hmac;

use super::macros;

/// The keys there are; others mean nothing.
pub const KEYS: [&str; 10] = [
    "url",
    "secret",
    "basic-auth",
    "api-key",
    "content-type",
    "kafka",
    "allow_filter",
    "ox-protect",
    "retries",
    "retry_backoff_ms",
];

/// What Kafka's REST proxy wants.
const KAFKA: HeaderValue = HeaderValue::from_static("application/vnd.kafka.json.v2+json");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// More attempts than anybody needs.
const MOST_RETRIES: u64 = 100;
/// No pause is longer.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Why a hook is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// There is no `url`.
    #[error("{0} has no url and is left out")]
    NoUrl(String),
    /// The `url` is none.
    #[error("{0} is left out: {1}")]
    Url(String, String),
    /// A value that a header cannot have.
    #[error("{0} is left out: a header cannot hold the value of {1}")]
    Header(String, &'static str),
    /// A value that is no number, or too large a one.
    #[error("{0} is left out: {1} must be a number from 0 to {2}")]
    Number(String, &'static str, u64),
}

/// Which answers of allow are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AllowFilter {
    pub reject: bool,
    pub allow: bool,
    pub tarpit: bool,
}

/// A configuration that can be used.
#[derive(Debug)]
pub(super) struct Config {
    /// With its macros.
    pub url: String,
    pub authorization: Option<HeaderValue>,
    pub content_type: HeaderValue,
    pub api_key: Option<HeaderValue>,
    pub secret: Option<hmac::Key>,
    pub kafka: bool,
    pub allow_filter: Option<AllowFilter>,
    pub ox_protect: Option<BString>,
    pub retries: u32,
    /// Before the second attempt; doubled before each further one.
    pub backoff: Duration,
}

impl Config {
    /// `hook`: how errors call it. `custom` hooks know no Kafka.
    pub(super) fn read(
        map: &BTreeMap<BString, BString>,
        hook: &str,
        custom: bool,
    ) -> Result<Config, ConfigError> {
        let text = |key: &str| map.get(BStr::new(key));
        let url = text("url").ok_or_else(|| ConfigError::NoUrl(hook.to_owned()))?;
        let bad_url = |error: String| ConfigError::Url(hook.to_owned(), error);
        let url = url.to_str().map_err(|_| bad_url("the url is not UTF-8".to_owned()))?.to_owned();
        check_url(&macros::expand(&url, SystemTime::now())).map_err(|error| bad_url(error.to_string()))?;
        let header = |key: &'static str| {
            let value = text(key).map(|value| HeaderValue::from_bytes(value));
            value.transpose().map_err(|_| ConfigError::Header(hook.to_owned(), key))
        };
        let number = |key: &'static str, usual: u64, most: u64| match text(key) {
            None => Ok(usual),
            Some(text) => text
                .to_str()
                .ok()
                .and_then(|text| text.parse().ok())
                .filter(|number| *number <= most)
                .ok_or_else(|| ConfigError::Number(hook.to_owned(), key, most)),
        };
        let kafka = !custom && text("kafka").is_some_and(|kafka| kafka == "true");
        let usual_type = if kafka { KAFKA } else { JSON };
        let pause = LONGEST_PAUSE.as_millis() as u64;
        let mut api_key = header("api-key")?;
        if let Some(value) = &mut api_key {
            value.set_sensitive(true);
        }
        Ok(Config {
            url,
            authorization: text("basic-auth").map(|pair| basic(pair)),
            content_type: header("content-type")?.unwrap_or(usual_type),
            api_key,
            secret: text("secret").map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret)),
            kafka,
            allow_filter: text("allow_filter").map(|filter| AllowFilter {
                reject: filter.contains_str("reject"),
                allow: filter.contains_str("allow"),
                tarpit: filter.contains_str("tarpit"),
            }),
            ox_protect: text("ox-protect").cloned(),
            retries: number("retries", 0, MOST_RETRIES)? as u32,
            backoff: Duration::from_millis(number("retry_backoff_ms", 1000, pause)?),
        })
    }

    /// Base64 of the body's HMAC-SHA256, if there is a secret.
    pub(super) fn signature(&self, body: &[u8]) -> Option<HeaderValue> {
        let tag = hmac::sign(self.secret.as_ref()?, body);
        HeaderValue::try_from(STANDARD.encode(tag)).ok()
    }
}

/// `user:pass` as it is, whatever is in it.
fn basic(pair: &[u8]) -> HeaderValue {
    match pair.split_once_str(":") {
        Some((user, password)) => outbound::basic_auth(user, password),
        // Curl would ask for the password; there is none.
        None => outbound::basic_auth(pair, b""),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn read(pairs: &[(&str, &str)], custom: bool) -> Result<Config, ConfigError> {
        let map = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Config::read(&map, "webhook 1", custom)
    }

    const URL: (&str, &str) = ("url", "http://a/%{YYYY}");

    #[test]
    fn defaults_and_kafka() {
        let plain = read(&[URL], false).unwrap();
        assert_eq!(
            (plain.content_type.clone(), plain.retries, plain.backoff),
            (JSON, 0, Duration::from_secs(1))
        );
        assert!(plain.signature(b"x").is_none());
        let kafka = read(&[URL, ("kafka", "true")], false).unwrap();
        assert_eq!((kafka.kafka, kafka.content_type), (true, KAFKA));
        let typed = read(&[URL, ("kafka", "true"), ("content-type", "a/b")], false).unwrap();
        assert_eq!((typed.kafka, typed.content_type), (true, HeaderValue::from_static("a/b")));
        assert!(!read(&[URL, ("kafka", "yes")], false).unwrap().kafka);
        assert!(!read(&[URL, ("kafka", "true")], true).unwrap().kafka);
    }

    #[test]
    fn the_signature_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let config = read(&[URL, ("secret", "Jefe")], false).unwrap();
        let signature = config.signature(b"what do ya want for nothing?").unwrap();
        assert_eq!(signature, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    }

    #[test]
    fn filters_are_substrings() {
        let filter = |text| read(&[URL, ("allow_filter", text)], false).unwrap().allow_filter.unwrap();
        assert_eq!(filter("reject,tarpit"), AllowFilter { reject: true, allow: false, tarpit: true });
        assert_eq!(filter("disallowed"), AllowFilter { reject: false, allow: true, tarpit: false });
        assert_eq!(filter(""), AllowFilter { reject: false, allow: false, tarpit: false });
    }

    #[test]
    fn refusals_name_hook_and_key() {
        for (pairs, text) in [
            (&[][..], "webhook 1 has no url and is left out"),
            (
                &[("url", "ftp://a/")],
                "webhook 1 is left out: not a usable URL: ftp://a/: only http and https",
            ),
            (&[URL, ("api-key", "a\nb")], "webhook 1 is left out: a header cannot hold the value of api-key"),
            (&[URL, ("retries", "many")], "webhook 1 is left out: retries must be a number from 0 to 100"),
        ] {
            assert_eq!(read(pairs, false).unwrap_err().to_string(), text);
        }
    }
}
