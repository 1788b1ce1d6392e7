//! Alerts of a real daemon when who should be told is away, cannot be trusted, or is not to be told.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::net::SocketAddr;

use portcullis_tests::daemon::PASSWORD;
use portcullis_tests::receiver::Receiver;
use portcullis_tests::smtp::Smtp;
use portcullis_tests::{Client, Daemon, Launch, address, until};
use serde_json::{Value, json};

/// Tells of every login, by the channel that it names.
const POLICY: &str = r#"
setAllow(function(lt)
    local wanted = { reason = lt.device_id, login = lt.login, ip = lt.remote, text = "a text", fields = { users = 12 } }
    if lt.protocol ~= "" then wanted.channels = { lt.protocol } end
    return 0, "", "", { alert = alert(wanted) }
end)
"#;

fn tell(daemon: &Daemon, reason: &str, channel: &str) -> Value {
    let tuple = json!({"login": "ada", "remote": "192.0.2.1", "pwhash": "1", "device_id": reason, "protocol": channel});
    daemon.client().allow(&tuple)["r_attrs"]["alert"].clone()
}

fn mail(addr: SocketAddr, security: &str, more: &str, limits: &str) -> String {
    let (host, port) = (addr.ip(), addr.port());
    format!(
        "setAlertMail{{ host = \"{host}\", port = {port}, security = \"{security}\", from = \"alerts@example.com\",\n\
         to = \"ops@example.com\", {more} }}\nsetAlertLimits{{ {limits} }}\n{POLICY}"
    )
}

fn denied(client: &Client, login: &str) -> bool {
    client.allow(&json!({"login": login, "remote": "192.0.2.1", "pwhash": "1"}))["status"] == -1
}

#[test]
fn mail_is_sent_when_its_server_comes() {
    let addr = address::fresh();
    let daemon = Daemon::start(&mail(addr, "none", "", "pause_ms = 10, attempts = 30"));
    tell(&daemon, "new-country", "");
    // Every alert is a line in the log, whoever else is told.
    let line = daemon.log().wait_for("alert: id=\"");
    for part in [
        "reason=\"new-country\"",
        "severity=\"warning\"",
        "login=\"ada\"",
        "remote=\"192.0.2.1\"",
        "text=\"a text\"",
        "channels=\"mail\"",
        "users=\"12\"",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    daemon.log().wait_for("mail failed and is tried again");
    let smtp = Smtp::start_at(addr, "none", &[]);
    assert_eq!(smtp.mail(1)["to"], json!(["ops@example.com"]));
    assert!(daemon.client().metric("portcullis_alert_retries_total{channel=\"mail\"}").unwrap() >= 1.0);
}

#[test]
fn a_block_is_made_when_its_wforce_comes() {
    let wforce = Launch::new("");
    let daemon = Daemon::start(&format!(
        "addAlertBlock{{ url = \"http://{}\", password = \"{PASSWORD}\", seconds = 600 }}\n\
         setAlertLimits{{ pause_ms = 10, attempts = 30 }}\n{POLICY}",
        wforce.http
    ));
    tell(&daemon, "stolen", "block");
    daemon.log().wait_for("block failed and is tried again");
    let wforce = wforce.start();
    daemon.log().wait_for("192.0.2.1 with ada blocked for 600 s");
    assert!(denied(&wforce.client(), "ada") && !denied(&wforce.client(), "bob"));
    // The entry has an end.
    let list = wforce.client().get("/command/getBL").json();
    assert!(list["bl_entries"][0]["expiration"].is_string(), "{list}");
    assert!(daemon.client().metric("portcullis_alert_retries_total{channel=\"block\"}").unwrap() >= 1.0);
}

/// What nobody could be told of is no reason to hold the next one back.
#[test]
fn an_alert_that_failed_does_not_silence_the_next_one() {
    let addr = address::fresh();
    let daemon = Daemon::start(&mail(addr, "none", "", "pause_ms = 1, attempts = 2"));
    assert_eq!(tell(&daemon, "new-country", ""), "queued");
    daemon.log().wait_for("mail failed:");
    let smtp = Smtp::start_at(addr, "none", &[]);
    until("the same is told again", || (tell(&daemon, "new-country", "") == "queued").then_some(()));
    smtp.mail(1);
    assert_eq!(tell(&daemon, "new-country", ""), "duplicate");
}

/// Somebody between the daemon and its server takes STARTTLS out of the conversation.
#[test]
fn without_tls_nothing_is_sent() {
    let smtp = Smtp::start("none", &[]);
    let daemon = Daemon::start(&mail(smtp.addr, "starttls", "", "pause_ms = 1, attempts = 2"));
    tell(&daemon, "r", "");
    daemon.log().wait_for("mail failed:");
    assert_eq!(smtp.mails(), 0);
}

#[test]
fn a_certificate_for_another_name_gets_nothing() {
    for security in ["starttls", "tls"] {
        let smtp = Smtp::start_as(address::fresh(), "127.0.0.99", security, &[]);
        let trust = format!("ca_file = \"{}\"", smtp.authority());
        let daemon = Daemon::start(&mail(smtp.addr, security, &trust, "pause_ms = 1, attempts = 2"));
        tell(&daemon, "r", "");
        let line = daemon.log().wait_for("mail failed:");
        assert!(line.to_lowercase().contains("certificate"), "{security}: {line}");
        assert_eq!(smtp.mails(), 0);
    }
}

#[test]
fn a_dry_run_blocks_nobody_and_calls_no_webhook() {
    let (receiver, wforce) = (Receiver::start("200 OK"), Daemon::start(""));
    let daemon = Daemon::start(&format!(
        "addAlertWebhook(\"siem\", {{ url = \"{}\", secret = \"s\" }})\n\
         addAlertBlock{{ url = \"http://{}\", password = \"{PASSWORD}\", seconds = 600 }}\n\
         setAlertDryRun(true)\n{POLICY}",
        receiver.url(),
        wforce.http,
    ));
    assert_eq!(tell(&daemon, "a", "siem"), "queued");
    assert_eq!(tell(&daemon, "b", "block"), "queued");
    let lines = daemon.log().wait_for_count("dry run, nothing is sent: ", 2);
    assert!(lines.iter().any(|line| line.contains("siem")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("192.0.2.1 with ada")), "{lines:?}");
    until("both are counted", || {
        let dry = |channel: &str| {
            let sample =
                format!("portcullis_alert_deliveries_total{{channel=\"{channel}\",status=\"dry_run\"}}");
            daemon.client().metric(&sample)
        };
        (dry("siem") == Some(1.0) && dry("block") == Some(1.0)).then_some(())
    });
    assert!(!receiver.has_more() && !denied(&wforce.client(), "ada"));
}

#[test]
fn a_dry_run_begins_and_ends_with_sighup_and_on_the_console() {
    let (receiver, wforce) = (Receiver::start("200 OK"), Daemon::start(""));
    let daemon = Daemon::start(&format!(
        "addAlertWebhook(\"siem\", {{ url = \"{}\", secret = \"s\" }})\n\
         addAlertBlock{{ url = \"http://{}\", password = \"{PASSWORD}\", seconds = 600 }}\n-- dry\n{POLICY}",
        receiver.url(),
        wforce.http,
    ));
    let mut times = 0;
    let mut read_again = |from: &str, to: &str| {
        let text = std::fs::read_to_string(daemon.config()).unwrap();
        assert!(text.contains(from));
        std::fs::write(daemon.config(), text.replace(from, to)).unwrap();
        daemon.process.signal("HUP");
        times += 1;
        daemon.log().wait_for_count("wforce.conf: loaded again", times);
    };
    let (dry, wet) = ("alerts: dry run from now on", "alerts: no longer a dry run");
    read_again("-- dry\n", "setAlertDryRun(true)\n");
    daemon.log().wait_for(dry);
    tell(&daemon, "a", "siem");
    tell(&daemon, "b", "block");
    daemon.log().wait_for_count("dry run, nothing is sent: ", 2);
    assert!(!receiver.has_more() && !denied(&wforce.client(), "ada"));

    // The same again is no change, and a file without the line ends it.
    read_again("setAlertDryRun(true)\n", "setAlertDryRun(true) -- still\n");
    assert_eq!((daemon.log().count(dry), daemon.log().count(wet)), (1, 0));
    read_again("setAlertDryRun(true) -- still\n", "");
    daemon.log().wait_for(wet);
    tell(&daemon, "c", "block");
    daemon.log().wait_for("192.0.2.1 with ada blocked for 600 s");

    daemon.execute("setAlertDryRun(true)");
    daemon.log().wait_for_count(dry, 2);
    tell(&daemon, "d", "siem");
    daemon.log().wait_for_count("dry run, nothing is sent: ", 3);
    assert!(!receiver.has_more());
}

/// At the end of the daemon what waits for its next attempt gets the last one at once.
#[test]
fn what_waits_is_tried_once_more_at_the_end() {
    let addr = address::fresh();
    let mut daemon = Daemon::start(&mail(addr, "none", "", "pause_ms = 600000"));
    tell(&daemon, "r", "");
    daemon.log().wait_for("mail failed and is tried again");
    let smtp = Smtp::start_at(addr, "none", &[]);
    assert!(daemon.terminate().success());
    smtp.mail(1);
}

/// Webhooks are told what the store knows of the login that the alert is about.
#[test]
fn the_report_is_in_the_webhook() {
    let receiver = Receiver::start("200 OK");
    let geoip = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/capabilities/testdata");
    let daemon = Launch::trackalert(&format!(
        "setReportStore(\"embedded\", {{ path = \"reports\", query_timeout_ms = 60000 }})\n\
         newGeoIP2DB(\"City\", \"{geoip}/GeoIP2-City-Test.mmdb\")\nnewGeoIP2DB(\"ASN\", \"{geoip}/GeoLite2-ASN-Test.mmdb\")\n\
         addAlertWebhook(\"siem\", {{ url = \"{}\", secret = \"s\" }})\n\
         setReport(function(lt) alert{{ reason = \"login\", login = lt.login, ip = lt.remote, time = lt.t }} end)\n",
        receiver.url()
    ))
    .start();
    daemon
        .client()
        .report(&json!({"login": "ada", "remote": "89.160.20.112", "success": true, "protocol": "imap",
        "device_attrs": {"imapc.family": "Thunderbird"}}));
    let body: Value = serde_json::from_str(&receiver.next().body).unwrap();
    let report = &body["report"];
    assert_eq!((&report["country"], &report["protocol"]), (&json!("SE"), &json!("imap")), "{body}");
    assert_eq!(report["device"], "Thunderbird", "{body}");
    assert!(report["network_owner"].as_str().unwrap().contains("Bredband2"), "{body}");
    let stored = daemon.client().get("/reports.json?login=ada").json();
    assert_eq!(stored["reports"][0]["id"], report["id"]);
}

/// An alert that no channel gets is a line in the log, and a warning.
#[test]
fn alerts_that_reach_nobody_are_warned_of() {
    // There is a channel, but not for alerts that name none.
    let channel = "addAlertWebhook('other', { url = 'http://127.0.0.1:9/' })\nsetAlertChannels({})\n";
    let daemon = Daemon::start(&format!("{channel}{POLICY}"));
    assert_eq!(tell(&daemon, "r", ""), "queued");
    daemon.log().wait_for("an alert reaches nobody");
}
