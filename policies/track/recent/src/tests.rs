use std::collections::BTreeSet;

use portcullis::testing::{Host, stored};

use super::{MOST, Scan};

/// How many different logins a scan finds, and how often it told of one.
fn found() -> (usize, usize) {
    let (mut logins, mut told) = (BTreeSet::new(), 0);
    let each = |report: &portcullis::reports::Report| {
        logins.insert(report.login.clone());
        told += 1;
        Ok(())
    };
    Scan::default().successes(|report| report.login.clone(), each).unwrap();
    (logins.len(), told)
}

#[test]
fn the_end_of_a_page_loses_none_of_its_moment() {
    let mut host = Host::new();
    for number in 0..5 {
        host.reported(stored(-60.0, "192.0.2.1", &format!("early{number}")));
    }
    // All but two of a page.
    for number in 2..MOST {
        host.reported(stored(-30.0, "192.0.2.1", &format!("late{number}")));
    }
    host.reported(stored(-60.0, "192.0.2.1", "failed").failed());
    host.reported(stored(-600.0, "192.0.2.1", "before"));
    assert_eq!(found(), (MOST as usize + 3, MOST as usize + 3));
}

#[test]
fn more_of_one_moment_than_a_page_holds_end_the_scan() {
    let mut host = Host::new();
    for number in 0..MOST + 10 {
        host.reported(stored(-30.0, "192.0.2.1", &format!("user{number}")));
    }
    assert_eq!(found(), (MOST as usize, MOST as usize));
}

#[test]
fn of_those_alike_the_oldest_is_looked_at_whatever_page_it_is_on() {
    let mut host = Host::new();
    // More than two pages, each login once in each of them.
    for ago in [90.0, 60.0, 30.0] {
        for number in 0..MOST - 10 {
            host.reported(stored(-ago, "192.0.2.1", &format!("user{number}")));
        }
    }
    let mut times = Vec::new();
    let each = |report: &portcullis::reports::Report| {
        times.push(report.t - host.now());
        Ok(())
    };
    Scan::default().successes(|report| report.login.clone(), each).unwrap();
    assert_eq!(times.len(), MOST as usize - 10);
    assert!(times.iter().all(|time| (time + 90.0).abs() < 0.002), "{:?}", times.first());
}
