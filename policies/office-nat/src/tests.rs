use portcullis::testing::{FieldType, Host, failed, login, succeeded};
use portcullis::{Forget, Policy, Verdict};

use super::OfficeNat;

const OFFICE: &str = "192.0.2.1";

fn host() -> Host {
    let mut host = Host::new();
    host.stats("office_week", 86400, 7, &[("people", FieldType::Hll)]).prefixes("office_week", 32, 64);
    let fields = [("strangers", FieldType::Hll), ("different", FieldType::Hll)];
    host.stats("office_hour", 600, 6, &fields).prefixes("office_hour", 32, 64);
    host.stats("known_good", 86400, 14, &[("good", FieldType::Hll)]);
    host
}

fn office(policy: &mut OfficeNat, people: i32) {
    for n in 0..people {
        policy.report(&succeeded(OFFICE, &format!("user{n}"))).unwrap();
    }
}

fn vouches(policy: &mut OfficeNat, name: &str) -> bool {
    let verdict = policy.allow(&login(OFFICE, name)).unwrap();
    assert!(verdict == Verdict::pass() || verdict.status() == Some(0), "{verdict:?}");
    verdict != Verdict::pass()
}

#[test]
fn an_address_with_enough_people_is_vouched_for() {
    let mut policy = host().load::<OfficeNat>("{}").unwrap();
    office(&mut policy, 4);
    assert!(!vouches(&mut policy, "user1"), "a household");
    office(&mut policy, 5);
    assert!(vouches(&mut policy, "user1"));
    assert!(vouches(&mut policy, "newcomer"));
    assert_eq!(policy.allow(&login("192.0.2.2", "user1")).unwrap(), Verdict::pass(), "next door");
}

#[test]
fn an_office_that_attacks_is_vouched_for_no_more_but_its_people_are() {
    let mut policy = host().load::<OfficeNat>("{}").unwrap();
    office(&mut policy, 20);
    for n in 0..8 {
        policy.report(&failed(OFFICE, &format!("victim{n}"), "x")).unwrap();
    }
    assert!(!vouches(&mut policy, "newcomer"), "an infected machine tries one login after the other");
    assert!(vouches(&mut policy, "user7"));
}

#[test]
fn who_guesses_is_not_vouched_for_and_forgiven_after_an_hour() {
    let mut host = host();
    let mut policy = host.load::<OfficeNat>("{}").unwrap();
    office(&mut policy, 10);
    for n in 0..6 {
        policy.report(&failed(OFFICE, "user1", &format!("hash{n}"))).unwrap();
    }
    assert!(!vouches(&mut policy, "user1"));
    assert!(vouches(&mut policy, "user2"));
    host.advance(3600.0);
    assert!(vouches(&mut policy, "user1"));
}

#[test]
fn a_reset_clears_the_record_of_a_pair_and_of_the_address() {
    let mut policy = host().load::<OfficeNat>("{}").unwrap();
    office(&mut policy, 10);
    for n in 0..20 {
        policy.report(&failed(OFFICE, "user1", &format!("hash{n}"))).unwrap();
        policy.report(&failed(OFFICE, &format!("victim{n}"), "x")).unwrap();
    }
    assert!(!vouches(&mut policy, "user1") && !vouches(&mut policy, "newcomer"));
    let ip = Some(login(OFFICE, "").remote);
    assert!(policy.reset(&Forget { ip, login: Some("user1".to_owned()), ja3: None }).unwrap());
    assert!(vouches(&mut policy, "user1") && vouches(&mut policy, "newcomer"));
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    for (settings, word) in [
        (r#"{"people": 1}"#, "people"),
        (r#"{"strangers": -1}"#, "strangers"),
        (r#"{"password": 1}"#, "password"),
    ] {
        let Err(failure) = host().load::<OfficeNat>(settings) else { panic!("{settings} was accepted") };
        assert!(failure.text().contains(word), "{settings}: {failure}");
    }
}
