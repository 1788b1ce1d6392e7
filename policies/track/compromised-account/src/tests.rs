use portcullis::Policy as _;
use portcullis::testing::{Host, stored};

use super::Compromised;

fn told(host: &mut Host) -> Vec<String> {
    let mut policy = host.load::<Compromised>("{}").unwrap();
    policy.background("compromised-account").unwrap();
    host.alerts().into_iter().map(|alert| alert.reason).collect()
}

/// Somebody guesses, from as many networks as there are guesses.
fn guesses(host: &mut Host, count: u32) {
    for number in 0..count {
        let remote = format!("203.0.{number}.7");
        host.reported(stored(-7200.0 + f64::from(number), &remote, "ada").failed());
    }
}

#[test]
fn a_success_after_many_failures_elsewhere_is_told() {
    let mut host = Host::new();
    guesses(&mut host, 25);
    host.reported(stored(-30.0, "198.51.100.1", "ada"));
    assert_eq!(told(&mut host), ["compromised-account"]);
}

#[test]
fn the_owner_who_logs_in_meanwhile_is_not() {
    let mut host = Host::new();
    host.reported(stored(-86_400.0 * 9.0, "192.0.2.1", "ada"));
    guesses(&mut host, 25);
    host.reported(stored(-30.0, "192.0.2.99", "ada"));
    assert!(told(&mut host).is_empty());
}

#[test]
fn who_mistypes_is_not() {
    let mut host = Host::new();
    for number in 0..30 {
        host.reported(stored(-600.0 + f64::from(number), "192.0.2.1", "ada").failed());
    }
    host.reported(stored(-30.0, "192.0.2.1", "ada"));
    assert!(told(&mut host).is_empty());
}

#[test]
fn an_account_in_many_countries_at_once_is_told() {
    let mut host = Host::new();
    for (number, country) in (0_u32..).zip(["NL", "BR", "VN", "US"]) {
        let remote = format!("203.0.{number}.7");
        host.reported(
            stored(-3600.0 + f64::from(number) * 600.0, &remote, "ada").place(country, 64_496 + number),
        );
    }
    host.reported(stored(-30.0, "203.0.3.7", "ada").place("US", 64_499));
    assert_eq!(told(&mut host), ["account-everywhere"]);
}

/// A network that was looked at is not looked at for a while; another one is at once.
#[test]
fn a_network_costs_its_questions_once_in_an_hour() {
    let mut host = Host::new();
    let mut policy = host.load::<Compromised>("{}").unwrap();
    for number in 0..25 {
        host.reported(stored(-30.0, &format!("192.0.2.{number}"), "ada"));
        policy.background("").unwrap();
        host.advance(60.0);
    }
    assert_eq!((host.asked("count"), host.asked("distinct")), (1, 1));
    guesses(&mut host, 25);
    host.reported(stored(-30.0, "198.51.100.1", "ada"));
    policy.background("").unwrap();
    let reasons: Vec<_> = host.alerts().into_iter().map(|alert| alert.reason).collect();
    assert_eq!(reasons, ["compromised-account"]);
}
