//! What comes back.

use std::cmp::Ordering;

use serde::{Serialize, Serializer};

use crate::query::Field;
use crate::{Range, Rank, Report, ReportId};

/// The answer to a [`Query`](crate::Query), of the same name. Its JSON form has the member `answer` to tell which it is;
/// times are unix seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Reports in the order asked for; also of [`Query::Oldest`](crate::Query::Oldest).
    Logins {
        /// The reports, as documents in JSON.
        reports: Vec<Report>,
    },
    /// Whether the user was seen, or there is any such report.
    Seen {
        /// Whether.
        seen: bool,
        /// A report that proves it, where a user was asked about.
        #[serde(skip_serializing_if = "Option::is_none")]
        report: Option<ReportId>,
    },
    /// When the first and the last were, unix milliseconds.
    FirstLast {
        /// The first.
        #[serde(serialize_with = "optional_seconds")]
        first: Option<i64>,
        /// The last.
        #[serde(serialize_with = "optional_seconds")]
        last: Option<i64>,
    },
    /// How many.
    Count {
        /// Reports.
        #[serde(flatten)]
        totals: Totals,
        /// Different values of the fields asked for, in that order. Reports without a value do not count.
        distinct: Vec<(Field, u64)>,
    },
    /// The values with the most.
    Top {
        /// Greatest first.
        groups: Vec<Group>,
    },
    /// Values that became frequent.
    Significant {
        /// Greatest score first; of equals the lesser value first.
        terms: Vec<Significant>,
    },
    /// How many when.
    Histogram {
        /// In order of time.
        bins: Vec<Bin>,
    },
}

/// Counts of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All reports.
    pub reports: u64,
    /// Those of failed logins, also those that a policy rejected.
    pub failures: u64,
}

/// A value of a field and its reports. Reports without a value are in no group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The value.
    pub key: String,
    /// Its reports.
    #[serde(flatten)]
    pub totals: Totals,
    /// Different values of the field that was ranked by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
}

impl Group {
    /// What it is ranked by.
    pub fn ranked(&self, rank: Rank) -> u64 {
        match rank {
            Rank::Reports => self.totals.reports,
            Rank::Failures => self.totals.failures,
            Rank::Successes => self.totals.reports - self.totals.failures,
            Rank::Distinct(_) => self.distinct.unwrap_or_default(),
        }
    }
}

/// A value that became frequent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Significant {
    /// The value.
    pub key: String,
    /// Reports in the time looked at.
    pub now: u64,
    /// Reports in the time compared with.
    pub baseline: u64,
    /// How many times more frequent it is.
    pub score: f64,
}

/// An interval of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bin {
    /// Its beginning, unix milliseconds.
    #[serde(with = "crate::query::seconds_form")]
    pub at: i64,
    /// Its reports.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.to_document().serialize(to)
    }
}

impl Answer {
    /// The JSON form.
    pub fn to_json(&self) -> Vec<u8> {
        // Maps with text keys and numbers: nothing here can fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[allow(clippy::ref_option)] // serde's signature
fn optional_seconds<S: Serializer>(at: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(ms) => crate::query::seconds_form::serialize(ms, to),
        None => to.serialize_none(),
    }
}

impl Significant {
    /// The terms of most score, greatest first; of equals the lesser value first.
    pub(crate) fn rank(
        terms: impl Iterator<Item = (String, u64, u64)>,
        [now, baseline]: [Range; 2],
        limit: usize,
    ) -> Vec<Self> {
        let mut terms: Vec<Self> = terms
            .map(|(key, count, before)| {
                let rate = count as f64 / now.seconds();
                let score = rate / ((before + 1) as f64 / baseline.seconds());
                Self { key, now: count, baseline: before, score }
            })
            .collect();
        terms.sort_by(|left, right| {
            right.score.total_cmp(&left.score).then_with(|| by_value(&left.key, &right.key))
        });
        terms.truncate(limit);
        terms
    }
}

impl Bin {
    /// The intervals that a bounded range touches.
    pub(crate) fn empty(range: Range, interval: i64) -> Vec<Self> {
        if range.to <= range.from {
            return Vec::new();
        }
        let first = range.from.div_euclid(interval) * interval;
        let count = range.bins(interval);
        let bin = |number: u64| Self { at: first + number as i64 * interval, totals: Totals::default() };
        (0..count).map(bin).collect()
    }
}

/// The order of values that are equally frequent: numbers as numbers, before texts by their bytes.
pub(crate) fn by_value(left: &str, right: &str) -> Ordering {
    match (left.parse::<u64>(), right.parse::<u64>()) {
        (Ok(one), Ok(other)) => one.cmp(&other).then_with(|| left.cmp(right)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_order() {
        let mut values = ["1x", "10", "9", "x", "", "09", "+9", "9.5"];
        values.sort_by(|left, right| by_value(left, right));
        assert_eq!(values, ["+9", "09", "9", "10", "", "1x", "9.5", "x"]);
    }
}
