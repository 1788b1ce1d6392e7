//! Components through the `portcullis` tool.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

#[path = "../../host/wasm/tests/support/guest.rs"]
mod guest;

use std::path::Path;
use std::process::{Command, Output};

use guest::{allow, counts, decide, looks_around, moody};
use portcullis_tests::{process, tools};
use serde_json::{Value, json};
use tempfile::TempDir;

const CONFIG: &str = "newStringStatsDB('seen', 60, 5, { failures = 'int' })\n\
    loadPolicy('p', 'p.wasm', { deadline_ms = 60000, quarantine = 0, on_error = 'deny' })\n\
    setReport(function(lt) if not lt.success then getStringStatsDB('seen'):twAdd(lt.login, 'failures', 1) end end)\n\
    setAllow({ 'p', function(lt) return 0, '', 'default', {} end })\n";

fn folder(component: &[u8]) -> TempDir {
    let folder = TempDir::with_prefix("portcullis-tool-").unwrap();
    std::fs::write(folder.path().join("p.conf"), CONFIG).unwrap();
    std::fs::write(folder.path().join("p.wasm"), component).unwrap();
    folder
}

fn portcullis(folder: &Path, arguments: &[&str]) -> Output {
    process::run(Command::new(tools::portcullis()).args(arguments).current_dir(folder).env("NO_COLOR", "1"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn told(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

#[test]
fn one_login_is_explained_with_the_fuel_it_took() {
    let folder = folder(&counts(3, 0));
    let output = portcullis(
        folder.path(),
        &["run", "p.conf", "--login", "joe", "--remote", "192.0.2.1", "--times", "4", "--json"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = told(&output);
    assert_eq!((&told["status"], &told["explain"]["decided_by"]), (&json!(-1), &json!("policy p")));
    assert!(told["explain"]["fuel"].as_i64().unwrap() > 0, "{told}");
    let text = stdout(&portcullis(folder.path(), &["run", "p.conf", "--login", "joe"]));
    assert!(
        text.starts_with("allow (status 0)\n") && text.contains("p: pass") && text.contains(" fuel\n"),
        "{text}"
    );
}

#[test]
fn a_configuration_with_components_is_checked() {
    let folder = folder(&counts(3, 0));
    let told = told(&portcullis(folder.path(), &["check", "p.conf", "--json"]));
    assert_eq!((&told["fine"], &told["hooks"]), (&json!(true), &json!(["allow", "report"])));
    assert_eq!(told["policies"], json!(["p"]));
    let check = || {
        process::run(
            Command::new(tools::wforce()).arg("--check-config").arg("-C").arg(folder.path().join("p.conf")),
        )
    };
    assert!(stdout(&check()).contains("p (p.wasm): fine"), "{}", stdout(&check()));
    std::fs::write(folder.path().join("p.wasm"), b"not wasm").unwrap();
    let output = portcullis(folder.path(), &["check", "p.conf"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("p.wasm is no WebAssembly file: it is text"), "{}", stdout(&output));
    let output = portcullis(folder.path(), &["check", "p.conf", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(serde_json::from_str::<Value>(&stdout(&output)).unwrap()["fine"], false);
    // The same of the daemon's own check.
    let output = check();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        (stdout(&output) + &stderr(&output)).contains("p.conf:2: Caught exception: loadPolicy: "),
        "{}",
        stdout(&output)
    );
}

#[test]
fn tables_of_cases_are_played_on_a_virtual_clock() {
    let cases = "config = 'p.conf'\n[[case]]\nname = 'four are too many, for an hour'\n\
        [[case.step]]\nreport = { login = 'joe' }\nrepeat = 4\n\
        [[case.step]]\nallow = { login = 'joe' }\nexpect = { status = 'deny', decided_by = 'policy p' }\n\
        [[case.step]]\nadvance = '10m'\nallow = { login = 'joe' }\nexpect = { status = 'allow' }\n";
    let folder = folder(&counts(3, 0));
    std::fs::write(folder.path().join("cases.toml"), cases).unwrap();
    let output = portcullis(folder.path(), &["test", "cases.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    std::fs::write(folder.path().join("p.wasm"), counts(4, 0)).unwrap();
    let output = portcullis(folder.path(), &["test", "cases.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("+ status: allow"), "{}", stdout(&output));
}

#[test]
fn a_recording_is_compared_between_two_components() {
    let login = |kind: &str, t: u32, rest: &str| {
        format!("{{\"type\":\"{kind}\",\"t\":{t}.0,\"login\":\"joe\",\"remote\":\"192.0.2.1\"{rest}}}\n")
    };
    let folder = folder(&counts(3, 0));
    std::fs::write(folder.path().join("strict.wasm"), counts(0, 0)).unwrap();
    std::fs::write(folder.path().join("strict.conf"), CONFIG.replace("p.wasm", "strict.wasm")).unwrap();
    let lines = login("report", 1_700_000_000, ",\"success\":false")
        + &login("allow", 1_700_000_001, ",\"status\":0");
    std::fs::write(folder.path().join("logins.jsonl"), lines).unwrap();
    let output = portcullis(folder.path(), &["replay", "logins.jsonl", "p.conf", "strict.conf", "--json"]);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told} {}", stderr(&output));
    assert_eq!(told["different"][0]["after"], "deny", "{told}");
}

#[test]
fn a_measurement_tells_time_and_fuel() {
    let folder = folder(&counts(1_000_000_000, 0));
    let output = portcullis(folder.path(), &["bench", "p.conf", "--calls", "2000", "--json"]);
    let told = told(&output);
    let hooks = told["hooks"].as_array().unwrap();
    assert_eq!((&hooks[0]["hook"], &hooks[0]["fuel"]), (&json!("report"), &Value::Null), "{told}");
    assert_eq!(hooks[1]["hook"], "allow");
    assert!(hooks[1]["fuel"].as_u64().unwrap() > 0 && hooks[1]["mean_ns"].as_u64().unwrap() > 0, "{told}");
    let nanoseconds = |name: &str| hooks[1][name].as_u64().unwrap();
    assert!(0 < nanoseconds("p50_ns") && nanoseconds("p50_ns") <= nanoseconds("p99_ns"), "{told}");
    let text = stdout(&portcullis(folder.path(), &["bench", "p.conf", "--calls", "2000"]));
    assert!(text.lines().next().unwrap().ends_with("fuel"), "{text}");
    // One that fails is told of, not measured.
    std::fs::write(folder.path().join("p.wasm"), allow("(unreachable)")).unwrap();
    let output = portcullis(folder.path(), &["bench", "p.conf", "--calls", "100"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("allow: components failed in 200 of the calls"), "{}", stderr(&output));
}

#[test]
fn an_inspection_says_what_a_component_is() {
    let folder = folder(&counts(3, 0));
    std::fs::write(folder.path().join("wasi.wasm"), looks_around()).unwrap();
    std::fs::write(folder.path().join("moody.wasm"), moody()).unwrap();
    let output = portcullis(folder.path(), &["inspect", "p.wasm", "wasi.wasm", "moody.wasm"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    for part in [
        "p.wasm: ",
        "portcullis:policy@0.1.0 (this server speaks 0.1.0)",
        "hooks      allow\n",
        "asks for   stats: db.add, db.get, open\n",
        "WASI       none\n",
        "wasi:cli/stdout@0.2.0",
        "can be loaded",
    ] {
        assert!(text.contains(part), "no {part:?}: {text}");
    }
    let told = told(&portcullis(folder.path(), &["inspect", "p.wasm", "--json"]));
    let one = &told["components"][0];
    assert_eq!(
        (&one["contract"], &one["loads"], &one["wasi"]),
        (&json!(["0.1.0"]), &json!(true), &json!([]))
    );
    assert_eq!(one["hooks"], json!([{"interface": "allow", "functions": ["allow"]}]));
    assert!(one["bytes"].as_u64().unwrap() > 0 && one["code_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn an_inspection_ends_with_what_it_found() {
    let folder = folder(&allow(&decide(0)));
    let foreign = wat::parse_str(r#"(component (import "acme:files/disk@1.0.0" (instance)))"#).unwrap();
    let core = wat::parse_str("(module)").unwrap();
    for (name, bytes, code, part) in [
        ("foreign.wasm", foreign.as_slice(), 1, "cannot be loaded: it imports acme:files/disk@1.0.0"),
        ("core.wasm", core.as_slice(), 2, "core.wasm is no WebAssembly component"),
        ("policy.lua", b"setAllow(f)".as_slice(), 2, "policy.lua is no WebAssembly file: it is text"),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let output = portcullis(folder.path(), &["inspect", name]);
        assert_eq!(output.status.code(), Some(code), "{name}: {}{}", stdout(&output), stderr(&output));
        assert!(
            (stdout(&output) + &stderr(&output)).contains(part),
            "{name}: {}{}",
            stdout(&output),
            stderr(&output)
        );
    }
    assert_eq!(portcullis(folder.path(), &["inspect", "missing.wasm"]).status.code(), Some(2));
    assert_eq!(portcullis(folder.path(), &["inspect"]).status.code(), Some(2));
}
