use portcullis::testing::{Host, login};
use portcullis::{Policy, Verdict};

use super::GeoFence;

fn host() -> Host {
    let mut host = Host::new();
    host.geoip("Country", &[("81.2.69.0/24", "GB", 51.5, -0.1), ("2001:218::/32", "JP", 35.0, 139.0)]);
    host
}

fn status(policy: &mut GeoFence, remote: &str, name: &str) -> Option<i32> {
    policy.allow(&login(remote, name)).unwrap().status()
}

#[test]
fn only_the_countries_that_are_allowed_get_in() {
    let mut policy = host().load::<GeoFence>(r#"{"allow": ["GB", "IE"]}"#).unwrap();
    assert_eq!(policy.allow(&login("81.2.69.142", "alice")).unwrap(), Verdict::pass());
    let verdict = policy.allow(&login("2001:218::1", "alice")).unwrap();
    assert_eq!((verdict.status(), verdict.reason()), (Some(-1), "geo_fence"));
    assert!(format!("{verdict:?}").contains("JP"));
    assert_eq!(status(&mut policy, "192.0.2.1", "alice"), None, "nobody knows where that is");
    assert_eq!(status(&mut policy, "10.0.0.1", "alice"), None, "inside the site");
}

#[test]
fn a_list_of_denied_countries_lets_all_others_in() {
    let mut policy =
        host().load::<GeoFence>(r#"{"deny": ["JP"], "unknown": "deny", "wait_seconds": 20}"#).unwrap();
    assert_eq!(status(&mut policy, "81.2.69.142", "alice"), None);
    assert_eq!(status(&mut policy, "2001:218::1", "alice"), Some(20));
    assert_eq!(status(&mut policy, "192.0.2.1", "alice"), Some(20));
    assert_eq!(status(&mut policy, "127.0.0.1", "alice"), None);
}

#[test]
fn a_domain_may_have_a_fence_of_its_own() {
    let settings =
        r#"{"allow": ["GB"], "domains": {"Tokyo.example": {"allow": ["JP"]}, "open.example": {}}}"#;
    let mut policy = host().load::<GeoFence>(settings).unwrap();
    assert_eq!(status(&mut policy, "2001:218::1", "alice@tokyo.EXAMPLE"), None);
    assert_eq!(status(&mut policy, "81.2.69.142", "alice@tokyo.example"), Some(-1));
    assert_eq!(status(&mut policy, "2001:218::1", "alice@open.example"), None);
    assert_eq!(status(&mut policy, "2001:218::1", "alice@elsewhere.example"), Some(-1));
}

#[test]
fn empty_tables_of_lua_are_empty_lists() {
    assert!(host().load::<GeoFence>(r#"{"allow": {}, "deny": ["JP"], "domains": []}"#).is_ok());
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    for (settings, word) in [
        ("{}", "no fence"),
        (r#"{"allow": ["de"]}"#, "allow"),
        (r#"{"allow": ["UK"]}"#, "GB"),
        (r#"{"domains": {"a.example": {"deny": ["Germany"]}}}"#, "domains.a.example.deny"),
        (r#"{"deny": ["DE"], "unknown": "maybe"}"#, "unknown"),
        (r#"{"deny": ["DE"], "country": "x"}"#, "country"),
        (r#"{"deny": "DE"}"#, "deny"),
        (r#"{"deny": ["DE"], "database": "City"}"#, "City"),
    ] {
        let Err(failure) = host().load::<GeoFence>(settings) else { panic!("{settings} was accepted") };
        assert!(failure.text().contains(word), "{settings}: {failure}");
    }
}
