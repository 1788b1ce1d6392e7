//! Questions to the long memory: weeks of reports, as trackalert keeps them. A daemon without a report store answers
//! `unavailable`.

use alloc::string::String;
use alloc::vec::Vec;

pub use crate::bindings::imports::portcullis::policy::reports::{
    Confirmation, Field, Filter, Measure, Outlier, Position, Ranked, Report, Slot, Span,
};
use crate::{Error, host};

impl<'a> From<&'a Report> for Position<'a> {
    fn from(report: &'a Report) -> Self {
        Position { t: report.t, id: &report.id }
    }
}

/// A filter that only says since when; set its other fields as needed.
pub fn since<'a>(since: f64) -> Filter<'a> {
    Filter {
        since,
        until: None,
        login: None,
        network: None,
        country: None,
        city: None,
        asn: None,
        device: None,
        protocol: None,
        pwhash: None,
        success: None,
        policy_reject: None,
        confirmations: None,
        attributes: &[],
    }
}

macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// If there is no report store, it does not answer, or the policy may not ask.
        pub fn $name($($arg: $type),*) -> Result<$answer, Error> {
            Ok(host::reports::$name($($arg),*)?)
        }
    )*};
}

questions! {
    /// Reports, the newest first, at most so many.
    find(filter: Filter<'_>, limit: u32) -> Vec<Report>;
    /// The same from the other end: the oldest first. `after`: only those behind this one, the last of the page before. `fields`:
    /// what is wanted of them beside id, time, login, address, how it went and what the user said; the rest stays empty, which
    /// makes long walks cheaper. `Field::City` has the coordinates.
    find_oldest(
        filter: Filter<'_>,
        after: Option<Position<'_>>,
        limit: u32,
        fields: Option<&[Field]>
    ) -> Vec<Report>;
    /// Whether there is such a report: cheaper than how many, or when. Reports that their user called bad, or wants
    /// forgotten, do not count unless the filter has `confirmations`.
    any(filter: Filter<'_>) -> bool;
    /// As [`any`], for each of these filters, at most 1000 of them, in their order. Where each names a login, questions together
    /// cost far less than one after the other; if one of them fails, all do.
    any_each(filters: &[Filter<'_>]) -> Vec<bool>;
    /// The newest report of each of these filters.
    newest_each(filters: &[Filter<'_>]) -> Vec<Option<Report>>;
    /// How many there are of each of these filters.
    count_each(filters: &[Filter<'_>]) -> Vec<f64>;
    /// How many different values of a field there are among those of each of these filters.
    distinct_each(filters: &[Filter<'_>], field: Field) -> Vec<f64>;
    /// Whether there is a good report of this login with this value of a field, since then.
    seen(login: &str, field: Field, value: &str, since: f64) -> bool;
    /// When the first and the last such report came.
    first_and_last(filter: Filter<'_>) -> Option<Span>;
    /// How many there are.
    count(filter: Filter<'_>) -> f64;
    /// How many different values of a field there are among them; on Elasticsearch numbers above 40,000 are estimates.
    distinct(filter: Filter<'_>, field: Field) -> f64;
    /// The values of a field with the highest rank, the highest first.
    top(filter: Filter<'_>, field: Field, by: Measure, limit: u32) -> Vec<Ranked>;
    /// The values of a field that are unusually frequent, compared with the time before.
    significant(filter: Filter<'_>, field: Field, baseline_since: f64, limit: u32) -> Vec<Outlier>;
    /// How many there were in each so many seconds, the oldest first.
    histogram(filter: Filter<'_>, seconds: u32) -> Vec<Slot>;
    /// Notes what the user said about a report. False if there is no report with this id.
    confirm(id: &str, confirmation: Confirmation) -> bool;
    /// A question in Elasticsearch's own JSON to the indexes of this name; the answer is JSON, too.
    search(index: &str, query: &str) -> String;
}

/// The id of the report that is being processed: in the hook `report` of a daemon with a report store.
pub fn current() -> Option<String> {
    host::reports::current()
}
