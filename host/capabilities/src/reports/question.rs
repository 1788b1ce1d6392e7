//! The questions of the contract (`wit/reports.wit`) as questions to the store.

use login::Netmask;
use reports::{Field, Filter, Query, Range, Rank, ReportId, Trait};
use serde_json::Value;

use super::ReportsError;

/// Which reports a question is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Which {
    /// What they must be like.
    pub filter: Filter,
    /// When they came.
    pub range: Range,
}

/// Length of an interval of a histogram that is no mistake, in seconds: ten years.
const LONGEST_SLOT: u32 = 315_360_000;

fn refuse(text: impl Into<String>) -> ReportsError {
    ReportsError::Question(text.into())
}

/// Unix seconds as unix milliseconds.
///
/// # Errors
/// No time of any calendar.
pub fn instant(seconds: f64) -> Result<i64, ReportsError> {
    if seconds.is_finite() && seconds.abs() < 1e11 {
        Ok((seconds * 1000.0).round() as i64)
    } else {
        Err(refuse(format!("{seconds} is no time in unix seconds")))
    }
}

impl Which {
    /// Reads the table of a Lua script: the members of a filter, `since` and `before` in unix seconds.
    ///
    /// # Errors
    /// A member that there is not, or a value that makes no sense.
    pub fn read(table: Value) -> Result<Which, ReportsError> {
        let Value::Object(mut table) = table else { return Err(refuse("the filter must have names")) };
        let mut time = |name: &str| match table.remove(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(seconds) => instant(seconds).map(Some),
                None => Err(refuse(format!("{name} must be a time in unix seconds"))),
            },
        };
        let (since, before) = (time("since")?, time("before")?);
        // An empty table of Lua's is an object, also where a list is meant.
        if table.get("confirmations").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            table.insert("confirmations".into(), Value::Array(Vec::new()));
        }
        let filter = serde_json::from_value(Value::Object(table)).map_err(|error| {
            refuse(format!("the filter makes no sense (it also takes `since` and `before`): {error}"))
        })?;
        let range = Range { from: since.unwrap_or(i64::MIN), to: before.unwrap_or(i64::MAX) };
        Ok(Which { filter, range })
    }

    /// With an end: `now`, unix milliseconds, where there is none.
    fn until(mut self, now: i64) -> Which {
        if self.range.to == i64::MAX {
            self.range.to = now.max(self.range.from);
        }
        self
    }
}

/// A field by the name that JSON has for it (`address` is another name for `ip`).
///
/// # Errors
/// There is none of this name.
pub fn field(name: &str) -> Result<Field, ReportsError> {
    let found = if name == "address" { Some(Field::Ip) } else { Field::from_name(name) };
    found.ok_or_else(|| {
        let known: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
        refuse(format!("there is no field \"{name}\", only {}", known.join(", ")))
    })
}

/// What a top list is ranked by: `reports`, `failures`, `successes`, or the name of a field for its different values.
///
/// # Errors
/// There is none of this name.
pub fn rank(name: &str) -> Result<Rank, ReportsError> {
    Ok(match name {
        "reports" => Rank::Reports,
        "failures" => Rank::Failures,
        "successes" => Rank::Successes,
        other => Rank::Distinct(field(other)?),
    })
}

/// Reports, the newest first.
pub fn find(which: Which, limit: u32) -> Query {
    Query::Logins { filter: which.filter, range: which.range, limit: limit as usize, after: None }
}

/// The newest of each.
pub fn newest_each(each: Vec<Which>) -> Vec<Query> {
    each.into_iter().map(|which| find(which, 1)).collect()
}

/// Whether there is one of each.
pub fn any_each(each: Vec<Which>) -> Vec<Query> {
    each.into_iter().map(any).collect()
}

/// How many there are of each, and how many different values of some fields.
pub fn count_each(each: Vec<Which>, distinct: &[Field]) -> Vec<Query> {
    each.into_iter().map(|which| count(which, distinct.to_vec())).collect()
}

/// Reports, the oldest first; `after`: time (unix milliseconds) and id of the one behind which the list begins; `fields`: what
/// is wanted of them beside what every report has.
pub fn oldest(which: Which, after: Option<(i64, String)>, limit: u32, fields: Option<Vec<Field>>) -> Query {
    let after = after.map(|(at, id)| (at, ReportId::from_text(id)));
    Query::Oldest { filter: which.filter, range: which.range, limit: limit as usize, after, fields }
}

/// Whether there is such a report.
pub fn any(which: Which) -> Query {
    Query::Any { filter: which.filter, range: which.range }
}

/// Whether there is a good report of this login with this value of a field since then.
///
/// # Errors
/// A field that this cannot be asked of, or a value that is none of it.
pub fn seen(login: String, field: Field, value: String, since: i64) -> Result<Query, ReportsError> {
    let bad = |what: &str| refuse(format!("\"{value}\" is no {what}"));
    let with = match field {
        Field::Country => Trait::Country(value),
        Field::City => Trait::City(value),
        Field::Device => Trait::Device(value),
        Field::Protocol => Trait::Protocol(value),
        Field::Pwhash => Trait::Pwhash(value),
        Field::Asn => {
            Trait::Asn(value.trim_start_matches("AS").parse().map_err(|_| bad("number of a network"))?)
        }
        Field::Ip => Trait::Ip(value.parse().map_err(|_| bad("address"))?),
        Field::Network => Trait::Network(
            Netmask::parse(value.as_bytes()).map_err(|_| bad("network, such as 192.0.2.0/24"))?,
        ),
        Field::Login | Field::FailType => {
            return Err(refuse(format!("a user cannot have been seen with a {}", field.name())));
        }
    };
    Ok(Query::Seen { login, with, range: Range::since(since), filter: Filter::default() })
}

/// When the first and the last such report came.
pub fn first_and_last(which: Which) -> Query {
    Query::FirstLast { filter: which.filter, range: which.range }
}

/// How many there are, and how many different values of some fields.
pub fn count(which: Which, distinct: Vec<Field>) -> Query {
    Query::Count { filter: which.filter, range: which.range, distinct }
}

/// The values of a field with the highest rank.
pub fn top(which: Which, field: Field, rank: Rank, limit: u32) -> Query {
    Query::Top { by: field, rank, filter: which.filter, range: which.range, limit: limit as usize }
}

/// The values of a field that are unusually frequent, compared with the time from `baseline_since` to the beginning of
/// `which`. `now`: unix milliseconds.
pub fn significant(which: Which, field: Field, baseline_since: i64, limit: u32, now: i64) -> Query {
    let Which { filter, range } = which.until(now);
    let baseline = Range { from: baseline_since, to: range.from };
    Query::Significant { field, filter, now: range, baseline, min_count: 5, limit: limit as usize }
}

/// How many there were in each so many seconds. `now`: unix milliseconds.
///
/// # Errors
/// An interval of no length, or of ages.
pub fn histogram(which: Which, seconds: u32, now: i64) -> Result<Query, ReportsError> {
    if !(1..=LONGEST_SLOT).contains(&seconds) {
        return Err(refuse(format!("{seconds} seconds are no interval of a histogram")));
    }
    let Which { filter, range } = which.until(now);
    Ok(Query::Histogram { filter, range, interval_ms: i64::from(seconds) * 1000 })
}
