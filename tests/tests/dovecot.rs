//! A real client: Debian's Dovecot asks wforce about real IMAP logins.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::net::SocketAddr;
use std::process::Command;

use base64::Engine;
use portcullis_tests::imap::Imap;
use portcullis_tests::process::{self, Process};
use portcullis_tests::{Daemon, Launch, address, tools};
use serde_json::json;
use tempfile::TempDir;

const CONFIG: &str = r#"
limits = { pair = 3, pair_wait = 1, pair_block = 5 }
dofile("failed-passwords.lua")
setReport(report)
setAllow(allow)
setReset(reset)
setVerboseAllowLog()
whitelistNetmask(newNetmask("192.0.2.0/24"), 86400, "the office")
"#;

/// Dovecot on addresses of its own, asking one wforce.
struct Dovecot {
    process: Process,
    imap: SocketAddr,
    proxied: SocketAddr,
    _folder: TempDir,
}

impl Dovecot {
    fn start(policy_server: SocketAddr) -> Dovecot {
        let folder = TempDir::with_prefix("portcullis-dovecot-").unwrap();
        process::run_ok(Command::new("chmod").arg("755").arg(folder.path()));
        let [imap, proxied] = [address::fresh(), address::fresh()];
        let whoami = |flag: &str| process::run_ok(Command::new("id").arg(flag)).trim().to_owned();
        // Started by root, Dovecot wants users of its own, which its package makes; otherwise everything is ours.
        let (user, group, login_user) = if whoami("-u") == "0" {
            ("dovecot".to_owned(), "dovecot".to_owned(), "dovenull".to_owned())
        } else {
            (whoami("-un"), whoami("-gn"), whoami("-un"))
        };
        let owner = if user == "dovecot" {
            "65534:65534".to_owned()
        } else {
            format!("{}:{}", whoami("-u"), whoami("-g"))
        };
        let here = folder.path().display();
        let users = [("alice", "secret1"), ("bob", "secret2"), ("carol", "secret3")]
            .map(|(name, password)| format!("{name}:{{PLAIN}}{password}:{owner}::{here}/mail/{name}::\n"))
            .concat();
        std::fs::write(folder.path().join("users"), users).unwrap();
        std::fs::create_dir(folder.path().join("mail")).unwrap();
        process::run_ok(Command::new("chmod").arg("777").arg(folder.path().join("mail")));
        let authorization = base64::engine::general_purpose::STANDARD.encode("wforce:supersecret");
        let config = include_str!("dovecot.conf")
            .replace("@DIR@", &here.to_string())
            .replace("@USER@", &user)
            .replace("@GROUP@", &group)
            .replace("@LOGIN_USER@", &login_user)
            .replace("@LISTEN@", &imap.ip().to_string())
            .replace("@IMAP@", &imap.port().to_string())
            .replace("@PROXIED@", &proxied.port().to_string())
            .replace("@POLICY_SERVER@", &policy_server.to_string())
            .replace("@AUTHORIZATION@", &authorization);
        let file = folder.path().join("dovecot.conf");
        std::fs::write(&file, config).unwrap();
        let process =
            Process::start(Command::new(tools::system_tool("dovecot")).arg("-F").arg("-c").arg(&file));
        process.stderr.wait_for("starting up for imap");
        Dovecot { process, imap, proxied, _folder: folder }
    }

    /// What LOGIN answers to a client at this address.
    fn login(&self, from: &str, user: &str, password: &str) -> String {
        let mut imap = Imap::connect(self.imap, "");
        let id = format!(
            r#"ID ("name" "Test" "version" "1.0" "x-originating-ip" "{from}" "x-originating-port" "4444")"#
        );
        assert_eq!(imap.command(&id), "OK ID completed.");
        imap.command(&format!("LOGIN {user} {password}"))
    }

    /// What LOGIN answers to a client behind a proxy.
    fn login_proxied(&self, from: &str, user: &str, password: &str) -> String {
        let mut imap = Imap::connect(self.proxied, &format!("PROXY TCP6 {from} 2001:db8::1 5555 143\r\n"));
        imap.command(&format!("LOGIN {user} {password}"))
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // It takes its own children along.
        self.process.signal("TERM");
        self.process.wait();
    }
}

fn wforce() -> Daemon {
    Launch::new(CONFIG).shipped_policies().arg("-v").start()
}

const FAILED: &str = "NO [AUTHENTICATIONFAILED] Authentication failed.";

#[test]
fn guessing_is_slowed_down_then_stopped() {
    let wforce = wforce();
    let dovecot = Dovecot::start(wforce.http);
    let from = "198.51.100.7";

    let answer = dovecot.login(from, "alice", "secret1");
    assert!(answer.starts_with("OK "), "the right password: {answer}");
    wforce.log().wait_for(r#"reportLog: remote="198.51.100.7" login="alice" success="1" policy_reject="0""#);

    // Four different wrong passwords are just wrong; with the fourth, the limit is passed.
    for attempt in 1..=4 {
        assert_eq!(dovecot.login(from, "alice", &format!("wrong{attempt}")), FAILED, "attempt {attempt}");
    }
    wforce.log().wait_for_count(r#"login="alice" success="0" policy_reject="0""#, 4);
    assert_eq!(wforce.log().count(r#"pair_wait: allow="1""#), 0);
    // Then each has to wait.
    for attempt in 5..=6 {
        assert_eq!(dovecot.login(from, "alice", &format!("wrong{attempt}")), FAILED, "attempt {attempt}");
    }
    wforce.log().wait_for_count(r#"allowLog pair_wait: allow="1" remote="198.51.100.7" login="alice""#, 2);
    // Then not even the right one gets in, and the mail program is told why.
    let refused = "NO [ALERT] Too many failed logins - try again later";
    assert_eq!(dovecot.login(from, "alice", "secret1"), refused);
    wforce.log().wait_for(r#"allowLog pair_block: allow="-1" remote="198.51.100.7" login="alice""#);
    wforce.log().wait_for(r#"login="alice" success="0" policy_reject="1""#);
    dovecot.process.stderr.wait_for("policy(alice,198.51.100.7");

    // Nobody else is concerned: neither alice elsewhere, nor others at that address.
    assert!(dovecot.login("198.51.100.8", "alice", "secret1").starts_with("OK "));
    assert!(dovecot.login(from, "bob", "secret2").starts_with("OK "));

    // The support desk lets alice in again.
    let reset = wforce.client().post("/command/reset", &json!({"ip": from, "login": "alice"}));
    assert_eq!(reset.text(), r#"{"status":"ok"}"#);
    assert!(dovecot.login(from, "alice", "secret1").starts_with("OK "));
}

#[test]
fn addresses_lists_and_outages() {
    let mut wforce = wforce();
    let dovecot = Dovecot::start(wforce.http);

    // The office may be wrong as often as it likes.
    for attempt in 1..=8 {
        assert_eq!(
            dovecot.login("192.0.2.10", "bob", &format!("wrong{attempt}")),
            FAILED,
            "attempt {attempt}"
        );
    }
    assert!(dovecot.login("192.0.2.10", "bob", "secret2").starts_with("OK "));
    wforce.log().wait_for(r#"allowLog whitelisted IP: allow="0" remote="192.0.2.10" login="bob""#);

    // Somebody who has no mailbox.
    assert_eq!(dovecot.login("198.51.100.9", "nosuch", "pw"), FAILED);
    wforce.log().wait_for(r#"remote="198.51.100.9" login="nosuch" success="0" policy_reject="0""#);

    // IPv6, known from a proxy.
    assert_eq!(dovecot.login_proxied("2001:db8::25", "alice", "wrong"), FAILED);
    wforce.log().wait_for(r#"reportLog: remote="2001:db8::25" login="alice" success="0""#);
    assert!(dovecot.login_proxied("2001:db8::25", "alice", "secret1").starts_with("OK "));

    // What the mail program calls itself is parsed.
    wforce.log().wait_for(r#"imapc.family="Test", imapc.major="1", imapc.minor="0""#);

    // A blacklisted login is refused with the right password, which Dovecot never looks at.
    let entry = json!({"login": "carol", "expire_secs": 600, "reason": "stolen"});
    assert_eq!(wforce.client().post("/command/addBLEntry", &entry).text(), r#"{"status":"ok"}"#);
    assert_eq!(
        dovecot.login("198.51.100.9", "carol", "secret3"),
        "NO [ALERT] Temporarily blacklisted Login Name - try again later"
    );
    wforce.log().wait_for(r#"login="carol" success="0" policy_reject="1""#);

    // Without its policy server Dovecot lets everybody try, and complains.
    assert_eq!(dovecot.process.stderr.count("Error: policy("), 0, "{:#?}", dovecot.process.stderr.all());
    assert_eq!(wforce.terminate().code(), Some(0));
    assert!(dovecot.login("198.51.100.9", "carol", "secret3").starts_with("OK "));
    dovecot.process.stderr.wait_for("Error: policy(carol,198.51.100.9");

    // It is asked again as soon as it is back.
    let back = Launch::new(CONFIG).shipped_policies().arg("-v").at(wforce.http).start();
    assert!(dovecot.login("198.51.100.9", "carol", "secret3").starts_with("OK "));
    back.log().wait_for(r#"reportLog: remote="198.51.100.9" login="carol" success="1""#);
}
