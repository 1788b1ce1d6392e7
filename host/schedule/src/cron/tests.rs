#![allow(clippy::unwrap_used)]
use jiff::civil::DateTime;
use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;

use super::*;

fn cron(text: &str) -> Cron {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// The next times of a line, as the wall shows them.
fn times(text: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
    let zone = zone(zone_name);
    let from: DateTime = from.parse().unwrap();
    let mut at = from.to_zoned(zone.clone()).unwrap().timestamp();
    let mut all = Vec::new();
    for _ in 0..count {
        at = cron(text).next(at, &zone).unwrap();
        all.push(at.to_zoned(zone.clone()).strftime("%a %F %H:%M%:z").to_string());
    }
    all
}

#[test]
fn lists_ranges_steps_and_names() {
    assert_eq!(
        times("*/20 9-10 * * mon-fri", "UTC", "2026-11-27T10:30", 3),
        ["Fri 2026-11-27 10:40+00:00", "Mon 2026-11-30 09:00+00:00", "Mon 2026-11-30 09:20+00:00"]
    );
    assert_eq!(
        times("0 0 1,15 JAN,jul *", "UTC", "2026-01-01T00:00", 3),
        ["Thu 2026-01-15 00:00+00:00", "Wed 2026-07-01 00:00+00:00", "Wed 2026-07-15 00:00+00:00"]
    );
    assert_eq!(cron("0 0 * * 7").calendar, cron("0 0 * * 0").calendar);
    assert_eq!(cron("0 0 * * fri-sun").calendar, cron("0 0 * * 5,6,0").calendar);
    assert_eq!(cron("5/20 * * * *").calendar, cron("5,25,45 * * * *").calendar);
    assert_eq!(cron("@daily").calendar, cron("0 0 * * *").calendar);
    assert_eq!(cron("@weekly").calendar, cron("0 0 * * SUN").calendar);
}

#[test]
fn both_kinds_of_days_must_hold() {
    assert_eq!(
        times("0 4 13 * 5", "UTC", "2026-01-01T00:00", 3),
        ["Fri 2026-02-13 04:00+00:00", "Fri 2026-03-13 04:00+00:00", "Fri 2026-11-13 04:00+00:00"]
    );
}

#[test]
fn rare_dates_come_and_impossible_ones_are_refused() {
    // The century is no leap year: forty years without a 29 February that is a Sunday.
    assert_eq!(times("0 0 29 2 sun", "UTC", "2088-03-01T00:00", 1), ["Sun 2128-02-29 00:00+00:00"]);
    for text in ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
        assert_eq!(text.parse::<Cron>(), Err(CronError::Never), "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_field() {
    for (text, part) in [
        ("", "has 0"),
        ("* * * *", "has 4"),
        ("* * * * * *", "has 6"),
        ("60 * * * *", "minute \"60\""),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day of the week"),
        ("5x * * * *", "\"5x\" is not 0 to 59"),
        ("5-1 * * * *", "goes backwards"),
        ("*/0 * * * *", "a step is"),
        ("1,,2 * * * *", "\"\" is not"),
        ("-1 * * * *", "minute"),
        ("* * * foo *", "or jan to dec"),
        ("@reboot", "@daily"),
    ] {
        let error = text.parse::<Cron>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn when_clocks_go_forward_what_is_left_out_runs_at_once() {
    assert_eq!(
        times("30 2 * * *", "Europe/Amsterdam", "2026-03-28T12:00", 2),
        ["Sun 2026-03-29 03:00+02:00", "Mon 2026-03-30 02:30+02:00"]
    );
    // Each hour anyway: nothing is to be made up for.
    assert_eq!(
        times("30 * * * *", "Europe/Amsterdam", "2026-03-29T01:00", 2),
        ["Sun 2026-03-29 01:30+01:00", "Sun 2026-03-29 03:30+02:00"]
    );
}

#[test]
fn when_clocks_go_back_what_comes_twice_runs_once() {
    assert_eq!(
        times("30 2 * * *", "Europe/Amsterdam", "2026-10-24T12:00", 2),
        ["Sun 2026-10-25 02:30+02:00", "Mon 2026-10-26 02:30+01:00"]
    );
    assert_eq!(
        times("30 * * * *", "Europe/Amsterdam", "2026-10-25T01:45", 3),
        ["Sun 2026-10-25 02:30+02:00", "Sun 2026-10-25 02:30+01:00", "Sun 2026-10-25 03:30+01:00"]
    );
}

fn field(least: u8, most: u8) -> impl Strategy<Value = String> {
    let number = least..=most;
    prop_oneof![
        3 => Just("*".to_owned()),
        3 => number.clone().prop_map(|n| n.to_string()),
        1 => (1u8..8).prop_map(|step| format!("*/{step}")),
        1 => (number.clone(), number.clone()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (number.clone(), number).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

fn line() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

/// Minute by minute, by the rules as they are told to operators.
fn slowly(cron: &Cron, after: Timestamp, zone: &TimeZone, minutes: i64) -> Option<Timestamp> {
    let named = |civil: DateTime| cron.calendar.first_from(civil) == Some(civil);
    let mut at = Timestamp::from_second((after.as_second().div_euclid(60) + 1) * 60).unwrap();
    for _ in 0..minutes {
        let civil = at.to_zoned(zone.clone()).datetime();
        let before = (at - SignedDuration::from_mins(1)).to_zoned(zone.clone()).datetime();
        let first = civil.to_zoned(zone.clone()).unwrap().timestamp() == at;
        if named(civil) && (first || cron.calendar.every_hour) {
            return Some(at);
        }
        let mut left_out = before.checked_add(1.minute()).unwrap();
        while left_out < civil {
            if named(left_out) && !cron.calendar.every_hour {
                return Some(at);
            }
            left_out = left_out.checked_add(1.minute()).unwrap();
        }
        at += SignedDuration::from_mins(1);
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The same times as by trying each minute, over the days around the changes of the clock.
    #[test]
    fn as_by_trying_each_minute(
        line in line(),
        name in prop_oneof![Just("Europe/Amsterdam"), Just("America/New_York"), Just("Australia/Lord_Howe"), Just("UTC")],
        // Around the last Sundays of March and October, and the first ones of April and November.
        day in prop_oneof![Just("2026-03-28"), Just("2026-03-07"), Just("2026-04-04"), Just("2026-10-03"), Just("2026-10-24"), Just("2026-10-31")],
        second in 0i64..172_800,
    ) {
        let (cron, zone) = (cron(&line), zone(name));
        let from = format!("{day}T00:00Z").parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second);
        let span = 2 * 1440;
        let fast = cron.next(from, &zone).filter(|at| at.as_second() <= from.as_second() / 60 * 60 + span * 60);
        prop_assert_eq!(fast, slowly(&cron, from, &zone, span), "{} in {} after {}", line, name, from);
    }

    /// In UTC the same as croner, when both kinds of days must hold.
    #[test]
    fn as_croner_says(line in line(), second in 0i64..1_000_000_000) {
        let from = Timestamp::from_second(1_700_000_000 + second).unwrap();
        let theirs = croner::parser::CronParser::builder().dom_and_dow(true).build().parse(&line).unwrap();
        let theirs = theirs.find_next_occurrence(&from.to_zoned(TimeZone::UTC), false).unwrap().timestamp();
        prop_assert_eq!(cron(&line).next(from, &TimeZone::UTC), Some(theirs), "{}", line);
    }

    /// Whatever stands there, an answer comes.
    #[test]
    fn any_text(text in "[@*0-9a-z,/ -]{0,30}") {
        if let Ok(cron) = text.parse::<Cron>() {
            let next = cron.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC);
            prop_assert!(next.is_some_and(|at| at > Timestamp::UNIX_EPOCH));
            prop_assert_eq!(cron.to_string().parse::<Cron>(), Ok(cron));
        }
    }
}
