//! Alerts of a real daemon: mail through a real server, webhooks, entries on another daemon's blacklist.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::daemon::PASSWORD;
use portcullis_tests::receiver::Receiver;
use portcullis_tests::smtp::Smtp;
use portcullis_tests::{Daemon, Launch};
use serde_json::{Value, json};

/// Tells of every login with what the client sent, and answers what became of it.
const POLICY: &str = r#"
setAllow(function(lt)
    local wanted = { reason = lt.device_id, login = lt.login, ip = lt.remote, time = lt.t, severity = "critical",
        text = "Grüße & <b>", fields = { kilometres = 1234 } }
    if lt.protocol ~= "" then wanted.channels = { lt.protocol } end
    if lt.session_id ~= "" then wanted.language = lt.session_id end
    return 0, "", "", { alert = alert(wanted) }
end)
"#;

fn tell(daemon: &Daemon, login: &str, reason: &str, channel: &str) -> Value {
    tell_in(daemon, login, reason, channel, "")
}

fn tell_in(daemon: &Daemon, login: &str, reason: &str, channel: &str, language: &str) -> Value {
    let tuple = json!({"login": login, "remote": "192.0.2.1", "pwhash": "1", "device_id": reason, "protocol": channel,
        "session_id": language});
    daemon.client().allow(&tuple)["r_attrs"]["alert"].clone()
}

fn mail_settings(smtp: &Smtp, security: &str, more: &str) -> String {
    let (host, port) = (smtp.addr.ip(), smtp.addr.port());
    let trust =
        if security == "none" { String::new() } else { format!("ca_file = \"{}\",", smtp.authority()) };
    format!(
        "setAlertMail{{ host = \"{host}\", port = {port}, security = \"{security}\", {trust}\n\
         from = \"Mail team <alerts@example.com>\", to = {{ \"ops@example.com\", \"noc@example.com\" }},\n\
         user_to = \"%{{login}}@example.com\", timezone = \"UTC\", {more} }}\nsetAlertLimits{{ pause_ms = 10 }}\n{POLICY}"
    )
}

#[test]
fn mail_goes_out_over_starttls_with_a_password() {
    let smtp = Smtp::start("starttls", &["robot", "s3cret pass"]);
    let more = "user = \"robot\", password_file = \"mail.password\"";
    let daemon =
        Launch::new(&mail_settings(&smtp, "starttls", more)).file("mail.password", "s3cret pass\n").start();
    assert_eq!(tell(&daemon, "ada", "new-country", ""), "queued");
    let mail = smtp.mail(1);
    assert_eq!(mail["secure"], true);
    assert_eq!(mail["user"], "robot");
    assert_eq!(mail["sender"], "alerts@example.com");
    assert_eq!(mail["to"], json!(["ops@example.com", "noc@example.com"]));
    assert_eq!(mail["headers"]["Subject"], "[critical] new-country: ada (192.0.2.1)");
    assert_eq!(mail["headers"]["From"], "Mail team <alerts@example.com>");
    assert_eq!(mail["headers"]["Auto-Submitted"], "auto-generated");
    let plain = mail["plain"].as_str().unwrap();
    assert!(plain.contains("Grüße & <b>") && plain.contains("kilometres: 1234"), "{plain}");
    assert!(mail["html"].as_str().unwrap().contains("Grüße &amp; &lt;b&gt;"));
    daemon.log().wait_for("mail sent to ops@example.com, noc@example.com");
    assert!(!daemon.log().all().iter().any(|line| line.contains("s3cret")));

    // The same again is not told, another reason is.
    assert_eq!(tell(&daemon, "ada", "new-country", ""), "duplicate");
    assert_eq!(tell(&daemon, "ada", "new-device", "user"), "queued");
    assert_eq!(smtp.mail(2)["to"], json!(["ada@example.com"]));
    let metric = |name: &str| daemon.client().metric(name);
    assert_eq!(metric("portcullis_alerts_total{result=\"queued\"}"), Some(2.0));
    assert_eq!(metric("portcullis_alerts_total{result=\"duplicate\"}"), Some(1.0));
}

#[test]
fn mail_goes_out_over_tls_in_the_users_language() {
    let smtp = Smtp::start("tls", &["robot", "pw"]);
    let daemon = Daemon::start(&mail_settings(&smtp, "tls", "user = \"robot\", password = \"pw\""));
    tell_in(&daemon, "bob", "new-country", "user", "de-AT");
    let mail = smtp.mail(1);
    assert_eq!(
        (&mail["secure"], &mail["headers"]["Subject"]),
        (&json!(true), &json!("Eine Anmeldung bei Ihrem Konto"))
    );
    assert!(mail["html"].as_str().unwrap().contains("ungewöhnlich"));
}

#[test]
fn a_server_that_cannot_be_trusted_gets_nothing() {
    let (smtp, other) = (Smtp::start("starttls", &[]), Smtp::start("starttls", &[]));
    let settings = mail_settings(&smtp, "starttls", "").replace(&smtp.authority(), &other.authority());
    let daemon = Daemon::start(&format!("{settings}\nsetAlertLimits{{ pause_ms = 1, attempts = 2 }}"));
    tell(&daemon, "ada", "r", "");
    daemon.log().wait_for("mail failed:");
    assert_eq!(smtp.mails(), 0);
}

#[test]
fn a_busy_server_is_asked_again_and_a_refusal_is_final() {
    let smtp = Smtp::start("none", &["--busy", "2", "--refuse", "gone@example.com"]);
    let daemon = Daemon::start(&mail_settings(&smtp, "none", ""));
    tell(&daemon, "ada", "r", "user");
    let mail = smtp.mail(1);
    assert_eq!(mail["to"], json!(["ada@example.com"]));
    assert_eq!(daemon.client().metric("portcullis_alert_retries_total{channel=\"user\"}"), Some(2.0));
    tell(&daemon, "gone", "r", "user");
    daemon.log().wait_for("user failed:");
    smtp.wait_for("refused", 1);
    assert_eq!(daemon.client().metric("portcullis_alert_retries_total{channel=\"user\"}"), Some(2.0));
    // Whoever logs in under a name with more in it reaches nobody else.
    tell(&daemon, "eve@example.com\r\nBcc: victim", "r", "user");
    daemon.log().wait_for("is no address of mail");
    assert_eq!(smtp.mails(), 1);
}

#[test]
fn operators_write_their_own_templates() {
    let smtp = Smtp::start("none", &[]);
    let launch =
        Launch::new(&format!("{}\nsetAlertTemplates(\"letters\")", mail_settings(&smtp, "none", "")));
    std::fs::create_dir(launch.folder().join("letters")).unwrap();
    let daemon = launch
        .file("letters/user-r.en.txt", "Subject: Hé {{login}}\n\nNur Text für {{login}} aus {{ip}}.\n")
        .start();
    tell(&daemon, "ada", "r", "user");
    let mail = smtp.mail(1);
    assert_eq!((&mail["headers"]["Subject"], &mail["html"]), (&json!("Hé ada"), &Value::Null));
    assert_eq!(mail["plain"].as_str().unwrap().trim(), "Nur Text für ada aus 192.0.2.1.");
}

#[test]
fn webhooks_are_told_and_another_daemon_blocks() {
    let receiver = Receiver::start("200 OK");
    let wforce = Daemon::start("");
    let daemon = Daemon::start(&format!(
        "addAlertWebhook(\"siem\", {{ url = \"{}\", secret = \"s\" }})\n\
         addAlertBlock{{ url = \"http://{}\", password = \"{PASSWORD}\", seconds = 600 }}\n{POLICY}",
        receiver.url(),
        wforce.http,
    ));
    assert_eq!(tell(&daemon, "ada", "stuffing", ""), "queued");
    let request = receiver.next();
    assert!(request.header("x-wforce-signature").is_some());
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        (&body["type"], &body["reason"], &body["login"]),
        (&json!("alert"), &json!("stuffing"), &json!("ada"))
    );
    assert_eq!((&body["remote"], &body["severity"]), (&json!("192.0.2.1"), &json!("critical")));
    assert_eq!(body["fields"]["kilometres"], "1234");

    assert_eq!(tell(&daemon, "ada", "stolen", "block"), "queued");
    daemon.log().wait_for("192.0.2.1 with ada blocked for 600 s");
    let denied = |login: &str| {
        let tuple = json!({"login": login, "remote": "192.0.2.1", "pwhash": "1"});
        wforce.client().allow(&tuple)["status"].as_i64() == Some(-1)
    };
    assert!(denied("ada") && !denied("bob"));
    let list = wforce.client().get("/command/getBL").json();
    assert!(list["bl_entries"][0]["reason"].as_str().unwrap().starts_with("stolen: "), "{list}");
    assert!(!receiver.has_more());
}

#[test]
fn a_dry_run_only_logs() {
    let smtp = Smtp::start("none", &[]);
    let daemon = Daemon::start(&format!("{}\nsetAlertDryRun(true)", mail_settings(&smtp, "none", "")));
    assert_eq!(tell(&daemon, "ada", "r", ""), "queued");
    daemon.log().wait_for("dry run, nothing is sent: mail to ops@example.com, noc@example.com");
    assert_eq!(smtp.mails(), 0);
}

#[test]
fn without_channels_only_the_log_has_it() {
    let daemon = Daemon::start(POLICY);
    assert_eq!(tell(&daemon, "ada", "r", ""), "unavailable");
    daemon.log().wait_for("alert: nobody is told: the configuration has no setAlertMail");
    daemon.log().wait_for("reason=\"r\" severity=");
}

#[test]
fn one_login_is_not_told_of_without_end() {
    let daemon = Daemon::start(&format!("setAlertLimits{{ per_login = 2 }}\nsetAlertDryRun(true)\n{POLICY}"));
    let mut words = Vec::new();
    for reason in ["a", "b", "c"] {
        words.push(tell(&daemon, "ada", reason, ""));
    }
    assert_eq!(words, ["queued", "queued", "limited"]);
    assert_eq!(tell(&daemon, "bob", "a", ""), "queued");
}

#[test]
fn mistakes_are_told_at_the_start() {
    for (line, part) in [
        ("setAlertMail{ host = \"mail.example.com\" }", "missing field `from`"),
        (
            "setAlertMail{ host = \"mail.example.com\", from = \"a@b.example\", security = \"none\" }",
            "in the clear",
        ),
        (
            "setAlertMail{ host = \"a\", from = \"a@b.example\", user = \"u\", password_file = \"nowhere\" }",
            "nowhere",
        ),
        ("addAlertBlock{ url = \"ftp://x\", password = \"p\" }", "only http and https"),
        ("setAlertChannels{ \"pager\" }", "no channel for alerts called \"pager\""),
        (
            "setAlertTemplates(\"nowhere\") setAlertMail{ host = \"a\", from = \"a@b.example\" }",
            "cannot read nowhere",
        ),
        ("setAlertConfirm{ url = \"https://a.example/confirm\" }", "neither key nor key_file"),
        ("setAlertLimits{ attempts = 0 }", "attempts must be"),
    ] {
        for argument in ["-D", "--check-config"] {
            let output = Launch::new(line).args(&["-D", argument]).run();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(!output.status.success() && text.contains(part), "{line} {argument}: {text}");
        }
    }
}
