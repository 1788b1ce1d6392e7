//! Reports by days, and what a store has of them.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_reports::{
    Answer, EmbeddedSettings, EmbeddedStore, Filter, Ids, Limits, Query, Range, Report, ReportStore as _,
};

pub const DAY: i64 = 86_400_000;

pub fn settings(folder: &Path) -> EmbeddedSettings {
    // Commits only when asked, so that a test knows what is committed.
    EmbeddedSettings { commit_every: Duration::from_hours(1), ..EmbeddedSettings::new(folder) }
}

pub fn all() -> Query {
    Query::Logins { filter: Filter::default(), range: Range::EVER, limit: 10_000, after: None }
}

pub fn newest_first(mut reports: Vec<Report>) -> Vec<Report> {
    reports.sort_by(|left, right| (right.at, &right.id).cmp(&(left.at, &left.id)));
    reports
}

pub async fn stored(store: &EmbeddedStore) -> Vec<Report> {
    match store.query(&all(), Limits::default()).await.unwrap() {
        Answer::Logins { reports } => reports,
        other => panic!("{other:?}"),
    }
}

/// `count` reports of a day so many days ago.
pub fn of_day(ids: &Ids, ago: i64, count: i64) -> Vec<Report> {
    let noon = (jiff::Timestamp::now().as_millisecond().div_euclid(DAY) - ago) * DAY + DAY / 2;
    let login = |second: i64| login::Login {
        t: (noon / 1000 + second) as f64,
        login: "u".into(),
        ..Default::default()
    };
    (0..count).map(|second| Report::new(&login(second), 0, ids)).collect()
}

pub fn folder_of(root: &Path, ago: i64) -> PathBuf {
    let day = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * ago);
    root.join(day.to_string().get(..10).unwrap())
}

/// What is stored, by days ago.
pub async fn by_day(store: &EmbeddedStore) -> Vec<(i64, usize)> {
    let today = jiff::Timestamp::now().as_millisecond().div_euclid(DAY);
    let mut days = std::collections::BTreeMap::new();
    for report in stored(store).await {
        *days.entry(today - report.at.div_euclid(DAY)).or_default() += 1;
    }
    days.into_iter().collect()
}
