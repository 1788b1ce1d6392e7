#![allow(clippy::unwrap_used, clippy::expect_used)]

use bstr::ByteSlice as _;
use proptest::prelude::*;

use super::*;

fn login(body: &str) -> Login {
    let login = Login::parse(body.as_bytes()).unwrap();
    assert_eq!(Login::from_json(&json::parse(body.as_bytes()).unwrap()).unwrap(), login, "both ways agree");
    login
}

fn written(login: &Login) -> String {
    let mut out = Vec::new();
    login.write_json(&mut out);
    out.to_str().unwrap().to_owned()
}

#[test]
fn body_of_dovecot() {
    let login = login(
        r#"{"device_id":"\"name\" \"Thunderbird\"","login":"alice","protocol":"imap","pwhash":"08a8","remote":"198.51.100.7","session_id":"sess42","success":true,"policy_reject":false,"tls":true}"#,
    );
    assert_eq!(login.device_id, r#""name" "Thunderbird""#);
    assert_eq!((login.login, login.protocol), ("alice".into(), "imap".into()));
    assert_eq!((login.pwhash, login.session_id), ("08a8".into(), "sess42".into()));
    assert_eq!(login.remote.to_string(), "198.51.100.7");
    assert!(login.success && !login.policy_reject && login.tls && !login.device_attrs_given);
}

#[test]
fn absent_null_and_mistyped_members_read_as_nothing() {
    for body in [
        "{}",
        "[]",
        "5",
        r#""text""#,
        "true",
        r#"{"login": null, "remote": null, "success": null, "t": null, "attrs": null, "device_attrs": null}"#,
        r#"{"login": 5, "pwhash": [], "device_id": {}, "protocol": true, "session_id": 1.5, "fail_type": false}"#,
        r#"{"remote": 5, "success": "true", "policy_reject": 1, "tls": [], "t": "5"}"#,
        r#"{"attrs": [], "device_attrs": ["x"], "unknown": "member"}"#,
    ] {
        assert_eq!(login(body), Login::default(), "{body}");
    }
}

#[test]
fn last_of_equal_members_counts() {
    let login = login(
        r#"{"login": "a", "remote": "nonsense", "success": true, "login": "b", "remote": "::1", "success": 0}"#,
    );
    assert_eq!((login.login, login.remote.to_string(), login.success), ("b".into(), "::1".to_owned(), false));
}

#[test]
fn remote_loses_port_and_mapping() {
    for (text, remote) in
        [("::ffff:1.2.3.4", "1.2.3.4"), ("1.2.3.4:99", "1.2.3.4"), ("[::1]:5", "::1"), ("127.1", "127.0.0.1")]
    {
        let login = login(&format!(r#"{{"remote": "{text}"}}"#));
        assert_eq!((login.remote.to_string().as_str(), login.remote.port), (remote, 0), "{text}");
    }
}

#[test]
fn bad_remote_is_told_only_of_valid_json() {
    assert_eq!(
        Login::parse(br#"{"remote": "x.example", "login": "a"}"#).unwrap_err().to_string(),
        "Unable to convert presentation address 'x.example'"
    );
    assert!(matches!(Login::parse(br#"{"remote": ""}"#), Err(LoginError::Addr(_))));
    assert!(matches!(Login::parse(br#"{"remote": "x.example", "#), Err(LoginError::Json(_))));
}

#[test]
fn bodies_that_are_no_json() {
    for (body, reason) in [
        ("", "unexpected end of input"),
        ("null", ""),
        (" null ", ""),
        ("x", "expected value, got 'x' (120)"),
        ("{}x", "unexpected trailing 'x' (120)"),
        ("[]x", "unexpected trailing 'x' (120)"),
        (r#"{"login": "a""#, "unexpected end of input"),
        ("\0{}", "unexpected end of input"),
    ] {
        assert_eq!(Login::parse(body.as_bytes()).unwrap_err().to_string(), reason, "{body:?}");
    }
}

#[test]
fn supplied_device_attributes_are_kept_even_if_empty() {
    let empty = login(r#"{"device_attrs": {}}"#);
    assert!(empty.device_attrs_given && empty.device_attrs.is_empty());
    let some = login(r#"{"device_attrs": {"os.family": "x", "n": 5, "l": ["y"]}}"#);
    assert!(some.device_attrs_given);
    assert_eq!(*some.device_attrs, [("os.family".into(), "x".into())]);
}

#[test]
fn output_has_all_keys_in_order() {
    assert_eq!(
        written(&Login::default()),
        r#"{"attrs": {}, "device_attrs": {}, "device_id": "", "fail_type": "", "login": "", "policy_reject": false, "protocol": "", "pwhash": "", "remote": "0.0.0.0", "session_id": "", "success": false, "t": 0, "tls": false}"#
    );
    let login = Login {
        t: 1_795_323_847.814_48,
        ..login(
            r#"{"tls": true, "remote": "::ffff:1.2.3.4", "login": "a\"b", "attrs": {"m": ["1", 2], "a": "x"}, "device_attrs": {"d": "e"}, "fail_type": "expired"}"#,
        )
    };
    assert_eq!(
        written(&login),
        r#"{"attrs": {"a": "x", "m": ["1", ""]}, "device_attrs": {"d": "e"}, "device_id": "", "fail_type": "expired", "login": "a\"b", "policy_reject": false, "protocol": "", "pwhash": "", "remote": "1.2.3.4", "session_id": "", "success": false, "t": 1795323847.8144801, "tls": true}"#
    );
}

#[test]
fn invalid_utf8_passes_unchanged() {
    let login = Login::parse(b"{\"login\": \"caf\xe9\", \"attrs\": {\"\xff\": \"\xfe\"}}").unwrap();
    assert_eq!(login.login, b"caf\xe9".as_bstr());
    let mut out = Vec::new();
    login.write_json(&mut out);
    assert!(out.contains_str(b"\"login\": \"caf\xe9\"") && out.contains_str(b"{\"\xff\": \"\xfe\"}"));
}

#[test]
fn a_member_may_follow_the_login() {
    let mut out = Vec::new();
    let mut object = ObjectWriter::new(&mut out);
    Login::default().write_members(&mut object);
    object.str(b"type", b"wforce_report");
    object.finish();
    assert!(out.ends_with(br#""tls": false, "type": "wforce_report"}"#), "{}", out.as_bstr());
}

fn text() -> impl Strategy<Value = BString> {
    proptest::collection::vec(any::<u8>(), 0..12).prop_map(BString::from)
}

fn strings() -> impl Strategy<Value = Attrs> {
    proptest::collection::btree_map(text(), text(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn lists() -> impl Strategy<Value = MultiAttrs> {
    proptest::collection::btree_map(text(), proptest::collection::vec(text(), 0..3), 0..4)
        .prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        texts in [text(), text(), text(), text(), text(), text()],
        flags: [bool; 3],
        t in -1e12..1e12,
        remote: u128,
        attrs in strings(),
        device_attrs in strings(),
        lists in lists(),
    ) {
        let [login, pwhash, device_id, protocol, session_id, fail_type] = texts;
        let [success, policy_reject, tls] = flags;
        let single = |key: &BString| attrs.iter().any(|(name, _)| name == key);
        let attrs_mv = lists.into_iter().filter(|(key, _)| !single(key)).collect();
        let remote = Addr::from_ip(std::net::IpAddr::V6(remote.into())).unmapped();
        let login = Login {
            t, remote, login, pwhash, device_id, protocol, session_id, fail_type, success, policy_reject, tls,
            attrs, attrs_mv,
            device_attrs: Arc::new(device_attrs),
            device_attrs_given: true,
            report_id: None,
        };
        let mut out = Vec::new();
        login.write_json(&mut out);
        prop_assert_eq!(Login::parse(&out), Ok(login));
    }
}
