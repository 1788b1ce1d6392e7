//! Where a server is and how it is spoken to: URLs and options as the configuration writes them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use bstr::{BStr, BString, ByteSlice};

/// The port of hosts that have none, and of sentinels.
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What kind of installation it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One server; of several hosts the first one that answers.
    Single,
    /// A cluster: the hosts are some of its nodes.
    Cluster,
    /// The hosts are sentinels, which name the master of this service.
    Sentinel(String),
}

/// A server, or several that belong together.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Host names or addresses with ports; at least one.
    pub hosts: Vec<(String, u16)>,
    /// What they are.
    pub mode: Mode,
    /// Whether connections use TLS.
    pub tls: bool,
    /// ACL user; empty means the default user.
    pub username: String,
    /// Password; empty means none.
    pub password: String,
    /// Number of the database.
    pub db: i64,
    /// PEM file of the authorities to trust; `None`: the system's.
    pub authorities: Option<PathBuf>,
    /// PEM files of a client certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl fmt::Debug for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Target({self})")
    }
}

impl fmt::Display for Target {
    /// The hosts as messages name them, without user and password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            if host.contains(':') {
                write!(out, "{comma}[{host}]:{port}")?;
            } else {
                write!(out, "{comma}{host}:{port}")?;
            }
        }
        Ok(())
    }
}

/// Why a URL or an option is refused. The texts show no passwords.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Another scheme.
    #[error("the URL must begin with redis:// or rediss://")]
    Scheme,
    /// Not UTF-8.
    #[error("{0} is not UTF-8")]
    Utf8(&'static str),
    /// A host that is none.
    #[error("no usable host in the URL: '{0}'")]
    Host(String),
    /// The path is no number of a database.
    #[error("the URL's path must be the number of a database, not '{0}'")]
    Database(String),
    /// An option that there is not.
    #[error("there is no option {0}")]
    Unknown(BString),
    /// An option's value that is none.
    #[error("the option {0} must be {1}")]
    Value(&'static str, &'static str),
}

impl Target {
    /// One server without TLS.
    pub fn single(host: &str, port: u16, username: &str, password: &str) -> Target {
        Target {
            hosts: vec![(host.to_owned(), port)],
            mode: Mode::Single,
            tls: false,
            username: username.to_owned(),
            password: password.to_owned(),
            db: 0,
            authorities: None,
            client: None,
        }
    }

    /// Reads `redis[s]://[user[:password]@]host[:port][,host[:port]...][/db]` and the options `cluster` (`true`),
    /// `sentinel` (the service's name), `username`, `password`, `ca_file`, `cert_file` and `key_file`.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(url: &[u8], options: &BTreeMap<BString, BString>) -> Result<Target, TargetError> {
        let url = url.to_str().map_err(|_| TargetError::Utf8("the URL"))?;
        let (tls, rest) = match (url.strip_prefix("redis://"), url.strip_prefix("rediss://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(TargetError::Scheme),
        };
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (user, rest),
            None => ("", rest),
        };
        let (username, password) = user.split_once(':').unwrap_or((user, ""));
        let (hosts, db) = match rest.split_once('/') {
            Some((hosts, db)) => (hosts, db),
            None => (rest, ""),
        };
        let db = match db {
            "" => 0,
            number => number
                .parse()
                .ok()
                .filter(|number| *number >= 0)
                .ok_or_else(|| TargetError::Database(number.to_owned()))?,
        };
        let mut target = Target { tls, db, ..Target::single("", 0, username, password) };
        target.read(options)?;
        let port = if matches!(target.mode, Mode::Sentinel(_)) { SENTINEL_PORT } else { PORT };
        target.hosts = hosts.split(',').map(|text| host(text, port)).collect::<Result<_, _>>()?;
        Ok(target)
    }

    fn read(&mut self, options: &BTreeMap<BString, BString>) -> Result<(), TargetError> {
        let known = ["cluster", "sentinel", "username", "password", "ca_file", "cert_file", "key_file"]
            .map(BStr::new);
        if let Some(strange) = options.keys().find(|key| !known.contains(&key.as_bstr())) {
            return Err(TargetError::Unknown(strange.clone()));
        }
        let text = |key: &'static str| {
            let value = options.get(BStr::new(key)).map(|value| value.to_str());
            value.transpose().map_err(|_| TargetError::Utf8(key))
        };
        let cluster = match text("cluster")? {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(TargetError::Value("cluster", "\"true\" or \"false\"")),
        };
        self.mode = match text("sentinel")? {
            Some(_) if cluster => return Err(TargetError::Value("sentinel", "left out with cluster")),
            Some("") => return Err(TargetError::Value("sentinel", "the name of a service")),
            Some(service) => Mode::Sentinel(service.to_owned()),
            None if cluster => Mode::Cluster,
            None => Mode::Single,
        };
        if cluster && self.db != 0 {
            return Err(TargetError::Database(self.db.to_string()));
        }
        if let Some(name) = text("username")? {
            name.clone_into(&mut self.username);
        }
        if let Some(password) = text("password")? {
            password.clone_into(&mut self.password);
        }
        self.authorities = text("ca_file")?.map(PathBuf::from);
        self.client = match (text("cert_file")?, text("key_file")?) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err(TargetError::Value("cert_file", "given together with key_file")),
        };
        Ok(())
    }
}

/// `host`, `host:port`, `[ip6]`, `[ip6]:port`.
fn host(text: &str, usual: u16) -> Result<(String, u16), TargetError> {
    let refuse = || TargetError::Host(text.to_owned());
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, rest) = rest.split_once(']').ok_or_else(refuse)?;
            name.parse::<std::net::Ipv6Addr>().map_err(|_| refuse())?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(refuse)?) };
            (name, port)
        }
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => usual,
        Some(number) => number.parse().ok().filter(|port| *port != 0).ok_or_else(refuse)?,
    };
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(refuse());
    }
    Ok((name.to_owned(), port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn anything_can_be_read(url: Vec<u8>, rest in "[^@]{0,12}", password in "[a-z]{8}") {
            let _ = Target::parse(&url, &BTreeMap::new());
            if let Err(error) = parse(&format!("redis://u:{password}@{rest}"), &[]) {
                prop_assert!(!error.to_string().contains(&password));
            }
        }
    }

    fn parse(url: &str, options: &[(&str, &str)]) -> Result<Target, TargetError> {
        let options = options.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Target::parse(url.as_bytes(), &options)
    }

    #[test]
    fn urls_and_options() {
        let plain = parse("redis://a", &[]).unwrap();
        assert_eq!((plain.to_string().as_str(), plain.tls, plain.db), ("a:6379", false, 0));
        let full = parse("rediss://me:p@ss:word@a:1,[::1]:2,b/3", &[("ca_file", "ca.pem")]).unwrap();
        assert_eq!(full.to_string(), "a:1,[::1]:2,b:6379");
        assert_eq!(
            (full.username.as_str(), full.password.as_str(), full.db, full.tls),
            ("me", "p@ss:word", 3, true)
        );
        assert_eq!(full.authorities, Some("ca.pem".into()));
        let sentinel = parse("redis://s", &[("sentinel", "mine"), ("password", "x")]).unwrap();
        assert_eq!(
            (sentinel.to_string().as_str(), sentinel.mode),
            ("s:26379", Mode::Sentinel("mine".into()))
        );
        assert_eq!(parse("redis://s", &[("cluster", "true")]).unwrap().mode, Mode::Cluster);
    }

    #[test]
    fn refusals_show_no_password() {
        for (url, options) in [
            ("http://a", &[][..]),
            ("redis://", &[]),
            ("redis://u:hidden@", &[]),
            ("redis://u:hidden@a:0", &[]),
            ("redis://u:hidden@a:x", &[]),
            ("redis://u:hidden@[::1", &[]),
            ("redis://u:hidden@a,,b", &[]),
            ("redis://u:hidden@a/x", &[]),
            ("redis://u:hidden@a/1", &[("cluster", "true")]),
            ("redis://a", &[("cluster", "yes")]),
            ("redis://a", &[("cluster", "true"), ("sentinel", "x")]),
            ("redis://a", &[("clutser", "true")]),
            ("redis://a", &[("cert_file", "x")]),
        ] {
            let text = parse(url, options).unwrap_err().to_string();
            assert!(!text.contains("hidden"), "{url}: {text}");
        }
        let target = parse("redis://u:hidden@a", &[]).unwrap();
        assert!(!format!("{target:?} {target}").contains("hidden"));
    }
}
