//! trackalert's pages in a real browser, on a network that has nothing but them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::browser::Browser;
use portcullis_tests::smtp::Smtp;
use portcullis_tests::{Daemon, Launch, daemon, netns, tools, until};
use serde_json::{Value, json};

/// A login that wants to be more than a text.
const HOSTILE: &str =
    "</td><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><b>eve";

/// A trackalert that knows countries, and mails each user about each good login, with a link.
fn trackalert(smtp: &Smtp) -> Daemon {
    let launch = Launch::trackalert("");
    let city = tools::workspace().join("host/capabilities/testdata/GeoIP2-City-Test.mmdb");
    let config = format!(
        "setReportStore(\"embedded\", {{ path = \"reports\" }})\nsetPolicyBudget(60000)\nsetStateDir(\"state\")\n\
         newGeoIP2DB(\"City\", \"{}\")\n\
         setAlertMail{{ host = \"{}\", port = {}, security = \"none\", from = \"alerts@example.com\", user_to = \"%{{login}}@example.com\" }}\n\
         setAlertConfirm{{ url = \"http://{}/confirm\" }}\n\
         setReport(function(lt)\n\
             if lt.success and lt.login == \"ada\" then\n\
                 alert{{ reason = \"login\", login = lt.login, ip = lt.remote, time = lt.t, channels = {{ \"user\" }}, confirm = true }}\n\
             end\n\
         end)\n",
        city.display(),
        smtp.addr.ip(),
        smtp.addr.port(),
        launch.http,
    );
    config.lines().fold(launch, Launch::with_line).start()
}

fn report(daemon: &Daemon, login: &str, remote: &str, more: &Value) {
    let mut tuple = json!({
        "login": login, "remote": remote, "pwhash": "1", "success": true, "protocol": "imap",
        "device_attrs": {"imapc.family": "Thunderbird", "os.family": "Linux"},
    });
    tuple.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    daemon.client().report(&tuple);
}

fn wait_for_stored(daemon: &Daemon, count: usize) {
    until("the reports are in the store", || {
        let answer = daemon.client().get("/reports.json").json();
        (answer["reports"].as_array()?.len() == count).then_some(())
    });
}

/// The history of logins, opened as support does it: with the password.
fn history(daemon: &Daemon, query: &str) -> String {
    format!("http://wforce:{}@{}/reports{query}", daemon::PASSWORD, daemon.http)
}

/// Nothing went wrong in the page, and it asked for nothing but itself.
fn is_clean(browser: &Browser, daemon: &Daemon) {
    assert!(!browser.has_dialog());
    assert_eq!(browser.console(), Vec::<Value>::new());
    let own = daemon.http.to_string();
    for url in browser.requested() {
        let host = url.split('/').nth(2).unwrap_or_default();
        assert!(host == own || host.ends_with(&format!("@{own}")), "{url}");
    }
    let loaded = browser.evaluate("return [document.scripts.length, document.images.length, performance.getEntriesByType('resource').length]");
    assert_eq!(loaded, json!([0, 0, 0]), "it has no scripts and no images, and fetched nothing");
}

/// The rows of the page: the cells' texts.
fn rows(browser: &Browser) -> Vec<Vec<String>> {
    let script = "return [...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))";
    serde_json::from_value(browser.evaluate(script)).unwrap()
}

/// The same once there are so many: a click does not always wait for the page behind it.
fn wait_for_rows(browser: &Browser, count: usize) -> Vec<Vec<String>> {
    until(&format!("{count} rows at {}", browser.url()), || {
        Some(rows(browser)).filter(|rows| rows.len() == count)
    })
}

#[test]
fn support_looks_for_a_user() {
    netns::inside("support_looks_for_a_user", |_| {
        let smtp = Smtp::start("none", &[]);
        let daemon = trackalert(&smtp);
        report(&daemon, "ada", "81.2.69.142", &json!({}));
        report(&daemon, "ada", "89.160.20.112", &json!({"success": false, "fail_type": "credentials"}));
        report(&daemon, "ada", "192.0.2.1", &json!({"success": false, "policy_reject": true}));
        report(
            &daemon,
            HOSTILE,
            "175.16.199.1",
            &json!({"success": false, "device_attrs": {"os.family": HOSTILE}}),
        );
        wait_for_stored(&daemon, 4);

        let browser = Browser::start("en");
        browser.open(&history(&daemon, ""));
        assert_eq!(browser.title(), "Login history");
        wait_for_rows(&browser, 4);
        is_clean(&browser, &daemon);

        // By its form.
        browser.write("input[name=login]", "ada");
        browser.click("form button");
        let found = wait_for_rows(&browser, 3);
        for (verdict, address, place) in [
            ("logged in", "81.2.69.142", "London, United Kingdom"),
            ("failed (credentials)", "89.160.20.112", "Linköping, Sweden"),
            ("refused by policy", "192.0.2.1", ""),
        ] {
            let row = found.iter().find(|row| row[3] == address).unwrap();
            assert_eq!((row[1].as_str(), row[4].as_str()), (verdict, place));
            assert_eq!(
                (row[2].as_str(), row[6].as_str(), row[7].as_str()),
                ("ada", "Thunderbird, Linux", "imap")
            );
        }
        is_clean(&browser, &daemon);
        assert_eq!(browser.evaluate("return document.querySelector('input[name=login]').value"), "ada");
        browser.click("option[value=failed]");
        browser.click("form button");
        wait_for_rows(&browser, 2);
        is_clean(&browser, &daemon);

        // What somebody writes into a login is text, in the table and in the form.
        browser.open(&history(&daemon, ""));
        browser.write("input[name=login]", HOSTILE);
        browser.click("form button");
        let found = wait_for_rows(&browser, 1);
        assert_eq!((found[0][2].as_str(), found[0][6].as_str()), (HOSTILE, HOSTILE));
        assert_eq!(found[0][4], "Changchun, China");
        assert_eq!(browser.evaluate("return document.querySelector('input[name=login]').value"), HOSTILE);
        assert_eq!(browser.title(), "Login history");
        is_clean(&browser, &daemon);
        // And if it were not, the policy would stop it.
        let injected = "const script = document.createElement('script'); script.textContent = \"document.title = 'owned'\";\
            document.body.append(script); const image = new Image(); image.src = '/reports.json'; document.body.append(image);\
            return document.title";
        assert_eq!(browser.evaluate(injected), "Login history");
        let mut said = String::new();
        until("both are refused", || {
            browser.console().iter().for_each(|entry| said.push_str(entry["message"].as_str().unwrap()));
            let image = said.contains("/reports.json") && said.contains("image");
            (image && said.matches("Content Security Policy").count() >= 2).then_some(())
        });
        // The browser notes requests that it refuses to make.
        browser.requested();

        // A search may be by the second; the form keeps it.
        browser.open(&history(&daemon, "?login=ada&from=2026-01-01T00:00:00Z"));
        wait_for_rows(&browser, 3);
        is_clean(&browser, &daemon);
        browser.click("form button");
        until("the time is in the search again", || {
            browser.url().contains("from=2026-01-01T00%3A00%3A00Z").then_some(())
        });
        wait_for_rows(&browser, 3);

        // On a phone nothing is wider than the screen.
        browser.resize(400, 800);
        let wide = browser
            .evaluate("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(wide, 0);
        wait_for_rows(&browser, 3);
        is_clean(&browser, &daemon);
    });
}

#[test]
fn a_user_opens_the_link_and_answers() {
    netns::inside("a_user_opens_the_link_and_answers", |_| {
        let smtp = Smtp::start("none", &[]);
        let daemon = trackalert(&smtp);
        report(&daemon, "ada", "89.160.20.112", &json!({"device_attrs": {"os.family": HOSTILE}}));
        let mail = smtp.mail(1);
        let plain = mail["plain"].as_str().unwrap();
        let link = plain.lines().find(|line| line.contains("/confirm?t=")).unwrap().trim();

        // The mail is in no language, so the browser's counts. Nobody asks for a password.
        let browser = Browser::start("de-AT");
        browser.open(link);
        assert_eq!(browser.title(), "Waren Sie das?");
        let told = browser.text("dl");
        assert!(
            told.contains("89.160.20.112") && told.contains("Sweden") && told.contains(HOSTILE),
            "{told}"
        );
        is_clean(&browser, &daemon);
        assert_eq!(daemon.client().get("/reports.json").json()["reports"][0]["user_confirmation"], "none");

        browser.click("button[value=bad]");
        assert!(browser.text("[role=status]").contains("Ihre Antwort ist vermerkt"));
        assert!(browser.text("main").contains("ändern Sie jetzt Ihr Passwort"));
        is_clean(&browser, &daemon);
        until("support sees the answer", || {
            browser.open(&history(&daemon, "?login=ada"));
            (rows(&browser)[0][8] == "it was not me").then_some(())
        });
        is_clean(&browser, &daemon);

        // The last answer counts.
        browser.open(link);
        browser.click("button[value=good]");
        assert!(browser.text("[role=status]").contains("Ihre Antwort ist vermerkt"));
        until("support sees the last answer", || {
            browser.open(&history(&daemon, "?login=ada"));
            (rows(&browser)[0][8] == "it was me").then_some(())
        });

        // A link that was changed, and how that is told.
        browser.console();
        browser.open(&link.replace("/confirm?t=", "/confirm?t=1"));
        assert!(browser.text("[role=alert]").contains("nicht gültig"), "{}", browser.text("main"));
    });
}
