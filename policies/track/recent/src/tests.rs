use std::cell::RefCell;

use portcullis::Failure;
use portcullis::reports::Report;
use portcullis::testing::{Host, stored};

use super::{Looked, MOST, OVERLAP, Scan, TOGETHER, Walk};

/// The logins that a run finds, in their order.
fn run(walk: &mut Walk, scan: &Scan) -> Vec<String> {
    let mut found = Vec::new();
    walk.successes(scan, |reports: &[Report]| {
        assert!((1..=TOGETHER).contains(&reports.len()));
        found.extend(reports.iter().map(|report| report.login.clone()));
        Ok(())
    })
    .unwrap();
    found
}

fn names(prefix: &str, numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers.map(|number| format!("{prefix}{number:05}")).collect()
}

#[test]
fn one_walk_from_the_oldest_on_loses_none_at_the_end_of_a_page() {
    let mut host = Host::new();
    // The ends of pages fall between, and into, logins of one moment.
    let logins = names("user", 0..3 * MOST + 7);
    for (number, login) in (0..).zip(&logins) {
        host.reported(stored(-100.0 + f64::from(number / 3) * 0.05, "192.0.2.1", login));
    }
    host.reported(stored(-60.0, "192.0.2.1", "failed").failed());
    host.reported(stored(-600.0, "192.0.2.1", "before"));
    host.reported(stored(-1.0, "192.0.2.1", "fresh"));
    assert_eq!(run(&mut Walk::new(&[]), &Scan::default()), logins);
    assert_eq!((host.asked("find-oldest"), host.questions()), (4, 4), "each page once, and nothing else");
}

#[test]
fn of_more_in_one_moment_than_a_page_holds_none_is_lost() {
    let mut host = Host::new();
    let logins = names("user", 0..2 * MOST + 10);
    for login in &logins {
        host.reported(stored(-30.0, "192.0.2.1", login));
    }
    host.reported(stored(-29.999, "192.0.2.1", "zoe"));
    let mut found = run(&mut Walk::new(&[]), &Scan::default());
    assert_eq!(found.pop().as_deref(), Some("zoe"));
    found.sort();
    assert_eq!(found, logins);
}

#[test]
fn a_run_goes_on_where_the_last_one_ended() {
    let mut host = Host::new();
    host.reported(stored(-100.0, "192.0.2.1", "one"));
    let (mut walk, scan) = (Walk::new(&[]), Scan::default());
    assert_eq!(run(&mut walk, &scan), ["one"]);
    // It shows late: of before the end of the last run.
    host.advance(60.0);
    host.reported(stored(-60.0 - 5.0 - OVERLAP + 1.0, "192.0.2.1", "late"));
    host.reported(stored(-60.0, "192.0.2.1", "two"));
    assert_eq!(run(&mut walk, &scan), ["late", "two"], "not the first one again");
    // The last run took long: more than `window`, less than `catch_up`.
    host.advance(600.0);
    host.reported(stored(-500.0, "192.0.2.1", "three"));
    assert_eq!(run(&mut walk, &scan), ["three"]);
    assert!(host.log().is_empty(), "{:?}", host.log());
    // One that starts anew looks back `window`.
    assert!(run(&mut Walk::new(&[]), &scan).is_empty());
}

#[test]
fn what_is_too_long_ago_is_left_out_and_that_is_said() {
    let mut host = Host::new();
    host.reported(stored(-600.0, "192.0.2.1", "before"));
    let (mut walk, scan) = (Walk::new(&[]), Scan::default());
    assert!(run(&mut walk, &scan).is_empty() && !walk.skips(&scan));
    host.advance(5000.0);
    host.reported(stored(-1000.0, "192.0.2.1", "long ago"));
    host.reported(stored(-800.0, "192.0.2.1", "a while ago"));
    assert!(walk.skips(&scan));
    assert_eq!(run(&mut walk, &scan), ["a while ago"]);
    let log = host.log();
    assert!(matches!(log.as_slice(), [line] if line.contains("4100 s were left out")), "{log:?}");
    assert!(!walk.skips(&scan));
    // The clock is put back: as after a start.
    host.advance(-3600.0);
    host.reported(stored(-100.0, "192.0.2.1", "again"));
    assert_eq!(run(&mut walk, &scan), ["again"]);
}

#[test]
fn a_run_ends_when_its_time_is_over_and_the_next_goes_on_there() {
    let mut host = Host::new();
    let logins = names("user", 0..2 * MOST);
    for login in &logins {
        // All in one moment: only the id tells where it ended.
        host.reported(stored(-90.0, "192.0.2.1", login));
    }
    let (mut walk, scan) = (Walk::new(&[]), Scan { seconds: 10, ..Scan::default() });
    let mut found = Vec::new();
    let mut runs = 0;
    while found.len() < logins.len() {
        let before = found.len();
        host.slow_answers(0.1);
        walk.successes(&scan, |reports: &[Report]| {
            for report in reports {
                found.push(report.login.clone());
                // As a policy that asks about each.
                portcullis::reports::any(super::before(report, 60.0))?;
            }
            Ok(())
        })
        .unwrap();
        runs += 1;
        assert!(found.len() - before <= TOGETHER, "{}", found.len() - before);
    }
    assert_eq!(found, logins, "each once");
    assert!(runs >= 10, "{runs}");
    assert!(host.log().iter().all(|line| line.contains("the time of this run is over")), "{:?}", host.log());
    assert!(host.log()[0].contains(" 85 s behind"), "{:?}", host.log()[0]);
}

#[test]
fn after_an_error_the_same_logins_are_the_next() {
    let mut host = Host::new();
    for login in ["one", "two", "three"] {
        host.reported(stored(-50.0, "192.0.2.1", login));
    }
    let (mut walk, scan) = (Walk::new(&[]), Scan::default());
    let mut looked = Looked::new(&scan);
    let found = RefCell::new(Vec::new());
    for attempt in 0..2 {
        looked.begin();
        let result = walk.successes(&scan, |reports| {
            looked.at(
                &scan,
                reports,
                |report| report.login.clone(),
                |some| Ok(vec![false; some.len()]),
                |report| {
                    if attempt == 0 && found.borrow().len() == 1 {
                        return Err(Failure::new("the store is away"));
                    }
                    found.borrow_mut().push(report.login.clone());
                    Ok(true)
                },
            )
        });
        assert_eq!(result.is_err(), attempt == 0);
    }
    found.borrow_mut().sort();
    assert_eq!(*found.borrow(), ["one", "three", "two"], "what was told of is not told again");
}

/// A question about many that takes too long is one about fewer; only who is too much alone ends the run.
#[test]
fn those_that_take_too_long_together_are_asked_about_in_halves() {
    let mut host = Host::new();
    let logins = names("user", 0..150);
    for login in &logins {
        host.reported(stored(-50.0, "192.0.2.1", login));
    }
    let scan = Scan::default();
    let (mut walk, mut looked) = (Walk::new(&[]), Looked::new(&scan));
    let found = RefCell::new(Vec::new());
    let mut run = |most: usize| {
        looked.begin();
        walk.successes(&scan, |reports| {
            looked.at(
                &scan,
                reports,
                |report| report.login.clone(),
                |some| {
                    if some.len() > most {
                        return Err(Failure::new("it takes too long"));
                    }
                    Ok(vec![false; some.len()])
                },
                |report| {
                    found.borrow_mut().push(report.login.clone());
                    Ok(false)
                },
            )
        })
    };
    assert!(run(0).is_err());
    run(20).unwrap();
    assert_eq!(*found.borrow(), logins, "each once, in their order");
}

#[test]
fn of_those_alike_the_oldest_is_looked_at() {
    let mut host = Host::new();
    let scan = Scan::default();
    let (mut walk, mut looked) = (Walk::new(&[]), Looked::new(&scan));
    for ago in [90.0, 60.0, 30.0] {
        for login in names("user", 0..MOST - 10) {
            host.reported(stored(-ago, "192.0.2.1", &login));
        }
    }
    let times = RefCell::new(Vec::new());
    // Of some of them something is told.
    for run in 0..40 {
        looked.begin();
        walk.successes(&scan, |reports| {
            looked.at(
                &scan,
                reports,
                |report| report.login.clone(),
                |some| {
                    let all =
                        some.iter().map(|report| (run, (report.t - 1.7e9).round(), report.login.clone()));
                    times.borrow_mut().extend(all);
                    Ok(some.iter().map(|report| !report.login.ends_with('7')).collect())
                },
                |_| Ok(true),
            )
        })
        .unwrap();
        host.advance(60.0);
        for login in names("user", 0..MOST - 10) {
            host.reported(stored(-10.0, "192.0.2.1", &login));
        }
    }
    let times = times.into_inner();
    let first: Vec<_> = times.iter().filter(|(run, ..)| *run == 0).collect();
    assert_eq!(first.len(), MOST as usize - 10);
    assert!(first.iter().all(|(_, ago, _)| (ago + 90.0).abs() < 0.5), "{:?}", first.first());
    let told = |times: &[(i32, f64, String)]| times.iter().filter(|(.., login)| login.ends_with('7')).count();
    // Within half an hour only those that were told of are looked at again, once in two minutes.
    let soon: Vec<_> = times.iter().filter(|(run, ..)| (1..29).contains(run)).cloned().collect();
    assert_eq!(soon.len(), told(&soon));
    assert_eq!(told(&soon), 14 * 99);
    // And then the others.
    assert!(times.len() - told(&times) > MOST as usize);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    assert!(Scan::default().check().is_ok());
    for bad in [
        Scan { window: 0, ..Scan::default() },
        Scan { seconds: 0, ..Scan::default() },
        Scan { catch_up: 86_401, ..Scan::default() },
        Scan { remember: 90_000, ..Scan::default() },
        Scan { remembered: 0, ..Scan::default() },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
    }
    let _host = Host::new();
}
