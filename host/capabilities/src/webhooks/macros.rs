//! `%{YYYY}`, `%{MM}` and `%{dd}` in URLs.

use std::time::SystemTime;

/// The URL with the UTC date in it. Month and day have no leading zero (wforce compatibility: index names of existing
/// installations have none).
pub(super) fn expand(url: &str, now: SystemTime) -> String {
    if !url.contains("%{") {
        return url.to_owned();
    }
    let now = jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let date = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    url.replace("%{YYYY}", &date.year().to_string())
        .replace("%{MM}", &date.month().to_string())
        .replace("%{dd}", &date.day().to_string())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn dates_are_utc_without_zeros() {
        let now = UNIX_EPOCH + Duration::from_hours(494_568);
        assert_eq!(expand("http://a/x-%{YYYY}-%{MM}-%{dd}/%{dd}", now), "http://a/x-2026-6-3/3");
        assert_eq!(expand("http://a/%20%{yyyy}", now), "http://a/%20%{yyyy}");
    }
}
