use portcullis::testing::{FieldType, Host, failed, login, succeeded};
use portcullis::{Forget, Policy, Verdict};

use super::Rbl;

const ONE: &str = r#"{"zones": [{"name": "bl.example.org"}]}"#;

fn host(answers: &[(&str, &[&str])]) -> Host {
    let mut host = Host::new();
    host.stats("rbl_failures", 600, 6, &[("failures", FieldType::Int)]).prefixes("rbl_failures", 32, 64);
    host.stats("rbl_cache", 300, 3, &[("asked", FieldType::Hll), ("listed", FieldType::Hll)]);
    host.stats("known_good", 86400, 14, &[("good", FieldType::Hll)]);
    host.dns("rbl", answers);
    host
}

#[test]
fn a_listed_address_waits_and_is_refused_when_it_guesses() {
    let mut policy = host(&[("bl.example.org/203.0.113.9", &["127.0.0.4"])]).load::<Rbl>(ONE).unwrap();
    let ask = login("203.0.113.9", "alice");
    assert_eq!(policy.allow(&ask).unwrap().status(), Some(5));
    assert_eq!(policy.allow(&login("203.0.113.8", "alice")).unwrap(), Verdict::pass());
    for _ in 0..3 {
        policy.report(&failed("203.0.113.9", "bob", "x")).unwrap();
        policy.report(&failed("203.0.113.8", "bob", "x")).unwrap();
    }
    let verdict = policy.allow(&ask).unwrap();
    assert_eq!((verdict.status(), verdict.reason()), (Some(-1), "rbl_block"));
    assert!(format!("{verdict:?}").contains("bl.example.org"));
    assert_eq!(policy.allow(&login("203.0.113.8", "alice")).unwrap(), Verdict::pass(), "it only fails");
}

#[test]
fn the_owner_of_an_infected_machine_is_let_in_from_where_he_is_known() {
    let mut policy = host(&[("bl.example.org/203.0.113.9", &["127.0.0.4"])]).load::<Rbl>(ONE).unwrap();
    policy.report(&succeeded("203.0.113.9", "alice")).unwrap();
    assert_eq!(policy.allow(&login("203.0.113.9", "alice")).unwrap(), Verdict::pass());
    assert_eq!(policy.allow(&login("203.0.113.9", "bob")).unwrap().status(), Some(5));
}

#[test]
fn dial_up_lists_and_overrun_quotas_are_no_hits_unless_asked_for() {
    let answers: &[(&str, &[&str])] = &[
        ("bl.example.org/203.0.113.1", &["127.0.0.10"]),
        ("bl.example.org/203.0.113.2", &["127.255.255.254"]),
    ];
    let mut policy = host(answers).load::<Rbl>(ONE).unwrap();
    for remote in ["203.0.113.1", "203.0.113.2"] {
        assert_eq!(policy.allow(&login(remote, "alice")).unwrap(), Verdict::pass(), "{remote}");
    }
    let own = r#"{"zones": [{"name": "bl.example.org", "answers": ["127.0.0.10"]}]}"#;
    let mut policy = host(answers).load::<Rbl>(own).unwrap();
    assert_eq!(policy.allow(&login("203.0.113.1", "alice")).unwrap().status(), Some(5));
}

#[test]
fn an_answer_is_kept_for_a_quarter_of_an_hour() {
    let mut host = host(&[]);
    let mut policy = host.load::<Rbl>(ONE).unwrap();
    let ask = login("203.0.113.9", "alice");
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass());
    host.dns("rbl", &[("bl.example.org/203.0.113.9", &["127.0.0.4"])]);
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass(), "asked already");
    host.advance(900.0);
    assert_eq!(policy.allow(&ask).unwrap().status(), Some(5));
    host.dns("rbl", &[]);
    let what = Forget { ip: Some(ask.remote), ..Forget::default() };
    assert!(policy.reset(&what).unwrap());
    assert_eq!(policy.allow(&ask).unwrap(), Verdict::pass(), "asked again after a reset");
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    for (settings, word) in [
        ("{}", "zones"),
        (r#"{"zones": [{"name": "nozone"}]}"#, "nozone"),
        (r#"{"zones": [{"name": "a.b", "answers": ["listed"]}]}"#, "listed"),
        (r#"{"zones": [{"name": "a.b", "answer": []}]}"#, "answer"),
        (r#"{"zones": [{"name": "a.b"}], "resolver": "other"}"#, "other"),
        (r#"{"zones": [{"name": "a.b"}], "block_failures": -1}"#, "block_failures"),
    ] {
        let Err(failure) = host(&[]).load::<Rbl>(settings) else { panic!("{settings} was accepted") };
        assert!(failure.text().contains(word), "{settings}: {failure}");
    }
}
