use portcullis::testing::{FieldType, Host, failed, login, succeeded};
use portcullis::{Forget, Policy, Verdict};

use super::DistributedGuessing;

fn host() -> Host {
    let mut host = Host::new();
    host.stats("guessing", 7200, 12, &[("networks", FieldType::Hll), ("passwords", FieldType::Hll)]);
    host.stats("known_good", 86400, 14, &[("good", FieldType::Hll)]);
    host
}

/// Each from a network of its own, with a password of its own.
fn guess(policy: &mut DistributedGuessing, name: &str, times: i32) {
    for n in 0..times {
        policy.report(&failed(&format!("203.0.{n}.7"), name, &format!("hash{n}"))).unwrap();
    }
}

#[test]
fn strange_networks_wait_and_are_then_refused() {
    let mut policy = host().load::<DistributedGuessing>("{}").unwrap();
    let ask = login("198.51.100.1", "alice");
    guess(&mut policy, "alice", 5);
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
    guess(&mut policy, "alice", 6);
    assert_eq!(policy.allow(&ask).unwrap().status(), Some(5));
    guess(&mut policy, "alice", 21);
    assert_eq!(policy.allow(&ask).unwrap().reason(), "guessing_block");
    assert_eq!(policy.allow(&login("198.51.100.1", "bob")).unwrap(), Verdict::pass());
}

#[test]
fn the_owner_gets_in_from_where_he_is_known_and_waits_nearby() {
    let mut policy = host().load::<DistributedGuessing>("{}").unwrap();
    policy.report(&succeeded("198.51.100.1", "alice")).unwrap();
    guess(&mut policy, "alice", 100);
    assert_eq!(policy.allow(&login("198.51.100.99", "alice")).unwrap(), Verdict::pass());
    assert_eq!(policy.allow(&login("198.51.7.1", "alice")).unwrap().status(), Some(5), "the same provider");
    assert_eq!(policy.allow(&login("192.0.2.1", "alice")).unwrap().status(), Some(-1));
}

#[test]
fn a_phone_on_the_road_with_an_old_password_is_no_attack() {
    let mut policy = host().load::<DistributedGuessing>("{}").unwrap();
    for n in 0..100 {
        policy.report(&failed(&format!("203.0.{n}.7"), "alice", "last week's")).unwrap();
    }
    assert_eq!(policy.allow(&login("203.0.113.7", "alice")).unwrap(), Verdict::pass());
}

#[test]
fn a_guesser_in_one_place_is_left_to_other_policies() {
    let mut policy = host().load::<DistributedGuessing>("{}").unwrap();
    for n in 0..100 {
        policy.report(&failed(&format!("2001:db8::{n}"), "alice", &format!("hash{n}"))).unwrap();
    }
    assert_eq!(policy.allow(&login("2001:db8::1", "alice")).unwrap(), Verdict::pass(), "one /48");
}

#[test]
fn a_day_later_and_after_a_reset_all_is_forgiven() {
    let mut host = host();
    let mut policy = host.load::<DistributedGuessing>("{}").unwrap();
    let ask = login("198.51.100.1", "alice");
    guess(&mut policy, "alice", 30);
    let what = Forget { login: Some("alice".to_owned()), ..Forget::default() };
    assert!(policy.reset(&what).unwrap());
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
    guess(&mut policy, "alice", 30);
    assert_eq!(policy.allow(&ask).unwrap().status(), Some(-1));
    host.advance(86400.0);
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    for (settings, word) in
        [(r#"{"waits": 3}"#, "waits"), (r#"{"wait": 30}"#, "wait"), (r#"{"block": -1}"#, "block")]
    {
        let Err(failure) = host().load::<DistributedGuessing>(settings) else {
            panic!("{settings} was accepted")
        };
        assert!(failure.text().contains(word), "{settings}: {failure}");
    }
}
