//! A server that is away: told when it begins, when the reason changes, and when it is back.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Reasons that change are told at most this often.
const EVERY: Duration = Duration::from_secs(10);

/// The reason that was told last, and when; nothing while the server is there.
#[derive(Debug, Default)]
pub(crate) struct Away(Mutex<Option<(String, Instant)>>);

impl Away {
    /// It is away for this reason. Whether that is to be told: the first reason is, and another one than was told last.
    pub(crate) fn is_news(&self, reason: &str) -> bool {
        self.is_news_at(reason, Instant::now())
    }

    fn is_news_at(&self, reason: &str, now: Instant) -> bool {
        let mut told = self.0.lock();
        if let Some((last, at)) = &*told
            && (last == reason || now.saturating_duration_since(*at) < EVERY)
        {
            return false;
        }
        *told = Some((reason.to_owned(), now));
        true
    }

    /// It is there. Whether it was away.
    pub(crate) fn is_back(&self) -> bool {
        self.0.lock().take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_reason_is_told_but_not_at_once() {
        let (away, start) = (Away::default(), Instant::now());
        assert!(!away.is_back());
        assert!(away.is_news_at("refused", start));
        assert!(!away.is_news_at("refused", start + EVERY * 9));
        assert!(away.is_news_at("wrong password", start + EVERY * 10));
        assert!(!away.is_news_at("refused", start + EVERY * 10 + Duration::from_secs(1)));
        assert!(away.is_news_at("refused", start + EVERY * 11));
        assert!(away.is_back() && !away.is_back());
        assert!(away.is_news_at("refused", start + EVERY * 11));
    }
}
