#![allow(clippy::unwrap_used)]
use jiff::tz::TimeZone;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// The first job of an agenda.
const FIRST: JobId = JobId(1);

fn schedule(schedule: &str) -> Schedule {
    match schedule.parse() {
        Ok(cron) => Schedule::Cron(cron),
        Err(_) => Schedule::Every(schedule.parse().unwrap()),
    }
}

fn agenda(when: &str, change: impl FnOnce(&mut JobOptions)) -> Agenda {
    let schedule = schedule(when);
    let mut options = JobOptions { zone: TimeZone::UTC, ..JobOptions::default() };
    change(&mut options);
    let mut agenda = Agenda::default();
    agenda.add("scan", schedule, options);
    agenda.begin(at(0), || 0.5);
    agenda
}

fn due(agenda: &mut Agenda, now: i64) -> (Vec<i64>, Vec<Skip>) {
    let (due, skipped) = agenda.due(at(now), || 0.5);
    (due.iter().map(|due| due.at.as_second()).collect(), skipped.into_iter().map(|(_, skip)| skip).collect())
}

fn end(agenda: &mut Agenda, now: i64) -> bool {
    let run = LastRun { began: at(now), took: Duration::ZERO, outcome: Outcome::Done };
    agenda.ended(FIRST, run, at(now), 0.5).is_some()
}

#[test]
fn an_interval_counts_from_the_end_of_the_last_run() {
    let mut agenda = agenda("00:00:10", |_| {});
    assert_eq!(agenda.next(), Some(at(10)));
    assert_eq!(due(&mut agenda, 9), (vec![], vec![]));
    assert_eq!(due(&mut agenda, 10), (vec![10], vec![]));
    assert_eq!((agenda.next(), due(&mut agenda, 100)), (None, (vec![], vec![])));
    assert!(!end(&mut agenda, 100));
    assert_eq!(agenda.next(), Some(at(110)));
}

#[test]
fn cron_does_not_overlap_itself_unless_asked() {
    let mut one = agenda("* * * * *", |_| {});
    assert_eq!(due(&mut one, 60), (vec![60], vec![]));
    assert_eq!(due(&mut one, 120), (vec![], vec![Skip::Running]));
    assert!(!end(&mut one, 130));
    assert_eq!(due(&mut one, 180), (vec![180], vec![]));

    let mut many = agenda("* * * * *", |options| options.overlap = true);
    let started: usize = (1..=20).map(|minute| due(&mut many, minute * 60).0.len()).sum();
    assert_eq!(started, MOST_RUNNING as usize);
}

#[test]
fn a_missed_run_is_made_up_for_once_or_left_out() {
    let mut one = agenda("* * * * *", |options| options.missed = Missed::RunOnce);
    due(&mut one, 60);
    assert_eq!(due(&mut one, 120).1, [Skip::Running]);
    assert_eq!(due(&mut one, 180).1, [Skip::Running]);
    assert!(end(&mut one, 190), "one run for the two that were missed");
    assert!(!end(&mut one, 200));

    // The machine slept for an hour.
    let mut one = agenda("0 * * * *", |options| options.missed = Missed::RunOnce);
    assert_eq!(due(&mut one, 3600 + 1800), (vec![3600], vec![]));
    let mut none = agenda("0 * * * *", |_| {});
    assert_eq!(due(&mut none, 3600 + 1800), (vec![], vec![Skip::Missed]));
    assert_eq!(none.next(), Some(at(7200)));
}

#[test]
fn jitter_moves_the_start_and_not_the_time_it_was_due() {
    let mut agenda = agenda("* * * * *", |options| options.jitter = Duration::from_secs(20));
    assert_eq!(agenda.next(), Some(at(70)));
    assert_eq!(due(&mut agenda, 69), (vec![], vec![]));
    assert_eq!(due(&mut agenda, 70), (vec![60], vec![]));
}

#[test]
fn by_hand_counts_as_running() {
    let mut agenda = agenda("* * * * *", |_| {});
    assert!(agenda.start(FIRST));
    assert!(!agenda.start(FIRST) && !agenda.start(JobId(7)));
    assert_eq!(due(&mut agenda, 60).1, [Skip::Running]);
    end(&mut agenda, 61);
    let status = agenda.status(FIRST).unwrap();
    assert_eq!((status.runs, status.failures, status.skipped, status.running), (1, 0, 1, 0));
}

#[test]
fn two_schedules_of_one_function_do_not_overlap() {
    let mut agenda = agenda("* * * * *", |options| options.missed = Missed::RunOnce);
    let options = JobOptions { zone: TimeZone::UTC, missed: Missed::RunOnce, ..JobOptions::default() };
    let second = agenda.add("scan", schedule("00:01:30"), options.clone());
    let other = agenda.add("other", schedule("00:01:30"), options);
    agenda.begin(at(0), || 0.5);
    assert_eq!(agenda.due(at(60), || 0.5).0, [Due { job: FIRST, at: at(60) }]);
    let (due, skipped) = agenda.due(at(90), || 0.5);
    assert_eq!((due, skipped), (vec![Due { job: other, at: at(90) }], vec![(second, Skip::Running)]));
    let run = LastRun { began: at(60), took: Duration::ZERO, outcome: Outcome::Done };
    assert_eq!(agenda.ended(FIRST, run, at(100), 0.5), Some(Due { job: second, at: at(100) }));
}

#[test]
fn a_new_configuration_keeps_what_is_the_same() {
    let options = || JobOptions { zone: TimeZone::UTC, ..JobOptions::default() };
    let plan = |name: &str, when: &str| Planned {
        name: name.to_owned(),
        schedule: schedule(when),
        options: options(),
    };
    let mut agenda = agenda("00:01:00", |_| {});
    due(&mut agenda, 60);
    end(&mut agenda, 61);
    let other = agenda.add("other", schedule("10"), options());
    assert!(agenda.start(other));
    agenda.replace(&[plan("new", "0:05"), plan("scan", "00:01:00")], at(100), || 0.0);
    let names: Vec<String> = agenda.statuses().into_iter().map(|status| status.name).collect();
    assert_eq!(names, ["new", "scan"]);
    let scan = agenda.status(FIRST).unwrap();
    assert_eq!((scan.runs, scan.next), (1, Some(at(121))));
    // What ran goes on, and keeps the same function of the next configuration from running beside it.
    agenda.replace(&[plan("other", "0:01")], at(110), || 0.0);
    assert_eq!(due(&mut agenda, 170).1, [Skip::Running]);
    let run = LastRun { began: at(90), took: Duration::ZERO, outcome: Outcome::Done };
    agenda.ended(other, run, at(171), 0.5);
    assert!(agenda.status(other).is_none());
    let fresh = agenda.find("other").unwrap();
    assert_eq!(agenda.status(fresh).unwrap().runs, 0);
}
