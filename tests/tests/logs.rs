//! The lines that scripts and people read: `allowLog`, `reportLog`, list changes, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::{Daemon, Launch};
use serde_json::json;

/// What follows the time stamp of docker mode, `[2026-11-22 14:24:30,123] `.
fn text(line: &str) -> &str {
    let (stamp, rest) = line.split_once("] ").unwrap_or_else(|| panic!("no time stamp: {line:?}"));
    let digits: Vec<char> =
        stamp.chars().map(|each| if each.is_ascii_digit() { '0' } else { each }).collect();
    assert_eq!(digits.iter().collect::<String>(), "[0000-00-00 00:00:00,000", "{line:?}");
    rest
}

const POLICY: &str = r#"
setVerboseAllowLog()
setAllow(function(lt)
    if lt.login == "bad" then return -1, "no", "too many", { rule = "limit", count = 7 } end
    infoLog("looking", { login = lt.login })
    return 0, "", "fine", {}
end)
"#;

fn start() -> Daemon {
    Launch::new(POLICY).arg("-v").start()
}

#[test]
fn decisions() {
    let daemon = start();
    let client = daemon.client();
    client.allow(&json!({
        "login": "bad", "remote": "192.0.2.1", "protocol": "imap", "session_id": "s1",
        "device_id": r#""name" "Mail" "version" "1.2""#, "attrs": {"b": "2", "a": "1", "many": ["x", "y"]},
    }));
    assert_eq!(
        text(&daemon.log().wait_for("allowLog too many")),
        r#"allowLog too many: allow="-1" remote="192.0.2.1" login="bad" protocol="imap" device_id=""name" "Mail" "version" "1.2"" session_id="s1" device_attrs={imapc.family="Mail", imapc.major="1", imapc.minor="2", os.family="", os.major="", os.minor=""} attrs={a="1", b="2", many=["x", "y"]} rattrs={count="7" rule="limit" }"#
    );
    client.allow(&json!({"login": "good", "remote": "2001:DB8:0::1"}));
    assert_eq!(
        text(&daemon.log().wait_for("allowLog fine")),
        r#"allowLog fine: allow="0" remote="2001:db8::1" login="good" protocol="" device_id="" session_id="" device_attrs={} attrs={} rattrs={}"#
    );
    assert_eq!(text(&daemon.log().wait_for("looking")), r#"looking: login="good" "#);
}

#[test]
fn reports() {
    let daemon = start();
    daemon.client().report(&json!({
        "login": "a", "remote": "192.0.2.1", "pwhash": "ab12", "success": true, "protocol": "smtp",
    }));
    assert_eq!(
        text(&daemon.log().wait_for("reportLog")),
        r#"reportLog: remote="192.0.2.1" login="a" success="1" policy_reject="0" pwhash="ab12" protocol="smtp" device_id="" session_id="" device_attrs={} attrs={} "#
    );
}

#[test]
fn list_changes_and_hits() {
    let daemon = start();
    let client = daemon.client();
    let entry = json!({"ip": "192.0.2.9", "login": "eve", "expire_secs": 60, "reason": "test"});
    client.post("/command/addBLEntry", &entry);
    assert_eq!(
        text(&daemon.log().wait_for("addBLEntry")),
        r#"addBLEntry ip_login_bl: ip_login=192.0.2.9:eve expire_secs=60 reason="test""#
    );
    client.allow(&json!({"login": "eve", "remote": "192.0.2.9"}));
    let hit = daemon.log().wait_for("allowLog blacklisted IPLogin");
    assert!(
        text(&hit).starts_with(r#"allowLog blacklisted IPLogin: allow="-1" remote="192.0.2.9" login="eve""#),
        "{hit}"
    );
    assert!(hit.contains(r#"blacklisted="1""#) && hit.contains(r#"key="iplogin" reason="test" "#), "{hit}");
    client.post("/command/delBLEntry", &json!({"ip": "192.0.2.9", "login": "eve"}));
    assert_eq!(
        text(&daemon.log().wait_for("deleteBLEntry")),
        "deleteBLEntry ip_login_bl: ip_login=192.0.2.9:eve"
    );
}

#[test]
fn a_long_value_is_cut_and_the_rest_of_its_line_is_there() {
    let daemon = start();
    let client = daemon.client();
    let long = format!("long{}", "x".repeat(900_000));
    let cut = format!("{}...({} bytes cut)", &long[..4096], long.len() - 4096);
    client.allow(&json!({"login": long, "remote": "192.0.2.1", "protocol": "imap"}));
    let line = daemon.log().wait_for("allowLog fine");
    let head = format!(
        "allowLog fine: allow=\"0\" remote=\"192.0.2.1\" login=\"{cut}\" protocol=\"imap\" device_id=\"\" session_id=\"\" "
    );
    assert!(text(&line).starts_with(&head) && line.ends_with(" attrs={} rattrs={}"), "{line}");
    assert_eq!(text(&daemon.log().wait_for("looking")), format!("looking: login=\"{cut}\" "));
    client.report(&json!({"login": long, "remote": "192.0.2.1", "protocol": "imap"}));
    let line = daemon.log().wait_for("reportLog");
    assert!(line.contains(&format!("login=\"{cut}\" success=\"0\"")) && line.contains("protocol=\"imap\""));
    client.post("/command/addBLEntry", &json!({"login": long, "expire_secs": 60, "reason": "why"}));
    assert_eq!(
        text(&daemon.log().wait_for("addBLEntry")),
        format!("addBLEntry login_bl: login={cut} expire_secs=60 reason=\"why\"")
    );
}

#[test]
fn quiet_without_being_asked() {
    let mut daemon = Daemon::start("setAllow(function(lt) return 0, \"\", \"fine\", {} end)");
    daemon.client().allow(&json!({"login": "a"}));
    daemon.client().report(&json!({"login": "a"}));
    daemon.terminate();
    assert_eq!(
        daemon.log().count("allowLog") + daemon.log().count("reportLog"),
        0,
        "{:#?}",
        daemon.log().all()
    );
}

#[test]
fn bytes_pass_unchanged() {
    let daemon = start();
    // Not UTF-8: the harness shows each such byte as U+FFFD.
    let response = daemon.client().request(
        "POST",
        "/command/allow",
        &[],
        b"{\"login\": \"bad\", \"remote\": \"192.0.2.1\", \"protocol\": \"\xe9\xff\"}",
    );
    assert_eq!(response.status, 200);
    assert!(daemon.log().wait_for("allowLog").contains("protocol=\"\u{fffd}\u{fffd}\""));
}
