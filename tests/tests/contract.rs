//! Every function of the contract, called by a component and by Lua in the same daemon: what they answer, and what they refuse.
//!
//! Needs the component `everything` in `target/test-guests`, which `scripts/policies test` builds.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

#[path = "contract/rows.rs"]
mod rows;

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_tests::receiver::Receiver;
use portcullis_tests::redis::Redis;
use portcullis_tests::{Daemon, Launch, tools, until};
use rows::Expected::{Component, Each, Same};
use rows::{ADDRESSES, COUNTS, DENIED, PLACES, REPORTS, Row};
use serde_json::{Map, Value, json};
use wit_parser::{Resolve, WorldItem};

/// Calls a function at an endpoint; an error is its kind and its text.
fn call(daemon: &Daemon, endpoint: &str, function: &str, args: &[(&str, &str)]) -> String {
    let mut attrs: Map<String, Value> =
        args.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    attrs.insert("call".to_owned(), json!(function));
    let answer = daemon.client().post(&format!("/command/{endpoint}"), &json!({"attrs": attrs}));
    assert_eq!(answer.status, 200, "{endpoint} {function}: {} {:#?}", answer.text(), daemon.log().all());
    let answer = answer.json();
    let (kind, text) = answer["r_attrs"].as_object().unwrap().iter().next().unwrap();
    let text = text.as_str().unwrap();
    if kind == "value" { text.to_owned() } else { format!("{kind}: {text}") }
}

/// All rows by Lua and then, from the same state, by the component.
fn play(daemon: &Daemon, rows: &[Row]) {
    let mut wrong = Vec::new();
    for endpoint in ["lua", "component"] {
        for (function, args, expected) in rows {
            let expected = match expected {
                Component(_) if endpoint == "lua" => continue,
                Each(component, lua) => [*component, *lua][usize::from(endpoint == "lua")],
                Same(text) | Component(text) => text,
            };
            let answer = call(daemon, endpoint, function, args);
            if answer != expected {
                wrong.push(format!("{endpoint}: {function} {args:?}: {answer:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The configuration of a daemon whose endpoints `lua` and `component` answer.
fn config(before: &str, after: &str) -> String {
    let guest = tools::test_guest("everything");
    let lua = tools::workspace().join("tests/tests/contract/twin.lua");
    format!(
        "setPolicyBudget(60000)\n{before}\ndofile('{}')\n\
         loadPolicy('everything', '{guest}', {{ deadline_ms = 60000, settings = {{ text = 'some', number = 3, list = {{ 1, 2 }} }} }})\n\
         if getStringStatsDB then setCustomEndpoint('component', false, 'everything')\n\
         else setCustomEndpoint('component', 'everything') end\n{after}",
        lua.display(),
        guest = guest.display()
    )
}

/// The functions of the contract, as calls name them.
fn contract() -> Vec<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(tools::workspace().join("wit")).unwrap();
    let world = resolve.select_world(&[package], Some("imports")).unwrap();
    let mut functions = Vec::new();
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else { panic!("{item:?}") };
        let interface = resolve.interfaces[*id].name.as_deref().unwrap_or_else(|| panic!("{key:?}"));
        let names = resolve.interfaces[*id].functions.keys();
        functions.extend(names.map(|name| format!("{interface}.{}", name.trim_start_matches("[method]"))));
    }
    functions
}

#[test]
fn no_function_is_left_out() {
    let calls =
        [include_str!("contract.rs"), include_str!("contract/rows.rs"), include_str!("dns.rs")].concat();
    let functions = contract();
    assert!(functions.len() > 50, "{functions:?}");
    for function in functions {
        assert!(calls.contains(&format!("\"{function}\"")), "no test calls {function}");
    }
}

/// A window is longer than any test takes, and ends in 2033.
const STATS: &str = "newStringStatsDB('db', 1000000000, 3, { n = 'int', d = 'hll', c = 'countmin' })\n\
    getStringStatsDB('db'):twSetv4Prefix(24)\ngetStringStatsDB('db'):twSetv6Prefix(128)\n";

#[test]
fn addresses_and_stats_dbs() {
    let daemon = Daemon::start(&config(STATS, ""));
    play(&daemon, ADDRESSES);
    play(&daemon, COUNTS);
}

#[test]
fn stats_dbs_that_are_kept_in_a_server() {
    let redis = Redis::start();
    let outside = STATS.replace(
        "c = 'countmin' })",
        &format!("c = 'countmin' }}, {{ backend = 'redis://{}', timeout_ms = 30000 }})", redis.addr),
    );
    assert_ne!(outside, STATS);
    play(&Daemon::start(&config(&outside, "")), COUNTS);
}

#[test]
fn lists() {
    const ADD: [(&str, &str); 2] = [("seconds", "3600"), ("reason", "because")];
    let daemon = Daemon::start(&config("", ""));
    for which in ["black", "white"] {
        for endpoint in ["lua", "component"] {
            for (kind, subject, key, field) in [
                ("ip", &[("ip", "192.0.2.1")][..], "192.0.2.1/32", "ip"),
                ("netmask", &[("netmask", "198.51.100.7/24")], "198.51.100.0/24", "ip"),
                ("login", &[("login", "joe")], "joe", "login"),
                ("ip-login", &[("ip", "2001:db8::1"), ("login", "joe")], "2001:db8::1:joe", "iplogin"),
                ("ja3", &[("ja3", "abc")], "abc", "ja3"),
                ("ip-ja3", &[("ip", "192.0.2.1"), ("ja3", "abc")], "192.0.2.1:abc", "ipja3"),
            ] {
                let lua = endpoint == "lua";
                let told = format!("{endpoint} {which} {kind}");
                let with = |kind: &'static str, more: &[(&'static str, &'static str)]| {
                    let which = [("which", which), ("kind", kind)];
                    [&which[..], subject, more].concat()
                };
                let ask = |function: &str, args: &[(&str, &str)]| call(&daemon, endpoint, function, args);
                // Netmasks are among the addresses.
                let of = if kind == "netmask" { "ip" } else { kind };
                let mut inside = with(of, &[]);
                if kind == "netmask" {
                    inside.push(("ip", "198.51.100.99"));
                }
                let entry = format!("{key} because 36");
                let entries = if lua { format!("{field}={key} ") } else { entry.clone() };
                let (hit, missed) = if lua { ("true", "false") } else { (entry.as_str(), "nil") };
                assert_eq!(ask("lists.check", &inside), missed, "{told}");
                assert_eq!(ask("lists.add", &with(kind, &ADD)), "", "{told}");
                assert_eq!(ask("lists.check", &inside), hit, "{told}");
                let found = ask("lists.entries", &with(of, &[("limit", "5")]));
                assert!(
                    if lua {
                        found.contains(entries.trim_end()) && found.contains("reason=because")
                    } else {
                        found == entries
                    },
                    "{told}: {found}"
                );
                assert_eq!(ask("lists.entries", &with(of, &[("limit", "0")])), "", "{told}");
                assert_eq!(ask("lists.delete", &with(kind, &[])), "", "{told}");
                assert_eq!(ask("lists.check", &inside), missed, "{told}");
            }
        }
    }
}

#[test]
fn geoip_databases() {
    let data = tools::workspace().join("host/capabilities/testdata");
    let open = |name: &str, file: &str| format!("newGeoIP2DB('{name}', '{}')\n", data.join(file).display());
    let before = open("city", "GeoIP2-City-Test.mmdb") + &open("decoder", "MaxMind-DB-test-decoder.mmdb");
    let daemon = Daemon::start(&config(&before, ""));
    play(&daemon, PLACES);
}

#[test]
fn webhooks_counters_log_settings_clock_and_chance() {
    let receiver = Receiver::start("200 OK");
    let before =
        format!("addCustomWebHook('hook', {{ url = '{}' }})\naddCustomStat('mine')\n", receiver.url());
    let daemon = Launch::new(&config(&before, "")).arg("--log-format").arg("json").start();
    play(
        &daemon,
        &[
            ("webhooks.run", &[("name", "hook"), ("body", "{\"a\": 1}")], Same("")),
            ("webhooks.run", &[("name", "nobody"), ("body", "x")], Component("unknown: nobody")),
            ("metrics.increment", &[("name", "mine")], Same("")),
            ("metrics.increment", &[("name", "nobody")], Component("unknown: nobody")),
            ("log.write", &[("level", "info"), ("message", "worth knowing")], Same("")),
            ("log.write", &[("level", "warning"), ("message", "strange")], Same("")),
            ("log.write", &[("level", "error"), ("message", "wrong")], Same("")),
            ("log.write", &[("level", "debug"), ("message", "only with -v")], Same("")),
            ("log.write", &[("level", "verbose"), ("message", "only with -v")], Same("")),
            ("settings.get", &[("name", "text")], Component("some")),
            ("settings.get", &[("name", "number")], Component("3")),
            ("settings.get", &[("name", "list")], Component("[1,2]")),
            ("settings.get", &[("name", "nothing")], Component("nil")),
            ("settings.json", &[], Component(r#"{"list":[1,2],"number":3,"text":"some"}"#)),
            ("clock.monotonic", &[], Component("true")),
            ("random.number", &[], Component("true")),
            ("random.bytes", &[("count", "16")], Component("16 true")),
            ("random.bytes", &[("count", "0")], Component("0 false")),
            ("random.bytes", &[("count", "100000")], Component("65536 true")),
            // What is there in trackalert and in a daemon with a store only.
            (
                "alerts.raise",
                &[("reason", "x")],
                Component(
                    "unavailable: alert: nobody is told: the configuration has no setAlertMail, addAlertWebhook or addAlertBlock",
                ),
            ),
            (
                "reports.count",
                &[],
                Component("unavailable: this daemon has no report store (setReportStore sets one up)"),
            ),
            ("request.attribute", &[("name", "call")], Component("nil")),
            ("request.attribute-values", &[("name", "call")], Component("")),
            ("request.device-attribute", &[("name", "os.family")], Component("nil")),
            ("request.attributes", &[], Component("")),
            ("request.multi-attributes", &[], Component("")),
            ("request.device-attributes", &[], Component("")),
        ],
    );
    (0..2).for_each(|_| assert_eq!(receiver.next().body, "{\"a\": 1}"));
    assert!(!receiver.has_more());
    assert_eq!(daemon.client().metric("wforce_custom_stats_total{metric=\"mine\"}"), Some(2.0));
    for (level, message) in [("info", "worth knowing"), ("warning", "strange"), ("err", "wrong")] {
        let lines: Vec<Value> = daemon
            .log()
            .wait_for_count(message, 2)
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for line in lines {
            assert!(line.to_string().contains(&format!("\"{level}\"")), "{level}: {line}");
            assert!(line.to_string().contains("here"), "{line}");
        }
    }
    assert_eq!(daemon.log().count("only with -v"), 0);
    for endpoint in ["lua", "component"] {
        let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let before = seconds();
        let told: f64 = call(&daemon, endpoint, "clock.now", &[]).parse().unwrap();
        assert!((before - 1.0..seconds() + 1.0).contains(&told), "{endpoint}: {told}");
    }
}

#[test]
fn what_a_login_brings_along() {
    // The one whose name begins so is Lua's.
    let after = "setAllow({ function(lt)\n\
        if lt.login:sub(1, 3) ~= 'lua' then return 'pass' end\nreturn 0, '', '', seen(lt)\nend, 'everything' })\n";
    let daemon = Daemon::start(&config("", after));
    let ask = |login: &str| {
        let tuple = json!({"login": login, "remote": "192.0.2.1", "pwhash": "ab12", "protocol": "imap", "tls": true,
            "session_id": "session 1", "device_id": r#""name" "Mail" "version" "1.2""#, "fail_type": "credentials",
            "success": false, "policy_reject": true,
            "attrs": {"one": "1", "b": "2", "many": ["x", "y"], "empty": []}});
        let mut told = daemon.client().allow(&tuple)["r_attrs"].clone();
        told["login"] = json!(told["login"].as_str().unwrap().trim_start_matches("lua"));
        told
    };
    let (lua, mut component) = (ask("luajoe"), ask("joe"));
    for (name, value) in [
        ("remote", "192.0.2.1"),
        ("login", "joe"),
        ("pwhash", "ab12"),
        ("protocol", "imap"),
        ("tls", "true"),
        ("session_id", "session 1"),
        ("device_id", r#""name" "Mail" "version" "1.2""#),
        ("one", "1"),
        ("none", "nil"),
        ("many", "x y"),
        ("family", "Mail"),
    ] {
        assert_eq!(component[name], value, "{name}");
    }
    for name in ["attributes", "multi_attributes", "device_attributes"] {
        assert!(!component[name].as_str().unwrap().is_empty(), "{name}: {component}");
    }
    // They came one after the other.
    let time = |told: &Value| told["t"].as_str().unwrap().parse::<f64>().unwrap();
    assert!((0.0..60.0).contains(&(time(&component) - time(&lua))), "{lua} {component}");
    component["t"] = lua["t"].clone();
    assert_eq!(component, lua);
}

#[test]
fn the_long_memory() {
    let city = tools::workspace().join("host/capabilities/testdata/GeoIP2-City-Test.mmdb");
    let before = format!(
        "setReportStore('embedded', {{ path = 'reports', retention_days = 36500 }})\nnewGeoIP2DB('City', '{}')\n",
        city.display()
    );
    let after =
        "setReport({ function(lt) infoLog('Lua was told', { report = lt.report_id }) end, 'everything' })\n";
    let daemon = Launch::trackalert(&config(&before, after)).start();
    for (number, (login, ip, success)) in [
        ("anna", "89.160.20.112", true),
        ("anna", "89.160.20.112", true),
        ("anna", "198.51.100.9", false),
        ("bert", "198.51.100.9", false),
        ("carl", "198.51.100.9", false),
        ("carl", "2001:db8::1", true),
    ]
    .into_iter()
    .enumerate()
    {
        daemon.client().report(&json!({"login": login, "remote": ip, "success": success, "protocol": "imap",
            "fail_type": if success { "" } else { "credentials" }, "t": 1_700_000_000 + number * 60, "pwhash": format!("p{number}"), "attrs": {"realm": login[..1]}}));
    }
    let ids = |text: &str| {
        let lines = daemon.log().wait_for_count(text, 6);
        let mut ids: Vec<String> = lines
            .iter()
            .map(|line| line.split("report=\"").nth(1).unwrap().split('"').next().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let told = ids("a component was told");
    assert!(told.iter().all(|id| id.len() > 4), "{told:?}");
    assert_eq!(told, ids("Lua was told"));
    until("the reports", || (call(&daemon, "lua", "reports.count", &[]) == "6").then_some(()));
    play(&daemon, REPORTS);
    let query = json!({"query": {"term": {"login": "carl"}}}).to_string();
    let search = |endpoint| {
        let found: Value = serde_json::from_str(&call(
            &daemon,
            endpoint,
            "reports.search",
            &[("index", "any"), ("query", &query)],
        ))
        .unwrap();
        found["hits"]["hits"].clone()
    };
    assert_eq!(search("component").as_array().unwrap().len(), 2);
    assert_eq!(search("component"), search("lua"));
}

#[test]
fn what_is_not_granted_is_denied_with_what_would_grant_it() {
    let guest = tools::test_guest("everything");
    let load = |name: &str| {
        format!(
            "loadPolicy('{name}', '{}', {{ deadline_ms = 60000, capabilities = {{}} }})\n\
             setCustomEndpoint('try-{name}', false, '{name}')\n",
            guest.display()
        )
    };
    let loads: Vec<String> = DENIED.iter().map(|(name, ..)| load(name)).collect();
    // All of it is there.
    let city = tools::workspace().join("host/capabilities/testdata/GeoIP2-City-Test.mmdb");
    let config = format!(
        "setPolicyBudget(60000)\nsetPolicyCache('cache')\n{}{STATS}newGeoIP2DB('city', '{}')\nnewDNSResolver('names')\n\
         addCustomStat('mine')\naddCustomWebHook('hook', {{ url = 'http://127.0.0.1:9/' }})\n",
        loads.concat(),
        city.display()
    );
    let daemon = Daemon::start(&config);
    for (name, (function, args), what) in DENIED {
        let kind = function.split('.').next().unwrap();
        let told = call(&daemon, &format!("try-{name}"), function, args);
        let entry = match what.split_once(' ') {
            Some((_, of)) => format!("capabilities = {{ {kind} = {{ {of} }} }}"),
            None => "capabilities = { reports = true }".to_owned(),
        };
        assert_eq!(told, format!("denied: {entry}"), "{name}");
        let line = daemon.log().wait_for(&format!("policy {name}: {what}"));
        assert!(line.contains("denied: its capabilities do not name it") && line.contains(&entry), "{line}");
    }
    assert!(
        daemon.client().metric("wforce_custom_stats_total{metric=\"mine\"}").is_none_or(|count| count < 0.5)
    );
    assert_eq!(daemon.client().get("/command/getBL").json()["bl_entries"], json!([]));
}
