//! The shipped policies: each loads into a real `wforce` from its `policy.conf`, stops whom it should, and nobody else; and what
//! the simulation says of them does not get worse.
//!
//! Needs the components in `target/policies`, which `make policies` builds.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::process::Command;

use portcullis_tests::process::Process;
use portcullis_tests::{Client, Daemon, Launch, address, process, tools};
use serde_json::{Value, json};

/// A `wforce` with a shipped configuration, and what stands before and after it.
fn shipped(before: &str, file: &str, after: &str) -> Daemon {
    let policies = tools::workspace().join("policies");
    let components = tools::shipped_components();
    Launch::new(&format!(
        "policy_folder = \"{}\"\n{before}\ndofile(\"{}/{file}\")\n{after}",
        components.display(),
        policies.display()
    ))
    .start()
}

fn login(remote: &str, name: &str, hash: &str) -> Value {
    json!({"remote": remote, "login": name, "pwhash": hash, "protocol": "imap"})
}

fn failed(client: &Client, remote: &str, name: &str, hash: &str) {
    let mut report = login(remote, name, hash);
    report["success"] = json!(false);
    client.report(&report);
}

fn succeeded(client: &Client, remote: &str, name: &str) {
    let mut report = login(remote, name, "right");
    report["success"] = json!(true);
    client.report(&report);
}

/// The status, and what the policy said to the log.
fn ask(client: &Client, remote: &str, name: &str, hash: &str) -> i64 {
    client.allow(&login(remote, name, hash))["status"].as_i64().unwrap()
}

#[test]
fn an_explanation_has_the_lists_and_what_a_batch_read() {
    let daemon = shipped("", "brute-force/policy.conf", "");
    let client = daemon.client();
    (0..21).for_each(|n| failed(&client, "192.0.2.1", "alice", &format!("hash{n}")));
    let entry = json!({"login": "bob", "expire_secs": 3600, "reason": "on holiday"});
    assert_eq!(client.post("/command/addWLEntry", &entry).status, 200);
    let explain = |name: &str| {
        let body = login("192.0.2.1", name, "x").to_string();
        let header = [("X-Portcullis-Explain", "1")];
        client.request("POST", "/command/allow", &header, body.as_bytes()).json()["explain"].clone()
    };
    let told = explain("alice");
    assert_eq!(told["decided_by"], "policy brute-force", "{told}");
    let steps = told["steps"].as_array().unwrap();
    let missed = |of: &str| {
        steps.iter().any(|step| step["step"] == "list" && step["list"] == of && step["hit"] == false)
    };
    assert!(missed("whitelist") && missed("blacklist"), "{told}");
    // All in one crossing of the border, and each with its own line.
    let read = steps.iter().filter(|step| step["step"] == "stats").collect::<Vec<_>>();
    assert!(read.iter().any(|step| step["key"] == "192.0.2.1:alice" && step["value"] == 21), "{told}");
    assert!(read.len() > 1, "{told}");

    let told = explain("bob");
    assert_eq!(told["decided_by"], "whitelist", "{told}");
    let hit = told["steps"].as_array().unwrap().iter().find(|step| step["hit"] == true).cloned().unwrap();
    assert_eq!(
        (&hit["step"], &hit["list"], &hit["key"]),
        (&json!("list"), &json!("whitelist"), &json!("bob")),
        "{told}"
    );
    assert_eq!(hit["reason"], "on holiday");
    let text = daemon.execute("explain('bob', '192.0.2.1')");
    assert!(text.contains("decided by: whitelist") && text.contains("on holiday"), "{text}");
}

#[test]
fn brute_force_stops_a_guesser_and_no_old_phone() {
    let daemon = shipped("", "brute-force/policy.conf", "");
    let client = daemon.client();
    for n in 0..21 {
        failed(&client, "192.0.2.1", "alice", &format!("hash{n}"));
        failed(&client, "192.0.2.2", "bob", "last week's");
    }
    assert_eq!(ask(&client, "192.0.2.1", "alice", "x"), -1);
    daemon.log().wait_for("pair_block");
    assert_eq!(ask(&client, "192.0.2.2", "bob", "x"), 0);
    assert_eq!(client.post("/command/reset", &json!({"ip": "192.0.2.1", "login": "alice"})).status, 200);
    assert_eq!(ask(&client, "192.0.2.1", "alice", "x"), 0);
}

#[test]
fn password_spray_stops_an_address_that_goes_from_login_to_login() {
    let daemon = shipped("", "password-spray/policy.conf", "");
    let client = daemon.client();
    for n in 0..26 {
        failed(&client, "2001:db8::5", &format!("user{n}"), "Spring2026");
        failed(&client, "192.0.2.2", "bob", &format!("hash{n}"));
    }
    assert_eq!(ask(&client, "2001:db8::6", "zoe", "x"), -1);
    daemon.log().wait_for("spray_address_block");
    assert_eq!(
        ask(&client, "198.51.100.1", "zoe", "Spring2026"),
        5,
        "the same password from elsewhere waits"
    );
    assert_eq!(ask(&client, "192.0.2.2", "zoe", "x"), 0);
}

#[test]
fn distributed_guessing_stops_a_botnet_and_not_the_owner() {
    let daemon = shipped("", "distributed-guessing/policy.conf", "");
    let client = daemon.client();
    succeeded(&client, "198.51.100.1", "alice");
    for n in 0..21 {
        failed(&client, &format!("203.0.{n}.1"), "alice", &format!("hash{n}"));
    }
    assert_eq!(ask(&client, "192.0.2.1", "alice", "x"), -1);
    daemon.log().wait_for("guessing_block");
    assert_eq!(ask(&client, "198.51.100.77", "alice", "x"), 0);
    assert_eq!(ask(&client, "192.0.2.1", "bob", "x"), 0);
}

#[test]
fn geo_fence_keeps_other_countries_out() {
    let daemon = shipped("", "geo-fence/policy.conf", "");
    let client = daemon.client();
    assert_eq!(ask(&client, "89.160.20.115", "alice", "x"), -1, "Sweden");
    daemon.log().wait_for("country=\"SE\"");
    assert_eq!(ask(&client, "81.2.69.160", "alice", "x"), 0, "London");
    assert_eq!(ask(&client, "192.168.1.1", "alice", "x"), 0);
}

#[test]
fn impossible_travel_stops_a_thief_and_not_a_neighbour() {
    let daemon = shipped("", "impossible-travel/policy.conf", "");
    let client = daemon.client();
    succeeded(&client, "81.2.69.160", "alice");
    assert_eq!(ask(&client, "2001:218::1", "alice", "right"), -1, "Tokyo");
    daemon.log().wait_for("impossible_travel");
    assert_eq!(ask(&client, "2.125.160.217", "alice", "right"), 0, "Oxford");
    assert_eq!(ask(&client, "2001:218::1", "bob", "right"), 0);
}

#[test]
fn rbl_stops_a_listed_address_that_fails() {
    let folder = tempfile::TempDir::with_prefix("portcullis-rbl-").unwrap();
    process::run_ok(Command::new("chmod").arg("755").arg(folder.path()));
    std::fs::write(folder.path().join("zone"), ":127.0.0.4:listed\n203.0.113.9\n").unwrap();
    let server = address::fresh();
    let mut command = Command::new(tools::system_tool("rbldnsd"));
    command
        .arg("-n")
        .arg("-b")
        .arg(format!("{}/{}", server.ip(), server.port()))
        .arg("-w")
        .arg(folder.path());
    if process::run_ok(Command::new("id").arg("-u")).trim() == "0" {
        command.args(["-u", "nobody:nogroup"]);
    }
    let rbldnsd = Process::start(command.arg("bl.example.org:ip4set:zone"));
    rbldnsd.stdout.wait_for("started");

    let before = format!("rbl_server, rbl_port = \"{}\", {}", server.ip(), server.port());
    let daemon = shipped(&before, "rbl/policy.conf", "getDNSResolver(\"rbl\"):setRequestTimeout(800)");
    let client = daemon.client();
    // On a busy machine the first answers may come too late for the call's deadline.
    let waited = (0..60).any(|_| ask(&client, "203.0.113.9", "alice", "x") == 5);
    assert!(waited, "{:#?}", daemon.log().all());
    for n in 0..3 {
        failed(&client, "203.0.113.9", "alice", &format!("hash{n}"));
        failed(&client, "203.0.113.8", "alice", &format!("hash{n}"));
    }
    assert_eq!(ask(&client, "203.0.113.9", "alice", "x"), -1);
    daemon.log().wait_for("rbl_block");
    assert_eq!(ask(&client, "203.0.113.8", "alice", "x"), 0);
}

#[test]
fn office_nat_keeps_a_colleague_s_mistakes_from_everybody_else() {
    let chain = "setAllow({ \"office-nat\", \"brute-force\" })\n\
        setReport({ \"office-nat\", \"brute-force\" })\nsetReset({ \"office-nat\", \"brute-force\" })\n";
    let before = format!("dofile(\"{}/policies/brute-force/policy.conf\")", tools::workspace().display());
    let daemon = shipped(&before, "office-nat/policy.conf", chain);
    let client = daemon.client();
    for n in 0..20 {
        succeeded(&client, "192.0.2.1", &format!("user{n}"));
    }
    for n in 0..120 {
        // The office's infected machine, and one outside that does the same.
        failed(&client, "192.0.2.1", &format!("victim{n}"), &format!("hash{n}"));
        failed(&client, "198.51.100.2", &format!("victim{n}"), &format!("hash{n}"));
    }
    assert_eq!(ask(&client, "192.0.2.1", "user7", "x"), 0, "who belongs there goes on working");
    assert_eq!(ask(&client, "192.0.2.1", "victim200", "x"), -1, "the machine does not");
    assert_eq!(ask(&client, "198.51.100.2", "user7", "x"), -1);
}

#[test]
fn all_of_them_work_as_one_chain() {
    let daemon = shipped("", "everything.conf", "setVerboseAllowLog()");
    let client = daemon.client();
    for n in 0..20 {
        succeeded(&client, "81.2.69.160", &format!("user{n}"));
    }
    for n in 0..30 {
        failed(&client, "2.125.160.217", "alice", &format!("hash{n}"));
        failed(&client, "2.125.160.218", &format!("victim{n}"), "Spring2026");
    }
    for (remote, name, status, log) in [
        ("89.160.20.115", "user1", -1, "geo_fence"),
        ("2.125.160.217", "alice", -1, "pair_block"),
        ("2.125.160.218", "user1", -1, "spray_address_block"),
        ("81.2.69.160", "user1", 0, "office"),
        ("81.2.69.160", "newcomer", 0, "office"),
        ("2.125.160.219", "user1", 0, ""),
    ] {
        assert_eq!(ask(&client, remote, name, "x"), status, "{name} from {remote}");
        daemon.log().wait_for(log);
    }
    let policies = daemon.execute("showPolicies()");
    for name in
        ["geo-fence", "impossible-travel", "rbl", "office-nat", "password-spray", "distributed-guessing"]
    {
        assert!(policies.contains(name), "{policies}");
    }
}

/// How long after its beginning an attack is refused at the latest: policy, attack, seconds; about twice what it is.
const SOON: [(&str, &str, f64); 8] = [
    ("brute-force", "brute force", 30.0),
    ("password-spray", "spray", 450.0),
    ("password-spray", "botnet spray", 1200.0),
    ("password-spray", "stuffing", 2700.0),
    ("distributed-guessing", "distributed guessing", 4600.0),
    ("impossible-travel", "travelling thief", 1.0),
    ("rbl", "listed hosts", 3600.0),
    ("everything", "spray", 15.0),
];

/// What must be caught at least, and what may be locked out at most: policy, attack, part denied. The simulation is the same each
/// time, so a change here is a change of a policy; the full table is in docs/policies.md.
const PROMISES: [(&str, &str, f64); 10] = [
    ("brute-force", "brute force", 0.95),
    ("password-spray", "spray", 0.85),
    ("password-spray", "botnet spray", 0.85),
    ("password-spray", "stuffing", 0.45),
    ("distributed-guessing", "distributed guessing", 0.85),
    ("impossible-travel", "travelling thief", 0.95),
    ("rbl", "listed hosts", 0.35),
    ("everything", "brute force", 0.95),
    ("everything", "spray", 0.85),
    ("everything", "travelling thief", 0.95),
];

#[test]
fn no_policy_falls_below_what_it_promises() {
    let mut configs = Vec::new();
    for (policy, _, _) in PROMISES {
        let file =
            if policy == "everything" { "everything.conf".into() } else { format!("{policy}/policy.conf") };
        let config = format!("{policy}=policies/{file}");
        if !configs.contains(&config) {
            configs.push(config);
        }
    }
    configs.push("standard=policies/standard.conf".to_owned());
    let mut command = Command::new(tools::portcullis());
    command.args(["simulate", "--json", "--scale", "0.4"]).args(&configs).current_dir(tools::workspace());
    let told: Value = serde_json::from_str(&process::run_ok(&mut command)).unwrap();
    for (policy, attack, least) in PROMISES {
        let rate = told["policies"][policy]["attacks"][attack]["catch_rate"].as_f64().unwrap();
        assert!(rate >= least, "{policy} stops {rate} of {attack}, it promises {least}");
    }
    for (policy, attack, most) in SOON {
        let seconds = told["policies"][policy]["attacks"][attack]["seconds_to_catch"].as_f64().unwrap();
        assert!(seconds <= most, "{policy} stops {attack} after {seconds} s, it promises {most}");
    }
    // Only what needs a place may ever lock out an owner: it cannot know who flew away.
    for policy in ["brute-force", "password-spray", "distributed-guessing", "rbl", "standard"] {
        assert_eq!(told["policies"][policy]["people_locked_out"], 0, "{policy}");
    }
    for (policy, most) in [("impossible-travel", 0.01), ("everything", 0.03)] {
        let rate = told["policies"][policy]["false_lock_rate"].as_f64().unwrap();
        assert!(rate <= most, "{policy} locks out {rate} of the owners' logins");
    }
}

#[test]
fn the_table_in_the_documentation_is_what_the_simulation_says() {
    // Of the whole day two rows, as it takes long; `scripts/simulate --check` compares all of them.
    let page = std::fs::read_to_string(tools::workspace().join("docs/policies.md")).unwrap();
    let configs = ["brute-force", "rbl"].map(|policy| format!("{policy}=policies/{policy}/policy.conf"));
    let mut command = Command::new(tools::portcullis());
    command.arg("simulate").args(configs).current_dir(tools::workspace());
    let table = process::run_ok(&mut command);
    assert!(table.lines().count() >= 4, "{table}");
    for row in table.lines() {
        assert!(page.contains(row), "docs/policies.md has another row than {row:?}: run scripts/simulate");
    }
}
