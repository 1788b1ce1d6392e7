#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use bstr::ByteSlice as _;

use super::*;
use crate::Addr;

fn pairs(pairs: &[(&str, &str)]) -> Attrs {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn lists(lists: &[(&str, &[&str])]) -> MultiAttrs {
    lists
        .iter()
        .map(|(key, values)| ((*key).into(), values.iter().map(|value| (*value).into()).collect()))
        .collect()
}

fn login() -> Login {
    Login {
        remote: Addr::parse(b"2001:DB8::25").unwrap(),
        login: "alice".into(),
        pwhash: "08a8".into(),
        protocol: "imap".into(),
        device_id: "\"name\" \"x\"".into(),
        session_id: "s1".into(),
        success: true,
        ..Login::default()
    }
}

#[test]
fn allow_with_everything() {
    let login = Login {
        device_attrs: Arc::new(pairs(&[("os.family", "Linux"), ("os.major", "6")])),
        attrs: pairs(&[("a", "1"), ("z", "2")]),
        attrs_mv: lists(&[("l", &["x", "y"]), ("m", &[])]),
        ..login()
    };
    let decision = Decision {
        status: -1,
        attrs: pairs(&[("expiration", "never"), ("key", "ip")]),
        ..Decision::default()
    };
    assert_eq!(
        allow_line(b"blacklisted IP", &login, &decision).as_bstr(),
        "allowLog blacklisted IP: allow=\"-1\" remote=\"2001:db8::25\" login=\"alice\" protocol=\"imap\" \
         device_id=\"\"name\" \"x\"\" session_id=\"s1\" device_attrs={os.family=\"Linux\", os.major=\"6\"} \
         attrs={a=\"1\", z=\"2\", l=[\"x\", \"y\"], m=[]} rattrs={expiration=\"never\" key=\"ip\" }"
    );
}

#[test]
fn allow_with_nothing() {
    assert_eq!(
        allow_line(b"", &Login::default(), &Decision::default()).as_bstr(),
        "allowLog : allow=\"0\" remote=\"0.0.0.0\" login=\"\" protocol=\"\" device_id=\"\" session_id=\"\" \
         device_attrs={} attrs={} rattrs={}"
    );
}

#[test]
fn lists_alone_keep_their_leading_separator() {
    let login = Login { attrs_mv: lists(&[("k", &["a", "b"])]), ..Login::default() };
    let line = allow_line(b"x", &login, &Decision::default());
    assert!(line.contains_str(" attrs={, k=[\"a\", \"b\"]} rattrs={}"), "{}", line.as_bstr());
}

#[test]
fn report_ends_in_a_blank() {
    assert_eq!(
        report_line(&login(), true).as_bstr(),
        "reportLog: remote=\"2001:db8::25\" login=\"alice\" success=\"1\" policy_reject=\"0\" pwhash=\"08a8\" \
         protocol=\"imap\" device_id=\"\"name\" \"x\"\" session_id=\"s1\" device_attrs={} attrs={} "
    );
}

#[test]
fn trackalert_leaves_the_session_out() {
    assert_eq!(
        report_line(&Login { policy_reject: true, ..Login::default() }, false).as_bstr(),
        "reportLog: remote=\"0.0.0.0\" login=\"\" success=\"0\" policy_reject=\"1\" pwhash=\"\" protocol=\"\" \
         device_id=\"\" device_attrs={} attrs={} "
    );
}

#[test]
fn bytes_pass_as_they_are() {
    let login = Login { login: b"caf\xe9\"".into(), ..Login::default() };
    assert!(report_line(&login, true).contains_str(b" login=\"caf\xe9\"\" "));
}

#[test]
fn one_long_value_leaves_the_others_whole() {
    let long: bstr::BString = "x".repeat(900_000).into();
    let login = Login {
        login: long.clone(),
        attrs: vec![("a".into(), long.clone())],
        attrs_mv: vec![(long.clone(), vec![long.clone(), "y".into()])],
        ..login()
    };
    let line = report_line(&login, true);
    let cut = format!("{}...({} bytes cut)", "x".repeat(crate::clip::VALUE), 900_000 - crate::clip::VALUE);
    assert!(line.contains_str(format!(" login=\"{cut}\" success=\"1\"")), "{}", line.as_bstr());
    assert!(line.contains_str(format!(
        " session_id=\"s1\" device_attrs={{}} attrs={{a=\"{cut}\", {cut}=[\"{cut}\", \"y\"]}} "
    )));
    let decision = Decision { attrs: vec![("reason".into(), long.clone())], ..Decision::default() };
    let line = allow_line(&long, &login, &decision);
    assert!(line.starts_with(
        format!("allowLog {cut}: allow=\"0\" remote=\"2001:db8::25\" login=\"{cut}\"").as_bytes()
    ));
    assert!(line.ends_with(format!("rattrs={{reason=\"{cut}\" }}").as_bytes()));
}
