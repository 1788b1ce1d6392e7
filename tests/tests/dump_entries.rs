//! `wf_dump_entries`: real processes on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use portcullis_tests::daemon::PASSWORD;
use portcullis_tests::{Daemon, address, process, tools};
use serde_json::{Value, json};

fn dump_entries(uri: &str, local: SocketAddr, more: &[&str]) -> std::process::Output {
    let (ip, port) = (local.ip().to_string(), local.port().to_string());
    let mut command = Command::new(tools::program("wf_dump_entries"));
    process::run(command.args(["-u", uri, "-l", &ip, "-p", &port, "-w", PASSWORD]).args(more))
}

#[test]
fn entries_are_dumped() {
    let daemon = Daemon::start(
        "newStringStatsDB(\"db1\", 3600, 2, { i = \"int\", c = \"countmin\" })\nlocal db = getStringStatsDB(\"db1\")\n\
         db:twReset(\"k\")\ndb:twAdd(\"k\\\"q\", \"i\", 7)\ndb:twAdd(\"k\\\"q\", \"c\", \"x\")\n\
         newStringStatsDB(\"db2\", 3600, 2, { i = \"int\" })\n",
    );
    let uri = format!("http://{}", daemon.http);
    let json = dump_entries(&uri, address::fresh(), &[]);
    assert_eq!(json.status.code(), Some(0), "{}", String::from_utf8_lossy(&json.stderr));
    let text = String::from_utf8(json.stdout).unwrap();
    assert!(text.ends_with('\n'));
    let value: Value = serde_json::from_str(&text).unwrap();
    // Once in the configuration's state; worker states find it counted.
    let counted = value["db1"]["k\"q"]["i"][0].as_i64().unwrap();
    assert!(counted >= 7 && counted % 7 == 0, "{text}");
    assert_eq!(value["db2"], json!({}));
    // wforce's own bytes, into a file that had something in it.
    let file = daemon.folder().join("dump");
    std::fs::write(&file, "x".repeat(100_000)).unwrap();
    let old = dump_entries(
        &format!("{uri}/command/dumpEntries"),
        address::fresh(),
        &["--compat", "-f", file.to_str().unwrap()],
    );
    assert_eq!((old.status.code(), old.stdout.len()), (Some(0), 0));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(r#"{"db1": {"k"q": {"c": ["#) && text.ends_with("}\"db2\": {}}\n"), "{text}");
}

/// A stand-in for a server with this dump, which it gives once.
fn stand_in(name: &'static str, dump: &'static str) -> (String, std::thread::JoinHandle<()>) {
    let http = TcpListener::bind(address::fresh()).unwrap();
    let uri = format!("http://{}", http.local_addr().unwrap());
    let serve = move || {
        let mut stream = BufReader::new(http.accept().unwrap().0);
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).unwrap() > 2 {
            let number =
                line.to_lowercase().strip_prefix("content-length:").map(|number| number.trim().parse());
            length = number.map_or(length, |number| number.unwrap());
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let answer =
            format!("HTTP/1.1 200 OK\r\nServer: {name}\r\nContent-Length: 15\r\n\r\n{{\"status\":\"ok\"}}");
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let port = u16::try_from(asked["dump_port"].as_u64().unwrap()).unwrap();
        let to = SocketAddr::new(asked["dump_host"].as_str().unwrap().parse().unwrap(), port);
        std::net::TcpStream::connect(to).unwrap().write_all(dump.as_bytes()).unwrap();
    };
    (uri, std::thread::Builder::new().name(name.into()).spawn(serve).unwrap())
}

#[test]
fn a_dump_that_breaks_off_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("entries.json");
    let whole = r#"{"db1": {"k": {"i": [7, 0]}}}"#;
    std::fs::write(&file, "yesterday's").unwrap();
    for (server, compat) in [
        ("portcullis", None),
        ("drogon/1.9.1", None),
        ("portcullis", Some("--compat")),
        ("drogon/1.9.1", Some("--compat")),
    ] {
        let options = ["-f", file.to_str().unwrap()].into_iter().chain(compat).collect::<Vec<_>>();
        let (uri, thread) = stand_in(server, &whole[..whole.len() - 1]);
        let output = dump_entries(&uri, address::fresh(), &options);
        thread.join().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{server} {compat:?}: {text}");
        assert!(text.contains("not complete"), "{text}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "yesterday's");
    }
    let (uri, thread) = stand_in("portcullis", whole);
    assert_eq!(dump_entries(&uri, address::fresh(), &["-f", file.to_str().unwrap()]).status.code(), Some(0));
    thread.join().unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{whole}\n"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_dump_of_wforce_is_put_right() {
    let old = r#"{"db1": {"k": {"c": [7, 0], "i": [7, 0, 1, 0]}"l": {"c": [1, 0]}}"db2": {}}"#;
    for (arguments, expected) in [
        (&[][..], r#"{"db1": {"k": {"c": [7, 0], "i": [1, 0]}, "l": {"c": [1, 0]}}, "db2": {}}"#),
        (&["--compat"], old),
    ] {
        let (uri, server) = stand_in("drogon/1.9.1", old);
        let output = dump_entries(&uri, address::fresh(), arguments);
        server.join().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{expected}\n"));
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn a_dump_that_cannot_be_had_is_told() {
    let daemon = Daemon::start("");
    let uri = format!("http://{}", daemon.http);
    let nobody = format!("http://{}", address::fresh());
    let listening = TcpListener::bind(address::fresh()).unwrap();
    for (uri, local, more, why) in [
        (&nobody, address::fresh(), &[][..], "cannot ask the server"),
        (&uri, address::fresh(), &["-w", "wrong"], "401"),
        (&uri, listening.local_addr().unwrap(), &[], "cannot listen"),
        (&uri, address::fresh(), &["-f", "/nosuch/file"], "/nosuch/file"),
    ] {
        let output = dump_entries(uri, local, more);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(why) && !text.contains(PASSWORD), "{text}");
    }
    let output = process::run(Command::new(tools::program("wf_dump_entries")).args(["-u", "http://a"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("--local-addr"));
}
