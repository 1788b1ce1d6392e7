use portcullis::Policy as _;
use portcullis::testing::{Host, stored};

use super::ImpossibleTravel;

/// What is told about a login in Delft so many minutes after one in London, New York or Delft.
fn told(minutes: f64, from: (f64, f64), known: bool) -> Vec<String> {
    let mut host = Host::new();
    if known {
        host.reported(stored(-86_400.0 * 5.0, "192.0.2.7", "ada").place("NL", 64_500).at(52.01, 4.36));
    }
    host.reported(stored(-30.0 - minutes * 60.0, "192.0.2.1", "ada").place("XX", 64_496).at(from.0, from.1));
    host.reported(stored(-30.0, "192.0.2.7", "ada").place("NL", 64_500).at(52.01, 4.36));
    let mut policy = host.load::<ImpossibleTravel>("{}").unwrap();
    policy.background("impossible-travel-alert").unwrap();
    host.alerts().into_iter().map(|alert| alert.text).collect()
}

const LONDON: (f64, f64) = (51.51, -0.13);
const NEW_YORK: (f64, f64) = (40.71, -74.01);

#[test]
fn nobody_crosses_the_ocean_in_two_hours() {
    assert_eq!(told(120.0, NEW_YORK, false), ["5843 km in 120 minutes"]);
    assert!(told(9.0 * 60.0, NEW_YORK, false).is_empty(), "that is a flight");
    assert!(told(10.0, LONDON, false).is_empty(), "near enough for a database's mistake");
    assert!(told(120.0, NEW_YORK, true).is_empty(), "a network that is known");
    assert!(told(120.0, (0.0, 0.0), false).is_empty(), "nobody knows where that was");
}

/// The pair is the first login of the burst and the one before the burst.
#[test]
fn connections_at_once_are_told_as_one() {
    let mut host = Host::new();
    host.reported(stored(-7230.0, "192.0.2.1", "ada").place("US", 64_496).at(NEW_YORK.0, NEW_YORK.1));
    for ago in [30.0, 29.0, 29.0, 28.0] {
        host.reported(stored(-ago, "192.0.2.7", "ada").place("NL", 64_500).at(52.01, 4.36));
    }
    let mut policy = host.load::<ImpossibleTravel>("{}").unwrap();
    policy.background("").unwrap();
    let texts = |host: &Host| host.alerts().into_iter().map(|alert| alert.text).collect::<Vec<_>>();
    assert_eq!(texts(&host), ["5843 km in 120 minutes"]);
    assert_eq!(host.alerts()[0].time, Some(host.now() - 30.0));
    // The first of them is before this scan's time, the others are not.
    host.advance(95.5);
    policy.background("").unwrap();
    assert_eq!(texts(&host).len(), 1);
}

/// The store is asked where somebody was once in a while, and when the journey may be impossible.
#[test]
fn near_logins_cost_no_questions() {
    let mut host = Host::new();
    let mut policy = host.load::<ImpossibleTravel>("{}").unwrap();
    for number in 0..25 {
        let place = if number % 2 == 0 { (52.01, 4.36) } else { LONDON };
        host.reported(stored(-10.0, &format!("192.0.2.{number}"), "ada").place("NL", 1).at(place.0, place.1));
        policy.background("").unwrap();
        host.advance(60.0);
    }
    assert_eq!(host.asked("find"), 1);
    // One of before those, that shows late: the store knows.
    host.reported(stored(-75.0, "192.0.2.200", "ada").place("US", 2).at(NEW_YORK.0, NEW_YORK.1));
    policy.background("").unwrap();
    assert_eq!(host.asked("find"), 2);
    host.advance(60.0);
    host.reported(stored(-30.0, "203.0.113.1", "ada").place("US", 2).at(NEW_YORK.0, NEW_YORK.1));
    policy.background("").unwrap();
    let told: Vec<_> =
        host.alerts().into_iter().filter_map(|alert| alert.ip).map(|ip| ip.to_string()).collect();
    assert_eq!(told, ["192.0.2.200", "203.0.113.1"]);
}

/// After logins were left out nobody knows where users were last: the store does.
#[test]
fn a_gap_is_not_travelled_over() {
    let mut host = Host::new();
    let mut policy = host.load::<ImpossibleTravel>("{}").unwrap();
    host.reported(stored(-30.0, "192.0.2.1", "ada").place("NL", 1).at(52.01, 4.36));
    policy.background("").unwrap();
    // Half an hour without a run; in it a journey that nobody can make, and then its end.
    host.reported(stored(300.0, "203.0.113.1", "ada").place("US", 2).at(NEW_YORK.0, NEW_YORK.1));
    host.reported(stored(1790.0, "192.0.2.1", "ada").place("NL", 1).at(52.01, 4.36));
    host.advance(1800.0);
    policy.background("").unwrap();
    let texts: Vec<_> = host.alerts().into_iter().map(|alert| alert.text).collect();
    assert_eq!(texts, ["5843 km in 25 minutes"]);
}
