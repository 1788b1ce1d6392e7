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
