//! Jobs as people read them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::{JobStatus, Outcome};

/// A job as it is shown, here or by another program that asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    /// The background function.
    pub name: String,
    /// When it is due, in words.
    pub schedule: String,
    /// The next run.
    pub next: Option<Timestamp>,
    /// Runs going on.
    pub running: u32,
    /// Runs since the start.
    pub runs: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Runs that were left out.
    pub skipped: u64,
    /// The last run: when it began, how long it took, and why it failed if it did.
    pub last: Option<(Timestamp, Duration, Option<String>)>,
}

impl From<&JobStatus> for JobRow {
    fn from(status: &JobStatus) -> JobRow {
        let last = status.last.as_ref().map(|last| {
            let failed = match &last.outcome {
                Outcome::Done => None,
                Outcome::Failed(error) => Some(error.clone()),
                Outcome::Elsewhere => Some("runs elsewhere".to_owned()),
            };
            (last.began, last.took, failed)
        });
        JobRow {
            name: status.name.clone(),
            schedule: status.described(),
            next: status.next,
            running: status.running,
            runs: status.runs,
            failures: status.failures,
            skipped: status.skipped,
            last,
        }
    }
}

impl JobStatus {
    /// Its schedule in words, with the time zone where one was chosen.
    pub fn described(&self) -> String {
        match (&self.schedule, self.options.zone == TimeZone::system()) {
            (crate::Schedule::Cron(_), false) => format!("{} {}", self.schedule, self.options.zone_name()),
            _ => self.schedule.to_string(),
        }
    }
}

/// A time as other programs get it.
pub fn unix_seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

/// The other way; none for what is no time.
pub fn timestamp(seconds: f64) -> Option<Timestamp> {
    if !seconds.is_finite() || seconds.abs() > 253_402_207_200.0 {
        return None;
    }
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
}

/// Local time with its offset, so that nobody has to guess the zone.
fn time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
}

/// The first line of an error: a traceback has no place in a table. An error may hold what a client sent, which must not
/// steer the terminal.
fn first_line(text: &str) -> String {
    login::screen::shown(text.lines().next().unwrap_or_default())
}

/// A head and a line for each job.
pub fn table(rows: &[JobRow]) -> Vec<String> {
    let head = ["Name", "Schedule", "Next run", "Runs", "Failed", "Skipped", "Last run", "Took", "Result"]
        .map(String::from);
    let cells = rows.iter().map(|row| {
        let next = match (row.running, row.next) {
            (0, None) => "-".to_owned(),
            (0, Some(next)) => time(next),
            (1.., _) => "running".to_owned(),
        };
        let (last, took, result) = match &row.last {
            None => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
            Some((began, took, failed)) => (
                time(*began),
                format!("{:.3} s", took.as_secs_f64()),
                failed.as_deref().map_or_else(|| "ok".to_owned(), first_line),
            ),
        };
        let [runs, failures, skipped] = [row.runs, row.failures, row.skipped].map(|count| count.to_string());
        [row.name.clone(), row.schedule.clone(), next, runs, failures, skipped, last, took, result]
    });
    let all: Vec<[String; 9]> = std::iter::once(head).chain(cells).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(40);
    let widths: [usize; 9] = std::array::from_fn(width);
    all.iter()
        .map(|row| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_each() {
        let row = JobRow {
            name: "scan".to_owned(),
            schedule: "every 00:00:10".to_owned(),
            next: Some(Timestamp::from_second(1_000_000_000).unwrap()),
            running: 0,
            runs: 12,
            failures: 1,
            skipped: 0,
            last: Some((
                Timestamp::UNIX_EPOCH,
                Duration::from_millis(1500),
                Some("\u{1b}[31mboom\u{202e}\nstack".to_owned()),
            )),
        };
        let idle = JobRow { running: 1, last: None, name: "other".to_owned(), ..row.clone() };
        let lines = table(&[row, idle]);
        assert!(lines[0].starts_with("Name   Schedule        Next run"), "{lines:#?}");
        assert!(lines[1].starts_with("scan   every 00:00:10  2001-09-0"), "{lines:#?}");
        assert!(lines[1].ends_with("  1.500 s  \u{fffd}[31mboom\u{fffd}"), "{lines:#?}");
        assert!(lines[2].contains("  running  ") && lines[2].ends_with('-'), "{lines:#?}");
    }
}
