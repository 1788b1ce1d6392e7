//! `portcullis history`: the logins of a running trackalert's report store.

use std::fmt::Write as _;

use capabilities::Daemon;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lexopt::prelude::*;
use login::screen::shown;
use portcullis_daemons::tool::remote::{Place, Remote};
use portcullis_daemons::tool::terminal::Style;
use serde_json::{Value, json};

use crate::{Outcome, Status, Trouble};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut place = Place::default();
    let (mut as_json, mut limit) = (false, 50_usize);
    let mut query: Vec<(&str, String)> = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => as_json = true,
            Long("url") => place.url = Some(arguments.value()?.string()?),
            Long("password-file") => place.password_file = Some(arguments.value()?.into()),
            Long("ca") => place.ca = Some(arguments.value()?.into()),
            Long("login") => query.push(("login", arguments.value()?.string()?)),
            Long("ip") => query.push(("ip", arguments.value()?.string()?)),
            Long("since") => query.push(("from", since(&arguments.value()?.string()?)?)),
            Long("until") => query.push(("to", arguments.value()?.string()?)),
            Long("failed") => query.push(("result", "failed".to_owned())),
            Long("good") => query.push(("result", "good".to_owned())),
            Long("limit") => {
                limit = arguments.value()?.parse()?;
                if limit == 0 {
                    return Err(Trouble::new("--limit: at least 1"));
                }
            }
            Short('C') | Long("config") => place.config = Some(arguments.value()?.into()),
            lexopt::Arg::Value(file) if place.config.is_none() => place.config = Some(file.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    if !query.iter().any(|(name, _)| matches!(*name, "login" | "ip")) {
        return Err(Trouble::new("history: of whom? --login NAME or --ip ADDRESS-OR-NETWORK"));
    }
    let remote = Remote::new(Daemon::Trackalert, &place).map_err(Trouble::new)?;
    let mut reports: Vec<Value> = Vec::new();
    let mut before: Option<String> = None;
    while reports.len() < limit {
        let mut page = query.clone();
        page.extend(before.take().map(|before| ("before", before)));
        let answer = remote.get_page("reports.json", &page).map_err(Trouble::new)?;
        let found = answer["reports"].as_array();
        let found = found.ok_or_else(|| Trouble::new("the answer lists no logins: is this a trackalert?"))?;
        reports.extend(found.iter().cloned());
        before = answer["before"].as_str().map(str::to_owned);
        if before.is_none() {
            break;
        }
    }
    let more = reports.len() > limit || before.is_some();
    reports.truncate(limit);
    if as_json {
        println!("{}", json!({ "reports": reports }));
    } else if reports.is_empty() {
        println!("no logins were found");
    } else {
        print!("{}", table(&reports, Style::of_stdout()));
        if more {
            eprintln!("{} shown; more with --limit N", reports.len());
        }
    }
    Ok(Status::Fine)
}

/// `7d`, `12h` or `30m` ago, or a day, a moment or unix seconds as they are.
fn since(text: &str) -> Result<String, Trouble> {
    let wrong = || {
        Trouble::new(format!(
            "--since: {text:?} is no time: 7d, 12h or 30m ago, a day (2026-11-26), a moment (2026-11-26T02:25:00Z) or unix \
             seconds"
        ))
    };
    let unit = match text.chars().last() {
        Some('d') => 86_400,
        Some('h') => 3600,
        Some('m') => 60,
        _ => {
            let fits = text.parse::<f64>().is_ok_and(|seconds| (0.0..1e11).contains(&seconds))
                || text.parse::<Timestamp>().is_ok()
                || text.parse::<jiff::civil::Date>().is_ok();
            return if fits { Ok(text.to_owned()) } else { Err(wrong()) };
        }
    };
    let count: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    Ok(Timestamp::now().as_second().saturating_sub(count.saturating_mul(unit)).max(0).to_string())
}

/// A line a login, newest first, with a heading for each day.
fn table(reports: &[Value], style: Style) -> String {
    // What a client sent must not steer the terminal.
    let text = |value: &Value| -> String { shown(value.as_str().unwrap_or_default()) };
    let (mut out, mut last) = (String::new(), String::new());
    for report in reports {
        let at = (report["t"].as_f64().unwrap_or(0.0) * 1000.0) as i64;
        let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
        let day = at.strftime("%A, %Y-%m-%d (UTC)").to_string();
        // Writing into a String does not fail.
        if day != last {
            let _ = writeln!(out, "{}", style.faint(&day));
            last = day;
        }
        let is = |name: &str| report[name].as_bool().unwrap_or(false);
        let verdict = match () {
            () if is("policy_reject") => style.bad(&format!("{:<9}", "refused")),
            () if is("success") => style.good(&format!("{:<9}", "logged in")),
            () => style.bad(&format!("{:<9}", "failed")),
        };
        let geoip = &report["geoip"];
        let place: Vec<String> = [text(&geoip["city_name"]), text(&geoip["country_code2"])]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let device = text(&report["device"]);
        let device: Vec<&str> = device.split(',').filter_map(|part| Some(part.split_once('=')?.1)).collect();
        let said = match text(&report["user_confirmation"]).as_str() {
            "good" => ", user: it was me",
            "bad" => ", user: it was not me",
            "forget" => ", user: forget it",
            _ => "",
        };
        let _ = writeln!(
            out,
            "  {}  {verdict}  {:<20} {:<39} {:<20} {:<8} {}{said}",
            at.strftime("%H:%M:%S"),
            text(&report["login"]),
            text(&report["remote"]),
            place.join(", "),
            text(&report["protocol"]),
            device.join(", "),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn times_ago_are_told_in_units() {
        let ago = |text: &str| Timestamp::now().as_second() - since(text).unwrap().parse::<i64>().unwrap();
        assert!((86_400 * 7..86_400 * 7 + 60).contains(&ago("7d")));
        assert!((7200..7260).contains(&ago("2h")));
        assert_eq!(since("2026-11-26").unwrap(), "2026-11-26");
        for moment in ["2026-11-26T02:25:00Z", "1764111265"] {
            assert_eq!(since(moment).unwrap(), moment);
        }
        for wrong in ["xd", "7x", "", "yesterday"] {
            let told = since(wrong).unwrap_err().to_string();
            assert!(told.contains("7d, 12h or 30m ago, a day (2026-11-26)"), "{told}");
        }
    }

    #[test]
    fn a_table_has_days_and_nothing_that_steers_the_terminal() {
        let report = json!({"t": 1_764_111_265.0, "login": "ada\u{1b}[31m\u{202e}moc", "remote": "192.0.2.1", "success": true,
            "geoip": {"city_name": "Delft", "country_code2": "NL"}, "device": "os.family=Linux", "user_confirmation": "bad"});
        let text = table(&[report], Style::plain());
        assert!(text.contains("Tuesday, 2025-11-25") && text.contains("22:54:25  logged in"), "{text}");
        assert!(
            text.contains("Delft, NL")
                && text.contains("it was not me")
                && text.contains("ada\u{fffd}[31m\u{fffd}moc"),
            "{text}"
        );
    }
}
