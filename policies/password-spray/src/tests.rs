use portcullis::testing::{FieldType, Host, failed, login, succeeded};
use portcullis::{Forget, Policy, Verdict};

use super::PasswordSpray;

fn host() -> Host {
    let mut host = Host::new();
    let fields = [("failed", FieldType::Hll), ("good", FieldType::Hll)];
    host.stats("password_spray", 3600, 6, &fields).prefixes("password_spray", 32, 64);
    host.stats("known_good", 86400, 14, &[("good", FieldType::Hll)]);
    host
}

#[test]
fn an_address_that_goes_from_login_to_login_waits_and_is_then_refused() {
    let mut policy = host().load::<PasswordSpray>("{}").unwrap();
    let ask = login("2001:db8::ffff", "zoe");
    for n in 0..26 {
        let expected = if n > 8 { Some(3) } else { None };
        assert_eq!(policy.allow(&ask).unwrap().status(), expected, "after {n}");
        policy
            .report(&failed(&format!("2001:db8::{n:x}"), &format!("user{n}"), &format!("hash{n}")))
            .unwrap();
    }
    assert_eq!(policy.allow(&ask).unwrap().reason(), "spray_address_block", "the whole /64 counts as one");
}

#[test]
fn one_login_that_fails_often_is_no_spray() {
    let mut policy = host().load::<PasswordSpray>("{}").unwrap();
    for n in 0..500 {
        policy.report(&failed("192.0.2.1", "alice", &format!("hash{n}"))).unwrap();
    }
    assert_eq!(policy.allow(&login("192.0.2.1", "alice")).unwrap(), Verdict::pass());
}

#[test]
fn a_botnet_with_one_password_is_known_by_its_hash() {
    let mut policy = host().load::<PasswordSpray>("{}").unwrap();
    policy.report(&succeeded("192.0.2.1", "owner")).unwrap();
    for n in 0..41 {
        policy.report(&failed(&format!("203.0.{n}.1"), &format!("user{n}"), "5ca1")).unwrap();
    }
    let with = |remote: &str, name: &str, hash: &str| {
        let mut ask = login(remote, name);
        ask.pwhash = hash.to_owned();
        ask
    };
    assert_eq!(policy.allow(&with("198.51.100.1", "zoe", "5ca1")).unwrap().reason(), "spray_hash_block");
    assert_eq!(
        policy.allow(&with("198.51.100.1", "zoe", "beef")).unwrap(),
        Verdict::pass(),
        "another password"
    );
    assert_eq!(
        policy.allow(&with("192.0.2.9", "owner", "5ca1")).unwrap(),
        Verdict::pass(),
        "known from there"
    );
}

#[test]
fn short_hashes_that_meet_by_chance_are_no_spray() {
    // Twelve bits, twenty thousand logins that fail within six hours: five for each hash, so thirty on one are many, but with
    // two bits they would be few.
    let mut host = host();
    let mut policy = host.load::<PasswordSpray>(r#"{"hash_bits": 2}"#).unwrap();
    for n in 0..100 {
        policy.report(&failed(&format!("203.{n}.0.1"), &format!("user{n}"), &format!("{}", n % 4))).unwrap();
    }
    let mut ask = login("198.51.100.1", "zoe");
    ask.pwhash = "1".to_owned();
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
}

#[test]
fn an_office_of_forgetful_people_is_no_spray() {
    let mut policy = host().load::<PasswordSpray>("{}").unwrap();
    for n in 0..60 {
        policy.report(&succeeded("192.0.2.1", &format!("user{n}"))).unwrap();
    }
    for n in 0..60 {
        policy.report(&failed("192.0.2.1", &format!("user{n}"), &format!("hash{n}"))).unwrap();
        policy.report(&failed("192.0.2.1", &format!("misspelt{n}"), &format!("hash{n}"))).unwrap();
    }
    assert_eq!(policy.allow(&login("192.0.2.1", "newcomer")).unwrap(), Verdict::pass());
}

#[test]
fn a_reset_of_the_address_lets_it_in_again() {
    let mut policy = host().load::<PasswordSpray>("{}").unwrap();
    for n in 0..30 {
        policy.report(&failed("192.0.2.1", &format!("user{n}"), "")).unwrap();
    }
    let ask = login("192.0.2.1", "zoe");
    assert_eq!(policy.allow(&ask).unwrap().status(), Some(-1));
    assert!(policy.reset(&Forget { ip: Some(ask.remote), ..Forget::default() }).unwrap());
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    for (settings, word) in [
        (r#"{"adress_wait": 3}"#, "adress_wait"),
        (r#"{"hash_wait": 50}"#, "hash_wait"),
        (r#"{"credit": -1}"#, "credit"),
        (r#"{"hash_bits": 300}"#, "hash_bits"),
    ] {
        let Err(failure) = host().load::<PasswordSpray>(settings) else { panic!("{settings} was accepted") };
        assert!(failure.text().contains(word), "{settings}: {failure}");
    }
}
