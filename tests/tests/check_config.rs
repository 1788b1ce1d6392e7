//! Checking a configuration: what is told of a good one and of a bad one, and what is not touched meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::process::Command;

use portcullis_tests::process::all_output;
use portcullis_tests::{Daemon, Launch, process, tools};

#[test]
fn a_good_configuration_is_told_as_what_it_serves() {
    let places = tools::workspace().join("host/capabilities/testdata/GeoIP2-City-Test.mmdb");
    let policy = format!(
        "newStringStatsDB(\"seen\", 60, 5, {{ failures = \"int\" }})\n\
         setCustomEndpoint(\"mine\", false, function(args) return true, {{}} end)\n\
         newGeoIP2DB(\"Places\", \"{}\")\nnewDNSResolver(\"names\")\nnewDNSResolver(\"deaf\")\n\
         getDNSResolver(\"names\"):addResolver(\"192.0.2.53\", 5353)\n",
        places.display()
    );
    let launch = Launch::new(&policy).args(&["--check-config"]);
    let output = launch.run();
    let text = all_output(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in [&launch.http.to_string(), &launch.control.to_string(), "seen", "mine"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for (what, value) in [
        ("GeoIP database", format!("Places: {}", places.display()).as_str()),
        ("resolver", "deaf: no server, finds nothing"),
        ("resolver", "names: 192.0.2.53:5353"),
    ] {
        let line =
            text.lines().find(|line| line.ends_with(value)).unwrap_or_else(|| panic!("{value}: {text}"));
        assert!(line.starts_with(what), "{line}");
    }
}

/// Configurations that must not load: the file, and what the message must name.
const BAD: [(&str, &[&str]); 8] = [
    ("-- fine\nx = = 5\n", &["wforce.conf:2:", "unexpected symbol"]),
    ("\n\nnosuch(5)\n", &["wforce.conf:3:", "nosuch"]),
    ("addACL(\"300.1.2.3\")\n", &["wforce.conf:1:", "300.1.2.3"]),
    ("-- one\naddACL(5, 6)\n", &["wforce.conf:2:"]),
    ("-- one\ndofile(\"missing.lua\")\n", &["wforce.conf:2: ", "missing.lua"]),
    ("dofile(\"broken.lua\")\n", &["broken.lua:2:"]),
    (
        "-- one\nlocal function check() error(\"no position\", 0) end\ncheck()\n",
        &["wforce.conf:2: no position"],
    ),
    ("-- one\nerror({})\n", &["wforce.conf:2: "]),
];

#[test]
fn a_bad_configuration_is_told_with_its_place() {
    for (config, parts) in BAD {
        for check in [true, false] {
            let mut launch = Launch::new(config).file("broken.lua", "-- one\nreturn = 5\n");
            if check {
                launch = launch.args(&["--check-config"]);
            }
            let output = launch.run();
            let text = all_output(&output);
            assert_eq!(output.status.code(), Some(1), "{config:?}, check {check}: {text}");
            for part in parts {
                assert!(text.contains(part), "{config:?}, check {check}: no {part:?}: {text}");
            }
            // wforce's own words, for what watches its log; who asks for a check reads it once.
            assert_eq!(text.contains("Fatal Lua error: "), !check, "{config:?}, check {check}: {text}");
            let message = parts[parts.len() - 1];
            // Lines of the traceback are indented.
            let times = text.lines().filter(|line| !line.starts_with("  ") && line.contains(message)).count();
            assert!(!check || times == 1, "{config:?}: {times} times {message:?}: {text}");
        }
    }
}

/// What the daemon logs and goes on without: the file, and what the check must name.
const DUBIOUS: [(&str, &[&str]); 20] = [
    (
        "-- one\naddListener(\"nowhere:1\", false, \"\", \"\", {})\n",
        &["wforce.conf:2: addListener: ", "nowhere"],
    ),
    ("addListener(\"127.0.0.1:1\", true, \"no.pem\", \"no.pem\", {})\n", &["wforce.conf:1: ", "no.pem"]),
    (
        "\naddListener(\"127.0.0.1:1\", true, \"noise\", \"noise\", {})\n",
        &["wforce.conf:2: addListener 127.0.0.1:1: certificate file noise: "],
    ),
    ("newGeoIP2DB(\"city\", \"noise\")\n", &["wforce.conf:1: newGeoIP2DB: ", "noise"]),
    (
        "newGeoIP2DB(\"city\", \"zeroed.mmdb\")\n",
        &["wforce.conf:1: newGeoIP2DB: ", "zeroed.mmdb is no GeoIP2 database: "],
    ),
    ("newGeoIP2DB(\"city\", \"missing.mmdb\")\n", &["wforce.conf:1: newGeoIP2DB: ", "missing.mmdb"]),
    (
        "newGeoIP2DB(\"city\", \"/dev/zero\")\n",
        &["wforce.conf:1: newGeoIP2DB: ", "it is a device, and only a regular file"],
    ),
    (
        "addListener(\"127.0.0.1:1\", true, \"/dev/zero\", \"/dev/zero\", {})\n",
        &["wforce.conf:1: addListener 127.0.0.1:1: /dev/zero is not a regular file"],
    ),
    ("setKey(\"short\")\n", &["wforce.conf:1: setKey: "]),
    ("if pcall(setKey, \"short\") then end\n", &["wforce.conf:1: setKey: "]),
    ("dofile(\"more.lua\")\nsetKey(\"short\")\n", &["more.lua:2: addSibling: ", "(and 1 more)"]),
    (
        "newStringStatsDB(\"x\", 60, 5, { a = \"float\" })\n",
        &["wforce.conf:1: x: a field has a type other than"],
    ),
    (
        "newStringStatsDB(\"x\", -60, 0, { a = \"int\" })\n",
        &["wforce.conf:1: x: 0 windows of -60 s: what is not positive is taken as 1"],
    ),
    (
        "addWebHook({ \"report\", \"raport\" }, { url = \"http://127.0.0.1:9/\" })\n",
        &["wforce.conf:1: addWebHook: there is no event \"raport\""],
    ),
    (
        "addWebHook({ \"report\" }, { url = \"http://127.0.0.1:9/\", secrett = \"x\" })\n",
        &["wforce.conf:1: webhooks have no setting \"secrett\""],
    ),
    (
        "setPolicyBudget(-1)\n",
        &["wforce.conf:1: setPolicyBudget: -1 is not between 1 and 4294967295, what was set before stays"],
    ),
    ("setPolicyCache(\"noise\")\n", &["wforce.conf:1: setPolicyCache: noise is no folder"]),
    (
        "-- one\nlocal db = getStringStatsDB(\"typo\")\n",
        &["wforce.conf:2: getStringStatsDB: no stats DB named \"typo\""],
    ),
    (
        "getStringStatsDB(\"x\"):twEnableReplication()\nnewStringStatsDB(\"x\", 60, 5, { n = \"int\" })\n",
        &["wforce.conf:1: getStringStatsDB: no stats DB named \"x\""],
    ),
    (
        "initGeoIPCityDB()\nnewGeoIP2DB(\"Country\", \"City.mmdb\")\n",
        &["wforce.conf:1: initGeoIPCityDB: no GeoIP2 database is open under any of the names City, "],
    ),
];

#[test]
fn what_would_only_be_logged_fails_the_check() {
    let database = tools::workspace().join("host/capabilities/testdata/GeoIP2-City-Test.mmdb");
    let city = std::fs::read(database).unwrap();
    let mut zeroed = city.clone();
    zeroed[..1000].fill(0);
    let files = |config: &str| {
        Launch::new(config)
            .file("noise", "nothing useful")
            .file("zeroed.mmdb", &zeroed)
            .file("City.mmdb", &city)
            .file("more.lua", "-- one\naddSibling(\"nowhere\")\n")
    };
    for (config, parts) in DUBIOUS {
        let output = files(config).args(&["--check-config"]).run();
        let text = all_output(&output);
        assert_eq!(output.status.code(), Some(1), "{config:?}: {text}");
        assert!(!text.contains("configuration is fine"), "{config:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{config:?}: no {part:?}: {text}");
        }
        // wforce starts with all of these, and so do existing installations.
        assert_eq!(files(config).start().client().get("/command/ping").status, 200, "{config:?}");
    }
}

#[test]
fn a_geoip_database_may_be_opened_below_the_line_that_asks_for_it() {
    let city = tools::workspace().join("host/capabilities/testdata/GeoIP2-City-Test.mmdb");
    let config = "initGeoIPDB()\ninitGeoIPCityDB()\nnewGeoIP2DB(\"City\", \"City.mmdb\")\n";
    let output =
        Launch::new(config).file("City.mmdb", std::fs::read(city).unwrap()).args(&["--check-config"]).run();
    assert_eq!(output.status.code(), Some(0), "{}", all_output(&output));
}

#[test]
fn a_component_that_is_not_there_is_named_with_its_folder() {
    let launch = Launch::new("-- one\nloadPolicy(\"p\", \"guard.wasm\")\n").args(&["--check-config"]);
    let output = launch.run();
    let text = all_output(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let file = launch.folder().canonicalize().unwrap().join("guard.wasm");
    let expected = format!("cannot read {}: there is no such file: is it built", file.display());
    assert!(text.contains(&expected), "{expected}: {text}");
}

#[test]
fn a_running_daemon_does_not_disturb_the_check() {
    let daemon = Daemon::start("");
    let mut check = Command::new(tools::wforce());
    let output = process::run(check.arg("--check-config").arg("-C").arg(daemon.config()));
    assert_eq!(output.status.code(), Some(0), "{}", all_output(&output));
}

#[test]
fn a_file_that_would_end_the_process_fails_the_check() {
    let output = Launch::new("-- one\nos.exit(0)\n").args(&["--check-config"]).run();
    let text = all_output(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("wforce.conf:2: os.exit() would end the daemon"), "{text}");
}

#[test]
fn a_mistyped_number_of_states_does_not_hang_the_check() {
    let output = Launch::new("setNumLuaStates(1e9)\n").args(&["--check-config"]).run();
    let text = all_output(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("wforce.conf:1: setNumLuaStates: 1000000000 is too many, 256 are made"), "{text}");
}

/// What would keep a daemon from starting, or fail later: the file, and what the check must name.
const UNUSABLE: [(&str, &str, &[&str]); 5] = [
    (
        "wforce",
        "-- one\nsetStateDir(\"noise/state\")\n",
        &["wforce.conf:2: setStateDir noise/state: ", "noise is no folder"],
    ),
    (
        "wforce",
        "recordTo(\"/proc/portcullis/logins.jsonl\")\n",
        &["wforce.conf:1: recordTo /proc/portcullis/logins.jsonl: /proc cannot be written"],
    ),
    (
        "trackalert",
        "-- one\nsetReportStore(\"embedded\", { path = \"noise/reports\" })\n",
        &["trackalert.conf:2: setReportStore: ", "noise is no folder"],
    ),
    (
        "trackalert",
        "-- one\n-- two\nsetAlertTemplates(\"templates\")\n",
        &["trackalert.conf:3: setAlertTemplates: ", "user.de.txt"],
    ),
    (
        "trackalert",
        "-- one\nsetCurlCABundleFile(\"/dev/zero\")\n",
        &["trackalert.conf:2: webhooks: ", "it is a device"],
    ),
];

#[test]
fn a_check_tries_what_the_daemon_will_use() {
    for (program, config, parts) in UNUSABLE {
        let launch =
            Launch::new(config).program(program).args(&["--check-config"]).file("noise", "nothing useful");
        std::fs::create_dir(launch.folder().join("templates")).unwrap();
        let launch = launch.file("templates/user.de.txt", "no subject\n");
        let output = launch.run();
        let text = all_output(&output);
        assert_eq!(output.status.code(), Some(1), "{config:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{config:?}: no {part:?}: {text}");
        }
        // The tool says the same.
        let file = launch.folder().join(program).with_extension("conf");
        let output = process::run(Command::new(tools::portcullis()).arg("check").arg(file));
        assert_eq!(output.status.code(), Some(1), "{config:?}: {}", all_output(&output));
        assert!(all_output(&output).contains(parts[parts.len() - 1]), "{config:?}: {}", all_output(&output));
    }
}

const REACHES: &str = "setStateDir(\"state\")
siblingListener(\"127.0.0.1:4\")
addSibling(\"192.0.2.1:1:tcp\")
addSyncHost(\"http://u:hidden@192.0.2.2:2/\", \"hidden\", \"127.0.0.1:4\", \"http://127.0.0.1:5\")
addWebHook({ \"report\" }, { url = \"http://192.0.2.3:3/\", [\"basic-auth\"] = \"u:hidden\" })
addCustomWebHook(\"mine\", { url = \"http://192.0.2.4:4/\" })
addReportSink(\"192.0.2.5:5\")
addNamedReportSink(\"named\", \"192.0.2.6:6\")
blacklistPersistDB(\"192.0.2.7\", 7)
blacklistRedisPassword(\"hidden\")
newStringStatsDB(\"out\", 60, 5, { n = \"int\" }, { backend = \"redis://192.0.2.8:8\", password = \"hidden\" })
";

#[test]
fn a_check_lists_what_is_reached_outside() {
    let launch = Launch::new(REACHES).args(&["--check-config"]);
    let output = launch.run();
    assert_eq!(output.status.code(), Some(0), "{}", all_output(&output));
    let file = launch.folder().join("wforce.conf");
    let tool = process::run(Command::new(tools::portcullis()).arg("check").arg(file));
    for text in [all_output(&output), all_output(&tool)] {
        for (what, place) in [
            ("state", "state, every 60 s"),
            ("sibling listener", "127.0.0.1:4"),
            ("sibling", "192.0.2.1:1 tcp"),
            ("sync host", "http://192.0.2.2:2/"),
            ("webhook", "http://192.0.2.3:3/ (report)"),
            ("custom webhook", "mine: http://192.0.2.4:4/"),
            ("report sink", "192.0.2.5:5"),
            ("named report sink", "named: 192.0.2.6:6"),
            ("blacklist in Redis", "192.0.2.7:7"),
            ("stats DB in Redis", "out: 192.0.2.8:8"),
        ] {
            let line = format!("\n{what:<20} {place}\n");
            assert!(text.contains(&line), "{line:?}: {text}");
        }
        assert!(!text.contains("hidden"), "{text}");
    }
    assert!(!launch.folder().join("state").exists(), "a check leaves nothing behind");
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let launch = Launch::new("-- one\nloadPolicy(\"p\", \"pipe\")\n").args(&["--check-config"]);
    let pipe = launch.folder().join("pipe");
    process::run_ok(Command::new("mkfifo").arg(&pipe));
    let pipes = launch.run();
    let zeros = Launch::new("-- one\nloadPolicy(\"p\", \"/dev/zero\")\n").args(&["--check-config"]).run();
    for (output, file, kind) in [(pipes, "pipe", "a pipe"), (zeros, "/dev/zero", "a device")] {
        let text = all_output(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let expected = format!("cannot read {file}: it is {kind}, and only a regular file is read");
        assert!(text.contains("wforce.conf:2") && text.contains(&expected), "{text}");
    }
    let mut check = Command::new(tools::wforce());
    let output = process::run(check.args(["--check-config", "-C", "/dev/zero"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(all_output(&output).contains("/dev/zero: it is a device"), "{}", all_output(&output));
}

/// Lines that name something to write to, what is put there as a pipe, and how the check and the start begin to say so.
const PIPES: [(&str, &str, &str); 4] = [
    ("recordTo(\"logins\")\n", "logins", "recordTo logins: it is a pipe"),
    ("setStateDir(\"state\")\n", "state/state", "setStateDir: state directory state/state: it is a pipe"),
    (
        "setStateDir(\"state\")\n",
        "state/state.tmp",
        "setStateDir: state directory state/state.tmp: it is a pipe",
    ),
    ("setStateDir(\"state\")\n", "state/lock", "setStateDir: state directory state/lock: it is a pipe"),
];

#[test]
fn pipes_are_not_written_to() {
    for (config, path, expected) in PIPES {
        for argument in ["--check-config", "-D"] {
            let launch = Launch::new(config).args(&[argument]);
            std::fs::create_dir(launch.folder().join("state")).unwrap();
            process::run_ok(Command::new("mkfifo").arg(launch.folder().join(path)));
            let output = launch.run();
            let text = all_output(&output);
            assert_eq!(output.status.code(), Some(1), "{path} {argument}: {text}");
            assert!(text.contains(expected), "{path} {argument}: {text}");
        }
    }
}

#[test]
fn an_empty_password_is_told_by_the_check() {
    let launch =
        Launch::bare("addListener(\"127.0.0.1:0\", false, \"\", \"\", {})\nsetWebserverPassword(\"\")\n");
    let output = launch.args(&["--check-config"]).run();
    let text = all_output(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("wforce.conf:2: setWebserverPassword: the password is empty"), "{text}");
}

#[test]
fn a_daemon_that_nobody_can_ask_is_told_by_the_check() {
    let listener = "addListener(\"127.0.0.1:0\", false, \"\", \"\", {})\n";
    for (config, warned) in [
        (String::new(), "no addListener() in the configuration"),
        (listener.to_owned(), "no setWebserverPassword() in the configuration"),
        (format!("{listener}setWebserverPassword(\"secret\")\n"), ""),
    ] {
        let output = Launch::bare(&config).args(&["--check-config"]).run();
        let text = all_output(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let warning = text.lines().find(|line| line.starts_with("warning")).unwrap_or_default();
        assert!(warning.contains(warned) && warning.is_empty() == warned.is_empty(), "{config}: {text}");
    }
}

/// The daemon ignores what it does not know, as wforce does; but which file was checked must be sure.
#[test]
fn a_check_knows_all_its_arguments() {
    for wrong in ["wforce.conf", "--verbos"] {
        let output = process::run(Command::new(tools::wforce()).args(["--check-config", wrong]));
        let text = all_output(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(wrong) && text.contains("-C"), "{text}");
    }
}
