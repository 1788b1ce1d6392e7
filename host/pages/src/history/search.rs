//! What is searched for in the history of logins.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use login::Netmask;
use reports::{Filter, Report, ReportId};

use crate::html::query;

/// Bytes of a text in a search.
const LONGEST: usize = 512;

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The user.
    pub login: String,
    /// An address or network.
    pub ip: String,
    /// From this day or moment on.
    pub from: String,
    /// Before this moment, or up to the end of this day.
    pub to: String,
    /// `good`, `failed`, or empty for both.
    pub result: String,
    /// Where the page before this one ended.
    pub before: String,
    /// A parameter that means nothing here.
    pub unknown: Option<String>,
}

/// Why there is nothing to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake(pub String);

/// What a search means for the store: unix milliseconds, the end not included.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Which reports.
    pub filter: Filter,
    /// From when on.
    pub from: Option<i64>,
    /// Up to when.
    pub to: Option<i64>,
    /// The last report of the page before: only what comes after it.
    pub after: Option<(i64, ReportId)>,
}

impl Search {
    /// Takes a parameter of the query.
    pub fn take(&mut self, name: &str, value: &str) {
        let value = value.trim();
        let value = &value[..value.floor_char_boundary(LONGEST)];
        match name {
            "login" => value.clone_into(&mut self.login),
            "ip" => value.clone_into(&mut self.ip),
            "from" => value.clone_into(&mut self.from),
            "to" => value.clone_into(&mut self.to),
            "result" => value.clone_into(&mut self.result),
            "before" => value.clone_into(&mut self.before),
            other => self.unknown = Some(other[..other.floor_char_boundary(LONGEST)].to_owned()),
        }
    }

    /// What it means.
    ///
    /// # Errors
    /// A parameter that there is none of, or a text that is no address, network, time or result.
    pub fn wanted(&self) -> Result<Wanted, Mistake> {
        // Left out it would widen the search without a word.
        if let Some(name) = &self.unknown {
            return Err(Mistake(format!(
                "there is no parameter {name:?}, only login, ip, from, to, result and before"
            )));
        }
        let mut filter = Filter::default();
        if !self.login.is_empty() {
            filter.login = Some(self.login.clone());
        }
        if !self.ip.is_empty() {
            let mask = Netmask::parse(self.ip.as_bytes())
                .map_err(|_| Mistake(format!("{:?} is no address or network", self.ip)))?;
            filter.network = Some(mask);
        }
        filter.success = match self.result.as_str() {
            "" => None,
            "good" => Some(true),
            "failed" => Some(false),
            other => return Err(Mistake(format!("{other:?} is no result: good or failed"))),
        };
        let after = match self.before.split_once('.') {
            None if self.before.is_empty() => None,
            None => return Err(Mistake("before is no place in the list".to_owned())),
            Some((at, id)) => {
                let at: i64 = at.parse().map_err(|_| Mistake("before is no place in the list".to_owned()))?;
                Some((at, ReportId::from_text(id)))
            }
        };
        let mut to = moment(&self.to, true)?;
        if let Some((at, _)) = &after {
            let end = at.saturating_add(1);
            to = Some(to.map_or(end, |to: i64| to.min(end)));
        }
        Ok(Wanted { filter, from: moment(&self.from, false)?, to, after })
    }

    /// The query of the same search that ends before this report.
    pub(super) fn link(&self, before: Option<&Report>) -> String {
        let mut link = String::from("?");
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                if link.len() > 1 {
                    link.push('&');
                }
                link.push_str(name);
                link.push('=');
                link.push_str(&query(value));
            }
        };
        add("login", &self.login);
        add("ip", &self.ip);
        add("from", &self.from);
        add("to", &self.to);
        add("result", &self.result);
        if let Some(report) = before {
            add("before", &format!("{}.{}", report.at, report.id));
        }
        link
    }
}

/// A day (`2026-11-26`, UTC), a moment (`2026-11-26T02:25:00Z`) or unix seconds; `end`: a day means its end.
fn moment(text: &str, end: bool) -> Result<Option<i64>, Mistake> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        Mistake(format!(
            "{text:?} is no time: a day (2026-11-26), a moment (2026-11-26T02:25:00Z) or unix seconds"
        ))
    };
    if let Ok(seconds) = text.parse::<f64>() {
        if !(0.0..1e11).contains(&seconds) {
            return Err(wrong());
        }
        return Ok(Some((seconds * 1000.0) as i64));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(at.as_millisecond()));
    }
    let day: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
    let day = if end { day.tomorrow().map_err(|_| wrong())? } else { day };
    let at = day.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
    Ok(Some(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn searches_are_read() {
        let mut search = Search::default();
        for (name, value) in
            [("login", " ada "), ("ip", "192.0.2.0/24"), ("from", "2025-11-25"), ("to", "2025-11-25")]
        {
            search.take(name, value);
        }
        let wanted = search.wanted().unwrap();
        assert_eq!(wanted.filter.login.as_deref(), Some("ada"));
        assert_eq!(wanted.to.unwrap() - wanted.from.unwrap(), 86_400_000);
        for (name, value) in [
            ("ip", "nowhere"),
            ("from", "yesterday"),
            ("to", "-5"),
            ("result", "bad"),
            ("before", "x"),
            ("before", "x.y"),
            ("since", "2025-11-25"),
        ] {
            let mut search = Search::default();
            search.take(name, value);
            assert!(search.wanted().is_err(), "{name} {value}");
        }
    }
}
