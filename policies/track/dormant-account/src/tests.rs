use portcullis::Policy as _;
use portcullis::testing::{Host, stored};

use super::Dormant;

fn told(settings: &str, days: f64, asn: u32) -> Vec<String> {
    let mut host = Host::new();
    host.reported(stored(-86_400.0 * days, "192.0.2.1", "ada").place("NL", 64_496));
    host.reported(stored(-60.0, "198.51.100.1", "ada").place("NL", asn));
    host.reported(stored(-30.0, "198.51.100.1", "ada").place("NL", asn));
    host.reported(stored(-30.0, "198.51.100.1", "new").place("NL", asn));
    let mut policy = host.load::<Dormant>(settings).unwrap();
    policy.background("dormant-account").unwrap();
    host.alerts().into_iter().map(|alert| alert.text).collect()
}

#[test]
fn the_first_login_for_long_is_told() {
    assert_eq!(told("{}", 90.0, 64_500), ["the first login for 90 days"]);
    assert!(told("{}", 30.0, 64_500).is_empty());
    assert!(told("{}", 400.0, 64_500).is_empty(), "older than the memory");
}

/// Where somebody logs in again and again in the time of a scan, only the first time counts, and that is told.
#[test]
fn the_first_of_several_is_told() {
    let mut host = Host::new();
    host.reported(stored(-86_400.0 * 90.0, "192.0.2.1", "ada"));
    for (ago, remote) in [(100.0, "198.51.100.1"), (60.0, "198.51.100.2"), (30.0, "198.51.100.3")] {
        host.reported(stored(-ago, remote, "ada"));
    }
    // Not dormant: the one just before the scan's time.
    host.reported(stored(-86_400.0 * 90.0, "192.0.2.1", "bob"));
    host.reported(stored(-200.0, "192.0.2.1", "bob"));
    host.reported(stored(-30.0, "192.0.2.1", "bob"));
    let mut policy = host.load::<Dormant>("{}").unwrap();
    policy.background("dormant-account").unwrap();
    let told: Vec<_> =
        host.alerts().into_iter().map(|alert| (alert.login, alert.ip.unwrap().to_string())).collect();
    assert_eq!(told, [("ada".to_owned(), "198.51.100.1".to_owned())]);
}

#[test]
fn a_known_network_may_be_left_out() {
    assert_eq!(told("{}", 90.0, 64_496).len(), 1);
    assert!(told(r#"{"only_new_network": true}"#, 90.0, 64_496).is_empty());
    assert_eq!(told(r#"{"only_new_network": true}"#, 90.0, 64_500).len(), 1);
}

#[test]
fn who_was_there_lately_costs_one_question_in_an_hour() {
    let mut host = Host::new();
    host.reported(stored(-86_400.0 * 59.0, "192.0.2.1", "ada"));
    let mut policy = host.load::<Dormant>("{}").unwrap();
    for number in 0..25 {
        host.reported(stored(-30.0, &format!("192.0.2.{number}"), "ada").place("NL", number));
        policy.background("").unwrap();
        host.advance(60.0);
    }
    assert_eq!((host.asked("any"), host.asked("first-and-last")), (1, 0));
    assert!(host.alerts().is_empty());
}
