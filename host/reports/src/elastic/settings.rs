//! How the Elasticsearch/OpenSearch engine works.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use outbound::TlsSettings;

use crate::Complain;

/// Settings of the engine.
#[derive(Clone)]
pub struct ElasticSettings {
    /// Servers of one cluster, such as `https://es1.example:9200`. The next one is asked when one cannot be reached.
    pub hosts: Vec<String>,
    /// How this side proves who it is.
    pub auth: Auth,
    /// How servers are verified, and a client certificate.
    pub tls: TlsSettings,
    /// Reports of a day are in the index `INDEX-YYYY.MM.DD` (UTC).
    pub index: String,
    /// Where questions look; `None`: `INDEX-*`. With a pattern of a Logstash pipeline in it, its reports count, too.
    pub search: Option<String>,
    /// What is appended to the names of text fields: `.keyword` where they are mapped as Elasticsearch does by itself.
    pub keyword_suffix: String,
    /// Days that are kept, today included.
    pub keep_days: u32,
    /// Primary shards of a day.
    pub shards: u32,
    /// Copies of each; `None`: the server's default.
    pub replicas: Option<u32>,
    /// Whether template and lifecycle policy are installed by this side.
    pub manage: bool,
    /// How long one request that brings reports may take.
    pub timeout: Duration,
    /// How long a batch is tried before it fails.
    pub patience: Duration,
    /// Hears what is wrong.
    pub complain: Complain,
}

/// How this side proves who it is. Debug output shows no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Not at all, or with a client certificate.
    #[default]
    None,
    /// A user name and a password.
    Basic(String, String),
    /// An API key, in the base64 form that the server gave out, or as `id:key`.
    ApiKey(String),
}

impl ElasticSettings {
    /// 90 days in `wforce-reports-*`.
    pub fn new(hosts: Vec<String>) -> Self {
        Self {
            hosts,
            auth: Auth::None,
            tls: TlsSettings::default(),
            index: "wforce-reports".into(),
            search: None,
            keyword_suffix: String::new(),
            keep_days: 90,
            shards: 1,
            replicas: None,
            manage: true,
            timeout: Duration::from_secs(30),
            patience: Duration::from_mins(1),
            complain: Arc::new(|_| {}),
        }
    }

    /// Where questions look.
    pub(super) fn pattern(&self) -> String {
        self.search.clone().unwrap_or_else(|| format!("{}-*", self.index))
    }

    /// The index of leases. `INDEX-*` does not match it.
    pub(super) fn leases(&self) -> String {
        format!("{}_leases", self.index)
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Basic(user, _) => write!(f, "Basic({user:?}, ..)"),
            Self::ApiKey(_) => f.write_str("ApiKey(..)"),
        }
    }
}

impl fmt::Debug for ElasticSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElasticSettings")
            .field("index", &self.index)
            .field("auth", &self.auth)
            .field("keep_days", &self.keep_days)
            .finish_non_exhaustive()
    }
}

/// Whether a text can be (part of) the name of an index, by the rules of the servers.
pub fn is_index_name(name: &str) -> bool {
    let forbidden = |byte: u8| byte < 33 || b"\\/*?\"<>|,#:%&".contains(&byte) || byte.is_ascii_uppercase();
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with(['-', '_', '+', '.'])
        && !name.bytes().any(forbidden)
}

/// Whether a text can be asked as a list of index names and patterns.
pub(super) fn is_pattern(text: &str) -> bool {
    text.len() <= 1000
        && text.split(',').all(|name| {
            let bare = name.strip_prefix('-').unwrap_or(name).replace('*', "x");
            let bare = bare.strip_prefix('.').unwrap_or(&bare);
            is_index_name(bare)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_change_a_request_are_refused() {
        for good in ["a", "logstash-*", "wforce-reports-2026.11.25,logstash-*", ".ds-x-*", "a-*,-a-b", "*"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", "_all/_settings", "a?x=1", "a/b", "a#", "A", "../x", "a,,b", "a b", "_search", "a%2f"]
        {
            assert!(!is_pattern(bad), "{bad}");
        }
        assert!(is_index_name("wforce-reports") && !is_index_name("x*") && !is_index_name("_x"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = ElasticSettings {
            auth: Auth::Basic("u".into(), "hidden".into()),
            ..ElasticSettings::new(vec!["http://u:hidden@x".into()])
        };
        assert!(!format!("{settings:?}").contains("hidden"));
    }
}
