//! Eighty days of people and attackers, seeded, through trackalert's policies with their usual settings: how many attacks each
//! tells of, and how often it tells of what is none.
//!
//! `simulate [SEED]` prints a Markdown table.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    reason = "counts of a simulation"
)]

use std::collections::{BTreeMap, BTreeSet};

use portcullis::testing::{Host, Raised, Stored, stored};
use portcullis::{Policy, Result};

const DAY: f64 = 86_400.0;
const DAYS: u32 = 80;
/// Attacks begin when there is something to compare with.
const QUIET_DAYS: f64 = 45.0;
const PEOPLE: u32 = 300;
/// Seconds between two runs of the policies that look at logins.
const RUN: f64 = 600.0;

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u32) -> u32 {
        (self.next() % u64::from(limit.max(1))) as u32
    }

    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.part()
    }
}

/// Country, degrees north and east.
const PLACES: [(&str, f64, f64); 7] = [
    ("NL", 52.0, 4.4),
    ("ES", 40.4, -3.7),
    ("US", 40.7, -74.0),
    ("BR", -23.5, -46.6),
    ("VN", 21.0, 105.8),
    ("TH", 13.8, 100.5),
    ("ZA", -33.9, 18.4),
];

#[derive(Clone)]
struct Attempt {
    at: f64,
    remote: String,
    login: String,
    good: bool,
    place: usize,
    asn: u32,
    device: &'static str,
}

impl Attempt {
    fn stored(&self, now: f64) -> Stored {
        let (country, north, east) = PLACES[self.place];
        let report = stored(self.at - now, &self.remote, &self.login)
            .place(country, self.asn)
            .at(north, east)
            .device(self.device);
        if self.good { report } else { report.failed() }
    }
}

/// What a policy is to tell of: the kind, and the login or address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Attack {
    policy: &'static str,
    subject: String,
}

#[derive(Default)]
struct World {
    attempts: Vec<Attempt>,
    attacks: BTreeSet<Attack>,
    /// Logins and addresses that some attack is about: telling of them is never false.
    involved: BTreeSet<String>,
}

impl World {
    fn attack(&mut self, policy: &'static str, subject: &str) {
        self.attacks.insert(Attack { policy, subject: subject.to_owned() });
        self.involved.insert(subject.to_owned());
    }

    /// A stranger with the right password.
    fn enter(&mut self, login: &str, at: f64, remote: &str, place: usize, asn: u32) {
        self.involved.insert(login.to_owned());
        self.attempts.push(Attempt {
            at,
            remote: remote.to_owned(),
            login: login.to_owned(),
            good: true,
            place,
            asn,
            device: "os.family=Other",
        });
    }

    fn fail(&mut self, login: &str, at: f64, remote: &str, place: usize) {
        self.attempts.push(Attempt {
            at,
            remote: remote.to_owned(),
            login: login.to_owned(),
            good: false,
            place,
            asn: 65_000,
            device: "",
        });
    }
}

fn login(number: u32) -> String {
    format!("user{number:03}@example.com")
}

/// How somebody is away for long.
fn sleeps(number: u32) -> bool {
    number % 20 == 7
}

/// One person's eighty days.
fn live(world: &mut World, dice: &mut Dice, number: u32) {
    let journey = (dice.part() < 0.2).then(|| (dice.between(20.0, 70.0), 1 + dice.below(6) as usize));
    let journey = journey.map(|(day, place)| (day, day + dice.between(4.0, 10.0), place));
    let change = if dice.part() < 0.15 { dice.between(20.0, 75.0) } else { f64::INFINITY };
    // Who is away for long comes back in the last days.
    let asleep = if sleeps(number) { (6.0, 74.0) } else { (0.0, 0.0) };
    let mut day = dice.part();
    while day < f64::from(DAYS) {
        let awake = !(asleep.0..asleep.1).contains(&day);
        // Half a day on the way.
        let flying = journey
            .is_some_and(|(from, to, _)| (from - 0.5..from).contains(&day) || (to..to + 0.5).contains(&day));
        if awake && !flying {
            let away = journey.filter(|(from, to, _)| (*from..*to).contains(&day));
            let (remote, place, asn) = match away {
                Some((_, _, place)) => {
                    (format!("198.18.{}.{}", place, number % 250), place, 64_700 + place as u32)
                }
                None if dice.part() < 0.3 => (format!("198.19.{}.9", dice.below(60)), 0, 64_600),
                None => (format!("100.64.{}.{}", number / 250, number % 250), 0, 64_500 + number % 5),
            };
            let device = match () {
                () if day > change && dice.part() < 0.5 => "device.family=Tablet,os.family=Android",
                () if dice.part() < 0.5 => "device.family=iPhone,os.family=iOS",
                () => "browser.family=Firefox,os.family=Linux",
            };
            let attempt =
                Attempt { at: day * DAY, remote, login: login(number), good: true, place, asn, device };
            if dice.part() < 0.03 {
                world.attempts.push(Attempt { at: attempt.at - 20.0, good: false, ..attempt.clone() });
            }
            world.attempts.push(attempt);
        }
        day += dice.between(0.05, 0.4);
    }
}

/// Everything that is wrong.
fn attack(world: &mut World, dice: &mut Dice) {
    let late = |dice: &mut Dice| dice.between(QUIET_DAYS, 78.0) * DAY;
    let mut victims: Vec<u32> = (0..PEOPLE).filter(|number| !sleeps(*number)).collect();
    let mut victim = |dice: &mut Dice| login(victims.swap_remove(dice.below(victims.len() as u32) as usize));
    // Thieves: the right password, from far away.
    for number in 0..30 {
        let (login, at) = (victim(dice), late(dice));
        world.enter(&login, at, &format!("45.10.{number}.1"), 3 + (number as usize) % 4, 65_100 + number);
        world.attack("new-login-alert", &login);
        // Half of them while the owner is at work.
        if number % 2 == 0 {
            let owner = Attempt {
                at: at - 1800.0,
                remote: "100.64.9.9".to_owned(),
                login: login.clone(),
                good: true,
                place: 0,
                asn: 64_500,
                device: "browser.family=Firefox,os.family=Linux",
            };
            world.attempts.push(owner);
            world.attack("impossible-travel-alert", &login);
        }
    }
    // Guessers: two in an hour, each from another network, until one is right.
    for number in 0..12 {
        let (login, end) = (victim(dice), late(dice));
        for guess in 0..60_u32 {
            world.fail(&login, end - f64::from(guess + 1) * 1800.0, &format!("46.{number}.{guess}.1"), 4);
        }
        world.enter(&login, end, &format!("46.{number}.200.1"), 4, 65_200);
        world.attack("compromised-account", &login);
    }
    // Sold accounts: used from everywhere at once.
    for number in 0..8 {
        let (login, at) = (victim(dice), late(dice));
        for place in 1..7_usize {
            let remote = format!("47.{number}.{place}.1");
            world.enter(&login, at + place as f64 * 1500.0, &remote, place, 65_300 + place as u32);
        }
        world.attack("compromised-account", &login);
    }
    // Accounts whose owners are away.
    for number in (0..PEOPLE).filter(|number| sleeps(*number)).take(8) {
        let login = login(number);
        world.enter(&login, dice.between(68.0, 73.0) * DAY, &format!("48.0.{number}.1"), 5, 65_400);
        world.attack("dormant-account", &login);
    }
    // Slow scans: a login every forty minutes for a week; and a network whose addresses take turns.
    for number in 0..6 {
        let remote = format!("49.{number}.0.1");
        let begin = dice.between(QUIET_DAYS, 70.0) * DAY;
        for attempt in 0..250_u32 {
            let name = login(dice.below(PEOPLE));
            world.fail(&name, begin + f64::from(attempt) * 2400.0, &remote, 6);
        }
        world.attack("slow-scan", &remote);
    }
    let begin = dice.between(QUIET_DAYS, 70.0) * DAY;
    for attempt in 0..300_u32 {
        let name = login(dice.below(PEOPLE));
        world.fail(&name, begin + f64::from(attempt) * 2000.0, &format!("50.0.0.{}", 1 + attempt % 60), 6);
    }
    world.attack("slow-scan", "50.0.0.0");
    // Lists of passwords that leaked elsewhere: some long, two short but in order.
    for number in 0..12 {
        let remote = format!("51.{number}.0.1");
        let (begin, long) = (late(dice), number < 10);
        for attempt in 0..if long { 80_u32 } else { 20 } {
            let who = if long { dice.below(PEOPLE) } else { attempt * 14 };
            let at = begin + f64::from(attempt) * 90.0;
            if long && dice.part() < 0.02 {
                world.enter(&login(who), at, &remote, 4, 65_500);
            } else {
                world.fail(&login(who), at, &remote, 4);
            }
        }
        world.attack("credential-stuffing", &remote);
    }
}

/// Mail programs and thieves open several connections at once: each login is one to four within seconds.
fn bursts(world: &mut World, dice: &mut Dice) {
    for place in 0..world.attempts.len() {
        let first = world.attempts[place].clone();
        let more = if first.good { dice.below(4) } else { 0 };
        for _ in 0..more {
            world.attempts.push(Attempt { at: first.at + dice.between(0.0, 5.0), ..first.clone() });
        }
    }
}

/// The policies, as their `policy.conf` runs them.
struct Running {
    new_login: new_login_alert::NewLogin,
    travel: impossible_travel_alert::ImpossibleTravel,
    compromised: compromised_account::Compromised,
    dormant: dormant_account::Dormant,
    slow_scan: slow_scan::SlowScan,
    stuffing: credential_stuffing::Stuffing,
}

impl Running {
    fn load(host: &mut Host) -> Result<Running> {
        let scan = r#"{"scan": {"window": 1200}}"#;
        Ok(Running {
            new_login: host.load(scan)?,
            travel: host.load(scan)?,
            compromised: host.load(scan)?,
            dormant: host.load(r#"{"scan": {"window": 1200}, "days": 50}"#)?,
            slow_scan: host.load("{}")?,
            stuffing: host.load("{}")?,
        })
    }

    fn run(&mut self, turn: u64) -> Result<()> {
        self.new_login.background("")?;
        self.travel.background("")?;
        self.compromised.background("")?;
        self.dormant.background("")?;
        if turn.is_multiple_of(6) {
            self.stuffing.background("")?;
        }
        if turn.is_multiple_of(36) {
            self.slow_scan.background("")?;
        }
        Ok(())
    }
}

/// Which policy an alert is of.
fn policy_of(alert: &Raised) -> &'static str {
    match alert.reason.as_str() {
        "impossible-travel" => "impossible-travel-alert",
        "compromised-account" | "account-everywhere" => "compromised-account",
        "dormant-account" => "dormant-account",
        "slow-scan" | "slow-scan-network" => "slow-scan",
        "credential-stuffing" | "stuffed-account" => "credential-stuffing",
        _ => "new-login-alert",
    }
}

fn subject_of(alert: &Raised) -> String {
    match alert.ip {
        Some(ip) if alert.login.is_empty() => ip.to_string(),
        _ => alert.login.clone(),
    }
}

fn simulate(seed: u64) -> Result<()> {
    let (mut dice, mut world) = (Dice(seed), World::default());
    for number in 0..PEOPLE {
        live(&mut world, &mut dice, number);
    }
    attack(&mut world, &mut dice);
    bursts(&mut world, &mut dice);
    world.attempts.sort_by(|one, other| one.at.total_cmp(&other.at));

    let mut host = Host::new();
    let begin = host.now();
    let mut policies = Running::load(&mut host)?;
    let mut attempts = world.attempts.iter().peekable();
    let turns = (f64::from(DAYS) * DAY / RUN) as u64;
    for turn in 1..=turns {
        let now = turn as f64 * RUN;
        host.advance(begin + now - host.now());
        while let Some(attempt) = attempts.next_if(|attempt| attempt.at <= now) {
            host.reported(attempt.stored(now));
        }
        policies.run(turn)?;
    }

    // As the host tells them: once a day for each reason and subject.
    let mut last: BTreeMap<(String, String), f64> = BTreeMap::new();
    let mut told: Vec<(&'static str, String)> = Vec::new();
    for alert in host.alerts() {
        let (subject, time) = (subject_of(&alert), alert.raised);
        let key = (alert.reason.clone(), subject.clone());
        if last.get(&key).is_some_and(|before| time - before < DAY) {
            continue;
        }
        last.insert(key, time);
        told.push((policy_of(&alert), subject));
    }
    let logins = world.attempts.iter().filter(|attempt| attempt.good).count();
    println!(
        "{PEOPLE} people, {DAYS} days, {} attempts, {logins} of them good, seed {seed}.\n",
        world.attempts.len()
    );
    println!(
        "| policy | attacks | told of | catch rate | false alerts | of 1000 people in a month |\n|---|---|---|---|---|---|"
    );
    for policy in [
        "new-login-alert",
        "impossible-travel-alert",
        "compromised-account",
        "dormant-account",
        "slow-scan",
        "credential-stuffing",
    ] {
        let attacks: Vec<&Attack> = world.attacks.iter().filter(|attack| attack.policy == policy).collect();
        let caught = attacks
            .iter()
            .filter(|attack| told.iter().any(|(of, subject)| *of == policy && *subject == attack.subject))
            .count();
        let wrong =
            told.iter().filter(|(of, subject)| *of == policy && !world.involved.contains(subject)).count();
        let rate = caught as f64 * 100.0 / attacks.len().max(1) as f64;
        let month = wrong as f64 * 1000.0 / f64::from(PEOPLE) * 30.0 / f64::from(DAYS);
        println!("| `{policy}` | {} | {caught} | {rate:.0} % | {wrong} | {month:.1} |", attacks.len());
    }
    Ok(())
}

fn main() {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    if let Err(failure) = simulate(seed) {
        eprintln!("{failure:?}");
        std::process::exit(1);
    }
}
