//! What may be asked.

mod error;
mod filter;
mod forms;
mod range;

use std::net::IpAddr;

use login::Netmask;
use serde::{Deserialize, Serialize};

use crate::{Confirmation, Limits, ReportId};
pub use error::QueryError;
pub use filter::Filter;
pub(crate) use filter::has;
pub(crate) use forms::seconds as seconds_form;
pub use range::Range;

/// Most fields of one [`Query::Count`].
const MOST_DISTINCT: usize = 8;

/// A question that all engines answer alike. In JSON the member `query` tells which it is; times are unix seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "query", rename_all = "snake_case", deny_unknown_fields)]
pub enum Query {
    /// Reports themselves, newest first; of equal times the greater id first.
    Logins {
        /// Which reports.
        #[serde(default)]
        filter: Filter,
        /// When.
        #[serde(default)]
        range: Range,
        /// At most so many.
        #[serde(default = "hundred")]
        limit: usize,
        /// Only those that come behind the report of this time (unix milliseconds) and id, for the next page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<(i64, ReportId)>,
    },
    /// The same from the other end: oldest first; of equal times the lesser id first. Page after page this is one walk
    /// through the time, each page of which costs what is on it.
    Oldest {
        /// Which reports.
        #[serde(default)]
        filter: Filter,
        /// When.
        #[serde(default)]
        range: Range,
        /// At most so many.
        #[serde(default = "hundred")]
        limit: usize,
        /// Only those that come behind the report of this time (unix milliseconds) and id, for the next page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<(i64, ReportId)>,
        /// What is wanted of them beside id, time, user, address and how it went; the rest stays empty. `None`: everything.
        /// Who walks through millions of reports need not have all of each put together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fields: Option<Vec<Field>>,
    },
    /// Whether this user was seen with this trait. Reports that the user disowned (`bad`) or wants forgotten (`forget`)
    /// do not count, and neither do failed logins, unless `filter` says otherwise.
    Seen {
        /// The user.
        login: String,
        /// What to look for.
        with: Trait,
        /// Since when, until when.
        #[serde(default)]
        range: Range,
        /// More conditions. `success` is true unless set.
        #[serde(default)]
        filter: Filter,
    },
    /// Whether there is a report of this kind, which is cheaper to say than when or how many; disowned and forgotten reports
    /// do not count unless `filter` says otherwise.
    Any {
        /// Which reports.
        #[serde(default)]
        filter: Filter,
        /// When.
        #[serde(default)]
        range: Range,
    },
    /// When the first and the last report of this kind was; disowned and forgotten reports do not count unless
    /// `filter` says otherwise.
    FirstLast {
        /// Which reports.
        #[serde(default)]
        filter: Filter,
        /// When.
        #[serde(default)]
        range: Range,
    },
    /// How many reports, and how many different values of some fields.
    Count {
        /// Which reports.
        #[serde(default)]
        filter: Filter,
        /// When.
        #[serde(default)]
        range: Range,
        /// Fields whose different values are counted.
        #[serde(default)]
        distinct: Vec<Field>,
    },
    /// The values of a field with the most of something, greatest first; of equals the lesser value (by bytes) first.
    Top {
        /// The field.
        by: Field,
        /// Most of what.
        #[serde(default)]
        rank: Rank,
        /// Which reports.
        #[serde(default)]
        filter: Filter,
        /// When.
        #[serde(default)]
        range: Range,
        /// At most so many.
        #[serde(default = "hundred")]
        limit: usize,
    },
    /// Values of a field that occur far more often now than before: their rate in `now` over their rate in `baseline`
    /// (with one report added there, so that new ones have a rate, too).
    Significant {
        /// The field.
        field: Field,
        /// Which reports.
        #[serde(default)]
        filter: Filter,
        /// The time that is looked at. Needs both ends.
        now: Range,
        /// The time it is compared with. Needs both ends.
        baseline: Range,
        /// Fewest reports in `now`.
        #[serde(default = "five")]
        min_count: u64,
        /// At most so many.
        #[serde(default = "hundred")]
        limit: usize,
    },
    /// How many reports in each interval of a range, empty ones included. Intervals begin at multiples of their length.
    Histogram {
        /// Which reports.
        #[serde(default)]
        filter: Filter,
        /// When. Needs both ends.
        range: Range,
        /// Length of an interval.
        #[serde(with = "forms::seconds", rename = "interval")]
        interval_ms: i64,
    },
}

/// What can be grouped by and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The user.
    Login,
    /// The address.
    Ip,
    /// The address' `/24` or `/64`.
    Network,
    /// The country's two letters.
    Country,
    /// The city's name.
    City,
    /// The number of the network's owner.
    Asn,
    /// The device, see [`device_of`](crate::device_of).
    Device,
    /// The protocol.
    Protocol,
    /// Why it failed.
    FailType,
    /// The truncated hash of the password.
    Pwhash,
}

impl Field {
    /// The field of this name, as in JSON: `login`, `fail_type`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Ip => "ip",
            Self::Network => "network",
            Self::Country => "country",
            Self::City => "city",
            Self::Asn => "asn",
            Self::Device => "device",
            Self::Protocol => "protocol",
            Self::FailType => "fail_type",
            Self::Pwhash => "pwhash",
        }
    }

    /// All fields.
    pub const ALL: [Self; 10] = [
        Self::Login,
        Self::Ip,
        Self::Network,
        Self::Country,
        Self::City,
        Self::Asn,
        Self::Device,
        Self::Protocol,
        Self::FailType,
        Self::Pwhash,
    ];
}

/// What a top list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// Most reports.
    #[default]
    Reports,
    /// Most failed logins, those that a policy rejected included.
    Failures,
    /// Most successful logins.
    Successes,
    /// Most different values of another field.
    Distinct(Field),
}

/// What a user may have been seen with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trait {
    /// The country's two letters.
    Country(String),
    /// The number of the network's owner.
    Asn(u32),
    /// The device, see [`device_of`](crate::device_of).
    Device(String),
    /// The address.
    Ip(IpAddr),
    /// The city's name.
    City(String),
    /// The protocol.
    Protocol(String),
    /// The truncated hash of the password.
    Pwhash(String),
    /// Any network.
    Network(#[serde(with = "forms::netmask")] Netmask),
}

impl Query {
    /// Most questions that are asked together.
    pub const MOST_TOGETHER: usize = 1_000;

    /// As [`Query::check`], of several questions together.
    ///
    /// # Errors
    /// As there, and [`QueryError::TooManyQuestions`].
    pub fn check_each(queries: &[Self], limits: &Limits) -> Result<(), QueryError> {
        if queries.len() > Self::MOST_TOGETHER {
            return Err(QueryError::TooManyQuestions(queries.len()));
        }
        let results = |query: &Self| match query {
            Self::Logins { limit, .. } | Self::Oldest { limit, .. } => *limit as u64,
            _ => 0,
        };
        let wanted = queries.iter().map(results).fold(0, u64::saturating_add);
        if wanted > limits.results as u64 {
            return Err(QueryError::TooManyResults { wanted, limit: limits.results });
        }
        queries.iter().try_for_each(|query| query.check(limits))
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`QueryError::Form`] with the place and what was expected there.
    pub fn parse(json: &[u8]) -> Result<Self, QueryError> {
        serde_json::from_slice(json).map_err(|error| QueryError::Form(error.to_string()))
    }

    /// Whether the question makes sense and asks for no more than allowed.
    ///
    /// # Errors
    /// Any [`QueryError`] but [`QueryError::Form`].
    pub fn check(&self, limits: &Limits) -> Result<(), QueryError> {
        let results = |wanted: u64| match wanted {
            0 => Err(QueryError::NoResults),
            wanted if wanted > limits.results as u64 => {
                Err(QueryError::TooManyResults { wanted, limit: limits.results })
            }
            _ => Ok(()),
        };
        match self {
            Self::Logins { range, limit, .. }
            | Self::Oldest { range, limit, .. }
            | Self::Top { range, limit, .. } => {
                range.check()?;
                results(*limit as u64)
            }
            Self::Seen { range, filter, with, .. } => {
                range.check()?;
                if filter.login.is_some() {
                    return Err(QueryError::Twice("login"));
                }
                filter.with(with).map(drop)
            }
            Self::Any { range, .. } | Self::FirstLast { range, .. } => range.check(),
            Self::Count { range, distinct, .. } => {
                range.check()?;
                if distinct.len() > MOST_DISTINCT { Err(QueryError::TooManyFields) } else { Ok(()) }
            }
            Self::Significant { now, baseline, limit, .. } => {
                now.bounded("now")?;
                baseline.bounded("baseline")?;
                results(*limit as u64)
            }
            Self::Histogram { range, interval_ms, .. } => {
                range.bounded("range")?;
                if *interval_ms < 1 {
                    return Err(QueryError::NoInterval);
                }
                results(range.bins(*interval_ms))
            }
        }
    }
}

impl Filter {
    /// The filter of a [`Query::Seen`]: the trait as one more condition.
    ///
    /// # Errors
    /// [`QueryError::Twice`] if there is one on the same thing already.
    pub(crate) fn with(&self, with: &Trait) -> Result<Self, QueryError> {
        let mut filter = self.clone();
        let (taken, name) = match with {
            Trait::Country(country) => (filter.country.replace(country.clone()).is_some(), "country"),
            Trait::Asn(asn) => (filter.asn.replace(*asn).is_some(), "asn"),
            Trait::Device(device) => (filter.device.replace(device.clone()).is_some(), "device"),
            Trait::Ip(ip) => (filter.ip.replace(ip.to_canonical()).is_some(), "ip"),
            Trait::City(city) => (filter.city.replace(city.clone()).is_some(), "city"),
            Trait::Protocol(protocol) => (filter.protocol.replace(protocol.clone()).is_some(), "protocol"),
            Trait::Pwhash(pwhash) => (filter.pwhash.replace(pwhash.clone()).is_some(), "pwhash"),
            Trait::Network(network) => (filter.network.replace(*network).is_some(), "network"),
        };
        if taken { Err(QueryError::Twice(name)) } else { Ok(filter) }
    }

    /// As [`Filter::with`], for this user, with the defaults of a [`Query::Seen`].
    pub(crate) fn seen(&self, login: &str, with: &Trait) -> Result<Self, QueryError> {
        let mut filter = self.with(with)?.of_user();
        filter.login = Some(login.to_owned());
        filter.success.get_or_insert(true);
        Ok(filter)
    }

    /// Without what the user disowned or wants forgotten, unless it says what it wants.
    pub(crate) fn of_user(mut self) -> Self {
        let mine = || Confirmation::ALL.into_iter().filter(|one| one.counts_for_user()).collect();
        self.confirmations.get_or_insert_with(mine);
        self
    }
}

fn hundred() -> usize {
    100
}

fn five() -> u64 {
    5
}

#[cfg(test)]
mod tests;
