//! The shipped policies twice, as components and in Lua: both decide alike, to the letter, on the same streams of logins.
//!
//! Needs the components in `target/policies`, which `make policies` builds.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::BString;
use login::{Addr, Decision, Login};
use lua::vm::Source;
use policy::{Failure, ResetRequest};
use portcullis_daemons::tool::desk::{Desk, Options};
use portcullis_daemons::tool::simulate::{Day, Plan, dns};

/// Policies, the settings of the twin in Lua's words (those of policy.conf), and whether it takes reports and resets.
const TWINS: [(&str, &str, bool); 7] = [
    ("brute-force", "{}", true),
    ("distributed-guessing", "{}", true),
    ("geo-fence", "{ allow = { \"GB\", \"IE\" } }", false),
    ("impossible-travel", "{}", true),
    ("office-nat", "{}", true),
    ("password-spray", "{}", true),
    ("rbl", "{ zones = { { name = \"bl.example.org\" } } }", true),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Where this test's binary was built: `target/debug/deps` is two below it.
fn components() -> PathBuf {
    let folder = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("policies");
    assert!(
        folder.join("brute-force.wasm").is_file(),
        "{} is missing: run `make policies` first",
        folder.display()
    );
    folder
}

fn desk(config: &str) -> Desk {
    let source = Source::from_text(Path::new("twin.conf"), config.as_bytes());
    let desk = Desk::load(&source, Some(&workspace()), &Options::default());
    let desk = desk.unwrap_or_else(|error| panic!("{error}\n{config}"));
    desk.capabilities.dns.answer_from(dns());
    desk
}

/// The component and its twin.
fn pair(name: &str, settings: &str, reports: bool) -> [Desk; 2] {
    let folder = components();
    let component =
        format!("policy_folder = {:?} dofile(\"policies/{name}/policy.conf\")", folder.display().to_string());
    let geoip = "newGeoIP2DB('Country', 'host/capabilities/testdata/GeoLite2-Country-Test.mmdb')\n\
        newGeoIP2DB('City', 'host/capabilities/testdata/GeoIP2-City-Test.mmdb')\n\
        newDNSResolver('rbl')\n";
    let hooks = if reports { "setReport(twin.report) setReset(twin.reset)" } else { "" };
    let twin = format!(
        "{geoip} local twin = assert(loadfile(\"policies/{name}/policy.lua\"))({settings}) setAllow(twin.allow) {hooks}"
    );
    [desk(&component), desk(&twin)]
}

/// What both say to a question; a panic if they do not say the same.
fn ask(name: &str, desks: &[Desk; 2], login: &Login, number: usize) -> Decision {
    let [component, twin]: [Result<Decision, Failure>; 2] =
        desks.each_ref().map(|desk| desk.allow(login.clone()));
    let told = |answer: Result<Decision, Failure>| {
        answer.unwrap_or_else(|failure| panic!("{name}, login {number}: {}", failure.reason))
    };
    let (component, twin) = (told(component), told(twin));
    let parts = |decision: &Decision| {
        let mut attrs: Vec<String> =
            decision.attrs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        attrs.sort();
        (decision.status, decision.msg.clone(), decision.log.clone(), attrs)
    };
    assert_eq!(parts(&component), parts(&twin), "{name}: component and twin about login {number}: {login:?}");
    component
}

fn report(name: &str, desks: &[Desk; 2], login: &Login) {
    for desk in desks {
        desk.report(login.clone()).unwrap_or_else(|failure| panic!("{name}: {}", failure.reason));
    }
}

#[test]
fn twins_decide_alike_on_a_simulated_day() {
    let day = Day::new(Plan { seed: 7, scale: 0.1 });
    for (name, settings, reports) in TWINS {
        let desks = pair(name, settings, reports);
        let start = desks[0].capabilities.clock.since_epoch();
        let mut decided = 0;
        for (number, (attempt, mut login, right)) in day.logins().enumerate() {
            for desk in &desks {
                desk.until(start + Duration::from_millis(attempt.at));
            }
            let answer = ask(name, &desks, &login, number);
            decided += usize::from(!answer.log.is_empty());
            login.success = right && answer.status >= 0;
            login.policy_reject = answer.status < 0;
            report(name, &desks, &login);
        }
        assert!(decided > 10, "{name} had an opinion on {decided} logins only");
    }
}

/// The same numbers each time: an xorshift.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

/// Few of everything, so that every limit is reached.
fn noise(dice: &mut Dice) -> Login {
    const REMOTES: [&str; 14] = [
        "192.0.2.1",
        "192.0.2.77",
        "192.0.99.1",
        "198.51.100.7",
        "203.0.113.5",
        "10.1.2.3",
        "127.0.0.1",
        "81.2.69.160",
        "216.160.83.57",
        "2001:db8:1:2::3",
        "2001:db8:1:2:ffff::4",
        "2001:218::9",
        "2001:250:7::1",
        "fe80::1",
    ];
    const LOGINS: [&str; 12] = [
        "alice",
        "bob@example.com",
        "Carol@EXAMPLE.com",
        "dave@tokyo.example",
        "émile",
        "",
        "a b:c",
        "zoe",
        "user1",
        "user2",
        "user3",
        "user4",
    ];
    let mut pick = |below: usize| dice.next() as usize % below;
    // Half of it is about one address and one login.
    let remote = REMOTES[if pick(2) == 0 { 0 } else { pick(REMOTES.len()) }];
    let login = match pick(3) {
        0 => "alice".to_owned(),
        1 => LOGINS[pick(LOGINS.len())].to_owned(),
        _ => format!("user{}", pick(300)),
    };
    let hash = match pick(6) {
        0 => String::new(),
        1 | 2 => "5ca1".to_owned(),
        _ => format!("{:04x}", pick(400)),
    };
    Login {
        remote: Addr::from_ip(remote.parse::<IpAddr>().unwrap()),
        login: BString::from(login),
        pwhash: BString::from(hash),
        device_id: ["", "", "\"name\" \"iPhone Mail\"", "Mozilla/5.0"][pick(4)].into(),
        protocol: ["imap", "http"][pick(2)].into(),
        fail_type: ["", "credentials", "internal"][pick(3)].into(),
        ..Login::default()
    }
}

#[test]
fn twins_decide_alike_on_noise_with_resets() {
    for (name, settings, reports) in TWINS {
        let mut dice = Dice(42);
        let desks = pair(name, settings, reports);
        for number in 0..4000 {
            let pause = Duration::from_millis(u64::from(
                dice.next() % if number % 500 == 0 { 20_000_000 } else { 30_000 },
            ));
            for desk in &desks {
                desk.advance(pause);
            }
            let mut login = noise(&mut dice);
            let answer = ask(name, &desks, &login, number);
            login.success = dice.next().is_multiple_of(7);
            login.policy_reject = answer.status < 0 && !login.success;
            report(name, &desks, &login);
            if dice.next().is_multiple_of(150) {
                let (ip, who) = (Some(login.remote), Some(login.login.clone()));
                let request = match dice.next() % 3 {
                    0 => ResetRequest { ip, ..ResetRequest::default() },
                    1 => ResetRequest { login: who, ..ResetRequest::default() },
                    _ => ResetRequest { ip, login: who, ja3: None },
                };
                let done = desks.each_ref().map(|desk| desk.reset(request.clone()).unwrap());
                assert_eq!(done[0], done[1], "{name}: reset of {request:?}");
            }
        }
    }
}
