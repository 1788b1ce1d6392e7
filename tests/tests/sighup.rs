//! SIGHUP: what of a changed configuration takes effect without a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::net::TcpListener;
use std::time::Instant;

use portcullis_tests::{Daemon, Launch, PATIENCE, address};
use serde_json::json;

const BEFORE: &str = "newStringStatsDB('seen', 60, 5, { failures = 'int' })\n\
    setReport(function(lt) getStringStatsDB('seen'):twAdd(lt.login, 'failures', 1) end)\n\
    setAllow(function(lt) return 0, '', 'old', {} end)\n\
    setCustomEndpoint('old', false, function(args) return true, { from = 'old' } end)\n\
    addWebHook({ 'report' }, { url = 'http://127.0.0.1:9/' })\n\
    addNamedReportSink('sink', '127.0.0.1:9')\n\
    setShadowAllow(function(lt) return -1, '', 'old shadow', {} end)\n";

const AFTER: &str = "newStringStatsDB('seen', 60, 5, { failures = 'int' })\n\
    setReport(function(lt) getStringStatsDB('seen'):twAdd(lt.login, 'failures', 1) end)\n\
    setAllow(function(lt) return getStringStatsDB('seen'):twGet(lt.login, 'failures'), '', 'new', {} end)\n\
    setCustomEndpoint('new', false, function(args) return true, { from = 'new' } end)\n\
    setCustomGetEndpoint('text', function() return 'hello' end)\n\
    addWebHook({ 'report' }, { url = 'http://127.0.0.1:9/' })\n\
    addNamedReportSink('sink', '127.0.0.1:9')\n\
    setShadowAllow(function(lt) return -1, '', 'new shadow', {} end)\n";

/// Puts this in front of what the harness added, and has it read.
fn change(daemon: &Daemon, from: &str, to: &str, times: usize) {
    let text = std::fs::read_to_string(daemon.config()).unwrap();
    assert!(text.contains(from));
    std::fs::write(daemon.config(), text.replace(from, to)).unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for_count("wforce.conf: loaded again", times);
}

#[test]
fn policies_endpoints_and_the_shadow_follow_the_file_and_counts_stay() {
    let daemon = Daemon::start(BEFORE);
    let client = daemon.client();
    let login = json!({"login": "joe", "remote": "192.0.2.1"});
    client.report(&login);
    client.report(&login);
    assert_eq!(client.allow(&login)["status"], 0);
    daemon.log().wait_for("shadow_log=\"old shadow\"");
    assert_eq!(client.post("/command/new", &json!({"attrs": {}})).status, 404);

    let listed = json!({"login": "mallory", "expire_secs": 3600, "reason": "before"});
    assert_eq!(client.post("/command/addBLEntry", &listed).status, 200);
    let lists = client.get("/command/getBL").json();

    change(&daemon, BEFORE, AFTER, 1);
    assert_eq!(client.allow(&login)["status"], 2, "the counts of before, by the policy of now");
    assert_eq!(
        client.allow(&json!({"login": "mallory", "remote": "192.0.2.1"}))["status"],
        -1,
        "and the lists"
    );
    assert_eq!(client.get("/command/getBL").json(), lists);
    // Lines that say the same come once a second at most.
    let deadline = Instant::now() + PATIENCE;
    while daemon.log().count("shadow_log=\"new shadow\"") == 0 {
        assert!(Instant::now() < deadline, "no new shadow");
        assert_eq!(client.allow(&login)["status"], 2);
        std::thread::yield_now();
    }
    let answer = client.post("/command/new", &json!({"attrs": {}}));
    assert_eq!((answer.status, &answer.json()["r_attrs"]["from"]), (200, &json!("new")));
    assert_eq!(client.get("/?command=text").text(), "hello");
    assert_eq!(client.post("/command/old", &json!({"attrs": {}})).status, 404);
    assert!(client.get("/openapi.json").text().contains("/command/new"));
    assert!(daemon.execute("showCustomEndpoints()").contains("new"));
    // One each, as before, and the head of the table.
    assert_eq!(daemon.execute("showWebHooks()").lines().count(), 2);
    assert_eq!(daemon.execute("showNamedReportSinks()").lines().count(), 2);
    daemon.log().wait_for("webhooks and report sinks stay as they are until a restart");

    // The shadow goes with its line.
    let alone = "newStringStatsDB('seen', 60, 5, { failures = 'int' })\nsetAllow(function(lt) return -5, '', 'alone', {} end)\n";
    change(&daemon, AFTER, alone, 2);
    (0..20).for_each(|_| assert_eq!(client.allow(&login)["status"], -5));
    assert_eq!(client.metric("portcullis_shadow_total{live=\"deny\",shadow=\"deny\"}"), None);
}

#[test]
fn a_stats_db_that_the_file_changes_stays_with_a_line_in_the_log() {
    let daemon = Daemon::start(BEFORE);
    // The line that says that the file was loaded repeats the first of what was the matter.
    let said = || {
        let said = |line: &&String| line.contains("stats DB seen: its windows or fields differ");
        daemon.log().all().iter().filter(said).filter(|line| !line.contains("loaded again")).count()
    };
    let same = "newStringStatsDB('seen', 60, 5, { failures = 'int' })";
    change(&daemon, same, &format!("{same}\nnewStringStatsDB('more', 60, 5, {{ n = 'hll' }})"), 1);
    assert_eq!(said(), 0, "the same again, and a new one");
    change(&daemon, same, "newStringStatsDB('seen', 600, 6, { failures = 'int' })", 2);
    assert_eq!(said(), 1, "however many Lua states read the file");
    change(&daemon, "600, 6, { failures = 'int' }", "60, 5, { failures = 'int', other = 'int' }", 3);
    assert_eq!(said(), 2);
}

#[test]
fn a_file_that_does_not_load_changes_nothing() {
    let daemon = Daemon::start(BEFORE);
    std::fs::write(daemon.config(), "setAllow(nothing").unwrap();
    daemon.process.signal("HUP");
    let line = daemon.log().wait_for("the configuration cannot be used, the old one goes on");
    assert!(line.contains("wforce.conf:1:"), "{line}");
    let client = daemon.client();
    assert_eq!(client.post("/command/old", &json!({"attrs": {}})).status, 200);
    assert_eq!(client.allow(&json!({"login": "joe"}))["status"], 0);
}

#[test]
fn who_may_talk_follows_a_file_that_loads_and_no_other() {
    let daemon = Daemon::start(BEFORE);
    let good = std::fs::read_to_string(daemon.config()).unwrap();
    let others = "setWebserverPassword('other')\nsetACL({'192.0.2.0/24'})\nsetMetricsNoPassword()\n";
    std::fs::write(daemon.config(), format!("{good}{others}error('no further')\n")).unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for("the configuration cannot be used, the old one goes on");
    let client = daemon.client();
    assert_eq!(client.allow(&json!({"login": "joe"}))["status"], 0, "password and ACL are those of before");
    assert_eq!(client.with_credentials(None).get("/metrics").status, 401);

    let mine = "setWebserverPassword('other')\nsetMetricsNoPassword()\nsetACL({'127.0.0.0/8'})\n";
    change(&daemon, &format!("{others}error('no further')\n"), mine, 1);
    let login = json!({"login": "joe"});
    assert_eq!(client.post("/command/allow", &login).status, 401, "the old password");
    assert_eq!(client.with_credentials(Some("wforce:other")).post("/command/allow", &login).status, 200);
    assert_eq!(client.with_credentials(None).get("/metrics").status, 200);

    // What is taken out of the file is gone, not only what is added there.
    change(&daemon, "setMetricsNoPassword()\nsetACL({'127.0.0.0/8'})\n", "setACL({'192.0.2.0/24'})\n", 2);
    assert_eq!(client.with_credentials(Some("wforce:other")).post("/command/allow", &login).status, 401);
}

const LIVE: &str = "newStringStatsDB('seen', 60, 5, { failures = 'int' })\n\
    newStringStatsDB('nets', 600, 5, { failures = 'int' })\n\
    setReport(function(lt) getStringStatsDB('seen'):twAdd(lt.login, 'failures', 1) end)\n\
    setAllow(function(lt) return getStringStatsDB('seen'):twGet(lt.login, 'failures'), '', '', {} end)\n";

/// Changes what is live, while the file itself runs.
const CHANGES: &str = "blacklistNetmask(newNetmask('198.51.100.0/24'), 3600, 'by the file')\n\
    unblacklistIP(newCA('203.0.113.9'))\n\
    disableBuiltinWhitelists()\n\
    setBlacklistIPRetMsg('go away')\n\
    addCustomStat('fromthefile')\n\
    getStringStatsDB('seen'):twReset('joe')\n\
    getStringStatsDB('seen'):twAdd('ann', 'failures', 3)\n\
    getStringStatsDB('nets'):twSetMaxSize(77777)\n\
    getStringStatsDB('nets'):twSetv4Prefix(24)\n\
    getStringStatsDB('nets'):twAdd(newCA('192.0.2.7'), 'failures', 1)\n";

#[test]
fn what_a_file_does_besides_is_done_if_it_loads_and_only_then() {
    let daemon = Daemon::start(LIVE);
    let client = daemon.client();
    client.report(&json!({"login": "joe", "remote": "192.0.2.1"}));
    let listed = json!({"ip": "203.0.113.9", "expire_secs": 3600, "reason": "before"});
    assert_eq!(client.post("/command/addBLEntry", &listed).status, 200);
    let white = json!({"login": "white", "expire_secs": 3600, "reason": "before"});
    assert_eq!(client.post("/command/addWLEntry", &white).status, 200);
    let allow = |login: &str, remote: &str| client.allow(&json!({"login": login, "remote": remote}));
    let status = |login: &str, remote: &str| allow(login, remote)["status"].clone();
    let lists = client.get("/command/getBL").text();
    let good = std::fs::read_to_string(daemon.config()).unwrap();

    // Made anew, so that it is to be forgotten; and the error of a pass that the good one has, too.
    let anew = |fields: &str| format!("newStringStatsDB('anew', 60, 2, {{ {fields} = 'int' }})\n");
    for broken in ["error('boom')\n", "setAllow(function(lt) return 0 end)\nnothing()\n"] {
        std::fs::write(daemon.config(), format!("{good}{CHANGES}{}{broken}", anew("bad"))).unwrap();
        let before = daemon.log().count("the configuration cannot be used, the old one goes on");
        daemon.process.signal("HUP");
        daemon.log().wait_for_count("the configuration cannot be used, the old one goes on", before + 1);
        assert_eq!(client.get("/command/getBL").text(), lists);
        assert_eq!(status("eve", "198.51.100.9"), 0, "not listed");
        assert_eq!(status("white", "203.0.113.9"), 0, "the whitelist is looked at");
        assert_ne!(allow("eve", "203.0.113.9")["msg"], "go away");
        assert_eq!(status("joe", "192.0.2.1"), 1, "what was counted stays");
        assert_eq!(status("ann", "192.0.2.1"), 0);
        // The console's client reads the file, too.
        std::fs::write(daemon.config(), &good).unwrap();
        assert!(!daemon.execute("showStringStatsDB()").contains("anew"));
        assert!(!daemon.execute("showCustomStats()").contains("fromthefile"));
    }
    let size = "for name, db in pairs({ nets = getStringStatsDB('nets') }) do infoLog(name .. ' at /' .. db:twGetv4Prefix(), {}) end";
    daemon.execute(size);
    daemon.log().wait_for("nets at /32");

    // All of it, and what was forgotten is made as the mended file says.
    let use_it = "setReport(function(lt) getStringStatsDB('anew'):twAdd(lt.login, 'good', 1) end)\n";
    std::fs::write(daemon.config(), format!("{good}{CHANGES}{}{use_it}", anew("good"))).unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for_count("wforce.conf: loaded again", 1);
    assert_eq!(allow("eve", "198.51.100.9")["msg"], "go away");
    assert_eq!(status("eve", "203.0.113.9"), 0, "no longer listed");
    assert_eq!(status("white", "198.51.100.9"), -1, "the whitelist is not looked at any more");
    assert_eq!(status("joe", "192.0.2.1"), 0, "reset");
    assert_ne!(status("ann", "192.0.2.1"), 0);
    daemon.execute(size);
    daemon.log().wait_for("nets at /24");
    client.report(&json!({"login": "joe", "remote": "192.0.2.1"}));
    let counted = client.post("/command/getDBStats", &json!({"login": "joe"})).json();
    assert_eq!(counted["stats"]["anew"]["good"], 1, "{counted}");
    let net = client.post("/command/getDBStats", &json!({"ip": "192.0.2.99"})).json();
    assert!(net["stats"]["nets"]["failures"].as_i64().is_some_and(|count| count > 0), "{net}");
    assert!(daemon.execute("showCustomStats()").contains("fromthefile"));

    // Policies act at once.
    let listing =
        "setAllow(function(lt) blacklistLogin(lt.login, 3600, 'at once') return 0, '', '', {} end)\n";
    std::fs::write(daemon.config(), format!("{good}{listing}")).unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for_count("wforce.conf: loaded again", 2);
    assert_eq!(status("white", "198.51.100.9"), 0, "without the line the whitelist is looked at again");
    assert_eq!(status("mallory", "192.0.2.1"), 0);
    assert_eq!(status("mallory", "192.0.2.1"), -1, "listed by its first login");
}

/// SIGHUP for a file that does not end, then SIGHUP again, then SIGTERM.
fn ends_while_it_reads(daemon: &mut Daemon, replace: impl Fn(&std::path::Path)) {
    replace(&daemon.config());
    daemon.process.signal("HUP");
    daemon.log().wait_for("SIGHUP: reading the configuration");
    daemon.process.signal("HUP");
    daemon.log().wait_for("the configuration is still being read");
    assert!(daemon.terminate().success());
    assert!(daemon.log().to_end().iter().any(|line| line.contains("that is not waited for")));
}

fn endless(config: &std::path::Path) {
    let text = std::fs::read_to_string(config).unwrap();
    std::fs::write(config, text + "\nwhile true do pcall(function() while true do end end) end\n").unwrap();
}

#[test]
fn sigterm_ends_a_wforce_that_reads_a_file_without_an_end_and_its_state_is_saved() {
    let config = "setStateDir('state')\nnewStringStatsDB('seen', 600, 5, { failures = 'int' })\n\
        setReport(function(lt) getStringStatsDB('seen'):twAdd(lt.login, 'failures', 1) end)\n";
    let mut daemon = Daemon::start(config);
    let client = daemon.client();
    client.report(&json!({"login": "joe", "remote": "192.0.2.1"}));
    ends_while_it_reads(&mut daemon, endless);
    assert!(daemon.folder().join("state/state").exists(), "the counts are saved");
}

#[test]
fn sigterm_ends_a_trackalert_that_reads_a_file_without_an_end() {
    ends_while_it_reads(&mut Launch::trackalert("setReport(function(lt) end)\n").start(), endless);
}

#[test]
fn sigterm_ends_a_replfwd_whose_file_waits_for_a_pipe() {
    let mut daemon = Launch::new("").program("replfwd").start();
    let pipe = daemon.folder().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    ends_while_it_reads(&mut daemon, |config| {
        let text = std::fs::read_to_string(config).unwrap();
        std::fs::write(config, text + "\ndofile('pipe')\n").unwrap();
    });
}

#[test]
fn a_file_that_is_read_when_the_daemon_ends_is_not_put_in_place_any_more() {
    // It takes what is sent, and says nothing: the daemon waits for that at its end.
    let silent = TcpListener::bind((address::own(), 0)).unwrap();
    let hook =
        format!("addWebHook({{ 'report' }}, {{ url = 'http://{}/' }})\n", silent.local_addr().unwrap());
    let mut daemon = Daemon::start(&format!("{BEFORE}{hook}"));
    daemon.client().report(&json!({"login": "joe", "remote": "192.0.2.1"}));
    let _connection = silent.accept().unwrap();
    let text = std::fs::read_to_string(daemon.config()).unwrap();
    std::fs::write(daemon.config(), text + "\nwhile not io.open('go') do end\n").unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for("SIGHUP: reading the configuration");
    daemon.process.signal("TERM");
    daemon.log().wait_for("that is not waited for");
    std::fs::write(daemon.folder().join("go"), "").unwrap();
    assert!(daemon.process.wait().success());
    let lines = daemon.log().to_end();
    assert!(lines.iter().any(|line| line.contains("the old one goes on: the daemon ends")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("loaded again")), "{lines:?}");
}

#[test]
fn a_pipe_in_the_place_of_the_file_is_refused_at_once() {
    let daemon = Daemon::start(BEFORE);
    std::fs::remove_file(daemon.config()).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(daemon.config()).status().unwrap().success());
    daemon.process.signal("HUP");
    let line = daemon.log().wait_for("the configuration cannot be used, the old one goes on");
    assert!(line.contains("it is a pipe"), "{line}");
    assert_eq!(daemon.client().allow(&json!({"login": "joe"}))["status"], 0);
}

#[test]
fn a_file_without_code_is_refused_and_what_another_one_loses_is_told() {
    let daemon = Daemon::start(BEFORE);
    for (times, text) in [(1, ""), (2, "-- soon\n--[[\nsetAllow(nothing)\n]]\n")] {
        std::fs::write(daemon.config(), text).unwrap();
        daemon.process.signal("HUP");
        daemon.log().wait_for_count("holds no code: is it being written?", times);
    }
    assert_eq!(daemon.client().allow(&json!({"login": "joe"}))["status"], 0);

    std::fs::write(daemon.config(), "newStringStatsDB('seen', 60, 5, { failures = 'int' })\n").unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for("loaded again");
    for what in ["password: every request to the REST API is refused", "listener: those", "hook: no policy"] {
        let line = daemon.log().wait_for(what);
        assert!(line.contains("wforce.conf no longer"), "{line}");
    }
    let refused = daemon.client().post("/command/allow", &json!({"login": "joe"}));
    assert_eq!(refused.status, 401);
}

#[test]
fn what_of_a_file_cannot_be_used_is_told() {
    let daemon = Daemon::start(BEFORE);
    change(&daemon, BEFORE, &format!("setKey('nonsense')\n{BEFORE}"), 1);
    let line = daemon.log().wait_for("loaded again, without what cannot be used");
    assert!(line.contains("setKey"), "{line}");
}

#[test]
fn each_hook_that_a_file_loses_is_told() {
    let daemon = Daemon::start(BEFORE);
    let allow = "setAllow(function(lt) return 0, '', 'old', {} end)\n";
    change(&daemon, allow, "", 1);
    let line =
        daemon.log().wait_for("no longer sets allow: every login that the lists let through is allowed");
    assert!(line.contains("wforce.conf no longer"), "{line}");
    assert_eq!(daemon.log().count("no longer sets"), 1, "the others are still there");
}
