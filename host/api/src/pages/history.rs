//! The history of logins.

use std::time::Duration;

use ::pages::history::{self, Mistake, PER_PAGE, Search, Wanted};
use capabilities::Capabilities;
use http::StatusCode;
use reports::{Answer, Bin, Query, Range, Report};

use super::html;
use crate::query::parameters;
use crate::reply::{self, Reply};

/// What a question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bars above the table.
const BARS: i64 = 90;
/// They begin this long ago where the search does not say, in milliseconds.
const BARS_SINCE: i64 = 30 * 86_400_000;

/// Why there is no answer.
enum Trouble {
    Asker(Mistake),
    Store(String),
}

/// For people.
pub(crate) async fn page(caps: &Capabilities, query: &str) -> Reply {
    let search = search_of(query);
    match find(caps, &search).await {
        Ok((wanted, reports, more)) => {
            let bins = if reports.is_empty() { Vec::new() } else { bins(caps, &wanted).await };
            html(StatusCode::OK, history::page(&search, Ok((&reports, more)), &bins))
        }
        Err(Trouble::Asker(mistake)) => {
            html(StatusCode::BAD_REQUEST, history::page(&search, Err(&mistake), &[]))
        }
        Err(Trouble::Store(why)) => {
            html(StatusCode::SERVICE_UNAVAILABLE, history::page(&search, Err(&Mistake(why)), &[]))
        }
    }
}

/// For machines.
pub(crate) async fn document(caps: &Capabilities, query: &str) -> Reply {
    match find(caps, &search_of(query)).await {
        Ok((_, reports, more)) => reply::json(StatusCode::OK, history::document(&reports, more).to_string()),
        Err(Trouble::Asker(Mistake(why))) => reply::failure(StatusCode::BAD_REQUEST, why.as_bytes()),
        Err(Trouble::Store(why)) => reply::failure(StatusCode::SERVICE_UNAVAILABLE, why.as_bytes()),
    }
}

fn search_of(query: &str) -> Search {
    let mut search = Search::default();
    parameters(query).for_each(|(name, value)| search.take(&name, &value));
    search
}

fn range(wanted: &Wanted) -> Range {
    Range { from: wanted.from.unwrap_or(i64::MIN), to: wanted.to.unwrap_or(i64::MAX) }
}

async fn find(caps: &Capabilities, search: &Search) -> Result<(Wanted, Vec<Report>, bool), Trouble> {
    let wanted = search.wanted().map_err(Trouble::Asker)?;
    let (filter, range) = (wanted.filter.clone(), range(&wanted));
    if range.from > range.to {
        return Err(Trouble::Asker(Mistake("the time ends before it begins".to_owned())));
    }
    let after = wanted.after.clone();
    // One more than is shown says whether there are more.
    let query = Query::Logins { filter, range, limit: PER_PAGE + 1, after };
    match caps.reports.query(&query, Some(PATIENCE)).await {
        Ok(Answer::Logins { reports }) => {
            let (reports, more) = history::cut(reports);
            Ok((wanted, reports, more))
        }
        Ok(_) => Err(Trouble::Store("the report store answered another question".to_owned())),
        Err(error) => Err(Trouble::Store(error.to_string())),
    }
}

/// How many there were over the time searched; nothing if the store does not say, as they only adorn.
async fn bins(caps: &Capabilities, wanted: &Wanted) -> Vec<Bin> {
    let now = i64::try_from(caps.clock.since_epoch().as_millis()).unwrap_or(i64::MAX);
    let to = wanted.to.unwrap_or(now);
    let from = wanted.from.unwrap_or(to.saturating_sub(BARS_SINCE));
    let range = Range { from, to };
    let interval_ms = (to.saturating_sub(from) / BARS).max(1000);
    let query = Query::Histogram { filter: wanted.filter.clone(), range, interval_ms };
    match caps.reports.query(&query, Some(PATIENCE)).await {
        Ok(Answer::Histogram { bins }) => bins,
        _ => Vec::new(),
    }
}
