//! Each shipped policy of trackalert in the cases that it was written for, in Lua and as a component.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::Launch;
use portcullis_tests::track::{
    AMERICA, AMERICA_TOO, BHUTAN, DAY, HOUR, LONDON, Past, Running, SWEDEN, Twin, set, told,
};
use serde_json::json;

/// A wide window, because reports of the past are made one by one.
const NOW: &str = "scan = { window = 900, lag = 0 }";

fn both(policy: &str, settings: &str, expected: &[(&str, &str)], fill: impl Fn(&mut Past)) {
    for twin in Twin::BOTH {
        assert_eq!(told(twin, &[(policy, settings)], &fill), set(expected), "{twin:?}");
    }
}

/// Forty days of logins at home.
fn at_home(past: &mut Past, login: &str, remote: &str) {
    for day in 1..40 {
        past.report(f64::from(day) * DAY, login, remote, true);
    }
}

fn new_logins(past: &mut Past) {
    at_home(past, "device", LONDON);
    past.report_with(30.0, "device", LONDON, true, "Outlook");
    at_home(past, "network", AMERICA);
    past.report(30.0, "network", AMERICA_TOO, true);
    // An account of nine days.
    for number in 0..20 {
        past.report(9.0 * DAY - f64::from(number) * HOUR, "learning", LONDON, true);
    }
    past.report(30.0, "learning", SWEDEN, true);
    // What the user said was somebody else's login makes no country known.
    at_home(past, "disowned", LONDON);
    past.report(1.5 * DAY, "disowned", SWEDEN, true);
    past.disown("disowned", SWEDEN);
    past.report(30.0, "disowned", SWEDEN, true);
    // The same without that.
    at_home(past, "traveller", LONDON);
    past.report(1.5 * DAY, "traveller", SWEDEN, true);
    past.report(30.0, "traveller", SWEDEN, true);
}

#[test]
fn new_devices_and_networks() {
    let expected = [("new-device", "device"), ("new-country", "disowned")];
    both("new-login-alert", NOW, &expected, new_logins);
    let expected = [("new-device", "device"), ("new-country", "disowned"), ("new-network", "network")];
    both("new-login-alert", &format!("{NOW}, network = true"), &expected, new_logins);
}

/// Mail programs open several connections at once, and so may attackers: all of them within one scan.
#[test]
fn connections_at_once_are_told_as_one() {
    let fill = |past: &mut Past| {
        for login in ["one", "two", "four"] {
            at_home(past, login, LONDON);
            past.report(HOUR, login, LONDON, true);
        }
        past.report(30.0, "one", BHUTAN, true);
        for ago in [31.0, 30.0] {
            past.report(ago, "two", BHUTAN, true);
        }
        for ago in [31.0, 30.5, 30.5, 30.0] {
            past.report(ago, "four", BHUTAN, true);
        }
    };
    for (policy, reason) in
        [("new-login-alert", "new-country"), ("impossible-travel-alert", "impossible-travel")]
    {
        both(policy, NOW, &[(reason, "one"), (reason, "two"), (reason, "four")], fill);
    }
}

#[test]
fn travel_to_a_network_that_is_known() {
    both("impossible-travel-alert", NOW, &[("impossible-travel", "stranger")], |past| {
        past.report(5.0 * DAY, "commuter", BHUTAN, true);
        for login in ["commuter", "stranger"] {
            past.report(2.0 * HOUR, login, SWEDEN, true);
            past.report(30.0, login, BHUTAN, true);
        }
        // Time enough for a flight.
        past.report(20.0 * HOUR, "flight", SWEDEN, true);
        past.report(30.0, "flight", BHUTAN, true);
    });
}

#[test]
fn accounts_that_others_use() {
    both("compromised-account", NOW, &[("account-everywhere", "everywhere")], |past| {
        for (number, remote) in [SWEDEN, BHUTAN, AMERICA, AMERICA_TOO].into_iter().enumerate() {
            past.report(HOUR - 600.0 * number as f64, "everywhere", remote, true);
        }
        past.report(30.0, "everywhere", AMERICA_TOO, true);
        // Three owners in three countries are one too few.
        for (number, remote) in [SWEDEN, BHUTAN, AMERICA].into_iter().enumerate() {
            past.report(HOUR - 600.0 * number as f64, "somewhere", remote, true);
        }
        past.report(30.0, "somewhere", AMERICA, true);
        // The owner logs in while others guess.
        past.report(9.0 * DAY, "owner", "192.0.2.1", true);
        for number in 0..25 {
            past.report(2.0 * HOUR - f64::from(number), "owner", &format!("198.18.{number}.1"), false);
        }
        past.report(30.0, "owner", "192.0.2.99", true);
        // Somebody mistypes, at one place.
        for number in 0..30 {
            past.report(600.0 - f64::from(number), "mistypes", "192.0.2.1", false);
        }
        past.report(30.0, "mistypes", "192.0.2.1", true);
    });
}

#[test]
fn networks_that_scan_slowly() {
    both("slow-scan", "", &[("slow-scan-network", "203.0.113.0")], |past| {
        // Its addresses take turns.
        for number in 0..80 {
            let ago = 500_000.0 - f64::from(number) * 6000.0;
            past.report(ago, &format!("user{number}"), &format!("203.0.113.{}", number % 40), false);
        }
        // An office where people mistype.
        for number in 0..60 {
            let login = format!("clerk{number}");
            for time in 0..4 {
                past.report(500_000.0 - f64::from(number * 4 + time) * 300.0, &login, "192.0.2.1", true);
            }
            past.report(400_000.0 - f64::from(number), &login, "192.0.2.1", false);
        }
    });
}

#[test]
fn lists_in_order() {
    both("credential-stuffing", "", &[("credential-stuffing", "203.0.113.5")], |past| {
        for number in 0..20 {
            let ago = 4000.0 - f64::from(number) * 60.0;
            past.report(ago, &format!("user{number:03}"), "203.0.113.5", false);
            // As many in no order.
            past.report(ago, &format!("user{:03}", number * 7 % 20), "203.0.113.6", false);
        }
        // An office, and somebody who tries each login again and again.
        for number in 0..45 {
            let login = format!("clerk{number}");
            past.report(40_000.0 - f64::from(number), &login, "192.0.2.1", false);
            past.report(30_000.0 - f64::from(number), &login, "192.0.2.1", true);
            for time in 0..4 {
                past.report(20_000.0 - f64::from(number * 4 + time), &login, "203.0.113.9", false);
            }
        }
    });
}

#[test]
fn dormant_accounts_in_a_network_that_is_known() {
    let fill = |past: &mut Past| {
        for (login, remote) in [("home", SWEDEN), ("away", BHUTAN)] {
            past.report(80.0 * DAY, login, SWEDEN, true);
            past.report(30.0, login, remote, true);
        }
    };
    let all = [("dormant-account", "home"), ("dormant-account", "away")];
    both("dormant-account", NOW, &all, fill);
    both("dormant-account", &format!("{NOW}, only_new_network = true"), &all[1..], fill);
}

#[test]
fn settings_that_there_are_not_are_refused() {
    for policy in [
        "new-login-alert",
        "impossible-travel-alert",
        "compromised-account",
        "dormant-account",
        "slow-scan",
        "credential-stuffing",
    ] {
        for twin in Twin::BOTH {
            for (settings, name) in [("dayz = 3", "dayz"), ("scan = { windows = 3 }", "windows")] {
                if matches!(policy, "slow-scan" | "credential-stuffing") && name == "windows" {
                    continue;
                }
                let output =
                    Launch::trackalert(&twin.lines(policy, settings)).args(&["--check-config"]).run();
                let told = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(!output.status.success() && told.contains(name), "{policy} {twin:?}: {told}");
            }
        }
    }
}

/// A run knows what the one before it looked at, in whichever Lua states requests were meanwhile; and a page of logins is asked for
/// once.
#[test]
fn what_was_looked_at_is_known_in_the_next_run() {
    let store = "setReportStore(\"embedded\", { path = \"reports\", retention_days = 400, query_timeout_ms = 60000 })";
    let policies = [
        ("new-login-alert", NOW),
        ("impossible-travel-alert", NOW),
        ("compromised-account", NOW),
        ("dormant-account", NOW),
    ];
    for twin in Twin::BOTH {
        let running = Running::start(store, twin, &policies, |past| {
            for login in ["ada", "bob", "cyd"] {
                for day in 1..20 {
                    past.report(f64::from(day) * DAY, login, LONDON, true);
                }
                past.report(2.0, login, LONDON, true);
            }
        });
        let all = || ["any", "first_last", "count", "logins"].map(|question| running.asked(question));
        let mut before = all();
        for run in 0..4 {
            for (policy, _) in policies {
                running.run(policy);
                for _ in 0..9 {
                    let answer = running.client.post("/command/disown", &json!({"attrs": {"id": "nothing"}}));
                    assert_eq!(answer.status, 200);
                }
            }
            let now = all();
            let asked: Vec<f64> = now.iter().zip(before).map(|(now, before)| now - before).collect();
            before = now;
            if run == 0 {
                // A usual login: one question for `new-login-alert` and `dormant-account` each; two for
                // `compromised-account`, failures and networks; the last ones for `impossible-travel-alert`.
                assert_eq!(asked, [6.0, 0.0, 6.0, 4.0 + 3.0], "{twin:?}");
            } else {
                assert_eq!(asked, [0.0, 0.0, 0.0, 4.0], "{twin:?}, run {run}");
            }
        }
        assert!(running.told().is_empty(), "{twin:?}");
    }
}
