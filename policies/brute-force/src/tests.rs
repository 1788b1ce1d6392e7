use portcullis::testing::{FieldType, Host, failed, login, succeeded};
use portcullis::{Forget, Policy, Verdict};

use super::BruteForce;

fn host() -> Host {
    let mut host = Host::new();
    host.stats("brute_force", 600, 6, &[("different", FieldType::Hll)]).prefixes("brute_force", 32, 64);
    host.stats("known_good", 86400, 14, &[("good", FieldType::Hll)]);
    host
}

/// So many failures of one login from one address, each with another password.
fn guess(policy: &mut BruteForce, remote: &str, name: &str, times: i32) {
    for attempt in 0..times {
        policy.report(&failed(remote, name, &format!("{name}{attempt}"))).unwrap();
    }
}

#[test]
fn a_guesser_waits_and_is_then_refused() {
    let mut policy = host().load::<BruteForce>("{}").unwrap();
    let ask = login("192.0.2.1", "alice");
    guess(&mut policy, "192.0.2.1", "alice", 3);
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
    guess(&mut policy, "192.0.2.1", "alice", 4);
    assert_eq!(policy.allow(&ask).unwrap().status(), Some(3));
    guess(&mut policy, "192.0.2.1", "alice", 21);
    assert_eq!(policy.allow(&ask).unwrap().reason(), "pair_block");
    assert_eq!(
        policy.allow(&login("198.51.100.7", "alice")).unwrap(),
        Verdict::pass(),
        "the owner, from elsewhere"
    );
}

#[test]
fn an_old_password_in_a_phone_is_no_attack() {
    let mut policy = host().load::<BruteForce>("{}").unwrap();
    for _ in 0..500 {
        policy.report(&failed("192.0.2.1", "alice", "last week's")).unwrap();
    }
    assert_eq!(policy.allow(&login("192.0.2.1", "alice")).unwrap(), Verdict::pass());
}

#[test]
fn an_address_that_works_through_a_list_waits_and_is_then_refused() {
    let mut policy = host().load::<BruteForce>("{}").unwrap();
    let ask = login("2001:db8::77", "zoe");
    for n in 0..26 {
        policy
            .report(&failed(&format!("2001:db8::{n:x}"), &format!("user{n}"), &format!("hash{n}")))
            .unwrap();
    }
    assert_eq!(policy.allow(&ask).unwrap().reason(), "address_wait", "the whole /64 counts as one");
    for n in 26..101 {
        policy.report(&failed("2001:db8::1", &format!("user{n}"), &format!("hash{n}"))).unwrap();
    }
    assert_eq!(policy.allow(&ask).unwrap().reason(), "address_block");
}

#[test]
fn the_owner_does_not_notice_that_others_guess() {
    let mut policy = host().load::<BruteForce>("{}").unwrap();
    policy.report(&succeeded("198.51.100.7", "alice")).unwrap();
    for n in 0..60 {
        policy.report(&failed(&format!("203.0.113.{n}"), "alice", &format!("hash{n}"))).unwrap();
    }
    assert_eq!(
        policy.allow(&login("198.51.100.99", "alice")).unwrap(),
        Verdict::pass(),
        "same network as yesterday"
    );
    assert_eq!(policy.allow(&login("203.0.113.200", "alice")).unwrap().reason(), "login_wait");
}

#[test]
fn mistakes_of_people_who_belong_there_do_not_count_against_their_colleagues() {
    let mut policy = host().load::<BruteForce>("{}").unwrap();
    // The day on which everybody's password expired: 150 phones go on with the old one.
    for n in 0..150 {
        policy.report(&succeeded("192.0.2.1", &format!("user{n}"))).unwrap();
    }
    for n in 0..150 {
        policy.report(&failed("192.0.2.1", &format!("user{n}"), &format!("old{n}"))).unwrap();
    }
    assert_eq!(policy.allow(&login("192.0.2.1", "newcomer")).unwrap(), Verdict::pass());
}

#[test]
fn an_outage_of_the_server_locks_nobody_out() {
    let mut policy = host().load::<BruteForce>("{}").unwrap();
    for n in 0..200 {
        let mut report = failed("192.0.2.1", "alice", &format!("hash{n}"));
        report.fail_type = "internal".to_owned();
        policy.report(&report).unwrap();
    }
    assert_eq!(policy.allow(&login("192.0.2.1", "alice")).unwrap(), Verdict::pass());
}

#[test]
fn an_hour_later_all_is_forgiven() {
    let mut host = host();
    let mut policy = host.load::<BruteForce>("{}").unwrap();
    guess(&mut policy, "192.0.2.1", "alice", 21);
    host.advance(3600.0);
    assert_eq!(policy.allow(&login("192.0.2.1", "alice")).unwrap(), Verdict::pass());
}

#[test]
fn what_we_refused_ourselves_counts_nothing() {
    let mut policy = host().load::<BruteForce>("{}").unwrap();
    for n in 0..30 {
        let mut report = failed("192.0.2.1", "alice", &format!("hash{n}"));
        report.policy_reject = true;
        policy.report(&report).unwrap();
    }
    assert_eq!(policy.allow(&login("192.0.2.1", "alice")).unwrap(), Verdict::pass());
}

#[test]
fn a_reset_of_address_and_login_clears_the_pair() {
    let mut policy = host().load::<BruteForce>("{}").unwrap();
    guess(&mut policy, "192.0.2.1", "alice", 21);
    let ask = login("192.0.2.1", "alice");
    let what = Forget { ip: Some(ask.remote), login: Some("alice".to_owned()), ja3: None };
    assert!(policy.reset(&what).unwrap());
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
    assert!(!policy.reset(&Forget::default()).unwrap());
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    for (settings, word) in [
        (r#"{"pair_wate": 3}"#, "pair_wate"),
        (r#"{"address_seconds": 3, "pair_wait": "many"}"#, "pair_wait"),
        (r#"{"pair_wait": 30}"#, "pair_wait"),
        (r#"{"login_wait": -1}"#, "login_wait"),
    ] {
        let Err(failure) = host().load::<BruteForce>(settings) else { panic!("{settings} was accepted") };
        assert!(failure.text().contains(word), "{settings}: {failure}");
    }
}

#[test]
fn without_its_databases_it_says_which_is_missing() {
    let Err(failure) = Host::new().load::<BruteForce>("{}") else { panic!("loaded without a DB") };
    assert!(failure.text().contains("brute_force"), "{failure}");
}
