//! How a stats DB is kept in a server, as the configuration says it.

use std::collections::BTreeMap;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice as _};
use capabilities::stats::OnUnreachable;

use crate::target::{Mode, Target, TargetError};

/// Where, and what happens when it cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsOptions {
    /// Where.
    pub target: Target,
    /// How long one call may wait for the server; connecting to a host may take five times as long.
    pub timeout: Duration,
    /// How old a count may be that is answered without asking the server; 0: it is always asked.
    pub staleness: Duration,
    /// What a call gets that cannot be answered.
    pub on_unreachable: OnUnreachable,
    /// Calls that may wait at once.
    pub max_waiting: usize,
}

/// Why the options are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatsOptionsError {
    /// There is no `backend` among them.
    #[error("the option backend is missing: redis://host:port or rediss://host:port")]
    NoBackend,
    /// The URL or one of its options is none.
    #[error("backend: {0}")]
    Target(#[from] TargetError),
    /// A number that is none, or out of its bounds.
    #[error("the option {0} must be a number from {1} to {2}")]
    Number(&'static str, u64, u64),
    /// Another word.
    #[error("the option on_unreachable must be \"open\", \"closed\" or \"local\"")]
    OnUnreachable,
}

impl StatsOptions {
    /// Reads `backend`, `timeout_ms`, `cache_ms`, `on_unreachable`, `max_waiting`, and what [`Target::parse`] takes.
    ///
    /// # Errors
    /// See [`StatsOptionsError`]; the texts show no passwords.
    pub fn parse(mut options: BTreeMap<BString, BString>) -> Result<Self, StatsOptionsError> {
        let url = options.remove(BStr::new("backend")).ok_or(StatsOptionsError::NoBackend)?;
        let mut number = |name: &'static str, usual: u64, least: u64, most: u64| {
            let Some(text) = options.remove(BStr::new(name)) else { return Ok(usual) };
            let number = text.to_str().ok().and_then(|text| text.parse().ok());
            number
                .filter(|number| (least..=most).contains(number))
                .ok_or(StatsOptionsError::Number(name, least, most))
        };
        let timeout = number("timeout_ms", 100, 1, 60_000)?;
        let staleness = number("cache_ms", 0, 0, 3_600_000)?;
        let max_waiting = number("max_waiting", 10_000, 1, 1_000_000)?;
        let on_unreachable = match options.remove(BStr::new("on_unreachable")).as_deref().map(Vec::as_slice) {
            None | Some(b"open") => OnUnreachable::Open,
            Some(b"closed") => OnUnreachable::Closed,
            Some(b"local") => OnUnreachable::Local,
            Some(_) => return Err(StatsOptionsError::OnUnreachable),
        };
        Ok(Self {
            target: Target::parse(&url, &options)?,
            timeout: Duration::from_millis(timeout),
            staleness: Duration::from_millis(staleness),
            on_unreachable,
            max_waiting: usize::try_from(max_waiting).unwrap_or(usize::MAX),
        })
    }

    /// How long the connection is awaited before it is done without: enough for a cluster of which a node hangs.
    pub fn patience(&self) -> Duration {
        self.timeout * if self.target.mode == Mode::Cluster { 15 } else { 5 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<StatsOptions, StatsOptionsError> {
        StatsOptions::parse(options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn options_have_their_usual_values_and_bounds() {
        let usual = parse(&[("backend", "redis://a,b")]).unwrap();
        assert_eq!((usual.timeout, usual.staleness), (Duration::from_millis(100), Duration::ZERO));
        assert_eq!((usual.on_unreachable, usual.max_waiting), (OnUnreachable::Open, 10_000));
        let all = [
            ("backend", "rediss://u:hidden@a"),
            ("cluster", "true"),
            ("timeout_ms", "250"),
            ("cache_ms", "1000"),
            ("on_unreachable", "closed"),
            ("max_waiting", "5"),
        ];
        let all = parse(&all).unwrap();
        assert_eq!((all.staleness, all.on_unreachable), (Duration::from_secs(1), OnUnreachable::Closed));
        assert!(!format!("{all:?}").contains("hidden"));
        assert_eq!(parse(&[]).unwrap_err(), StatsOptionsError::NoBackend);
        for wrong in [("timeout_ms", "0"), ("cache_ms", "x"), ("on_unreachable", "shut"), ("nosuch", "1")] {
            assert!(parse(&[("backend", "redis://a"), wrong]).is_err(), "{wrong:?}");
        }
    }
}
