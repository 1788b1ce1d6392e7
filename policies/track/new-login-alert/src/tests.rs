use portcullis::Policy as _;
use portcullis::reports::Confirmation;
use portcullis::testing::{Host, stored};

use super::NewLogin;

/// A month of logins from the Netherlands, two a day.
fn month(host: &mut Host) {
    for half_days in (1..60).rev() {
        host.reported(
            stored(-43_200.0 * f64::from(half_days), "192.0.2.1", "ada").place("NL", 64_496).device("phone"),
        );
    }
}

fn reasons(host: &Host) -> Vec<String> {
    host.alerts().into_iter().map(|alert| alert.reason).collect()
}

#[test]
fn a_new_country_and_a_new_device_are_told() {
    let mut host = Host::new();
    month(&mut host);
    host.reported(stored(-30.0, "198.51.100.1", "ada").place("BR", 64_500).device("phone"));
    host.reported(stored(-40.0, "192.0.2.9", "ada").place("NL", 64_500).device("tablet"));
    host.reported(stored(-50.0, "192.0.2.1", "ada").place("NL", 64_496).device("phone"));
    let mut policy = host.load::<NewLogin>("{}").unwrap();
    policy.background("new-login-alert").unwrap();
    assert_eq!(reasons(&host), ["new-device", "new-country"]);
    let alert = host.alerts().remove(1);
    assert_eq!((alert.login.as_str(), alert.confirm), ("ada", true));
    assert_eq!(alert.time, Some(host.now() - 30.0));
}

/// Who logs in twice within a scan's time is told of like who does once; the scans after it find nothing new.
#[test]
fn connections_at_once_are_told_as_one() {
    let mut host = Host::new();
    month(&mut host);
    for ago in [32.0, 31.0, 31.0, 30.0] {
        host.reported(stored(-ago, "198.51.100.1", "ada").place("BR", 64_500).device("phone"));
    }
    let mut policy = host.load::<NewLogin>("{}").unwrap();
    policy.background("").unwrap();
    assert_eq!(reasons(&host), ["new-country"]);
    assert_eq!(host.alerts()[0].time, Some(host.now() - 32.0));
    // The first of them is before this scan's time, the others are not.
    host.advance(93.5);
    policy.background("").unwrap();
    assert_eq!(reasons(&host).len(), 1);
}

#[test]
fn a_network_is_told_only_if_wanted() {
    let mut host = Host::new();
    month(&mut host);
    host.reported(stored(-30.0, "198.51.100.1", "ada").place("NL", 64_500).device("phone"));
    let mut policy = host.load::<NewLogin>("{}").unwrap();
    policy.background("").unwrap();
    assert!(reasons(&host).is_empty());
    let mut policy = host.load::<NewLogin>(r#"{"network": true, "scan": {"channels": ["user"]}}"#).unwrap();
    policy.background("").unwrap();
    assert_eq!(
        (reasons(&host), host.alerts()[0].channels.clone()),
        (vec!["new-network".to_owned()], vec!["user".to_owned()])
    );
}

#[test]
fn it_is_quiet_while_it_learns() {
    let mut host = Host::new();
    for day in (1..10).rev() {
        for hour in 0..4 {
            host.reported(
                stored(-86_400.0 * f64::from(day) + 3600.0 * f64::from(hour), "192.0.2.1", "eve")
                    .place("NL", 1),
            );
        }
    }
    host.reported(stored(-30.0, "198.51.100.1", "eve").place("BR", 2));
    host.reported(stored(-30.0, "198.51.100.1", "new").place("BR", 2));
    let mut policy = host.load::<NewLogin>("{}").unwrap();
    policy.background("").unwrap();
    assert!(reasons(&host).is_empty());
    let mut policy = host.load::<NewLogin>(r#"{"learning_days": 7}"#).unwrap();
    policy.background("").unwrap();
    assert_eq!(reasons(&host), ["new-country"]);
}

#[test]
fn what_a_user_disowned_does_not_make_a_country_known() {
    let mut host = Host::new();
    month(&mut host);
    host.reported(
        stored(-90_000.0, "198.51.100.1", "ada")
            .place("BR", 64_500)
            .device("phone")
            .confirmed(Confirmation::Bad),
    );
    host.reported(stored(-30.0, "198.51.100.1", "ada").place("BR", 64_500).device("phone"));
    let mut policy = host.load::<NewLogin>("{}").unwrap();
    policy.background("").unwrap();
    assert_eq!(reasons(&host), ["new-country"]);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let mut host = Host::new();
    assert!(host.load::<NewLogin>(r#"{"memory_days": 5}"#).is_err());
    assert!(host.load::<NewLogin>(r#"{"scan": {"window": 0}}"#).is_err());
    assert!(host.load::<NewLogin>(r#"{"scans": {}}"#).is_err());
}

/// Hardly anything is asked about those who do what they always do, and nothing for a while about what was looked at.
#[test]
fn the_usual_login_costs_one_question_in_an_hour() {
    let mut host = Host::new();
    month(&mut host);
    let mut policy = host.load::<NewLogin>("{}").unwrap();
    for minute in 0..30 {
        host.reported(stored(-30.0, "192.0.2.1", "ada").place("NL", 64_496).device("phone"));
        policy.background("").unwrap();
        assert_eq!((host.asked("any"), host.questions() - host.asked("find-oldest")), (1, 1), "{minute}");
        host.advance(60.0);
    }
    // What is new is looked at at once.
    host.reported(stored(-30.0, "198.51.100.1", "ada").place("BR", 64_500).device("phone"));
    policy.background("").unwrap();
    assert_eq!(reasons(&host), ["new-country"]);
    host.advance(3700.0);
    host.reported(stored(-30.0, "192.0.2.1", "ada").place("NL", 64_496).device("phone"));
    let before = host.asked("any");
    policy.background("").unwrap();
    assert_eq!(host.asked("any"), before + 1);
}
