use portcullis::Policy as _;
use portcullis::testing::{Host, stored};

use super::SlowScan;

fn told(host: &mut Host) -> Vec<(String, String)> {
    let mut policy = host.load::<SlowScan>("{}").unwrap();
    policy.background("slow-scan").unwrap();
    let field =
        |fields: Vec<(String, String)>| fields.into_iter().find(|(name, _)| name == "source").unwrap().1;
    host.alerts().into_iter().map(|alert| (alert.reason, field(alert.fields))).collect()
}

fn pair(reason: &str, source: &str) -> (String, String) {
    (reason.to_owned(), source.to_owned())
}

#[test]
fn four_logins_a_day_over_a_week_are_told() {
    let mut host = Host::new();
    for number in 0..28 {
        let login = format!("user{number}");
        host.reported(stored(-6.9 * 86_400.0 + f64::from(number) * 21_000.0, "203.0.113.5", &login).failed());
    }
    assert_eq!(told(&mut host), [pair("slow-scan", "203.0.113.5")]);
}

#[test]
fn a_network_whose_addresses_take_turns_is_told() {
    let mut host = Host::new();
    for number in 0..80 {
        let (remote, login) = (format!("203.0.113.{}", number % 40), format!("user{number}"));
        host.reported(stored(-500_000.0 + f64::from(number) * 6000.0, &remote, &login).failed());
    }
    assert_eq!(told(&mut host), [pair("slow-scan-network", "203.0.113.0/24")]);
}

#[test]
fn an_office_where_people_mistype_is_not() {
    let mut host = Host::new();
    for number in 0..60 {
        let login = format!("user{number}");
        for time in 0..20 {
            host.reported(stored(-500_000.0 + f64::from(number * 20 + time) * 300.0, "192.0.2.1", &login));
        }
        host.reported(stored(-400_000.0 + f64::from(number), "192.0.2.1", &login).failed());
    }
    assert!(told(&mut host).is_empty());
}
