//! Reports to a trackalert whose store `reports_bench` filled, and questions beside them: `--rate` reports a second of its
//! users (`--keys` of them); "seen before?" 200 times a second and a top list once a second, by the custom endpoints `seen` and
//! `top` of the configuration that `scripts/bench trackalert` writes. Prints figures of each.

use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::http::post;
use crate::{Dice, Done, Options, Pace, connection, figures};

const CLIENTS: [&str; 6] = ["Thunderbird", "iPhone Mail", "K-9 Mail", "Outlook", "Evolution", "Apple Mail"];
/// Questions about users a second, and the connections that ask them.
const SEEN: f64 = 200.0;
const SEEN_CONNECTIONS: usize = 4;
/// Top lists a second.
const TOPS: f64 = 1.0;
const DAY: u64 = 86_400;

/// A user's name, as in `host/reports/examples/reports_bench/traffic.rs`; few log in often, most seldom.
fn user(dice: &mut Dice, users: u64) -> (u64, String) {
    let number = dice.roll() % users * (dice.roll() % 1000 + 1) / 1000;
    (number, format!("user{number}@example{}.com", number % 40))
}

fn session(dice: &mut Dice) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..16).map(|_| char::from(LETTERS[(dice.roll() >> 20) as usize % 64])).collect()
}

/// A login: one of ten fails, from an address of a machine that guesses.
fn report(dice: &mut Dice, users: u64) -> Value {
    let (number, login) = user(dice, users);
    let guess = dice.roll().is_multiple_of(10);
    let place = if guess { (1 << 20) | (dice.roll() % 3000) } else { number };
    let client = CLIENTS[(place % 6) as usize];
    json!({
        "login": login, "success": !guess, "policy_reject": false, "tls": true, "protocol": "imap",
        "remote": format!("{}.{}.{}.{}", 11 + (place >> 16), place >> 8 & 0xff, place & 0xff, dice.roll() % 4),
        "pwhash": format!("{:04x}", if guess { dice.roll() } else { number } & 0xffff),
        "device_id": format!("(\"name\" \"{client}\" \"version\" \"{}\")", 60 + place % 60),
        "session_id": session(dice),
    })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn seen(dice: &mut Dice, users: u64) -> Value {
    let (field, value) = match dice.roll() % 3 {
        0 => ("country", ["NL", "US", "XX"][(dice.roll() % 3) as usize].to_owned()),
        1 => ("asn", (3000 + dice.roll() % 480).to_string()),
        _ => ("device", "imapc.family=Thunderbird".to_owned()),
    };
    json!({"attrs": {"login": user(dice, users).1, "field": field, "value": value, "since": (now() - 90 * DAY).to_string()}})
}

fn top(dice: &mut Dice) -> Value {
    let lists = [
        ("ip", "failures"),
        ("ip", "login"),
        ("login", "ip"),
        ("network", "failures"),
        ("country", "reports"),
    ];
    let (field, by) = lists[(dice.roll() % 5) as usize];
    json!({"attrs": {"field": field, "by": by, "since": (now() - DAY).to_string()}})
}

pub(crate) async fn run(options: &Rc<Options>, authorization: &Rc<str>, start: Instant) -> Value {
    let users = options.keys;
    let group = |seed: usize,
                 of: usize,
                 rate: Option<f64>,
                 command: &'static str,
                 make: fn(&mut Dice, u64) -> Value| {
        let start_one = |number: usize| {
            let pace = Pace::new(options, start, number, of, rate);
            let (mut dice, authorization) = (Dice::new(seed + number), authorization.clone());
            tokio::task::spawn_local(connection(options.clone(), pace, move |out| {
                post(out, command, &authorization, make(&mut dice, users).to_string().as_bytes());
                true
            }))
        };
        (0..of).map(start_one).collect::<Vec<_>>()
    };
    let reports = group(0, options.connections, options.rate, "report", report);
    let questions = group(1000, SEEN_CONNECTIONS, Some(SEEN), "seen", seen);
    let lists = group(2000, 1, Some(TOPS), "top", |dice, _| top(dice));
    let mut result = json!({});
    for (name, connections) in [("reports", reports), ("seen", questions), ("top", lists)] {
        let (mut samples, mut bad) = (Vec::new(), 0);
        for connection in connections {
            let (more, wrong): Done = connection.await.unwrap();
            samples.extend(more);
            bad += wrong;
        }
        result[name] = figures(options, &samples, bad, options.seconds);
    }
    result
}
