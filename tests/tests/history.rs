//! trackalert's pages and alerts with a real report store: "was this you?", the history, and a wforce that blocks.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_tests::daemon::PASSWORD;
use portcullis_tests::smtp::Smtp;
use portcullis_tests::{Daemon, Launch, Response, process, tools, until};
use serde_json::{Value, json};

const STORE: &str = "setReportStore(\"embedded\", { path = \"reports\" })\nsetPolicyBudget(60000)\n";

fn login(name: &str, remote: &str, success: bool) -> Value {
    json!({"login": name, "remote": remote, "pwhash": "1", "success": success, "protocol": "imap",
        "device_id": "<script>alert(1)</script>", "device_attrs": {"imapc.family": "Thunderbird", "os.family": "Linux"}})
}

/// Reports as the store has them, once there are so many.
fn stored(daemon: &Daemon, query: &str, count: usize) -> Vec<Value> {
    until("the reports", || {
        let answer = daemon.client().get(&format!("/reports.json?{query}"));
        let reports = answer.json()["reports"].as_array()?.clone();
        (reports.len() >= count).then_some(reports)
    })
}

fn is_guarded(page: &Response) {
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(!page.text().contains("<script"));
}

#[test]
fn support_sees_the_history_of_a_login() {
    let daemon = Launch::trackalert(STORE).start();
    let client = daemon.client();
    for number in 0..120 {
        client.report(&login("ada", "192.0.2.1", number % 10 != 0));
    }
    client.report(&login("bob", "198.51.100.1", false));
    stored(&daemon, "login=bob", 1);
    let page = client.get("/reports?login=ada");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    is_guarded(&page);
    let text = page.text();
    assert!(
        text.contains("192.0.2.1") && text.contains("Thunderbird, Linux") && !text.contains("198.51.100.1"),
        "{text}"
    );
    assert_eq!(text.matches("<tr>").count(), 101, "a heading and a hundred rows");

    // The rest is one page on.
    let next =
        text.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let rest = client.get(&format!("/reports{next}"));
    assert_eq!(rest.text().matches("<tr>").count(), 21);
    assert!(rest.text().contains("Newest") && !rest.text().contains("rel=\"next\""));

    assert_eq!(client.get("/reports?ip=198.51.100.0/24&result=failed").text().matches("<tr>").count(), 2);
    assert_eq!(client.get("/reports?from=2001-01-01&to=2001-01-02").text().matches("<tr>").count(), 0);
    for wrong in [
        "ip=nowhere",
        "from=yesterday",
        "before=x",
        "result=x",
        "since=2020-01-01",
        "from=2020-01-03&to=2020-01-01",
    ] {
        let page = client.get(&format!("/reports?{wrong}"));
        assert_eq!(page.status, 400, "{wrong}");
        is_guarded(&page);
        assert_eq!(client.get(&format!("/reports.json?{wrong}")).status, 400, "{wrong}");
    }
    assert_eq!(client.with_credentials(None).get("/reports?login=ada").status, 401);
    assert_eq!(client.with_credentials(Some("wforce:no")).get("/reports.json?login=ada").status, 401);

    // The same in a terminal.
    let tool = |arguments: &[&str]| {
        let config = daemon.config().display().to_string();
        process::run(Command::new(tools::portcullis()).args(["history", "-C", &config]).args(arguments))
    };
    let output = tool(&["--login", "ada", "--since", "1d", "--limit", "110"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("192.0.2.1"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(text.matches("Thunderbird, Linux").count(), 110, "{text}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "110 shown; more with --limit N\n");
    let said = |arguments: &[&str]| {
        let output = tool(&[&["--login", "ada"], arguments].concat());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(said(&[]), "50 shown; more with --limit N\n");
    assert_eq!((said(&["--json"]), said(&["--limit", "120"])), (String::new(), String::new()));
    assert!(said(&["--since", "7x"]).contains("\"7x\" is no time: 7d, 12h or 30m ago, a day (2026-11-26)"));
    let output = tool(&["--ip", "198.51.100.1", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["reports"][0]["login"], "bob");
    let counted = |arguments: &[&str]| {
        let output = tool(&[&["--login", "ada", "--limit", "1000", "--json"], arguments].concat());
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        found["reports"].as_array().unwrap().len()
    };
    assert_eq!((counted(&[]), counted(&["--good"]), counted(&["--failed"])), (120, 108, 12));
    assert_eq!((counted(&["--until", "2001-01-01"]), counted(&["--until", "2999-01-01"])), (0, 120));
    assert_eq!(tool(&["--login", "nobody"]).stdout, b"no logins were found\n");
    assert_eq!(tool(&[]).status.code(), Some(2));
}

#[test]
fn pages_of_one_moment_leave_nothing_out() {
    let daemon = Launch::trackalert(STORE).start();
    let client = daemon.client();
    let mut report = login("ada", "192.0.2.1", true);
    report["t"] = json!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 100);
    for _ in 0..350 {
        client.report(&report);
    }
    let mut seen = std::collections::BTreeSet::new();
    until("all of them", || {
        seen.clear();
        let (mut pages, mut query) = (0, "login=ada".to_owned());
        loop {
            let answer = client.get(&format!("/reports.json?{query}")).json();
            pages += 1;
            seen.extend(answer["reports"].as_array()?.iter().map(|report| report["id"].to_string()));
            let Some(before) = answer["before"].as_str() else { break };
            query = format!("login=ada&before={before}");
        }
        (seen.len() == 350 && pages == 4).then_some(())
    });
}

/// A trackalert that asks users about each good login, and tells a wforce when they say no.
fn asking(smtp: &Smtp, wforce: &Daemon) -> Daemon {
    Launch::trackalert(&format!(
        "{STORE}setStateDir(\"state\")\n\
         setAlertMail{{ host = \"{}\", port = {}, security = \"none\", from = \"alerts@example.com\", user_to = \"%{{login}}@example.com\" }}\n\
         addAlertBlock{{ url = \"http://{}\", password = \"{PASSWORD}\", what = \"ip\" }}\n\
         setAlertConfirm{{ url = \"https://mail.example.com/confirm\", on_bad = {{ \"block\" }} }}\n\
         setReport(function(lt)\n\
             if lt.success then\n\
                 alert{{ reason = \"login\", login = lt.login, ip = lt.remote, time = lt.t, channels = {{ \"user\" }}, confirm = true, language = \"de\" }}\n\
             end\n\
         end)\n",
        smtp.addr.ip(),
        smtp.addr.port(),
        wforce.http,
    ))
    .start()
}

#[test]
fn a_user_is_asked_and_the_answer_counts() {
    let (smtp, wforce) = (Smtp::start("none", &[]), Daemon::start(""));
    let daemon = asking(&smtp, &wforce);
    daemon
        .log()
        .wait_for("trackalert has no stats DBs and lists, only the key of setAlertConfirm is kept there");
    let client = daemon.client();
    client.report(&login("ada", "192.0.2.1", true));
    let mail = smtp.mail(1);
    assert_eq!(mail["to"], json!(["ada@example.com"]));
    let plain = mail["plain"].as_str().unwrap();
    let link = plain.lines().find(|line| line.starts_with("https://mail.example.com/confirm?t=")).unwrap();
    let query = link.split_once('?').unwrap().1;
    assert!(plain.contains("Thunderbird, Linux") && query.ends_with("&l=de"), "{plain}");

    // Nobody needs a password, and looking answers nothing.
    let anybody = client.with_credentials(None);
    for _ in 0..3 {
        let page = anybody.get(&format!("/confirm?{query}"));
        assert_eq!(page.status, 200);
        is_guarded(&page);
        assert!(
            page.text().contains("Waren Sie das?") && page.text().contains("192.0.2.1"),
            "{}",
            page.text()
        );
    }
    assert_eq!(stored(&daemon, "login=ada", 1)[0]["user_confirmation"], "none");

    let answer = |body: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        anybody.request("POST", "/confirm", &headers, body.as_bytes())
    };
    let token = query.split('&').next().unwrap();
    for wrong in [
        String::new(),
        format!("{token}x&answer=bad"),
        format!("{token}&answer=none"),
        format!("{token}&answer=maybe"),
        "answer=bad".to_owned(),
        "t=1.YQ.YQ&answer=bad".to_owned(),
    ] {
        let page = answer(&wrong);
        assert_eq!(page.status, 400, "{wrong}");
        is_guarded(&page);
    }
    assert_eq!(answer(&"x".repeat(10_000)).status, 413);
    assert_eq!(stored(&daemon, "login=ada", 1)[0]["user_confirmation"], "none");

    let page = answer(&format!("{token}&l=en&answer=bad"));
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("change your password"));
    until("the mark", || {
        let reports = daemon.client().get("/reports.json?login=ada").json();
        (reports["reports"][0]["user_confirmation"] == "bad").then_some(())
    });
    assert!(client.get("/reports?login=ada").text().contains("it was not me"));
    assert_eq!(client.metric("portcullis_confirmations_total{answer=\"bad\"}"), Some(1.0));

    // Who was told blocks.
    daemon.log().wait_for("192.0.2.1 blocked for 3600 s");
    let tuple = json!({"login": "eve", "remote": "192.0.2.1", "pwhash": "1"});
    assert_eq!(wforce.client().allow(&tuple)["status"], -1);
}

#[test]
fn the_key_of_the_links_is_made_once_and_only_post_answers() {
    let (smtp, wforce) = (Smtp::start("none", &[]), Daemon::start(""));
    let daemon = asking(&smtp, &wforce);
    let key = daemon.folder().join("state/confirm.key");
    let made = std::fs::read(&key).unwrap();
    assert_eq!(made.len(), 32);
    assert_eq!(daemon.client().get("/confirm?t=x").status, 400);
    assert_eq!(daemon.client().request("DELETE", "/confirm", &[], b"").status, 405);
}

/// A token as the daemon makes it, of a time that is over: signed with its key.
const EXPIRED: &str = r#"
import base64, hashlib, hmac, sys, time
key, token = open(sys.argv[1], "rb").read(), sys.argv[2]
text = lambda some: base64.urlsafe_b64encode(some).rstrip(b"=").decode()
report = base64.urlsafe_b64decode(token.split(".")[1] + "==")
for ago in (-3600, 60):
    expires = int(time.time()) - ago
    tag = hmac.new(key, b"portcullis confirm 1\n" + expires.to_bytes(8, "big") + report, hashlib.sha256).digest()
    print(f"{expires:x}.{text(report)}.{text(tag)}")
"#;

#[test]
fn a_user_may_not_know_and_a_link_has_an_end() {
    let (smtp, wforce) = (Smtp::start("none", &[]), Daemon::start(""));
    let daemon = asking(&smtp, &wforce);
    daemon.client().report(&login("ada", "192.0.2.1", true));
    let mail = smtp.mail(1);
    let plain = mail["plain"].as_str().unwrap();
    let link = plain.lines().find(|line| line.starts_with("https://mail.example.com/confirm?t=")).unwrap();
    let token = link.split_once("t=").unwrap().1.split('&').next().unwrap();
    let anybody = daemon.client().with_credentials(None);
    let answer = |token: &str, word: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        anybody.request("POST", "/confirm", &headers, format!("t={token}&answer={word}").as_bytes())
    };
    let said = |word: &str| {
        until("the mark", || {
            let reports = daemon.client().get("/reports.json?login=ada").json();
            (reports["reports"][0]["user_confirmation"] == word).then_some(())
        });
    };
    assert_eq!(answer(token, "forget").status, 200);
    said("forget");
    assert_eq!(daemon.client().metric("portcullis_confirmations_total{answer=\"forget\"}"), Some(1.0));
    // Nobody is blocked for it.
    let tuple = json!({"login": "eve", "remote": "192.0.2.1", "pwhash": "1"});
    assert_eq!(wforce.client().allow(&tuple)["status"], 0);

    let key = daemon.folder().join("state/confirm.key");
    let made =
        process::run_ok(Command::new(tools::python_tool("python")).args(["-c", EXPIRED]).arg(key).arg(token));
    let [valid, expired] = made.lines().collect::<Vec<_>>()[..] else { panic!("{made}") };
    assert_eq!(answer(expired, "bad").status, 410);
    let page = anybody.get(&format!("/confirm?t={expired}"));
    assert_eq!(page.status, 410);
    is_guarded(&page);
    said("forget");
    assert_eq!(answer(valid, "good").status, 200);
    said("good");
}

#[test]
fn without_a_store_or_links_the_pages_say_so() {
    let daemon = Launch::trackalert("").start();
    let page = daemon.client().get("/reports?login=ada");
    assert_eq!(page.status, 503);
    assert!(page.text().contains("no report store"));
    assert_eq!(daemon.client().get("/confirm?t=x").status, 404);
    assert_eq!(Daemon::start("").client().get("/reports").status, 404);
}

#[test]
fn what_wforce_reports_comes_back_as_a_block() {
    let wforce = Launch::new("");
    let (url, wforce_http) = (wforce.http, wforce.http);
    let track = Launch::trackalert(&format!(
        "{STORE}addAlertBlock{{ url = \"http://{url}\", password = \"{PASSWORD}\" }}\n\
         setBackground(\"failures\", function()\n\
             for _, row in ipairs(reportsTop({{ since = os.time() - 3600, success = false }}, \"address\", \"login\", 10)) do\n\
                 if row.count >= 5 then\n\
                     alert{{ reason = \"many-logins\", ip = row.value, channels = {{ \"block\" }}, block = \"ip\", block_seconds = 600 }}\n\
                 end\n\
             end\n\
         end)\n\
         intervalScheduleBackgroundFunc(\"00:00:01\", \"failures\")\n"
    ))
    .start();
    let wforce = wforce
        .with_line(&format!(
            "addWebHook({{\"report\"}}, {{ url = \"http://{}/?command=report\", [\"basic-auth\"] = \"wforce:{PASSWORD}\", retries = \"9\" }})",
            track.http
        ))
        .start();
    assert_eq!(wforce.http, wforce_http);
    for number in 0..6 {
        wforce.client().report(&login(&format!("user{number}"), "203.0.113.5", false));
        wforce.client().report(&login("user1", "203.0.113.6", false));
    }
    let denied = |remote: &str| {
        wforce.client().allow(&json!({"login": "x", "remote": remote, "pwhash": "1"}))["status"].as_i64()
            == Some(-1)
    };
    until("the block", || denied("203.0.113.5").then_some(()));
    assert!(!denied("203.0.113.6"));
}
