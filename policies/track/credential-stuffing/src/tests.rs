use portcullis::Policy as _;
use portcullis::testing::{Host, stored};

use super::Stuffing;

fn told(host: &mut Host) -> Vec<(String, String)> {
    let mut policy = host.load::<Stuffing>("{}").unwrap();
    policy.background("credential-stuffing").unwrap();
    host.alerts().into_iter().map(|alert| (alert.reason, alert.login)).collect()
}

fn pair(reason: &str, login: &str) -> (String, String) {
    (reason.to_owned(), login.to_owned())
}

#[test]
fn a_list_is_told_with_the_accounts_it_opened() {
    let mut host = Host::new();
    for number in 0..100 {
        // No order: 37 is prime to 100.
        let login = format!("user{}", number * 37 % 100);
        let attempt = stored(-40_000.0 + f64::from(number) * 60.0, "203.0.113.5", &login);
        host.reported(if number == 50 { attempt } else { attempt.failed() });
    }
    assert_eq!(told(&mut host), [pair("credential-stuffing", ""), pair("stuffed-account", "user50")]);
}

#[test]
fn a_short_list_in_order_is_enough() {
    let mut host = Host::new();
    for number in 0..20 {
        host.reported(
            stored(-4000.0 + f64::from(number) * 60.0, "203.0.113.5", &format!("user{number:03}")).failed(),
        );
        let shuffled = format!("user{:03}", number * 7 % 20);
        host.reported(stored(-4000.0 + f64::from(number) * 60.0, "203.0.113.6", &shuffled).failed());
    }
    let alerts = told(&mut host);
    assert_eq!(alerts, [pair("credential-stuffing", "")]);
    assert_eq!(host.alerts()[0].ip.unwrap().to_string(), "203.0.113.5");
}

#[test]
fn an_office_and_a_brute_forcer_are_something_else() {
    let mut host = Host::new();
    for number in 0..60 {
        let login = format!("user{number}");
        host.reported(stored(-40_000.0 + f64::from(number), "192.0.2.1", &login).failed());
        host.reported(stored(-30_000.0 + f64::from(number), "192.0.2.1", &login));
        for time in 0..9 {
            host.reported(stored(-20_000.0 + f64::from(number * 9 + time), "203.0.113.9", &login).failed());
        }
    }
    assert!(told(&mut host).is_empty());
}
