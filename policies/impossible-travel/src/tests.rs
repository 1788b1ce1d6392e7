use portcullis::testing::{FieldType, Host, login, succeeded};
use portcullis::{Forget, Login, Policy, Verdict};

use super::ImpossibleTravel;

const LONDON: &str = "81.2.69.142";
const LEEDS: &str = "81.2.70.1";
const PARIS: &str = "90.1.1.1";
const TOKYO: &str = "2001:218::1";

fn host() -> Host {
    let mut host = Host::new();
    let fields = [("place", FieldType::Int), ("minute", FieldType::Int), ("country", FieldType::Int)];
    host.stats("tracks", 86400, 30, &fields);
    host.stats("known_good", 86400, 14, &[("good", FieldType::Hll)]);
    host.geoip(
        "City",
        &[
            ("81.2.69.0/24", "GB", 51.5, -0.1),
            ("81.2.70.0/24", "GB", 53.8, -1.5),
            ("90.1.1.0/24", "FR", 48.9, 2.3),
            ("2001:218::/32", "JP", 35.7, 139.7),
        ],
    );
    host
}

fn device(mut login: Login, device: &str) -> Login {
    login.device_id = device.to_owned();
    login
}

#[test]
fn nobody_is_in_two_places_at_once() {
    let mut host = host();
    let mut policy = host.load::<ImpossibleTravel>("{}").unwrap();
    assert_eq!(policy.allow(&login(TOKYO, "alice")).unwrap(), Verdict::pass(), "never seen before");
    policy.report(&succeeded(LONDON, "alice")).unwrap();
    host.advance(3600.0);
    let verdict = policy.allow(&login(TOKYO, "alice")).unwrap();
    assert_eq!((verdict.status(), verdict.reason()), (Some(-1), "impossible_travel"));
    let told = format!("{verdict:?}");
    assert!(told.contains("GB") && told.contains("JP") && told.contains("\"60\""), "{told}");
    assert_eq!(policy.allow(&login(TOKYO, "bob")).unwrap(), Verdict::pass());
    assert_eq!(
        policy.allow(&login("192.0.2.1", "alice")).unwrap(),
        Verdict::pass(),
        "nobody knows where that is"
    );
    host.advance(10.0 * 3600.0);
    assert_eq!(policy.allow(&login(TOKYO, "alice")).unwrap(), Verdict::pass(), "a flight later");
}

#[test]
fn near_places_and_ones_own_country_are_no_journey() {
    let mut policy = host().load::<ImpossibleTravel>("{}").unwrap();
    policy.report(&succeeded(LONDON, "alice")).unwrap();
    assert_eq!(policy.allow(&login(PARIS, "alice")).unwrap(), Verdict::pass());
    assert_eq!(policy.allow(&login(LEEDS, "alice")).unwrap(), Verdict::pass());
    let mut strict = host().load::<ImpossibleTravel>(r#"{"min_km": 100, "same_country": false}"#).unwrap();
    strict.report(&succeeded(LONDON, "alice")).unwrap();
    assert_eq!(strict.allow(&login(LEEDS, "alice")).unwrap().status(), Some(-1));
}

#[test]
fn a_network_that_is_known_passes_wherever_it_is() {
    let mut host = host();
    let mut policy = host.load::<ImpossibleTravel>("{}").unwrap();
    // The company's VPN comes out in Tokyo.
    policy.report(&succeeded(TOKYO, "alice")).unwrap();
    host.advance(86400.0);
    policy.report(&succeeded(LONDON, "alice")).unwrap();
    assert_eq!(policy.allow(&login(TOKYO, "alice")).unwrap(), Verdict::pass());
}

#[test]
fn a_machine_at_home_does_not_hold_back_the_phone_that_travels() {
    let mut host = host();
    let mut policy = host.load::<ImpossibleTravel>("{}").unwrap();
    policy.report(&device(succeeded(LONDON, "alice"), "phone")).unwrap();
    for _ in 0..24 {
        host.advance(1800.0);
        policy.report(&device(succeeded(LONDON, "alice"), "desktop")).unwrap();
    }
    assert_eq!(
        policy.allow(&device(login(TOKYO, "alice"), "phone")).unwrap(),
        Verdict::pass(),
        "twelve hours later"
    );
    assert_eq!(policy.allow(&device(login(TOKYO, "alice"), "desktop")).unwrap().status(), Some(-1));
    assert_eq!(policy.allow(&device(login(TOKYO, "alice"), "thief's")).unwrap().status(), Some(-1));
    assert_eq!(policy.allow(&login(TOKYO, "alice")).unwrap().status(), Some(-1));
}

#[test]
fn failures_do_not_move_anybody() {
    let mut policy = host().load::<ImpossibleTravel>(r#"{"wait_seconds": 30}"#).unwrap();
    policy.report(&succeeded(LONDON, "alice")).unwrap();
    policy.report(&login(TOKYO, "alice")).unwrap();
    assert_eq!(policy.allow(&login(LONDON, "alice")).unwrap(), Verdict::pass());
    assert_eq!(policy.allow(&login(TOKYO, "alice")).unwrap().status(), Some(30));
    let what = Forget { login: Some("alice".to_owned()), ..Forget::default() };
    assert!(policy.reset(&what).unwrap());
    assert_eq!(policy.allow(&login(TOKYO, "alice")).unwrap(), Verdict::pass());
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    for (settings, word) in [
        (r#"{"kmh": 5}"#, "kmh"),
        (r#"{"precision_minutes": 5000}"#, "precision_minutes"),
        (r#"{"database": "Nowhere"}"#, "Nowhere"),
        (r#"{"speed": 1000}"#, "speed"),
    ] {
        let Err(failure) = host().load::<ImpossibleTravel>(settings) else {
            panic!("{settings} was accepted")
        };
        assert!(failure.text().contains(word), "{settings}: {failure}");
    }
}
